"""What the doctor makes of a robot's word, its clock and its pictures."""

from __future__ import annotations

import pytest

from robot_rig.cli.doctor.findings import Level
from robot_rig.cli.doctor.robot import judge_arm, judge_camera, judge_clock, judge_eye, judge_policy, judge_state
from robot_rig.datatypes import Mode, Outcome, Source, Verdict
from robot_rig.loops.episode_state import EpisodeState, Stand
from robot_rig.ros.arm_report import ArmReport
from robot_rig.ros.episode_reports import PolicyReport
from robot_rig.ros.intera_messages import load
from robot_rig.ros.stamps import Refused


@pytest.mark.parametrize(("release", "name"), [("5.5.2", "RobotAssemblyState"), ("5.2.0", "AssemblyState")])
@pytest.mark.parametrize(
    ("change", "level", "says"),
    [
        ({}, Level.GREEN, "disabled"),
        ({"enabled": True}, Level.GREEN, "enabled"),
        ({"stopped": True}, Level.RED, "stopped"),
        ({"stopped": True, "estop_button": 1}, Level.RED, "red button"),
        ({"error": True}, Level.RED, "in error"),
        ({"ready": False}, Level.RED, "not homed"),
    ],
)
def test_a_robot_of_any_release(release: str, name: str, change: dict[str, object], level: Level, says: str) -> None:
    fields = {"ready": True, "enabled": False, **change}
    state = getattr(load(release), name)(**fields)
    if hasattr(state, "homed"):
        state.homed = True
    (finding,) = judge_state(state, "5.5.2.0")
    assert finding.level is level, finding
    assert says in finding.what


def reports(offset: float, delays: list[float], rate: float = 100.0, drift: float = 0.0) -> list[tuple[float, float]]:
    """(arrival, stamp) of reports made every 1 / `rate` s by a clock that is `offset` s ahead of epoch 1000 s."""
    made = [k / rate for k in range(len(delays))]
    return [(100.0 + at + delay, 1100.0 + offset + (1 + drift) * at) for at, delay in zip(made, delays, strict=True)]


@pytest.mark.parametrize(
    ("offset", "delays", "level"),
    [
        (0.0, [0.001] * 130, Level.GREEN),
        (3.25, [0.001] * 130, Level.YELLOW),
        (-3.25, [0.001] * 130, Level.YELLOW),
        (0.0, [0.001, 0.2] * 65, Level.RED),
        (0.0, [0.001] * 5, Level.RED),
    ],
)
def test_a_constant_offset_is_told_and_jitter_is_refused(offset: float, delays: list[float], level: Level) -> None:
    arrivals = sorted(reports(offset, delays))
    (finding,) = judge_clock(arrivals, epoch=1000.0)
    assert finding.level is level, finding
    if level is Level.YELLOW:
        assert f"{offset - 0.001:+.3f} s" in finding.what


@pytest.mark.parametrize(
    ("rate", "age", "level", "says"),
    [
        (30.0, 0.12, Level.GREEN, "120 ms"),
        (30.0, 0.3, Level.RED, "limit 250 ms"),
        (6.0, 0.12, Level.YELLOW, "6 Hz"),
    ],
)
def test_pictures_have_a_rate_and_an_age(rate: float, age: float, level: Level, says: str) -> None:
    pictures: list[tuple[float, float | Refused]] = [(k / rate, k / rate - age) for k in range(20)]
    (finding,) = judge_camera("camera", "/x", pictures, limit_s=0.25)
    assert finding.level is level
    assert says in finding.what


def test_pictures_without_a_usable_stamp_are_red_with_the_reason() -> None:
    (finding,) = judge_camera("camera", "/x", [(0.0, Refused("not stamped")), (0.1, Refused("not stamped"))], 0.25)
    assert finding.level is Level.RED
    assert "not stamped" in finding.what


def test_the_eye_tells_which_camera_it_looks_through_and_what_it_had_to_do() -> None:
    eye = {"code": "", "driver": "realsense", "name": "Intel RealSense D435", "device": "923322071108", "counts": {}}
    (finding,) = judge_eye(eye)
    assert finding.level is Level.GREEN
    assert "realsense Intel RealSense D435 923322071108" in finding.what
    (finding,) = judge_eye({**eye, "counts": {"restart": 2, "recovered by restart": 2}})
    assert finding.level is Level.YELLOW
    assert "2 times restart, 2 times recovered by restart" in finding.what
    (finding,) = judge_eye({"code": "image_dark", "driver": "ros", "device": "/camera/color/image_raw"})
    assert finding.level is Level.RED
    assert "too dark" in finding.what
    assert "uncover the lens" in finding.fix


@pytest.mark.parametrize(
    ("mode", "why", "level", "says"),
    [
        (Mode.ACTIVE, (), Level.GREEN, ""),
        (Mode.HOLD, ("lapsed", "image_stale"), Level.YELLOW, "then enable. Because of this: The picture is too old."),
        (Mode.FAULT, ("arm_error", "arm_stopped"), Level.RED, "another program"),
        (Mode.FAULT, (), Level.RED, "`rig reset`"),
    ],
)
def test_why_the_arm_does_not_move_is_explained(mode: Mode, why: tuple[str, ...], level: Level, says: str) -> None:
    verdict = Verdict(Outcome.HELD, ())
    (finding,) = judge_arm(ArmReport(0.0, mode, why, verdict, None, -1, None, -1, False, "ok"))
    assert finding.level is level
    assert says in (finding.fix or finding.what)
    assert all(code in finding.what for code in why)


@pytest.mark.parametrize(
    ("silence", "reason", "level", "says"),
    [
        ("", "", Level.GREEN, ""),
        ("no goal is asked for", "time is up", Level.GREEN, ""),
        ("the recorder is silent", "", Level.YELLOW, "Start the recorder again"),
        ("no goal is asked for", "the action holds something that is not a number", Level.YELLOW, "checkpoint before"),
    ],
)
def test_why_the_policy_is_silent_is_explained(silence: str, reason: str, level: Level, says: str) -> None:
    episode = EpisodeState("s", 4, Stand.CUT_SHORT, Source.POLICY, "g", 1, 9, 3, reason=reason)
    report = PolicyReport(0.0, "waiting", silence, "onnx", 4, 9, 0.1, 0)
    (finding,) = judge_policy(report, episode)
    assert finding.level is level
    assert says in finding.fix
    assert silence in finding.what
    assert judge_policy(report, None)[0].level is (Level.YELLOW if "recorder" in silence else Level.GREEN)


def test_a_silent_master_is_not_told_as_another_commander() -> None:
    why, master = ("master_silent",), "the master at http://here:11311 does not answer"
    (finding,) = judge_arm(
        ArmReport(0.0, Mode.ACTIVE, why, Verdict(Outcome.PASSED, ()), None, -1, None, -1, False, master)
    )
    assert finding.level is Level.RED
    assert "Start the launch file again" in finding.fix
