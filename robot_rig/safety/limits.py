"""The bounds of motion, with hard ceilings beside them: configuration may tighten a bound, never loosen it.

`Limits.from_config` is called once, where the arm loop is built; the gate keeps the result.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import LOWER_LIMITS, RATED_EFFORTS, RATED_SPEEDS, UPPER_LIMITS

CEILINGS: dict[str, float] = {
    "tool_speed_m_s": 0.25,
    "slow_speed_m_s": 0.25,
    "joint_speed_fraction": 0.95,
    "joint_acceleration_rad_s2": 12.0,
    "reaction_time_s": 0.5,
    "image_age_limit_s": 0.4,
    "action_age_limit_s": 0.15,
    "state_age_limit_s": 0.15,
    "trail_limit_rad": 0.2,
    "push_limit_fraction": 0.6,
}
"""The loosest value of each key of GuardConfig where larger is looser (0.25 m/s: ISO 10218-1 reduced speed)."""

MINIMA: dict[str, float] = {
    "soft_ring_rad": 0.05,
    "stop_ring_rad": 0.02,
    "table_clearance_m": 0.0,
    "reaction_time_s": 0.01,
}
"""The loosest value of each key of GuardConfig where smaller is looser."""

ACCELERATION_CEILINGS = np.array([10.0, 8.0, 10.0, 10.0, 12.0, 12.0, 12.0])
"""The vendor's acceleration limits right_j0 .. right_j6, rad/s^2."""

SLOW_CONDITION = 17.0
STOP_CONDITION = 30.0
"""Condition numbers of the tool Jacobian between which ACTIVE motion is slowed to zero."""

STOP_TIME_S = 0.15
"""No joint may be so fast that its deceleration limit needs longer than this to stop it."""

SMALLEST_BOX_M = 0.05
"""Narrowest useful box along an axis that the policy moves."""

SHOULDER_M = np.array([0.081, 0.0, 0.317])
REACH_M = 0.85
"""Beyond this distance from the shoulder an arm with its tool pointing down is stretched out (condition 30)."""

AXES = ("x", "y", "z")


def _read_only(values: Any) -> Floats:
    array = np.array(values, dtype=np.float64)
    array.setflags(write=False)
    return array


@dataclass(frozen=True, slots=True)
class Limits:
    """What the gate enforces. Positions m in base, joint arrays (7,) in rad, rad/s, rad/s^2 and N·m, ages s.

    `lower` and `upper` are the joint positions where motion ends (the stop ring is taken off); braking begins
    `soft_width` rad before them. `keep_outs` (K, 2, 3) are low and high corners of boxes no part of the arm may enter.
    """

    box_low: Floats
    box_high: Floats
    floor: float
    keep_outs: Floats
    lower: Floats
    upper: Floats
    soft_width: float
    joint_speed: Floats
    acceleration: Floats
    tool_speed: float
    slow_speed: float
    reaction: float
    image_age: float
    action_age: float
    state_age: float
    trail: float
    push: Floats
    period: float
    action_dim: int

    @classmethod
    def from_config(cls, guard: GuardConfig, control: ControlConfig) -> Limits:
        """The limits of a rig. Raises UserError for anything looser than a ceiling or a box that makes no sense."""
        _refuse_loose(guard)
        _refuse_box(guard, control)
        acceleration = np.minimum(guard.joint_acceleration_rad_s2, ACCELERATION_CEILINGS)
        return cls(
            box_low=_read_only(guard.box_low_m),
            box_high=_read_only(guard.box_high_m),
            floor=guard.table_height_m + guard.table_clearance_m,
            keep_outs=_read_only(_checked_keep_outs(guard)),
            lower=_read_only(LOWER_LIMITS + guard.stop_ring_rad),
            upper=_read_only(UPPER_LIMITS - guard.stop_ring_rad),
            soft_width=guard.soft_ring_rad - guard.stop_ring_rad,
            joint_speed=_read_only(np.minimum(guard.joint_speed_fraction * RATED_SPEEDS, STOP_TIME_S * acceleration)),
            acceleration=_read_only(acceleration),
            tool_speed=guard.tool_speed_m_s,
            slow_speed=min(guard.slow_speed_m_s, guard.tool_speed_m_s),
            reaction=guard.reaction_time_s,
            image_age=guard.image_age_limit_s,
            action_age=guard.action_age_limit_s,
            state_age=guard.state_age_limit_s,
            trail=guard.trail_limit_rad,
            push=_read_only(guard.push_limit_fraction * RATED_EFFORTS),
            period=1.0 / control.arm_rate_hz,
            action_dim=len(control.axes),
        )


