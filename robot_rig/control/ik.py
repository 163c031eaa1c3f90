"""Inverse kinematics by damped least squares, one 6x6 solve a tick; mink is its oracle in the tests.

`DampedLeastSquares` runs in the arm loop; `solve_position` finds joint angles for homing and for goal pictures.
"""

from __future__ import annotations

import numpy as np

from robot_rig.compiled import READ_2, WRITE_1, compiled
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS, Kinematics, settle

TOOL_DOWN = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])
TOOL_DOWN.setflags(write=False)
"""Rotation of right_hand with the tool pointing at the table, as in the vendor's neutral pose."""

MARGIN_RAD = 0.06
POSITION_TOLERANCE_M = 1e-6
ROTATION_TOLERANCE = 1e-6
ITERATIONS = 200
LARGEST_STEP_RAD = 0.3


@compiled(READ_2, READ_2, WRITE_1)
def rotation_error(wanted: Floats, measured: Floats, error: Floats) -> None:
    """Fill `error` (3,): axis times sine of the angle that turns `measured` (3, 3) into `wanted` (3, 3), in base.

    The rotation vector itself for small angles; it fades beyond a right angle and is zero at half a turn.
    """
    for i in range(3):
        b, c = (i + 1) % 3, (i + 2) % 3
        error[i] = 0.0
        for k in range(3):
            error[i] += 0.5 * (wanted[c, k] * measured[b, k] - wanted[b, k] * measured[c, k])


class DampedLeastSquares:
    """q' = J^T (J J^T + lambda^2 I)^-1 (t - J z) + z: the least joint velocity for a twist, beside a posture pull z.

    `damping` is lambda; the pull z = `posture_gain` (1/s) times (`posture` (7,) rad - q) acts in the null space only.
    """

    def __init__(self, damping: float, posture: Floats, posture_gain: float) -> None:
        self._damping = damping * damping
        self._posture_pull = posture_gain * posture
        self._posture_gain = posture_gain

    def velocity(self, jacobian: Floats, position: Floats, twist: Floats) -> Floats:
        """Joint velocity (7,) rad/s for `twist` (6,) m/s and rad/s, given `jacobian` (6, 7) at `position` (7,) rad."""
        velocity: Floats = self._posture_pull - self._posture_gain * position
        settle(jacobian, twist, self._damping, velocity)
        return velocity


def solve_position(kinematics: Kinematics, tool: Floats, rotation: Floats, seed: Floats) -> Floats:
    """Joint position (7,) rad near `seed` (7,) with the tool tip at `tool` (3,) m and right_hand at `rotation` (3, 3).

    The posture stays as near to `seed` as the task permits. Raises UserError when the arm cannot reach it inside its
    joint limits.
    """
    solver = DampedLeastSquares(1e-3, seed, 0.1)
    low, high = LOWER_LIMITS + MARGIN_RAD, UPPER_LIMITS - MARGIN_RAD
    position: Floats = np.minimum(np.maximum(seed, low), high)
    error = np.empty(6)
    for _ in range(ITERATIONS):
        pose = kinematics.pose(position)
        error[:3] = tool - pose.tool
        rotation_error(rotation, pose.rotation, error[3:])
        aligned = float((rotation * pose.rotation).sum()) > 0.0
        if aligned and np.abs(error[:3]).max() < POSITION_TOLERANCE_M and np.abs(error[3:]).max() < ROTATION_TOLERANCE:
            return position
        step = solver.velocity(pose.jacobian, position, error)
        step *= min(1.0, LARGEST_STEP_RAD / max(float(np.abs(step).max()), 1e-12))
        position = np.minimum(np.maximum(position + step, low), high)
    raise UserError(
        f"the arm cannot put its tool at {np.round(tool, 3).tolist()} m in that orientation",
        next_step="choose a point nearer to the middle of the guard's box, or another seed posture",
    )
