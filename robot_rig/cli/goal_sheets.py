"""Sheets of pictures for people: side by side, enlarged, under goals/sheets. Called by the words of `rig goals`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError
from robot_rig.report_film import beside, enlarge
from robot_rig.vision import save_picture

SHEETS = "sheets"
ENLARGEMENT = 3


def sheet(pictures: Sequence[Bytes], columns: int) -> Bytes:
    """`pictures` uint8 (84, 84, 3), one or more, enlarged, in rows of `columns`: uint8 (H, W, 3)."""
    cells = list(enlarge(np.stack(pictures), ENLARGEMENT))
    columns = min(columns, len(cells))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [
        beside([cell[None] for cell in cells[start : start + columns]], axis=2)
        for start in range(0, len(cells), columns)
    ]
    drawn: Bytes = beside(rows, axis=1)[0]
    return drawn


def save_sheet(goals: Path, name: str, drawn: Bytes) -> Path:
    """Put the sheet `drawn` beside the goals in the folder `goals`, in place of the last of its name."""
    path = goals / SHEETS / f"{name}.png"
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {path.parent}: {error.strerror}", next_step="choose another --goals") from error
    save_picture(path, drawn)
    return path
