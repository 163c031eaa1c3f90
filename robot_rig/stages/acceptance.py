"""Which checkpoint a robot has accepted, so that it never goes back to an older one unless a person says so.

Called by the practice node and by `rig rollback`. The number that rises is the trainer's count of updates, which the
signature covers: an old checkpoint under a new name is still an old one.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path

from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.learning.checkpoint import Manifest
from robot_rig.stranger_files import INDEX_LIMIT, parse_object, read_regular

FILE = "accepted.json"


@dataclass(frozen=True)
class Acceptance:
    """`updates` of the newest accepted checkpoint (-1: none yet), and of those that a person has taken back."""

    updates: int = -1
    taken_back: frozenset[int] = field(default_factory=frozenset)

    @classmethod
    def of(cls, run: Path) -> Acceptance:
        """What the robot's run folder `run` says. Raises UserError when that cannot be read."""
        path = run / FILE
        if not path.exists():
            return cls()
        try:
            stored = parse_object(read_regular(path, "record", INDEX_LIMIT))
            numbers = [stored["updates"], *stored["taken_back"]]
            if any(type(number) is not int for number in numbers):
                raise ValueError("its numbers are none")
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise UserError(f"{path} is damaged: {error}", next_step="remove it: any checkpoint is then new") from error
        return cls(numbers[0], frozenset(numbers[1:]))

    def save(self, run: Path) -> None:
        """Write it into `run`."""
        text = json.dumps({"updates": self.updates, "taken_back": sorted(self.taken_back)})
        write_atomically(run / FILE, text.encode())

    def refusal(self, manifest: Manifest) -> str:
        """Why a checkpoint with `manifest` may not act; empty when it may."""
        if manifest.train_steps in self.taken_back:
            return "a person has taken it back (`rig rollback`)"
        if manifest.train_steps < self.updates:
            return f"it is older than what acted before: {manifest.train_steps} updates, not {self.updates} or more"
        return ""

    def accept(self, manifest: Manifest) -> Acceptance:
        """Afterwards nothing older is accepted."""
        return Acceptance(manifest.train_steps, self.taken_back)

    def take_back(self, older: Manifest) -> Acceptance:
        """The newest is never accepted again, and `older` may act."""
        return Acceptance(older.train_steps, self.taken_back | {self.updates})
