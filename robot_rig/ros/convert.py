"""The house's records <-> the messages of `robot_rig.ros.topics`. Called by every node; the guard's report has a module
of its own, `arm_report`.

Making a message from a record never fails. Reading one gives the record, or `Refused` with the reason: whatever comes
in over the network, no callback raises. Stamps pass through `HostStamps`, so all of these are for nodes of one machine.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, unquote

import genpy
import numpy as np
from sensor_msgs.msg import Image, JointState, Joy

from robot_rig.arrays import read_only
from robot_rig.datatypes import (
    IMAGE_SHAPE,
    JOINT_NAMES,
    JOINTS,
    Action,
    ArmState,
    ArmStatus,
    Float32s,
    Floats,
    Frame,
    Goal,
    RawFrame,
    Source,
)
from robot_rig.ros.images import image, pixels
from robot_rig.ros.stamps import HostStamps, Refused

CAMERA_ID = "rig_camera"
MAX_ACTION_DIM = 16
MAX_COUNT = 2**31 - 1
FLAGS = ("enabled", "stopped", "error", "collided")


@dataclass(frozen=True, slots=True)
class SentVelocity:
    """What the arm process sent in one tick: joint velocity (7,) rad/s, answering `source`'s action `action_seq`."""

    stamp: float
    velocity: Floats
    source: Source | None
    action_seq: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "velocity", read_only("SentVelocity.velocity", self.velocity, (JOINTS,), np.float64))


@dataclass(frozen=True, slots=True)
class AskedPosture:
    """That a program wants the joints at `position` (7,) rad; another posture has another number."""

    number: int
    stamp: float
    position: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "position", read_only("AskedPosture.position", self.position, (JOINTS,), np.float64))


def ros_time(wall_stamp: float) -> genpy.Time:
    """Seconds since 1970 as ROS's time; what lies before 1970 or after 2106 becomes the nearest that ROS can say."""
    return genpy.Time.from_sec(min(max(wall_stamp, 0.0), 2.0**32 - 1))


def frame_message(frame: Frame | RawFrame, stamps: HostStamps) -> Image:
    """`frame` for CAMERA_FRAME or CAMERA_RAW: its number is in frame_id, its exposure in the stamp."""
    message = image(frame.rgb)
    message.header.frame_id = f"{CAMERA_ID}:{frame.seq}"
    message.header.stamp = ros_time(stamps.wall(frame.stamp))
    return message


def read_frame(message: Image, stamps: HostStamps) -> Frame | Refused:
    """The frame in a message of CAMERA_FRAME."""
    name, _, number = message.header.frame_id.rpartition(":")
    seq = _count(number)
    if name != CAMERA_ID or seq is None:
        return Refused(f"a picture from {message.header.frame_id[:40]!r}, not from {CAMERA_ID}:<number>")
    stamp = stamps.local(message.header.stamp.to_sec())
    if isinstance(stamp, Refused):
        return stamp
    rgb = pixels(message)
    if isinstance(rgb, Refused):
        return rgb
    if rgb.shape != IMAGE_SHAPE:
        return Refused(
            f"a picture of {rgb.shape[1]}x{rgb.shape[0]} pixels where {IMAGE_SHAPE[1]}x{IMAGE_SHAPE[0]} belong"
        )
    return Frame(seq, stamp, rgb)


def action_message(action: Action, stamps: HostStamps) -> Joy:
    """`action` for ACTION or TELEOP. buttons = [action number, frame number, frame stamp s, ns]."""
    exposed = ros_time(stamps.wall(action.frame_stamp))
    message = Joy(axes=action.value.tolist(), buttons=[action.seq, action.frame_seq, exposed.secs, exposed.nsecs])
    message.header.frame_id = action.source.value
    message.header.stamp = ros_time(stamps.wall(action.stamp))
    return message


def read_action(message: Joy, stamps: HostStamps) -> Action | Refused:
    """The action in a message of ACTION or TELEOP. Its value may be anything float32: the gate judges it."""
    if len(message.buttons) != 4 or not 0 < len(message.axes) <= MAX_ACTION_DIM:
        return Refused(f"an action of {len(message.axes)} axes and {len(message.buttons)} buttons, not of 1-16 and 4")
    source = _source(message.header.frame_id)
    if source is None:
        return Refused(f"an action of {message.header.frame_id[:40]!r}, who is none of {', '.join(Source)}")
    seq, frame_seq, secs, nsecs = message.buttons
    if min(seq, frame_seq, secs, nsecs) < 0 or nsecs >= 10**9:
        return Refused(f"an action numbered {seq} for frame {frame_seq} of {secs} s {nsecs} ns")
    stamp = stamps.local(message.header.stamp.to_sec())
    if isinstance(stamp, Refused):
        return stamp
    frame_stamp = stamps.local(genpy.Time(secs, nsecs).to_sec())
    if isinstance(frame_stamp, Refused):
        return frame_stamp
    return Action(seq, stamp, float32s(message.axes), source, frame_seq, frame_stamp)


def state_message(state: ArmState, stamps: HostStamps) -> JointState:
    """`state` for ARM_STATE; frame_id lists the flags that are set, with commas."""
    message = JointState(
        name=list(JOINT_NAMES),
        position=state.position.tolist(),
        velocity=state.velocity.tolist(),
        effort=state.effort.tolist(),
    )
    message.header.frame_id = ",".join(flag for flag in FLAGS if getattr(state, flag))
    message.header.stamp = ros_time(stamps.wall(state.stamp))
    return message


