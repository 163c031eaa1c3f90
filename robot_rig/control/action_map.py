"""From a normalised action to tool velocity, and from what the tool did back to an action. Called by `loops`."""

from __future__ import annotations

import math

import numpy as np

from robot_rig.config import ControlConfig
from robot_rig.datatypes import Float32s, Floats

_AXIS_INDEX = {"x": 0, "y": 1, "z": 2}


class ActionMap:
    """Action 1 along an axis is `action_scale_m` of tool travel in one policy step (R17: it knows no joints)."""

    def __init__(self, control: ControlConfig) -> None:
        self.axes = [_AXIS_INDEX[axis] for axis in control.axes]
        self._full_speed = control.action_scale_m * control.policy_rate_hz
        self._spread = np.zeros((3, len(self.axes)))
        self._spread[self.axes, range(len(self.axes))] = self._full_speed

    def tool_velocity(self, action: Float32s) -> Floats:
        """Velocity (3,) m/s in base of the normalised `action` (A,)."""
        velocity: Floats = self._spread.dot(action)
        return velocity

    def explain(self, twist: Floats) -> tuple[Float32s, float]:
        """The executed action float32 (A,) in [-1, 1] nearest to a mean tool `twist` (6,), and the residual in m/s.

        The residual is the length of the linear velocity that this action does not explain: motion along axes that the
        policy does not command, and speed beyond action 1.
        """
        executed = np.minimum(np.maximum(twist[self.axes] / self._full_speed, -1.0), 1.0).astype(np.float32)
        left = twist[:3] - self.tool_velocity(executed)
        return executed, math.sqrt(left @ left)