def _refuse_loose(guard: GuardConfig) -> None:
    for key, ceiling in CEILINGS.items():
        value = getattr(guard, key)
        if not 0.0 < value <= ceiling:
            raise UserError(f"guard.{key} is {value:g}", next_step=f"set it above 0 and to at most {ceiling:g}")
    for key, minimum in MINIMA.items():
        value = getattr(guard, key)
        if not (value >= minimum and math.isfinite(value)):
            raise UserError(f"guard.{key} is {value:g}", next_step=f"set it to at least {minimum:g}")
    if guard.soft_ring_rad < guard.stop_ring_rad:
        raise UserError(
            f"guard.soft_ring_rad ({guard.soft_ring_rad:g}) lies inside guard.stop_ring_rad ({guard.stop_ring_rad:g})",
            next_step="make the soft ring the wider one: braking begins there",
        )


def _refuse_box(guard: GuardConfig, control: ControlConfig) -> None:
    low, high = np.array(guard.box_low_m), np.array(guard.box_high_m)
    if not (np.isfinite(low).all() and np.isfinite(high).all() and math.isfinite(guard.table_height_m)):
        raise UserError("guard.box_low_m, box_high_m and table_height_m must be finite", next_step="correct the number")
    for i, axis in enumerate(AXES):
        needed = SMALLEST_BOX_M if axis in control.axes else 0.0
        if not high[i] - low[i] >= needed or high[i] == low[i]:
            raise UserError(
                f"the guard's box spans {high[i] - low[i]:g} m along {axis}, from {low[i]:g} to {high[i]:g}",
                next_step=f"make guard.box_high_m exceed guard.box_low_m by at least {max(needed, 0.01):g} m there",
            )
    corners = np.array([[(low, high)[bit >> i & 1][i] for i in range(3)] for bit in range(8)])
    reach = float(np.sqrt(((corners - SHOULDER_M) ** 2).sum(axis=1)).max())
    if reach > REACH_M:
        raise UserError(
            f"a corner of the guard's box is {reach:.2f} m from the shoulder, out of the arm's reach",
            next_step=f"bring every corner within {REACH_M:g} m of {tuple(SHOULDER_M.tolist())}",
        )
    floor = guard.table_height_m + guard.table_clearance_m
    if low[2] < floor:
        raise UserError(
            f"the guard's box begins at {low[2]:g} m, lower than the table and its clearance ({floor:g} m)",
            next_step="raise guard.box_low_m along z",
        )
    home = np.array(control.home_tool_m)
    fixed = np.array([home[0], home[1], home[2] if "z" in control.axes else control.tool_height_m])
    if ((home < low) | (home > high) | (fixed < low) | (fixed > high)).any():
        raise UserError(
            f"control.home_tool_m {control.home_tool_m} or control.tool_height_m {control.tool_height_m:g} lies "
            "outside the guard's box",
            next_step="move it inside guard.box_low_m .. guard.box_high_m",
        )


def _checked_keep_outs(guard: GuardConfig) -> Floats:
    boxes = np.array(guard.keep_outs, dtype=np.float64).reshape(-1, 2, 3)
    for low, high in boxes:
        if not ((low < high).all() and np.isfinite(low).all() and np.isfinite(high).all()):
            raise UserError(
                f"keep-out box {low.tolist()} .. {high.tolist()} is inverted, flat or not finite",
                next_step="give (low corner, high corner), each coordinate of the second larger",
            )
    return boxes
