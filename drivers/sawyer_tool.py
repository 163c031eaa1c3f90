"""Is the tool in the robot's hand the one that the configuration names? Asked by the Sawyer drivers at start."""

from __future__ import annotations

import logging
import time

import numpy as np

from drivers.sawyer import SawyerReports
from robot_rig.config import ToolConfig
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics

TIP_TOLERANCE_M = 0.005
PATIENCE_S = 3.0
LOOK_PERIOD_S = 0.02
SAME_MOMENT_S = 0.02
AT_REST_RAD_S = 0.005
GRAVITY = 9.81
HEAVY_N = 3.0
"""Weights below this drown in what the robot takes for force at rest."""

ELECTRIC_TIP_M = 0.13562

log = logging.getLogger(__name__)


def check_tool(reports: SawyerReports, kinematics: Kinematics, tool: ToolConfig, offset_m: float) -> None:
    """Compare our tip, `offset_m` from right_hand, with the robot's for three seconds at most.

    Raises UserError when the two stay more than 5 mm apart. Only warns about mass: the robot's own estimate of force
    is rough.
    """
    deadline = time.monotonic() + PATIENCE_S
    while (hand := _robots_tip_in_hand(reports, kinematics)) is None or not _fits(hand, offset_m):
        if time.monotonic() > deadline:
            raise _mismatch(hand, tool, offset_m)
        time.sleep(LOOK_PERIOD_S)
    tip = reports.tip
    weight = tool.mass_kg * GRAVITY
    if tip is not None and weight > HEAVY_N and abs(tip.force[2]) > 0.5 * weight:
        log.warning(
            "the robot feels %.1f N at its tip at rest, and the tool weighs %.1f N: it may not know the tool's mass",
            tip.force[2],
            weight,
        )


def _robots_tip_in_hand(reports: SawyerReports, kinematics: Kinematics) -> Floats | None:
    """The robot's tip (3,) m in our frame of right_hand; None while the reports of a moving arm are of two moments."""
    joints, tip = reports.joints, reports.tip
    if joints is None or tip is None:
        return None
    moves = np.abs(joints.velocity).max() > AT_REST_RAD_S
    if moves and abs(joints.robot_stamp - tip.robot_stamp) > SAME_MOMENT_S:
        return None
    hand = kinematics.hand(joints.position)
    seen: Floats = hand[:3, :3].T @ (tip.position - hand[:3, 3])
    return seen


def _fits(tip_in_hand: Floats, offset_m: float) -> bool:
    return bool(np.linalg.norm(tip_in_hand - (0.0, 0.0, offset_m)) <= TIP_TOLERANCE_M)


def _mismatch(tip_in_hand: Floats | None, tool: ToolConfig, offset_m: float) -> UserError:
    if tip_in_hand is None:
        return UserError(
            "the robot's joint and endpoint reports are never of one moment",
            next_step="let the arm rest, and see whether two programs publish them",
        )
    x, y, z = (float(value) for value in tip_in_hand)
    problem = (
        f"the robot's tip lies {1000 * z:.1f} mm from right_hand along its z"
        f" ({1000 * np.hypot(x, y):.1f} mm beside it), not {1000 * offset_m:.1f} mm as tool.kind {tool.kind} with"
        f" control.tool_offset_m {offset_m:g} says"
    )
    if np.hypot(x, y) > TIP_TOLERANCE_M:
        step = (
            "a tip beside the hand's axis is not supported: select the tip right_hand on the robot, with tool.kind none"
        )
    elif abs(z) <= TIP_TOLERANCE_M:
        step = (
            "attach the tool in the robot's settings, or set tool.kind none, tool.mass_kg 0 and control.tool_offset_m 0"
        )
    else:
        kind = "electric" if abs(z - ELECTRIC_TIP_M) <= TIP_TOLERANCE_M else "custom"
        step = f"set tool.kind {kind} and control.tool_offset_m {z:.5f}, or change the tool in the robot's settings"
    return UserError(problem, next_step=step)
