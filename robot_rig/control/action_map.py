"""From a normalised action to tool velocity, and from what the tool did back to an action. Called by `loops`."""

from __future__ import annotations

import math

import numpy as np

from robot_rig.config import ControlConfig
from robot_rig.datatypes import Float32s, Floats

_AXIS_INDEX = {"x": 0, "y": 1, "z": 2}


class ActionMap:
    """Action 1 along an axis is `action_scale_m` of tool travel in one policy step (R17: it knows no joints).

    `spread` (3, A) m/s: the tool velocity in base that each number of an action stands for.
    """

    def __init__(self, control: ControlConfig) -> None:
        self.axes = [_AXIS_INDEX[axis] for axis in control.axes]
        self._full_speed = control.action_scale_m * control.policy_rate_hz
        self.spread: Floats = np.zeros((3, len(self.axes)))
        self.spread[self.axes, range(len(self.axes))] = self._full_speed
        self.spread.setflags(write=False)

    def explain(self, twist: Floats) -> tuple[Float32s, float]:
        """The executed action float32 (A,) in [-1, 1] nearest to a mean tool `twist` (6,), and the residual in m/s.

        The residual is the length of the linear velocity that this action does not explain: motion along axes that the
        policy does not command, and speed beyond action 1.
        """
        left = twist[:3].tolist()
        executed = np.array([min(max(left[axis] / self._full_speed, -1.0), 1.0) for axis in self.axes], np.float32)
        for axis, value in zip(self.axes, executed.tolist(), strict=True):
            left[axis] -= self._full_speed * value
        return executed, math.hypot(*left)
