"""How far unattended collection has come: which cells of the box the tool has been in, and who had to help. Pure.

Called by collect_node with the arm process's reports. The tool is for people to see; no policy hears of it (R17).
"""

from __future__ import annotations

import numpy as np

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.datatypes import Floats, Mode, Source

CELL_M = 0.02
AXES = ("x", "y", "z")
MOVING = (Mode.ACTIVE, Mode.HOMING)


class CellCount:
    """Cells of 2 cm of the guard's box along the axes that actions move the tool in; the last of a row may be cut."""

    def __init__(self, guard: GuardConfig, control: ControlConfig) -> None:
        self._axes = [AXES.index(axis) for axis in control.axes]
        self._low = np.array(guard.box_low_m)[self._axes]
        span = np.array(guard.box_high_m)[self._axes] - self._low
        self._shape = np.ceil(span / CELL_M - 1e-6).astype(int)
        self._seen = np.zeros(self._shape, dtype=bool)

    @property
    def visited(self) -> int:
        """Cells that the tool has been in."""
        return int(self._seen.sum())

    @property
    def total(self) -> int:
        """All cells of the box."""
        return int(self._seen.size)

    def add(self, tool: Floats) -> None:
        """The tool is at (3,) m in base; outside the box it counts for no cell."""
        cell = np.floor((tool[self._axes] - self._low) / CELL_M).astype(int)
        if ((cell >= 0) & (cell < self._shape)).all():
            self._seen[tuple(cell)] = True


class CollectWatch:
    """Time since the first enable, cells visited since, and how often a person had to act after it.

    A person acts when motion begins again out of DISABLED, HOLD or FAULT, when a fault is reset, and when a person
    takes the arm. `report` and `tool` come from one thread.
    """

    def __init__(self, guard: GuardConfig, control: ControlConfig) -> None:
        self.cells = CellCount(guard, control)
        self.human_actions = 0
        self._began: float | None = None
        self._mode: Mode | None = None
        self._source: Source | None = None

    @property
    def enabled(self) -> bool:
        """Whether a person has enabled the arm since the beginning."""
        return self._began is not None

    @property
    def stuck(self) -> Mode | None:
        """The mode that only a person leads out of, if the arm has come into one since the enable."""
        return self._mode if self.enabled and self._mode not in MOVING else None

    def report(self, now: float, mode: Mode, source: Source | None) -> None:
        """The arm process says at `now` (s) how it stands."""
        before, self._mode = self._mode, mode
        moves = mode in MOVING and before not in MOVING
        if self._began is None and mode in MOVING:
            self._began = now
        elif moves or (before is Mode.FAULT and mode is not Mode.FAULT):
            self.human_actions += 1
        if source is Source.HUMAN and self._source is not Source.HUMAN:
            self.human_actions += 1
        self._source = source

    def tool(self, position: Floats) -> None:
        """The tool is at `position` (3,) m in base; counts while the arm may move."""
        if self._mode is Mode.ACTIVE:
            self.cells.add(position)

    def minutes(self, now: float) -> float:
        """Since the first enable, at `now` (s)."""
        return 0.0 if self._began is None else (now - self._began) / 60.0

    def summary(self, now: float) -> str:
        """The last line of a collection."""
        cells = self.cells
        return (
            f"collect minutes={self.minutes(now):.1f} cells={cells.visited} of={cells.total} "
            f"human_actions={self.human_actions}"
        )
