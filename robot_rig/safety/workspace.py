"""The guard's box for people: made from corners that they show with the arm itself, and how far its walls are.

Called by `rig box` and the teleop node.

However the tool came to a corner, by keys or by hand, only where it was counts. The box is judged by `Limits`, so the
sentence that refuses it is the one that the arm process itself would say.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_rig.arrays import read_only
from robot_rig.config import Config, GuardConfig
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.safety.limits import AXES, Limits

FEWEST_CORNERS = 2
DIGITS = 3
"""Millimetres: a tool is not put to a corner any more finely."""


def box_around(corners: Sequence[Floats], config: Config) -> GuardConfig:
    """The guard of `config` with the least box that holds all `corners`, each a tool position (3,) m in base.

    Along an axis that actions do not move the tool in, the box stays as it is: the tool's height, say, is fixed there.
    Raises UserError for fewer than two corners, a box narrower than 5 cm, out of reach, below the table or without the
    home point in it.
    """
    points = np.stack([read_only("a corner", corner, (3,), np.float64) for corner in corners]) if len(corners) else None
    if points is None or len(points) < FEWEST_CORNERS:
        raise UserError(
            f"{len(corners)} corner{'s' * (len(corners) != 1)} so far, and a box needs {FEWEST_CORNERS}",
            next_step="bring the tool to the opposite corner and mark it",
        )
    low, high = list(config.guard.box_low_m), list(config.guard.box_high_m)
    for i, axis in enumerate(AXES):
        if axis in config.control.axes:
            low[i], high[i] = round(float(points[:, i].min()), DIGITS), round(float(points[:, i].max()), DIGITS)
    guard = config.guard.model_copy(update={"box_low_m": tuple(low), "box_high_m": tuple(high)})
    Limits.from_config(guard, config.control)
    return guard


def nearest_wall(tool: Floats, box: Floats, axes: Sequence[str]) -> tuple[str, float]:
    """The wall of `box` (2, 3) m that `tool` (3,) m is nearest to along `axes`, as in +x, and how far it is, m.

    Negative: the tool is outside. All in base.
    """
    walls = [
        (f"{sign}{axis}", float(room))
        for i, axis in enumerate(AXES)
        if axis in axes
        for sign, room in (("-", tool[i] - box[0, i]), ("+", box[1, i] - tool[i]))
    ]
    return min(walls, key=lambda wall: wall[1])


def box_overlay(guard: GuardConfig) -> str:
    """The box of `guard` as a YAML overlay for --config."""
    rows = {"box_low_m": guard.box_low_m, "box_high_m": guard.box_high_m}
    lines = [f"  {name}: [{', '.join(f'{number:g}' for number in corner)}]" for name, corner in rows.items()]
    return "\n".join(["# The guard's box, from corners shown with the arm.", "guard:", *lines]) + "\n"
