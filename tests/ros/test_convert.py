"""Records become messages and come back the same; whatever else comes in is refused with a reason and never raises."""

from __future__ import annotations

import dataclasses
import io
import json
import math
from collections.abc import Callable
from typing import Any

import genpy
import numpy as np
import pytest
from diagnostic_msgs.msg import DiagnosticArray, DiagnosticStatus, KeyValue
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from sensor_msgs.msg import Image, JointState, Joy

from robot_rig.datatypes import (
    Action,
    ArmState,
    ArmStatus,
    Executed,
    Frame,
    Goal,
    Mode,
    Outcome,
    RawFrame,
    Source,
    Verdict,
)
from robot_rig.ros import arm_report, convert
from robot_rig.ros.arm_report import ArmReport
from robot_rig.ros.images import image, pixels
from robot_rig.ros.stamps import HostStamps, Refused

NOW = 1000.0
STAMPS = HostStamps(lambda: NOW + 1.75e9, lambda: NOW)
CLOCK = 2e-6  # what a header's nanoseconds and a float's 53 bits leave

finite = st.floats(allow_nan=False, allow_infinity=False)
numbers = st.integers(0, 2**31 - 1)
past = st.floats(NOW - 100.0, NOW - 0.001)
sevens = arrays.arrays(np.float64, 7, elements=finite)
actions = arrays.arrays(np.float32, st.integers(1, 16), elements=st.floats(width=32))
pictures = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).integers(0, 256, (84, 84, 3), dtype=np.uint8)
)
words = st.lists(st.text(max_size=20), max_size=4).map(tuple)


def crossed(message: Any) -> Any:
    """`message` as another process gets it."""
    buffer = io.BytesIO()
    message.serialize(buffer)
    return type(message)().deserialize(buffer.getvalue())


def near(stamp: float) -> Any:
    return pytest.approx(stamp, abs=CLOCK)


# --- round trips ------------------------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(numbers, past, pictures)
def test_a_frame(seq: int, stamp: float, rgb: Any) -> None:
    back = convert.read_frame(crossed(convert.frame_message(Frame(seq, stamp, rgb), STAMPS)), STAMPS)
    assert isinstance(back, Frame)
    assert (back.seq, back.stamp) == (seq, near(stamp))
    assert np.array_equal(back.rgb, rgb)


@given(numbers, past, past, actions, st.sampled_from(Source), numbers)
def test_an_action_even_one_that_the_gate_will_refuse(
    seq: int, stamp: float, frame_stamp: float, value: Any, source: Source, frame_seq: int
) -> None:
    action = Action(seq, stamp, value, source, frame_seq, frame_stamp)
    back = convert.read_action(crossed(convert.action_message(action, STAMPS)), STAMPS)
    assert isinstance(back, Action)
    assert (back.seq, back.frame_seq, back.source) == (seq, frame_seq, source)
    assert (back.stamp, back.frame_stamp) == (near(stamp), near(frame_stamp))
    assert np.array_equal(back.value, value, equal_nan=True)


@given(past, sevens, sevens, sevens, st.tuples(*[st.booleans()] * 4))
def test_an_arm_state(stamp: float, position: Any, velocity: Any, effort: Any, flags: Any) -> None:
    state = ArmState(stamp, position, velocity, effort, *flags)
    back = convert.read_state(crossed(convert.state_message(state, STAMPS)), STAMPS)
    assert isinstance(back, ArmState)
    assert back.stamp == near(stamp)
    assert (back.enabled, back.stopped, back.error, back.collided) == flags
    for name in ("position", "velocity", "effort"):
        assert np.array_equal(getattr(back, name), getattr(state, name))


@given(past, sevens, st.sampled_from([None, *Source]), st.integers(-1, 2**31 - 1))
def test_what_was_sent(stamp: float, executed: Any, source: Source | None, seq: int) -> None:
    state = ArmState(stamp, np.zeros(7), np.zeros(7), np.zeros(7), True, False, False, False)
    status = ArmStatus(stamp, Mode.ACTIVE, state, executed, np.zeros(6), Verdict(Outcome.PASSED), source, seq)
    back = convert.read_sent(crossed(convert.sent_message(status, STAMPS)), STAMPS)
    assert isinstance(back, convert.SentVelocity)
    assert (back.stamp, back.source, back.action_seq) == (near(stamp), source, seq)
    assert np.array_equal(back.velocity, executed)


