"""How large a board's squares are, by the way that the arm carried it: does a ruler agree? Called by `hand_eye`.

A board whose squares are a tenth smaller than was said looks a tenth further away, and everything else fits: pictures
and turns agree to the last digit, and the camera is found 9 cm from where it is. Only the arm, whose path is in metres,
can tell. Pure.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from robot_rig.datatypes import Floats
from robot_rig.errors import UserError

MOST_OFF, SURE = 0.015, 4.0
"""Share by which the squares may be of another size than was said, if it is known to so many standard deviations: 1.5 %
of a camera's distance of 0.85 m are 13 mm."""


class Scale(NamedTuple):
    """`factor`: how many times as wide as was said the squares are; `deviation`: its standard deviation."""

    factor: float
    deviation: float


def square_scale(camera_turn: Floats, hands: Sequence[Floats], boards: Sequence[Floats]) -> Scale:
    """The scale at which `boards`, camera_from_board (4, 4), lie best where `hands`, base_from_hand (4, 4), hold them.

    `camera_turn` (3, 3): the rotation of base_from_camera, which does not depend on any length.
    """
    # camera_turn @ (factor * board) + camera = turn @ held + hand: linear in factor, camera and held.
    rows = [
        np.column_stack([camera_turn @ board[:3, 3], np.eye(3), -hand[:3, :3]])
        for hand, board in zip(hands, boards, strict=True)
    ]
    known, wanted = np.concatenate(rows), np.concatenate([hand[:3, 3] for hand in hands])
    found = np.linalg.pinv(known) @ wanted
    spare = max(1, len(wanted) - known.shape[1])
    variance = float(((known @ found - wanted) ** 2).sum()) / spare
    spread = np.linalg.pinv(known.T @ known)[0, 0]
    return Scale(float(found[0]), float(np.sqrt(variance * spread)))


def refuse_other_squares(scale: Scale) -> None:
    """Raise UserError for squares of clearly another size than was said."""
    off = abs(scale.factor - 1.0)
    if off > max(MOST_OFF, SURE * scale.deviation):
        raise UserError(
            f"by the arm, the board's squares are {scale.factor:.3f} times as wide as was said",
            next_step="measure them and say so with --square-mm; where a ruler agrees, calibrate the lens anew and see "
            "that the joints are of these pictures",
        )
