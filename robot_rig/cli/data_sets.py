"""`rig data ls`, `merge` and `split`: which episodes there are, runs put together, a run drawn apart.

Called by `cli.commands`. What may be merged and what is drawn is decided in `data.sets`; `data.set_copy` copies.
"""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.console import Console

from robot_rig.cli.progress import Advance, stage_bar
from robot_rig.config import Config
from robot_rig.data.outline import Outline
from robot_rig.data.set_copy import assemble, held_still, outlines, refuse_taken, refuse_twins, require_room
from robot_rig.data.sets import LeftOut, Origin, draw, in_one_row, refuse_differences, refuse_other_actions
from robot_rig.data.store import NAME, EpisodeStore, logs_below, number_of, stage_of
from robot_rig.errors import UserError
from robot_rig.run_mark import ORIGIN_FILE
from robot_rig.runs import RunFolder

PATIENCE_S = 1.0
"""From here on a person is shown how far it has come."""

SHOWN_CHARS = 40
HEAD = ("episode", "stage", "begun", "steps", "s", "goal", "who acted", "whole", "MB")
RIGHT = ("steps", "s", "MB")
"""Columns of numbers."""


def ls(paths: Sequence[Path], console: Console) -> int:
    """Print a row for each episode of `paths` (run folders, folders of episodes, files), and totals by stage.

    A file that is no episode is a row with the reason. Raises UserError when there is no file at all.
    """
    files = list(dict.fromkeys(file for path in paths for file in _files(path)))
    if not files:
        raise UserError("no episode to list", next_step="name a run folder, a folder of .mcap files, or such files")
    episodes, unreadable = outlines(_watched("reading", files))
    base = paths[0] if len(paths) == 1 and paths[0].is_dir() else Path()
    rows = {episode.path: _row(episode, base) for episode in episodes}
    widths = [max(map(len, column)) for column in zip(HEAD, *rows.values(), strict=True)]
    reasons = {left.source: left.why for left in unreadable}
    console.print(_line(HEAD, widths), style="bold", markup=False, highlight=False, soft_wrap=True)
    lines = {file: f"{_plain(_name(file, base))}  unreadable: {_plain(why)}" for file, why in reasons.items()}
    lines |= {file: _line(row, widths) for file, row in rows.items()}
    # One print for all of them: thousands of lines through the console's layout would take longer than the files.
    console.out("\n".join(lines[file] for file in files), highlight=False)
    for line in _totals(episodes):
        console.out(line, highlight=False)
    if unreadable:
        console.out(f"{len(unreadable)} unreadable", highlight=False)
    return 0


def merge(runs: Sequence[Path], out: Path, console: Console) -> int:
    """Put the episodes of `runs` together in the new run folder `out`; returns the exit code 0.

    Raises UserError when they cannot be learnt from together, one of them is being written, or `out` is taken.
    """
    if len(runs) < 2:
        raise UserError("it takes two runs or more to merge", next_step="rig data merge RUN RUN --out NEW")
    _refuse_same([*runs, out])
    with contextlib.ExitStack() as held:
        folders = [held.enter_context(held_still(run)) for run in runs]
        first = folders[0]
        for other in folders[1:]:
            refuse_differences((first.path, first.config), (other.path, other.config))
        found = [_episodes_of(run) for run in folders]
        for run, (episodes, _) in zip(folders, found, strict=True):
            refuse_other_actions(run.config, episodes)
        refuse_twins([episodes for episodes, _ in found])
        placements = in_one_row([episodes for episodes, _ in found])
        if not placements:
            raise UserError("the runs hold no episode", next_step="collect some first: `rig collect`")
        left_out = tuple(itertools.chain.from_iterable(left for _, left in found))
        _write(out, first.config, Origin({"word": "merge"}, tuple(runs), tuple(placements), left_out), console)
        if any(run.config != first.config for run in folders):
            _say(console, f"{out} has the settings of {first.path}; what the others set otherwise changes no record")
    return 0


def split(run: Path, out: tuple[Path, Path], share: float, seed: int, console: Console) -> int:
    """Draw `share` of the episodes of each stage of `run` into the new run `out[0]`, the rest into `out[1]`.

    Returns the exit code 0. Raises UserError when a side would be empty, the run is being written or a place is taken.
    """
    _refuse_same([run, *out])
    with held_still(run) as folder:
        episodes, left_out = _episodes_of(folder)
        refuse_other_actions(folder.config, episodes)
        sides = draw([episode.path for episode in episodes], share, seed)
        how = {"word": "split", "share": share, "seed": seed}
        origins = [
            (place, Origin({**how, "side": side}, (run,), tuple(placements), tuple(left_out)))
            for place, side, placements in zip(out, ("first", "rest"), sides, strict=True)
        ]
        # Both places before the first copy: what cannot be done whole is not begun.
        for place, origin in origins:
            refuse_taken(place, origin)
        require_room(origins)
        for place, origin in origins:
            _write(place, folder.config, origin, console)
        stages = [{stage_of(placement.source) for placement in placements} for placements in sides]
        for stage in sorted(stages[0] ^ stages[1]):
            _say(console, f"all of {stage} went to {out[stage in stages[1]]}: it has too few episodes for both")
    return 0