@settings(max_examples=20)
@given(pictures, st.text(min_size=1, max_size=40), st.text(max_size=20), st.text(max_size=20), past)
def test_a_goal_whatever_it_is_called(rgb: Any, name: str, calibration: str, source: str, stamp: float) -> None:
    goal = Goal(rgb, name, stamp, calibration, source)
    back = convert.read_goal(crossed(convert.goal_message(goal, STAMPS)), 1234.5)
    assert isinstance(back, Goal)
    assert (back.id, back.source, back.calibration_id, back.stamp) == (name, source, calibration, 1234.5)
    assert np.array_equal(back.image, rgb)


executions = st.builds(
    Executed,
    arrays.arrays(np.float32, st.integers(1, 16), elements=st.floats(allow_nan=False, allow_infinity=False, width=32)),
    finite,
    st.sampled_from(Outcome),
    words,
    sevens,
)
reports = st.builds(
    ArmReport,
    stamp=past,
    mode=st.sampled_from(Mode),
    why=words,
    verdict=st.builds(Verdict, st.sampled_from(Outcome), words),
    source=st.sampled_from([None, *Source]),
    action_seq=st.integers(-1, 2**31),
    executed=st.none() | executions,
    executed_seq=st.integers(-1, 2**31),
    at_home=st.booleans(),
    master=st.text(max_size=200),
    meaning=st.text(max_size=200),
)


@given(reports)
def test_the_guards_report_to_the_last_bit(report: ArmReport) -> None:
    back = arm_report.read_report(crossed(arm_report.report_message(report, STAMPS)), STAMPS)
    assert isinstance(back, ArmReport)
    for name in ("mode", "why", "verdict", "source", "action_seq", "executed_seq", "at_home", "master", "meaning"):
        assert getattr(back, name) == getattr(report, name), name
    assert back.stamp == near(report.stamp)
    assert (back.executed is None) == (report.executed is None)
    if back.executed is not None and report.executed is not None:
        assert np.array_equal(back.executed.value, report.executed.value)
        assert np.array_equal(back.executed.position, report.executed.position)
        assert (back.executed.residual, back.executed.outcome) == (report.executed.residual, report.executed.outcome)
        assert back.executed.reasons == report.executed.reasons


def test_the_report_tells_a_person_at_a_glance() -> None:
    verdict = Verdict(Outcome.HELD, ("stale_image",))
    report = ArmReport(NOW, Mode.ACTIVE, (), verdict, Source.POLICY, 7, None, -1, False, "answers")
    (status,) = arm_report.report_message(report, STAMPS).status
    assert (status.level, status.message) == (DiagnosticStatus.WARN, "active, stale_image")


# --- pictures ---------------------------------------------------------------------------------------------------------

sizes = st.tuples(st.integers(1, 40), st.integers(1, 40))


