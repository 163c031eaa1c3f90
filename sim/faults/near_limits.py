"""Postures from which a straight push of the tool leads one joint into its limit: for row 37. Called by `rows_motion`.

Found by trying random postures on a kinematic arm behind the guard's own loop: no link touches table or body, and a
push towards the middle of the tool's box, which is all that the guard allows from outside it, turns the joint on and
on. For the lower end of the second joint, far behind the robot, none was found. The fourth joint's lower end is pushed
at with 0.6 of the speed: at full speed the wrist turned so fast there that its effort passed for a push in one attempt.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

AWAY_RAD = (0.07, 0.19)
"""How far from its limit the joint begins: within the soft ring, from where it still has some way to go."""


class NearLimit(NamedTuple):
    """`joint` at its lower or upper end in `posture` (7,) rad, but for how near; `push` is the action (3,)."""

    joint: int
    low: bool
    posture: Sequence[float]
    push: Sequence[float]


NEAR_LIMITS = (
    NearLimit(0, True, (-2.91, -1.16, 0.89, 1.21, -1.20, 1.04, 1.82), (1.00, 0.60, -0.26)),
    NearLimit(0, False, (2.91, -2.17, -0.06, 1.69, 0.90, 2.01, 2.03), (1.00, 0.29, -0.68)),
    NearLimit(1, False, (-1.27, 2.13, 1.08, 1.86, -1.30, 2.11, 3.93), (1.00, -0.68, -0.45)),
    NearLimit(2, True, (-1.37, -1.68, -2.90, 1.90, 0.20, 1.83, 1.85), (1.00, -0.31, -0.36)),
    NearLimit(2, False, (1.26, -1.72, 2.90, 1.89, -0.05, 1.21, 3.31), (1.00, 0.17, -0.10)),
    NearLimit(3, True, (-0.13, -0.51, -1.46, -2.90, -1.31, 0.10, 4.41), (0.60, -0.37, -0.16)),
    NearLimit(3, False, (-0.08, -0.02, 1.52, 2.90, 1.01, -0.10, 3.04), (1.00, -0.64, -0.02)),
    NearLimit(4, True, (0.52, -0.27, 1.67, 1.28, -2.84, -0.53, 1.90), (0.62, -1.00, -0.08)),
    NearLimit(4, False, (-1.11, -0.14, -1.13, 2.11, 2.84, -0.07, 3.09), (1.00, 0.34, -0.19)),
    NearLimit(5, True, (-0.52, -1.03, -1.12, 1.85, 1.20, -2.84, 1.80), (0.70, 0.27, -1.00)),
    NearLimit(5, False, (-0.15, -0.03, 0.04, 2.31, -0.22, 2.84, 3.82), (1.00, -0.29, -0.38)),
    NearLimit(6, True, (1.09, -0.86, 0.53, 1.21, 0.44, 2.37, -4.57), (1.00, -0.77, -0.42)),
    NearLimit(6, False, (-1.78, -2.34, 0.15, 1.61, -1.64, -0.77, 4.57), (0.61, 0.54, -1.00)),
)
