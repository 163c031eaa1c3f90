"""The arm loop servos to an integrated tool set-point: open-loop velocity lets height and tilt creep on an arm.

Called by `loops.arm_loop` each tick with an action that the guard has accepted; its answer is still only a wish.
"""

from __future__ import annotations

import math

import numpy as np

from robot_rig.config import ControlConfig
from robot_rig.control.action_map import ActionMap
from robot_rig.control.ik import TOOL_DOWN, rotation_error_terms
from robot_rig.datatypes import Float32s, Floats
from robot_rig.kinematics import ArmPose

ACCELERATION_M_S2 = 2.5
"""How fast the set-point changes its speed; a step of the action would only meet the guard's slew limit."""


Vector = tuple[float, float, float]
"""Three plain numbers: at this size numpy's calls cost ten times the arithmetic."""


class SetPointServo:
    """Integrates action velocity into a set-point inside the box, and asks for the twist that follows it.

    `box_low` and `box_high` (3,) m are the guard's box. Axes that the policy does not command stay at the home point,
    z at `tool_height_m`; the tool points down. The set-point never leads the measured tool by more than
    `set_point_reach_m`, so that a blocked arm is not wound up; after a hold it starts from the tool again.
    """

    def __init__(self, control: ControlConfig, box_low: Floats, box_high: Floats) -> None:
        self._map = ActionMap(control)
        fixed = (control.home_tool_m[0], control.home_tool_m[1], control.tool_height_m)
        self._axes = tuple(
            (None if axis in self._map.axes else fixed[axis], low, high)
            for axis, (low, high) in enumerate(zip(box_low.tolist(), box_high.tolist(), strict=True))
        )
        self._reach = control.set_point_reach_m
        self._position_gain = control.position_gain_hz
        self._rotation_gain = control.rotation_gain_hz
        self._period = 1.0 / control.arm_rate_hz
        self._point: Vector | None = None
        self._speed: Vector = (0.0, 0.0, 0.0)

    @property
    def point(self) -> Floats | None:
        """The set-point (3,) m, or None until the next tick seeds it."""
        return None if self._point is None else np.array(self._point)

    def release(self) -> None:
        """Forget the set-point: the next tick starts from the measured tool."""
        self._point = None
        self._speed = (0.0, 0.0, 0.0)

    def twist(self, pose: ArmPose, action: Float32s) -> Floats:
        """Wanted tool twist (6,) m/s and rad/s for the normalised `action` (A,) at the measured `pose`.

        The feed-forward is the set-point's own motion along the box, not what the lead limit drags it by: an arm that
        is pushed aside must not help the push.
        """
        period, gain, turn = self._period, self._position_gain, self._rotation_gain
        tool: Vector = tuple(pose.tool.tolist())
        x, y, z = self._map.tool_velocity(action).tolist()
        u, v, w = self._speed
        x, y, z = _shortened((x - u, y - v, z - w), ACCELERATION_M_S2 * period)
        self._speed = speed = (u + x, v + y, w + z)
        start, wanted = self._advanced(tool if self._point is None else self._point, speed)
        (x, y, z), (a, b, c), (u, v, w) = tool, start, wanted
        leads = _shortened((a - x, b - y, c - z), self._reach)
        ahead = _shortened((u - x, v - y, w - z), self._reach)
        self._point = (x + ahead[0], y + ahead[1], z + ahead[2])
        rx, ry, rz = rotation_error_terms(TOOL_DOWN, pose.rotation)
        return np.array(
            [
                (u - a) / period + gain * leads[0],
                (v - b) / period + gain * leads[1],
                (w - c) / period + gain * leads[2],
                turn * rx,
                turn * ry,
                turn * rz,
            ]
        )

    def _advanced(self, point: Vector, speed: Vector) -> tuple[list[float], list[float]]:
        """Where the set-point starts from, `point` with the uncommanded axes put right, and where `speed` takes it."""
        starts, ends = [], []
        for (fixed, low, high), here, pace in zip(self._axes, point, speed, strict=True):
            start = here if fixed is None else fixed
            start = low if start < low else min(start, high)
            end = start + pace * self._period
            starts.append(start)
            ends.append(low if end < low else min(end, high))
        return starts, ends


def _shortened(vector: Vector, longest: float) -> Vector:
    x, y, z = vector
    length = math.sqrt(x * x + y * y + z * z)
    if length <= longest:
        return vector
    share = longest / length
    return x * share, y * share, z * share