def _episodes_of(run: RunFolder) -> tuple[list[Outline], list[LeftOut]]:
    paths = EpisodeStore(run.episodes).paths()
    return outlines(_watched(f"reading {run.path.name}", paths))


def _write(out: Path, config: Config, origin: Origin, console: Console) -> None:
    """Make the run `out` and say what is in it."""
    size = sum(placement.source.stat().st_size for placement in origin.placements)
    with _late_bar(f"copying to {out.name}", size >> 20) as show:
        assemble(out, config, origin, lambda done: show(done >> 20, "MiB"))
    for left in origin.left_out:
        _say(console, f"left out: {left.why}")
    count = len(origin.placements)
    _say(console, f"{out}: {count} episodes, {size / 1e6:.1f} MB; {out / ORIGIN_FILE} says where each is from")


def _refuse_same(folders: Sequence[Path]) -> None:
    seen: set[Path] = set()
    for folder in folders:
        if folder.resolve() in seen:
            raise UserError(f"{folder} is named twice", next_step="name each folder once")
        seen.add(folder.resolve())


def _files(path: Path) -> list[Path]:
    """The episode files that `path` means, in the order they were begun."""
    if not path.is_dir():
        return [path]
    return sorted(logs_below(path), key=lambda file: (file.parent, _number(file), file.name))


def _number(file: Path) -> int:
    return number_of(file) if NAME.fullmatch(file.name) else -1


def _name(file: Path, base: Path) -> str:
    return str(file.relative_to(base) if file.is_relative_to(base) else file)


def _plain(text: str) -> str:
    """`text` out of a file, which might hold what moves a terminal's cursor."""
    return "".join(letter if letter.isprintable() else "?" for letter in text)


def _row(episode: Outline, base: Path) -> tuple[str, ...]:
    begun = "simulated" if episode.begun is None else f"{episode.begun.astimezone():%Y-%m-%d %H:%M:%S}"
    whole = "being written" if episode.is_being_written else "truncated" if episode.truncated else "yes"
    return (
        _plain(_name(episode.path, base)),
        _plain(episode.stage)[:SHOWN_CHARS] or "-",
        begun,
        str(episode.steps),
        f"{episode.seconds:.1f}",
        "yes" if episode.has_goal else "no",
        _plain(episode.actor)[:SHOWN_CHARS] or "-",
        whole,
        f"{episode.size / 1e6:.2f}",
    )


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (
        cell.rjust(width) if name in RIGHT else cell.ljust(width)
        for name, cell, width in zip(HEAD, cells, widths, strict=True)
    )
    return "  ".join(padded).rstrip()


def _totals(episodes: Sequence[Outline]) -> Iterator[str]:
    by_stage: dict[str, list[Outline]] = {}
    for episode in episodes:
        by_stage.setdefault(_plain(episode.stage)[:SHOWN_CHARS] or "-", []).append(episode)
    for stage, members in (*sorted(by_stage.items()), ("all", episodes)):
        steps, size = sum(episode.steps for episode in members), sum(episode.size for episode in members)
        minutes = sum(episode.seconds for episode in members) / 60
        yield f"{stage}: {len(members)} episodes, {steps} steps, {minutes:.1f} min, {size / 1e6:.1f} MB"


def _watched(title: str, files: Sequence[Path]) -> Iterator[Path]:
    """`files` one after another; somebody who waits is shown how far it has come."""
    with _late_bar(title, len(files)) as show:
        for done, file in enumerate(files):
            show(done, file.name)
            yield file
        show(len(files), "")


@contextlib.contextmanager
def _late_bar(title: str, total: int) -> Iterator[Advance]:
    """A bar on stderr from the moment that it has taken longer than a person waits without asking."""
    began, bar = time.monotonic(), None
    with contextlib.ExitStack() as stack:

        def show(done: int, note: str) -> None:
            nonlocal bar
            if bar is None and time.monotonic() - began > PATIENCE_S:
                bar = stack.enter_context(stage_bar(Console(stderr=True), title, total))
            if bar is not None:
                bar(done, note)

        yield show


def _say(console: Console, sentence: str) -> None:
    console.print(_plain(sentence), markup=False, highlight=False, soft_wrap=True)
