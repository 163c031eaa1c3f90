"""Corners of the guard's box as a person shows them, one after the other. Called by the teleop node and `rig box`."""

from __future__ import annotations

from pathlib import Path

from robot_rig.config import Config, GuardConfig
from robot_rig.datatypes import Floats
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.safety.workspace import box_around, box_overlay


class Corners:
    """The corners marked so far; from the second on, the box around them is written to the overlay `path`.

    A box that was there before is somebody's, with keep-outs perhaps, and stays.
    """

    def __init__(self, config: Config, path: Path) -> None:
        self._config, self._path = config, path
        self._marked: list[Floats] = []
        self.box: GuardConfig | None = None
        """What was written last."""

    def refuse_taken(self) -> None:
        """Raise UserError when `path` exists and is not of these corners."""
        if self.box is None and (self._path.exists() or self._path.is_symlink()):
            raise UserError(f"{self._path} exists already and stays", next_step="move it, or give the box another name")

    def mark(self, tool: Floats) -> str:
        """Take the tool position (3,) m as a corner; returns what became of the box, in a sentence."""
        self._marked.append(tool)
        at = f"corner {len(self._marked)} at ({', '.join(f'{value:.3f}' for value in tool)})"
        try:
            self.refuse_taken()
            guard = box_around(self._marked, self._config)
            write_atomically(self._path, box_overlay(guard).encode())
        except UserError as error:
            return f"{at}. {'no box yet' if self.box is None else 'the box stays as it was'}: {error}"
        self.box = guard
        return f"{at}. {self._path}: {guard.box_low_m} to {guard.box_high_m}"
