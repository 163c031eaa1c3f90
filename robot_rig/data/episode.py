"""What an episode file holds: one table of topics, and each record as the standard ROS 1 message it is stored in.

Called by `data.log`, which writes these messages, `data.salvage`, which reads them, and `data.bag_export` and
`data.bag_import`, which carry them to other places; nobody else knows a message.
An MCAP file of profile ros1 with the full definitions, so Foxglove and any ROS tool open it without our code.

A step is five messages in one chunk. Stamps are kept to the nanosecond, as epoch; all other numbers bit for bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any, NamedTuple

import numpy as np
from rosbags.typesys import Stores, get_typestore

from robot_rig.datatypes import (
    IMAGE_SHAPE,
    IMAGE_SIZE,
    JOINT_NAMES,
    Action,
    Bytes,
    Executed,
    Frame,
    Outcome,
    Source,
    Step,
)

FORMAT_VERSION = 1
PROFILE = "ros1"
SCHEMA_ENCODING = "ros1msg"
MESSAGE_ENCODING = "ros1"

META_RECORD = "robot_rig.episode"
"""Name of the MCAP metadata record right behind the header: stage, policy, configuration and the RESERVED_META."""

ABORT_RECORD = "robot_rig.abort"
"""Name of the metadata record that says why an episode has no closing frame."""

RESERVED_META = ("format", "action_dim", "clock_offset_ns", "crc32", "lost")

MAX_STEPS = 20_000
"""Longest episode (half an hour at 10 Hz); it bounds what reading a stranger's file can cost."""

NS = 1_000_000_000
EPOCH_END_NS = 2**31 * NS
"""ROS 1 counts seconds in 32 bits without a sign; the serializer, as ROS 2 does, with one."""


class Topic(NamedTuple):
    """A row of the topic table: ROS name, message type, and whether a late subscriber gets the last message."""

    name: str
    type: str
    latched: bool = False

    @property
    def store_type(self) -> str:
        """The type's name as the serializer knows it."""
        package, name = self.type.split("/")
        return f"{package}/msg/{name}"


FRAME = Topic("/rig/camera/frame", "sensor_msgs/Image")
ACTION = Topic("/rig/action", "sensor_msgs/Joy")
EXECUTED = Topic("/rig/arm/executed", "sensor_msgs/Joy")
STATE = Topic("/rig/arm/state", "sensor_msgs/JointState")
"""Joint positions for diagnosis. No agent reads this topic (R17): `Episode` has no place for it."""

STATUS = Topic("/rig/arm/status", "diagnostic_msgs/DiagnosticArray")
GOAL = Topic("/rig/goal", "sensor_msgs/Image", latched=True)

TOPICS = (FRAME, ACTION, EXECUTED, STATE, STATUS, GOAL)
STEP_TOPICS = (FRAME, ACTION, EXECUTED, STATE, STATUS)

DIAGNOSTIC_LEVEL = {Outcome.PASSED: 0, Outcome.SCALED: 1, Outcome.HELD: 1, Outcome.LATCHED: 2}
"""DiagnosticStatus: 0 OK, 1 WARN, 2 ERROR."""


class LogMessage(NamedTuple):
    """A serialized message: its topic, its time in the log (epoch ns), its step and its bytes."""

    topic: Topic
    time_ns: int
    step: int
    data: bytes


@cache
def store() -> Any:
    """The message definitions of ROS 1 noetic; loaded on first use (0.1 s)."""
    return get_typestore(Stores.ROS1_NOETIC)


def definition(topic: Topic) -> tuple[str, str]:
    """The full text of the topic's message definition, dependencies included, and its md5 sum."""
    text, md5 = store().generate_msgdef(topic.store_type, ros_version=1)
    return text, md5


def _make(type_name: str, *fields: object) -> Any:
    return store().types[type_name](*fields)


def _header(seq: int, time_ns: int, frame_id: str) -> Any:
    seconds, nanoseconds = divmod(time_ns, NS)
    return _make("std_msgs/msg/Header", seq, _make("builtin_interfaces/msg/Time", seconds, nanoseconds), frame_id)


def _message(topic: Topic, time_ns: int, step: int, message: Any) -> LogMessage:
    return LogMessage(topic, time_ns, step, bytes(store().serialize_ros1(message, topic.store_type)))


def epoch_ns(stamp: float, offset_ns: int) -> int:
    """The monotonic `stamp` (s) as epoch nanoseconds. Raises ValueError outside what ROS 1 can say."""
    time_ns = round(stamp * NS) + offset_ns
    if not 0 <= time_ns < EPOCH_END_NS:
        raise ValueError(f"stamp {stamp} s with clock offset {offset_ns} ns lies outside 1970 .. 2038")
    return time_ns


def _stamp(header: Any, offset_ns: int) -> float:
    time_ns: int = header.stamp.sec * NS + header.stamp.nanosec
    return (time_ns - offset_ns) / NS


def _number(name: str, value: int, bits: int) -> int:
    if not 0 <= value < 2**bits:
        raise ValueError(f"{name} must lie in 0 .. 2^{bits} - 1, is {value}")
    return value


