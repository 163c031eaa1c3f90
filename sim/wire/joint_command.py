"""What a JointCommand message asks for, or why it is refused. Called by `sim.wire.robot`; knows no ROS.

The vendor's SDK reuses one message object, so a velocity message may still carry the positions of an earlier call, in
another length and order. Only the arrays of the message's own mode are looked at.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

import numpy as np

from robot_rig.datatypes import JOINT_NAMES, Floats, Ints


class CommandMode(IntEnum):
    """JointCommand.mode."""

    POSITION = 1
    VELOCITY = 2
    TORQUE = 3
    TRAJECTORY = 4


ARRAYS: Mapping[CommandMode, tuple[str, ...]] = {
    CommandMode.POSITION: ("position",),
    CommandMode.VELOCITY: ("velocity",),
    CommandMode.TORQUE: ("effort",),
    CommandMode.TRAJECTORY: ("position", "velocity", "acceleration"),
}
"""The arrays that count in each mode, the one that every controller of the mode uses first."""


class RefusedCommandError(ValueError):
    """A message that moves nothing and does not count as a sign of life; the text says why."""


class JointCommandMessage(Protocol):
    """The fields of intera_core_msgs/JointCommand."""

    mode: int
    names: Sequence[str]
    position: Sequence[float]
    velocity: Sequence[float]
    acceleration: Sequence[float]
    effort: Sequence[float]


@dataclass(frozen=True, slots=True)
class JointTargets:
    """A command that can be carried out: `values` holds the arrays of `mode`, each as long as `joints` (N,)."""

    mode: CommandMode
    joints: Ints
    values: Mapping[str, Floats]


def read_joint_command(message: JointCommandMessage) -> JointTargets:
    """The targets in `message`: names in any order, any subset. Raises RefusedCommandError with the reason."""
    try:
        mode = CommandMode(message.mode)
    except ValueError:
        raise RefusedCommandError(f"there is no mode {message.mode}; valid: 1 to 4") from None
    names = list(message.names)
    unknown = [name for name in names if name not in JOINT_NAMES]
    if unknown:
        raise RefusedCommandError(f"no joint of the arm is called {', '.join(unknown)}")
    if not names:
        raise RefusedCommandError("it names no joint")
    if len(set(names)) < len(names):
        raise RefusedCommandError("it names a joint twice")
    values = {array: _array(message, array, len(names), mode) for array in ARRAYS[mode]}
    return JointTargets(mode, np.array([JOINT_NAMES.index(name) for name in names]), values)


def _array(message: JointCommandMessage, array: str, length: int, mode: CommandMode) -> Floats:
    values = np.array(getattr(message, array), dtype=np.float64)
    if len(values) != length:
        raise RefusedCommandError(f"{mode.name} names {length} joints and gives {array} for {len(values)}")
    if not np.isfinite(values).all():
        raise RefusedCommandError(f"{array} holds a number that is not finite")
    return values
