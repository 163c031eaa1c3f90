"""Which checkpoints stay when practice goes on for weeks, and how the others go.

Called by `cli.follow`, `cli.checkpoint_exam` and `transport.thin`.

Of those that a trainer ships: the newest; behind them ever fewer, twice as far apart where they are twice as old; the
first, which shows the encoder as it was before practice; and whatever somebody needs. The rule looks at nothing but
numbers, so here and on the robot's machine the same ones stay, and what it has once given up it never wants back.
"""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from robot_rig.disk import make_folder, put, sync
from robot_rig.errors import UserError
from robot_rig.learning.checkpoint import MANIFEST
from robot_rig.run_mark import MARK_FILE
from robot_rig.stages.acceptance import Acceptance
from robot_rig.stages.shipping import NAME, shipped_in
from robot_rig.stranger_files import INDEX_LIMIT, parse_object, read_regular

KEPT = "kept"
"""Folder of a run: a file in it, empty, says that the checkpoint of its name is to stay."""

GONE = ".removed"
"""Behind a dot and the name of a checkpoint: one that is being removed, and that no reader sees any more."""

LEAST = 2
"""Of newest ones: a canary judges a policy by the one before it, and `rig rollback` goes back to one."""

SPARE = 4
"""Older ones beside the one that acts, where that is not among the newest: one of them may be damaged."""


@dataclass(frozen=True)
class Retention:
    """The rule: `newest` checkpoints stay in any case, 0: all of them do. `every`: practice steps between two of them.

    Raises UserError for a number of newest ones that will not do.
    """

    newest: int
    every: int

    def __post_init__(self) -> None:
        if self.newest < 0 or 0 < self.newest < LEAST:
            raise UserError(
                f"--keep {self.newest} is too few: the robot must be able to go back to the one before the newest",
                next_step=f"give {LEAST} or more, or 0 to keep them all",
            )

    def superfluous(self, shipped: Collection[int], needed: Collection[int] = ()) -> list[int]:
        """Of the checkpoints `shipped`, by their practice steps, those that go, oldest first; none that is `needed`."""
        ordered = sorted(shipped)
        if not self.newest or not ordered:
            return []
        last = ordered[-1] // self.every
        return [
            steps
            for steps in ordered[1 : -self.newest]
            if steps not in needed and not self._stays(steps // self.every, last)
        ]

    def _stays(self, number: int, last: int) -> bool:
        """Whether the `number`-th stays when the `last` is the newest: a multiple of 2^k stays 2^k times as long."""
        return number == 0 or last - number <= self.newest * (number & -number)


def wanted_by_robot(updates: Mapping[int, int], acceptance: Acceptance) -> set[int]:
    """Of the checkpoints whose `updates` are given by their practice steps: the one that acts and those before it that
    `rig rollback` may go back to.
    """
    acting = acceptance.newest
    able = sorted((n, steps) for steps, n in updates.items() if n <= acting and n not in acceptance.taken_back)
    return {steps for _, steps in able[-SPARE - 1 :]}


def named(names: Iterable[str]) -> set[int]:
    """The practice steps of those `names` that are of checkpoints."""
    return {int(match[1]) for name in names if (match := NAME.fullmatch(name))}


def thin_out(run: Path, retention: Retention, robots: Iterable[Path]) -> list[str]:
    """Remove what `retention` does not keep from the checkpoints of `run`; returns their names.

    Kept is also what was examined with the run, what stands in its folder `KEPT`, and what the `robots` need, whose run
    folders these are where there are any. Whenever it is killed, every checkpoint is whole or gone. Raises UserError
    when it cannot be known what a robot needs, OSError when the disk refuses.
    """
    folder = run / "checkpoints"
    for left in folder.glob(f".practice-*{GONE}"):
        shutil.rmtree(left)
    shipped = shipped_in(folder)
    if not retention.superfluous(shipped):
        return []
    updates = {steps: count for steps, path in shipped.items() if (count := _updates(path)) is not None}
    needed = named(path.name for path in (*run.glob("evaluation/*/*"), *run.glob(f"{KEPT}/*")))
    for robot in robots:
        needed |= wanted_by_robot(updates, Acceptance.of(robot))
    paths = [shipped[steps] for steps in retention.superfluous(shipped, needed)]
    # A link somebody else has made, to what may be anywhere.
    gone = [path for path in paths if path.is_dir() and not path.is_symlink()]
    for path in gone:
        _remove(path)
    return [path.name for path in gone]


def keep(checkpoint: Path) -> None:
    """Let a `checkpoint` in a run's folder stay there for good. Does nothing for one elsewhere, and on a disk that
    cannot be written, from which nothing is removed either.
    """
    place = checkpoint.resolve()
    kept = place.parent.parent / KEPT
    if NAME.fullmatch(place.name) and place.parent.name == "checkpoints" and (kept.parent / MARK_FILE).is_file():
        with contextlib.suppress(OSError):
            make_folder(kept)
            put(kept / place.name, b"")
            sync(kept)


def _remove(path: Path) -> None:
    gone = path.with_name(f".{path.name}{GONE}")
    os.rename(path, gone)
    # Else a power cut could bring the name back, and files of it not.
    sync(path.parent)
    shutil.rmtree(gone)


def _updates(checkpoint: Path) -> int | None:
    """The count of updates in its manifest, None where there is none that can be read."""
    try:
        count = parse_object(read_regular(checkpoint / MANIFEST, "manifest", INDEX_LIMIT)).get("train_steps")
    except (UserError, OSError, ValueError):
        return None
    return count if type(count) is int else None