def _picture_message(topic: Topic, time_ns: int, step: int, seq: int, rgb: Bytes) -> LogMessage:
    header = _header(seq, time_ns, "rig_camera")
    data = np.ascontiguousarray(rgb).reshape(-1)
    image = _make("sensor_msgs/msg/Image", header, IMAGE_SIZE, IMAGE_SIZE, "rgb8", 0, 3 * IMAGE_SIZE, data)
    return _message(topic, time_ns, step, image)


def text_message(topic: Topic, time_ns: int, text: str) -> LogMessage:
    """A std_msgs/String, which has no header."""
    return _message(topic, time_ns, 0, _make("std_msgs/msg/String", text))


def goal_message(rgb: Bytes, time_ns: int) -> LogMessage:
    """The goal picture uint8 (84, 84, 3), logged once, with the first frame (R7)."""
    return _picture_message(GOAL, time_ns, 0, 0, rgb)


def frame_message(frame: Frame, step: int, offset_ns: int) -> LogMessage:
    """A frame as step number `step` saw it; the closing frame's number is the number of steps."""
    # The action names its frame in an int32, so a frame number has 31 bits.
    seq = _number("Frame.seq", frame.seq, 31)
    return _picture_message(FRAME, epoch_ns(frame.stamp, offset_ns), step, seq, frame.rgb)


def step_messages(step: Step, index: int, offset_ns: int) -> tuple[LogMessage, ...]:
    """The five messages of step number `index`. Raises ValueError for a number that its message cannot hold.

    The action's source travels as the Joy's frame_id, where joy drivers put the name of their device.
    """
    action, executed = step.action, step.executed
    time_ns = epoch_ns(action.stamp, offset_ns)
    header = _header(_number("Action.seq", action.seq, 32), time_ns, action.source.value)
    frame = frame_message(step.frame, index, offset_ns)
    answered = np.array([action.frame_seq], np.int32)
    none = np.zeros(0)
    return (
        frame,
        _message(ACTION, time_ns, index, _make("sensor_msgs/msg/Joy", header, action.value, answered)),
        _message(EXECUTED, time_ns, index, _make("sensor_msgs/msg/Joy", header, executed.value, answered)),
        _message(
            STATE,
            time_ns,
            index,
            _make("sensor_msgs/msg/JointState", header, list(JOINT_NAMES), executed.position, none, none),
        ),
        _message(STATUS, time_ns, index, _status(header, executed)),
    )


def _status(header: Any, executed: Executed) -> Any:
    pairs = [("residual_m_s", repr(float(executed.residual))), *(("reason", code) for code in executed.reasons)]
    values = [_make("diagnostic_msgs/msg/KeyValue", key, value) for key, value in pairs]
    level = DIAGNOSTIC_LEVEL[executed.outcome]
    said = (level, "guard", executed.outcome.value, "rig_arm", values)
    return _make("diagnostic_msgs/msg/DiagnosticArray", header, [_make("diagnostic_msgs/msg/DiagnosticStatus", *said)])


def _read(topic: Topic, data: bytes) -> Any:
    return store().deserialize_ros1(data, topic.store_type)


def picture_in(topic: Topic, image: Any) -> Bytes:
    """The uint8 (84, 84, 3) picture in a FRAME or GOAL message; ValueError for another format."""
    layout = (image.height, image.width, image.encoding, image.step)
    if layout != (IMAGE_SIZE, IMAGE_SIZE, "rgb8", 3 * IMAGE_SIZE):
        raise ValueError(f"{topic.name} is not an 84x84 rgb8 picture but {layout}")
    picture: Bytes = image.data.reshape(IMAGE_SHAPE)
    return picture


def read_goal(data: bytes) -> Bytes:
    """The picture uint8 (84, 84, 3) in a GOAL message."""
    return picture_in(GOAL, _read(GOAL, data))


def frame_in(image: Any, offset_ns: int) -> Frame:
    """The frame in a FRAME message that is taken apart already."""
    return Frame(image.header.seq, _stamp(image.header, offset_ns), picture_in(FRAME, image))


def read_frame(data: bytes, offset_ns: int) -> Frame:
    """The frame in a FRAME message."""
    return frame_in(_read(FRAME, data), offset_ns)


def read_step(parts: Mapping[str, bytes], offset_ns: int) -> Step:
    """The step in the five messages `parts`, by topic name; ValueError when they do not belong together.

    `Action.frame_stamp` is the frame's own stamp.
    """
    return step_in({topic.name: _read(topic, parts[topic.name]) for topic in STEP_TOPICS}, offset_ns)


def step_in(parts: Mapping[str, Any], offset_ns: int) -> Step:
    """The step in five messages that are taken apart already; see `read_step`."""
    frame = frame_in(parts[FRAME.name], offset_ns)
    wish, done, state = parts[ACTION.name], parts[EXECUTED.name], parts[STATE.name]
    (status,) = parts[STATUS.name].status
    (answered,) = wish.buttons
    stamp = _stamp(wish.header, offset_ns)
    action = Action(wish.header.seq, stamp, wish.axes, Source(wish.header.frame_id), int(answered), frame.stamp)
    residual = float({pair.key: pair.value for pair in status.values}["residual_m_s"])
    reasons = tuple(pair.value for pair in status.values if pair.key == "reason")
    return Step(frame, action, Executed(done.axes, residual, Outcome(status.message), reasons, state.position))
