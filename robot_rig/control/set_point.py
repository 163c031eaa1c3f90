"""The arm loop servos to an integrated tool set-point: open-loop velocity lets height and tilt creep on an arm.

Called by `loops.arm_loop` each tick with an action that the guard has accepted; its answer is still only a wish.
"""

from __future__ import annotations

import math

import numpy as np

from robot_rig.config import ControlConfig
from robot_rig.control.action_map import ActionMap
from robot_rig.control.ik import TOOL_DOWN, rotation_error
from robot_rig.datatypes import Float32s, Floats
from robot_rig.kinematics import ArmPose

ACCELERATION_M_S2 = 2.5
"""How fast the set-point changes its speed; a step of the action would only meet the guard's slew limit."""


class SetPointServo:
    """Integrates action velocity into a set-point inside the box, and asks for the twist that follows it.

    `box_low` and `box_high` (3,) m are the guard's box. Axes that the policy does not command stay at the home point,
    z at `tool_height_m`; the tool points down. The set-point never leads the measured tool by more than
    `set_point_reach_m`, so that a blocked arm is not wound up; after a hold it starts from the tool again.
    """

    def __init__(self, control: ControlConfig, box_low: Floats, box_high: Floats) -> None:
        self._map = ActionMap(control)
        self._fixed = np.array([control.home_tool_m[0], control.home_tool_m[1], control.tool_height_m])
        self._commanded = np.isin(np.arange(3), self._map.axes)
        self._low, self._high = box_low, box_high
        self._reach = control.set_point_reach_m
        self._position_gain = control.position_gain_hz
        self._rotation_gain = control.rotation_gain_hz
        self._period = 1.0 / control.arm_rate_hz
        self._point: Floats | None = None
        self._speed = np.zeros(3)

    @property
    def point(self) -> Floats | None:
        """The set-point (3,) m, or None until the next tick seeds it."""
        return self._point

    def release(self) -> None:
        """Forget the set-point: the next tick starts from the measured tool."""
        self._point = None
        self._speed = np.zeros(3)

    def twist(self, pose: ArmPose, action: Float32s) -> Floats:
        """Wanted tool twist (6,) m/s and rad/s for the normalised `action` (A,) at the measured `pose`.

        The feed-forward is the set-point's own motion along the box, not what the lead limit drags it by: an arm that
        is pushed aside must not help the push.
        """
        start = np.where(self._commanded, pose.tool if self._point is None else self._point, self._fixed)
        start = np.minimum(np.maximum(start, self._low), self._high)
        change = self._map.tool_velocity(action) - self._speed
        self._speed = self._speed + _shortened(change, ACCELERATION_M_S2 * self._period)
        wanted = start + self._speed * self._period
        wanted = np.minimum(np.maximum(wanted, self._low), self._high)
        feed_forward = (wanted - start) / self._period
        lead = start - pose.tool
        self._point = pose.tool + _shortened(wanted - pose.tool, self._reach)
        twist = np.empty(6)
        twist[:3] = feed_forward + self._position_gain * _shortened(lead, self._reach)
        twist[3:] = self._rotation_gain * rotation_error(TOOL_DOWN, pose.rotation)
        return twist


def _shortened(vector: Floats, longest: float) -> Floats:
    length = math.sqrt(vector @ vector)
    return vector if length <= longest else vector * (longest / length)