def read_state(message: JointState, stamps: HostStamps) -> ArmState | Refused:
    """The arm's report in a message of ARM_STATE."""
    columns = (message.position, message.velocity, message.effort)
    if message.name != list(JOINT_NAMES) or any(len(column) != JOINTS for column in columns):
        return Refused(
            f"a report of joints {', '.join(message.name)[:80]!r}, not of {JOINT_NAMES[0]} .. {JOINT_NAMES[-1]}"
        )
    flags = set(message.header.frame_id.split(",")) - {""}
    if unknown := flags - set(FLAGS):
        return Refused(f"a report with the flags {', '.join(sorted(unknown))[:80]!r}")
    stamp = stamps.local(message.header.stamp.to_sec())
    if isinstance(stamp, Refused):
        return stamp
    position, velocity, effort = (np.array(column, dtype=np.float64) for column in columns)
    enabled, stopped, error, collided = (flag in flags for flag in FLAGS)
    return ArmState(stamp, position, velocity, effort, enabled, stopped, error, collided)


def posture_message(asked: AskedPosture, stamps: HostStamps) -> JointState:
    """`asked` for POSTURE, its number in frame_id."""
    message = JointState(name=list(JOINT_NAMES), position=asked.position.tolist())
    message.header.frame_id = str(asked.number)
    message.header.stamp = ros_time(stamps.wall(asked.stamp))
    return message


def read_posture(message: JointState, stamps: HostStamps) -> AskedPosture | Refused:
    """The posture in a message of POSTURE. It may be any seven numbers: the guard judges them."""
    number = _count(message.header.frame_id)
    if message.name != list(JOINT_NAMES) or len(message.position) != JOINTS or number is None:
        return Refused(
            f"a posture of joints {', '.join(message.name)[:80]!r} numbered {message.header.frame_id[:40]!r}, not of "
            f"{JOINT_NAMES[0]} .. {JOINT_NAMES[-1]}"
        )
    stamp = stamps.local(message.header.stamp.to_sec())
    if isinstance(stamp, Refused):
        return stamp
    return AskedPosture(number, stamp, np.array(message.position, dtype=np.float64))


def sent_message(status: ArmStatus, stamps: HostStamps) -> JointState:
    """What was sent in the tick of `status`, for ARM_EXECUTED: velocity, and whose action it answers in frame_id."""
    message = JointState(name=list(JOINT_NAMES), velocity=status.executed.tolist())
    message.header.frame_id = f"{status.source.value if status.source else ''}:{status.action_seq}"
    message.header.stamp = ros_time(stamps.wall(status.stamp))
    return message


def read_sent(message: JointState, stamps: HostStamps) -> SentVelocity | Refused:
    """The velocity in a message of ARM_EXECUTED."""
    who, _, number = message.header.frame_id.rpartition(":")
    source, seq = _source(who), -1 if number == "-1" else _count(number)
    if seq is None or (who and source is None) or len(message.velocity) != JOINTS:
        return Refused(f"a velocity of {len(message.velocity)} joints for {message.header.frame_id[:40]!r}")
    stamp = stamps.local(message.header.stamp.to_sec())
    if isinstance(stamp, Refused):
        return stamp
    return SentVelocity(stamp, np.array(message.velocity, dtype=np.float64), source, seq)


def goal_message(goal: Goal, stamps: HostStamps) -> Image:
    """`goal` for GOAL. frame_id = id|source|calibration id, each percent-encoded where it must be."""
    message = image(goal.image)
    message.header.frame_id = "|".join(quote(part, safe=" ") for part in (goal.id, goal.source, goal.calibration_id))
    message.header.stamp = ros_time(stamps.wall(goal.stamp))
    return message


def read_goal(message: Image, arrival: float) -> Goal | Refused:
    """The goal in a message of GOAL; a latched one may be old, so its stamp is that of `arrival` (monotonic s)."""
    parts = [unquote(part) for part in message.header.frame_id.split("|")]
    if len(parts) != 3 or not parts[0]:
        return Refused(f"a goal named {message.header.frame_id[:80]!r}, not id|source|calibration id")
    rgb = pixels(message)
    if isinstance(rgb, Refused):
        return rgb
    if rgb.shape != IMAGE_SHAPE:
        return Refused(f"a goal of {rgb.shape[1]}x{rgb.shape[0]} pixels where {IMAGE_SHAPE[1]}x{IMAGE_SHAPE[0]} belong")
    return Goal(rgb, parts[0], arrival, calibration_id=parts[2], source=parts[1])


def float32s(values: Any) -> Float32s:
    """Numbers as float32 (N,); what is too large for it becomes infinite."""
    with np.errstate(over="ignore"):
        return np.array(values, dtype=np.float32)


def _source(name: str) -> Source | None:
    return Source(name) if name in Source._value2member_map_ else None


def _count(digits: str) -> int | None:
    """A number from 0 to 2**31 - 1 written in plain digits, or None."""
    if not digits.isascii() or not digits.isdigit() or len(digits) > 10:
        return None
    return int(digits) if int(digits) <= MAX_COUNT else None
