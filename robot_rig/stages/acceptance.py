"""Which checkpoints a robot has accepted, so that it never goes back to an older one unless a person says so.

Called by the nodes that act on checkpoints and by `rig rollback`. The number that rises is the trainer's count of
updates, which the signature covers: an old checkpoint under a new name is still an old one. It counts within one run of
the trainer; the first that is accepted says which run that is, and those of any other are refused. Two files, each with
one writer: what was accepted (the practice node), and what a person has taken back (`rig rollback`).
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.learning.checkpoint import RUN_ID, Manifest
from robot_rig.stages.shipping import load_trusted, shipped_in
from robot_rig.stranger_files import INDEX_LIMIT, parse_object, read_regular

ACCEPTED, TAKEN_BACK = "accepted.json", "taken_back.json"

REMEMBERED = 1000
"""Checkpoints that have acted, the newest, whose counts are kept: a robot has one a minute, and a person goes back by a
few.
"""


@dataclass(frozen=True)
class Acceptance:
    """Counts of updates: of the newest checkpoints that have acted, and of those that a person has taken back. `run_id`
    is the trainer's run that they are of; empty while that is not known.
    """

    accepted: frozenset[int] = field(default_factory=frozenset)
    taken_back: frozenset[int] = field(default_factory=frozenset)
    run_id: str = ""

    @classmethod
    def of(cls, run: Path) -> Acceptance:
        """What the robot's run folder `run` says. Raises UserError when that cannot be read."""
        return cls.told({name: _content(run / name) for name in (ACCEPTED, TAKEN_BACK)}, str(run))

    @classmethod
    def told(cls, files: Mapping[str, bytes | None], place: str) -> Acceptance:
        """What the `files` of the robot's run folder `place` say, by name, None where there is none. Raises UserError
        for one that is damaged.
        """
        read = {name: _read(content, f"{place}/{name}") for name, content in files.items()}
        accepted, run_id = read[ACCEPTED]
        return cls(accepted, read[TAKEN_BACK][0], run_id)

    @property
    def newest(self) -> int:
        """That of the newest that may act; -1 when there is none yet."""
        return max(self.accepted - self.taken_back, default=-1)

    def require(self, manifest: Manifest) -> None:
        """Raise UserError unless a checkpoint with `manifest` may act."""
        if not self.same_run(manifest):
            raise UserError(
                f"it is of another run of the trainer: {manifest.run_id or 'one without a name'}, not {self.run_id}",
                next_step=f"if the robot is to follow that run from now on, remove the robot's {ACCEPTED}",
            )
        if manifest.train_steps in self.taken_back:
            raise UserError("a person has taken it back", next_step="nothing to do: another one acts")
        if manifest.train_steps < self.newest:
            raise UserError(
                f"it is older than what has acted: {manifest.train_steps} updates, not {self.newest} or more",
                next_step=f"if the trainer began anew, remove the robot's {ACCEPTED}",
            )

    def same_run(self, manifest: Manifest) -> bool:
        """Whether a checkpoint with `manifest` is of the run of the trainer that this robot follows."""
        return self.run_id in ("", manifest.run_id)

    def accept(self, run: Path, manifest: Manifest) -> None:
        """Write into `run` that a checkpoint with `manifest` acts: nothing older, nor of another run of the trainer, is
        accepted afterwards.
        """
        newest = sorted({*self.accepted, manifest.train_steps})[-REMEMBERED:]
        after = replace(self, accepted=frozenset(newest), run_id=manifest.run_id)
        if after != self:
            _write(run / ACCEPTED, {"updates": sorted(after.accepted), RUN_ID: after.run_id})

    def take_back(self, run: Path) -> None:
        """Write into `run` that the newest is never to act again."""
        _write(run / TAKEN_BACK, {"updates": sorted(self.taken_back | {self.newest})})


def roll_back(run: Path) -> str:
    """Take back the checkpoint that acts in the practice run `run`; returns the name of the one before it.

    Raises UserError where none acts, or none is older.
    """
    robot = run / "played"
    accepted = Acceptance.of(robot)
    if accepted.newest < 0:
        raise UserError(f"no checkpoint acts in {run} yet", next_step="name the run of practice.launch")
    older = _older(run, accepted)
    if older is None:
        raise UserError(f"{run} has no older checkpoint", next_step="hold the arm (`rig hold`) and train further")
    accepted.take_back(robot)
    return older


def _older(run: Path, accepted: Acceptance) -> str | None:
    """The newest sound checkpoint older than the newest accepted one, by name."""
    for folder in reversed(shipped_in(run / "learnt" / "checkpoints").values()):
        with contextlib.suppress(UserError, OSError):
            manifest = load_trusted(folder).manifest
            updates = manifest.train_steps
            if accepted.same_run(manifest) and updates < accepted.newest and updates not in accepted.taken_back:
                return folder.name
    return None


def _content(path: Path) -> bytes | None:
    """What is in a file, None where there is none. Raises UserError when it cannot be read."""
    if not path.exists():
        return None
    try:
        return read_regular(path, "record", INDEX_LIMIT)
    except OSError as error:
        raise _damaged(str(path), error) from error


def _read(content: bytes | None, name: str) -> tuple[frozenset[int], str]:
    """The counts in a file, and the trainer's run that they are of, where it says."""
    if content is None:
        return frozenset(), ""
    try:
        record = parse_object(content)
        numbers, run_id = record["updates"], record.get(RUN_ID, "")
        if not isinstance(numbers, list) or any(type(number) is not int for number in numbers):
            raise ValueError("it holds no counts")
        if not isinstance(run_id, str):
            raise ValueError("it names no run")
    except (ValueError, KeyError) as error:
        raise _damaged(name, error) from error
    return frozenset(numbers), run_id


def _damaged(name: str, error: Exception) -> UserError:
    return UserError(f"{name} is damaged: {error}", next_step="remove it: any checkpoint is then new")


def _write(path: Path, record: Mapping[str, object]) -> None:
    write_atomically(path, json.dumps(record).encode())
