"""A kinematic arm for tests: joints follow the admitted velocity, at once or through a delay and a lag."""

from __future__ import annotations

from collections import deque

import numpy as np

from robot_rig.datatypes import JOINTS, Action, ArmState, Floats, Source
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS

PERIOD = 0.01


def report(position: Floats, stamp: float, **flags: bool) -> ArmState:
    """A healthy report at `position` (7,) rad unless `flags` say otherwise."""
    known = {"enabled": True, "stopped": False, "error": False, "collided": False} | flags
    return ArmState(stamp, position, np.zeros(JOINTS), np.zeros(JOINTS), **known)


def act(
    value: object, now: float, seq: int, source: Source = Source.POLICY, frame_stamp: float | None = None
) -> Action:
    """A fresh action."""
    return Action(seq, now, np.asarray(value, np.float32), source, seq, now if frame_stamp is None else frame_stamp)


class IntegratedArm:
    """q' = v, where v follows the command `delay_ticks` late and with the first-order `lag_s`."""

    def __init__(self, position: Floats, delay_ticks: int = 0, lag_s: float = 0.0) -> None:
        self.position = np.array(position, dtype=np.float64)
        self.velocity = np.zeros(JOINTS)
        self._pending = deque([np.zeros(JOINTS)] * delay_ticks)
        self._follow = 1.0 if lag_s == 0.0 else 1.0 - np.exp(-PERIOD / lag_s)

    def move(self, command: Floats) -> None:
        """Go on for one tick."""
        self._pending.append(command)
        self.velocity = self.velocity + self._follow * (self._pending.popleft() - self.velocity)
        self.position = self.position + PERIOD * self.velocity

    @property
    def joint_margin(self) -> float:
        """Distance to the nearest joint limit, rad; negative beyond it."""
        return float(np.minimum(UPPER_LIMITS - self.position, self.position - LOWER_LIMITS).min())