@given(sizes, st.sampled_from(["rgb8", "bgr8", "mono8"]), st.integers(0, 7), st.integers(0, 1), st.randoms())
def test_every_encoding_with_padded_rows(size: Any, encoding: str, padding: int, big: int, rng: Any) -> None:
    (height, width), channels = size, 1 if encoding == "mono8" else 3
    rows = np.random.default_rng(rng.randint(0, 2**32)).integers(0, 256, (height, width * channels + padding), np.uint8)
    message = Image(height=height, width=width, encoding=encoding, is_bigendian=big, step=rows.shape[1])
    message.data = rows.tobytes()
    picture = pixels(crossed(message))
    assert isinstance(picture, np.ndarray)
    assert picture.shape == (height, width, 3)
    for y, x in ((0, 0), (height - 1, width - 1), (height // 2, width // 3)):
        pixel = rows[y, x * channels : (x + 1) * channels].tolist()
        expected = {"rgb8": pixel, "bgr8": pixel[::-1], "mono8": pixel * 3}[encoding]
        assert picture[y, x].tolist() == expected
    assert not picture.flags.writeable


def test_a_raw_picture_of_any_size_goes_out() -> None:
    rgb = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)
    message = crossed(convert.frame_message(RawFrame(3, NOW, rgb), STAMPS))
    assert (message.height, message.width, message.step, message.encoding) == (4, 5, 15, "rgb8")
    back = pixels(message)
    assert isinstance(back, np.ndarray)
    assert np.array_equal(back, rgb)


@pytest.mark.parametrize(
    "change",
    [
        {"encoding": "rgba8"},
        {"encoding": "32FC1"},
        {"encoding": ""},
        {"height": 0},
        {"width": 2**32 - 1},
        {"height": 2**32 - 1, "step": 0},
        {"step": 83 * 3},
        {"step": 85 * 3},
        {"data": b""},
        {"data": bytes(84 * 84 * 3 - 1)},
        {"height": 83},
    ],
)
def test_a_picture_that_does_not_fit_is_refused(change: dict[str, Any]) -> None:
    message = image(np.zeros((84, 84, 3), np.uint8))
    for name, value in change.items():
        setattr(message, name, value)
    assert isinstance(pixels(crossed(message)), Refused)


@pytest.mark.parametrize("shape", [(84, 84), (84, 84, 4)])
def test_only_pictures_go_out(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="picture"):
        image(np.zeros(shape, np.uint8))
    with pytest.raises(ValueError, match="picture"):
        image(np.zeros((84, 84, 3), np.float32))  # type: ignore[arg-type]


@given(numbers, past, arrays.arrays(np.float64, 7))
def test_a_posture_that_is_asked_for_whatever_numbers_it_has(number: int, stamp: float, position: Any) -> None:
    asked = convert.AskedPosture(number, stamp, position)
    back = convert.read_posture(crossed(convert.posture_message(asked, STAMPS)), STAMPS)
    assert isinstance(back, convert.AskedPosture)
    assert back.number == number
    assert back.stamp == pytest.approx(stamp, abs=CLOCK)
    assert np.array_equal(back.position, position, equal_nan=True)


@pytest.mark.parametrize(
    ("change", "value"),
    [
        ("name", ["right_j0"] * 7),
        ("position", [0.0] * 6),
        ("frame", "-1"),
        ("frame", ""),
        ("frame", "x"),
        ("frame", "9" * 11),
    ],
)
def test_a_posture_that_is_none_is_refused(change: str, value: Any) -> None:
    message = convert.posture_message(convert.AskedPosture(3, NOW - 0.1, np.zeros(7)), STAMPS)
    if change == "frame":
        message.header.frame_id = value
    else:
        setattr(message, change, value)
    assert isinstance(convert.read_posture(message, STAMPS), Refused)


# --- what else comes in -----------------------------------------------------------------------------------------------

READERS: dict[type, Callable[[Any], object]] = {
    Image: lambda message: [convert.read_frame(message, STAMPS), convert.read_goal(message, NOW)],
    Joy: lambda message: [convert.read_action(message, STAMPS)],
    JointState: lambda message: [
        convert.read_state(message, STAMPS),
        convert.read_sent(message, STAMPS),
        convert.read_posture(message, STAMPS),
    ],
    DiagnosticArray: lambda message: [arm_report.read_report(message, STAMPS)],
}


@settings(max_examples=300)
@given(st.data())
def test_no_message_makes_a_reader_raise(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(READERS)))
    message = kind()
    message.header.frame_id = data.draw(st.text(max_size=30) | st.sampled_from(["rig_camera:1", "policy:3", "a|b|c"]))
    message.header.stamp = genpy.Time(data.draw(st.integers(0, 2**32 - 1)), data.draw(st.integers(0, 10**9 - 1)))
    if isinstance(message, Image):
        message.encoding = data.draw(st.sampled_from(["rgb8", "bgr8", "mono8", "x"]))
        message.height, message.width, message.step = (data.draw(st.integers(0, 100)) for _ in range(3))
        message.data = bytes(data.draw(st.integers(0, 9000)))
    elif isinstance(message, Joy):
        message.axes = data.draw(st.lists(st.floats(width=32), max_size=20))
        message.buttons = data.draw(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=5))
    elif isinstance(message, JointState):
        message.name = data.draw(st.just(list(convert.JOINT_NAMES)) | st.lists(st.text(max_size=9), max_size=9))
        for name in ("position", "velocity", "effort"):
            setattr(message, name, data.draw(st.lists(st.floats(), max_size=9)))
    else:
        keys = ["mode", "why", "outcome", "reasons", "source", "action_seq", "executed", "residual", "position", "x"]
        pairs = st.builds(KeyValue, st.sampled_from(keys), st.text(max_size=20) | st.integers().map(str))
        message.status = [DiagnosticStatus(name="rig_arm", values=data.draw(st.lists(pairs, max_size=12)))]
    for answer in READERS[kind](crossed(message)):
        assert not isinstance(answer, Refused) or answer.reason


TOOL = np.array([0.1, -0.2, 0.3])
BOX = np.array([[0.55, -1 / 3, 0.03], [0.75, 0.2, 0.3]])
HOME = ArmReport(NOW, Mode.HOLD, ("hold",), Verdict(Outcome.PASSED), None, 3, None, -1, True, "", TOOL, "", BOX)
MOVED = Executed(np.zeros(2, np.float32), 0.0, Outcome.PASSED, (), np.zeros(7))


