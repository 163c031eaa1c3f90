"""A new run folder from episodes of others, byte for byte, which a Ctrl-C or a power cut leaves fit to be repeated.

Called by `rig data merge` and `split`. A note in the new folder, `origin.json`, says before the first copy what is to
be there, and after the last one that it is. Only then is the folder marked as a run: nobody learns from a half.
"""

from __future__ import annotations

import contextlib
import filecmp
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from pathlib import Path
from typing import Any

from robot_rig.config import Config
from robot_rig.data.durable_file import being_written
from robot_rig.data.outline import Outline, outline
from robot_rig.data.sets import ORIGIN_FORMAT, LeftOut, Origin, twins
from robot_rig.data.store import EpisodeStore
from robot_rig.disk import disk_of, require_free_space, sync, unwritable, write_atomically
from robot_rig.errors import UserError
from robot_rig.run_mark import MARK_FILE, ORIGIN_FILE
from robot_rig.runs import CONFIG_FILE, RunFolder
from robot_rig.stranger_files import BLOCK_BYTES, open_regular, parse_object, read_regular, sha256_of

EPISODES = "episodes"
NOTE_LIMIT = 64 * 2**20
"""Bytes of a note: a hundred thousand episodes of long paths."""

OTHER_OUT = "choose another folder with --out"


def ignore_progress(done: int) -> None:
    """The progress callback of a caller who does not want to know."""


@contextlib.contextmanager
def held_still(path: Path) -> Iterator[RunFolder]:
    """The run in `path`, which nobody else can go on with meanwhile.

    Raises UserError when there is none, another process works in it, or one of its episodes is being written.
    """
    with RunFolder.claim(path, RunFolder.open(path).config) as run:
        for episode in EpisodeStore(run.episodes).paths():
            if being_written(episode):
                raise UserError(f"{episode} is being written", next_step="end the recording first, and repeat this")
        yield run


def outlines(paths: Iterable[Path]) -> tuple[list[Outline], list[LeftOut]]:
    """The episodes at `paths` in short, and those that are none with the reason."""
    found, left_out = [], []
    for path in paths:
        try:
            found.append(outline(path))
        except UserError as error:
            left_out.append(LeftOut(path, str(error)))
    return found, left_out


def refuse_twins(runs: Sequence[Sequence[Outline]]) -> None:
    """Raise UserError when an episode stands in two places: learnt twice, or learnt from and examined with."""
    for one, other in twins(runs):
        if filecmp.cmp(one, other, shallow=False):
            raise UserError(f"{one} and {other} are the same episode", next_step="name each run, and each copy, once")


def assemble(
    out: Path, config: Config, origin: Origin, progress: Callable[[int], None] = ignore_progress
) -> dict[str, Any]:
    """Make the run `out` of `config` from the episodes that `origin` names; returns its note.

    What an interrupted attempt has copied is kept, and `out` is no run before all is there. `progress` is told the
    bytes so far. Raises UserError when `out` is something else already, or the disk refuses.
    """
    require_room([(out, origin)])
    with _held(out, config) as run:
        refuse_taken(out, origin)
        path, earlier = run.path / ORIGIN_FILE, read_origin(run.path)
        was_complete = earlier is not None and earlier.get("complete") is True
        sha256: dict[str, str] = {}
        done = 0
        if not was_complete:
            _write_note(path, origin.note(sha256))
        EpisodeStore(run.episodes)
        for source, name in origin.placements:
            sha256[name] = _kept(source, run.episodes / name) or _copy(source, run.episodes / name)
            done += source.stat().st_size
            progress(done)
        sync(run.episodes)
        note = origin.note(sha256)
        if not was_complete:
            _write_note(path, note)
        run.mark()
    return note


def require_room(wanted: Iterable[tuple[Path, Origin]]) -> None:
    """Raise UserError unless each disk has room for all copies in `wanted` (place, origin) that are still to be made
    on it."""
    needed: dict[int, tuple[Path, int]] = {}
    for out, origin in wanted:
        missing = [source for source, name in origin.placements if not (out / EPISODES / name).exists()]
        place, before = needed.get(disk_of(out), (out, 0))
        needed[disk_of(out)] = place, before + sum(source.stat().st_size for source in missing)
    for place, size in needed.values():
        require_free_space(place, size)


