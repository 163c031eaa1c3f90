"""The episode folder: the only thing that robot and trainer share (R16). Called by collection, practice and training.

Files are called <stage>-<number>.mcap; numbers rise over all stages, so the order of names is the order of events, and
a trainer that starts afresh takes the same episodes in the same order.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterator
from pathlib import Path

from robot_rig.data.durable_file import being_written
from robot_rig.data.log import read_episode
from robot_rig.datatypes import Episode
from robot_rig.disk import make_folder
from robot_rig.errors import UserError

NAME = re.compile(r"(?P<stage>[a-z][a-z0-9_]*)-(?P<number>\d{6,})\.mcap")


class EpisodeStore:
    """The episodes in `folder`, which is made when missing. Other files in it are left alone.

    `refused` is why `read_new` passed over a file, by episode id.
    """

    def __init__(self, folder: Path | str) -> None:
        self.folder = Path(folder)
        self.refused: dict[str, str] = {}
        try:
            make_folder(self.folder)
        except OSError as error:
            raise UserError(
                f"cannot make the episode folder {self.folder}: {error.strerror}", next_step="choose another run folder"
            ) from error

    def next_path(self, stage: str) -> Path:
        """A free name for the next episode of `stage`, as in collect-000000.mcap."""
        numbers = [number_of(path) for path in self.paths()]
        name = f"{stage}-{max(numbers, default=-1) + 1:06d}.mcap"
        if NAME.fullmatch(name) is None:
            raise UserError(f"{stage!r} cannot name a stage", next_step="use small letters, digits and underscores")
        return self.folder / name

    def paths(self, stage: str | None = None) -> list[Path]:
        """The episode files, of one stage or all, in the order they were begun."""
        named = [
            path
            for path in self.folder.iterdir()
            if (match := NAME.fullmatch(path.name)) is not None and stage in (None, match["stage"])
        ]
        return sorted(named, key=lambda path: (number_of(path), path.name))

    def read_new(self, seen: Collection[str], stage: str | None = None) -> Iterator[Episode]:
        """The episodes whose id (the file's stem) is not in `seen`, in order, one at a time.

        It ends before a file that a living process on this machine is still writing, so that no order depends on
        timing. Unreadable files are passed over and explained in `refused`.
        """
        paths = self.paths(stage)
        for path in paths:
            if path.stem in seen or path.stem in self.refused:
                continue
            try:
                if being_written(path):
                    return
                episode = read_episode(path)
            except UserError as error:
                if _may_still_come(path, paths[-1]):
                    return
                self.refused[path.stem] = str(error)
            else:
                yield episode


def _may_still_come(path: Path, newest: Path) -> bool:
    """Whether the episode of this name is still to come: none is there any more, or its writer has only just begun."""
    try:
        return (path == newest and path.stat().st_size == 0) or being_written(path)
    except (OSError, UserError):
        # One without a step is removed when it is aborted, and its number is the next one's.
        return not os.path.lexists(path)


def logs_below(folder: Path) -> list[Path]:
    """Every .mcap file in and below `folder`, whatever it is called, in no order.

    What is hidden (a dot before the file's name or that of a folder between) is left out: there files arrive, half of
    each, before they are moved to where they are meant.
    """
    found = folder.rglob("*.mcap")
    return [path for path in found if not any(part.startswith(".") for part in path.relative_to(folder).parts)]


def stage_of(path: Path) -> str:
    """The stage in the name of an episode of a store."""
    return path.stem.rpartition("-")[0]


def number_of(path: Path) -> int:
    """The number in the name of an episode of a store."""
    return int(path.stem.rpartition("-")[2])