def test_where_the_guard_has_its_tool_arrives_to_the_last_bit() -> None:
    told = dataclasses.replace(HOME, tool=np.array([0.1 + 1e-16, -1 / 3, 2**-40]))
    report = arm_report.read_report(crossed(arm_report.report_message(told, STAMPS)), STAMPS)
    assert isinstance(report, ArmReport)
    assert report.tool is not None
    assert (report.tool == told.tool).all()
    assert report.box is not None
    assert (report.box == BOX).all()
    unspoken = dataclasses.replace(HOME, tool=None, box=None)
    silent = arm_report.read_report(arm_report.report_message(unspoken, STAMPS), STAMPS)
    assert isinstance(silent, ArmReport)
    assert silent.tool is silent.box is None


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mode", "flying"),
        ("why", "hold"),
        ("why", [1]),
        ("outcome", None),
        ("source", "nobody"),
        ("action_seq", 1.5),
        ("action_seq", True),
        ("executed", []),
        ("executed", [1e300]),
        ("executed", ["1"]),
        ("executed", [[0.0]]),
        ("executed", 3),
        ("executed", [0.0] * 17),
        ("executed", [math.nan]),
        ("residual", None),
        ("residual", math.inf),
        ("position", [0.0] * 6),
        ("executed_outcome", "fine"),
        ("executed_reasons", {}),
        ("tool", [0.0, 0.0]),
        ("tool", None),
        ("tool", [0.0, 0.0, math.nan]),
        ("box", None),
        ("box", [[0.0, 0.0, 0.0]]),
        ("box", [[0.0, 0.0, 0.0], [0.0, 0.0]]),
        ("box", [[0.0, 0.0, 0.0], [0.0, 0.0, math.inf]]),
        ("box", "ab"),
    ],
)
def test_a_report_with_one_wrong_value_is_refused(key: str, value: object) -> None:
    report = ArmReport(**{name: getattr(HOME, name) for name in HOME.__slots__} | {"executed": MOVED})
    message = arm_report.report_message(report, STAMPS)
    assert isinstance(arm_report.read_report(message, STAMPS), ArmReport)
    (pair,) = [pair for pair in message.status[0].values if pair.key == key]
    pair.value = json.dumps(value)
    assert isinstance(arm_report.read_report(message, STAMPS), Refused)
    message.status[0].values.remove(pair)
    if key not in ("executed", "tool", "box"):  # without it nothing has been executed yet, or nobody has said
        assert "without" in getattr(arm_report.read_report(message, STAMPS), "reason", "")


@pytest.mark.parametrize("text", ["[" * 100_000, "9" * 5000, "{", "", "\ud7ff"])
def test_a_hostile_value_is_refused(text: str) -> None:
    message = arm_report.report_message(HOME, STAMPS)
    message.status[0].values[0].value = text
    assert isinstance(arm_report.read_report(message, STAMPS), Refused)


def test_an_unstamped_or_future_message_is_refused() -> None:
    frame = Frame(1, NOW, np.zeros((84, 84, 3), np.uint8))
    message = convert.frame_message(frame, STAMPS)
    message.header.stamp = genpy.Time(0, 0)
    assert convert.read_frame(message, STAMPS) == Refused("not stamped")
    message.header.stamp = convert.ros_time(STAMPS.wall(NOW + 1.0))
    assert "future" in getattr(convert.read_frame(message, STAMPS), "reason", "")


@pytest.mark.parametrize(
    "frame_id", ["", "camera", "rig_camera", "rig_camera:-1", "rig_camera:²", "rig_camera:9999999999"]
)
def test_a_picture_of_another_camera_is_refused(frame_id: str) -> None:
    message = convert.frame_message(Frame(1, NOW, np.zeros((84, 84, 3), np.uint8)), STAMPS)
    message.header.frame_id = frame_id
    assert isinstance(convert.read_frame(message, STAMPS), Refused)


@pytest.mark.parametrize(
    ("axes", "buttons", "who"),
    [
        ([0.0], [1, 2, 3], "policy"),
        ([], [1, 2, 3, 4], "policy"),
        ([0.0] * 17, [1, 2, 3, 4], "policy"),
        ([0.0], [-1, 2, 3, 4], "policy"),
        ([0.0], [1, 2, 3, 10**9], "policy"),
        ([0.0], [1, 2, 3, 4], "a stranger"),
        ([0.0], [1, 2, 3, 4], ""),
    ],
)
def test_an_action_that_is_none_is_refused(axes: list[float], buttons: list[int], who: str) -> None:
    message = Joy(axes=axes, buttons=buttons)
    message.header.frame_id, message.header.stamp = who, convert.ros_time(STAMPS.wall(NOW))
    assert isinstance(convert.read_action(message, STAMPS), Refused)


def test_times_that_ros_cannot_say_are_the_nearest_it_can() -> None:
    assert convert.ros_time(-5.0) == genpy.Time(0, 0)
    assert convert.ros_time(1e20).secs == 2**32 - 1
