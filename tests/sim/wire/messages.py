"""A JointCommand as the network delivers it, for tests that need no ROS."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sim.wire.joint_command import CommandMode, JointTargets, read_joint_command


@dataclass
class Message:
    mode: int
    names: Sequence[str]
    position: Sequence[float] = ()
    velocity: Sequence[float] = ()
    acceleration: Sequence[float] = ()
    effort: Sequence[float] = ()


def position(**joints: float) -> JointTargets:
    return read_joint_command(Message(CommandMode.POSITION, list(joints), position=list(joints.values())))


def velocity(**joints: float) -> JointTargets:
    return read_joint_command(Message(CommandMode.VELOCITY, list(joints), velocity=list(joints.values())))


def torque(**joints: float) -> JointTargets:
    return read_joint_command(Message(CommandMode.TORQUE, list(joints), effort=list(joints.values())))


def trajectory(**joints: tuple[float, float]) -> JointTargets:
    """Each joint with its (position rad, velocity rad/s)."""
    positions, velocities = zip(*joints.values(), strict=True)
    message = Message(CommandMode.TRAJECTORY, list(joints), positions, velocities, [0.0] * len(joints))
    return read_joint_command(message)
