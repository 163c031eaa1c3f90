"""The episode folder: the only thing that robot and trainer share (R16). Called by collection, practice and training.

Files are called <stage>-<number>.mcap; numbers rise over all stages, so the order of names is the order of events, and
a trainer that starts afresh takes the same episodes in the same order.
"""

from __future__ import annotations

import heapq
import os
import re
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import NamedTuple

from robot_rig.data.durable_file import being_written
from robot_rig.data.log import read_episode
from robot_rig.datatypes import Episode
from robot_rig.disk import make_folder
from robot_rig.errors import UserError

NAME = re.compile(r"(?P<stage>[a-z][a-z0-9_]*)-(?P<number>[0-9]{6,})\.mcap")
SUFFIX = ".mcap"


class Listing(NamedTuple):
    """The first files of a store that are wanted, in order; the newest of all (the folder where there is none); how
    many there are in all.
    """

    first: list[Path]
    newest: Path
    in_all: int


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
        newest, _ = max(self._names(), default=(-1, ""))
        name = f"{stage}-{newest + 1:06d}.mcap"
        if NAME.fullmatch(name) is None:
            raise UserError(f"{stage!r} cannot name a stage", next_step="use small letters, digits and underscores")
        return self.folder / name

    def paths(self, stage: str | None = None) -> list[Path]:
        """The episode files, of one stage or all, in the order they were begun."""
        names = sorted(name for name in self._names() if stage in (None, name[1].rpartition("-")[0]))
        return [self.folder / name for _, name in names]

    def look(self, most: int, wanted: Callable[[str], bool]) -> Listing:
        """The first episode files, `most` at most, whose ids are `wanted`; no more than those are in memory."""
        newest, count = (-1, ""), 0

        def found() -> Iterator[tuple[int, str]]:
            nonlocal newest, count
            for name in self._names():
                newest, count = max(newest, name), count + 1
                if wanted(name[1].removesuffix(SUFFIX)):
                    yield name

        first = [self.folder / name for _, name in heapq.nsmallest(most, found())]
        return Listing(first, self.folder / newest[1], count)

    def _names(self) -> Iterator[tuple[int, str]]:
        """Number and name of the episode files, in no order."""
        with os.scandir(self.folder) as entries:
            for entry in entries:
                if match := NAME.fullmatch(entry.name):
                    yield int(match["number"]), entry.name

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
                episode = read_final(path, paths[-1])
            except UserError as error:
                self.refused[path.stem] = str(error)
            else:
                if episode is None:
                    return
                yield episode


def read_final(path: Path, newest: Path) -> Episode | None:
    """The episode in the file `path` of a store whose newest is `newest`; None while it is still to come.

    Raises UserError when it never can be read.
    """
    try:
        return None if being_written(path) else read_episode(path)
    except UserError:
        if _may_still_come(path, newest):
            return None
        raise


def has_begun(path: Path) -> bool:
    """Whether the episode file `path` is there, and its writer has written something."""
    try:
        return path.stat().st_size > 0
    except OSError:
        return False


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