def refuse_taken(out: Path, origin: Origin) -> None:
    """Raise UserError unless `out` is absent, empty, or what an attempt at the very same `origin` has left."""
    if not out.exists():
        return
    if not out.is_dir():
        raise UserError(f"{out} is a file, and a run is a folder", next_step=OTHER_OUT)
    note = read_origin(out)
    if note is not None and note.get("plan") != origin.plan():
        raise UserError(
            f"{out} was begun from other episodes, or by another word (see its {ORIGIN_FILE})",
            next_step=f"{OTHER_OUT}, or delete it if an interrupted attempt left it",
        )
    if (out / MARK_FILE).exists():
        # In a run that this once made, more may have happened since; in any other, copies would join what was learnt.
        if note is None:
            raise UserError(f"{out} is a run already", next_step=OTHER_OUT)
    elif foreign := _foreign(out, set() if note is None else {name for _, name in origin.placements}):
        raise UserError(f"{out} holds something else already: {', '.join(foreign[:3])}", next_step=OTHER_OUT)


def _foreign(out: Path, planned: Set[str]) -> list[str]:
    """What no attempt at making a run of the `planned` episodes has put into the folder `out`."""
    own = {CONFIG_FILE, ORIGIN_FILE, EPISODES} if planned else {CONFIG_FILE}
    scraps = tuple(f".{name}." for name in (CONFIG_FILE, MARK_FILE, ORIGIN_FILE))
    entries = [entry.name for entry in out.iterdir() if entry.name not in own and not entry.name.startswith(scraps)]
    extra = {log.name for log in (out / EPISODES).glob("[!.]*.mcap")} - planned if planned else set()
    return sorted([*entries, *(f"{EPISODES}/{name}" for name in extra)])


def read_origin(run: Path) -> dict[str, Any] | None:
    """The note of the run folder `run`, None where it has none. Raises UserError for a damaged or another version's."""
    path = run / ORIGIN_FILE
    if not path.exists():
        return None
    try:
        note = parse_object(read_regular(path, "note", NOTE_LIMIT))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: {error}", next_step=OTHER_OUT) from error
    if note.get("format") != ORIGIN_FORMAT:
        raise UserError(f"{path} has format {note.get('format')}, and this is {ORIGIN_FORMAT}", next_step=OTHER_OUT)
    return note


def _held(out: Path, config: Config) -> RunFolder:
    begin = RunFolder.claim if (out / MARK_FILE).exists() else RunFolder.prepare
    try:
        return begin(out, config)
    except UserError as error:
        raise UserError(error.problem, next_step=OTHER_OUT) from error


def _write_note(path: Path, note: dict[str, Any]) -> None:
    write_atomically(path, json.dumps(note, indent=1).encode())


def _kept(source: Path, target: Path) -> str:
    """The SHA-256 of what an earlier attempt has copied to `target`; empty when there is nothing, or something else."""
    if not target.exists():
        return ""
    with open_regular(source, "episode") as original, open_regular(target, "episode") as copy:
        digest = sha256_of(copy)
        if digest != sha256_of(original):
            raise UserError(f"{target} is no longer a copy of {source}", next_step=f"delete {target} and repeat this")
    return digest


def _copy(source: Path, target: Path) -> str:
    """Copy `source` to the new file `target`, all of it or nothing, durably; returns the SHA-256 in hex."""
    fresh = target.with_name(f".{target.name}.partial")
    digest = hashlib.sha256()
    try:
        with open_regular(source, "episode") as reader, fresh.open("wb") as writer:
            while block := reader.read(BLOCK_BYTES):
                digest.update(block)
                writer.write(block)
            writer.flush()
            os.fsync(writer.fileno())
        fresh.rename(target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise unwritable(target, error) from error
        raise
    return digest.hexdigest()
