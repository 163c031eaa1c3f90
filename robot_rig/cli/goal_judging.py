"""What a run makes of goal pictures: decoded, the most alike logged frame, novelty; and what it dreams of.

Called by `cli.goals` and `goal_commands` for `rig goals`. Imports torch, so it is itself imported only with a run.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich.console import Console

from robot_rig.cli.goal_sheets import sheet
from robot_rig.cli.progress import stage_bar
from robot_rig.data.log import read_episode
from robot_rig.data.store import EpisodeStore, stage_of
from robot_rig.datatypes import Bytes, Ints
from robot_rig.disk import appearing
from robot_rig.errors import UserError
from robot_rig.goal_library import StoredGoal, calibration_id
from robot_rig.learning.encoder import Encoder
from robot_rig.learning.novelty import Look, Memory
from robot_rig.learning.runtime import use_one_core
from robot_rig.learning.training_state import seeded
from robot_rig.runs import CONFIG_FILE, RunFolder
from robot_rig.stages.collect import HELD_OUT
from robot_rig.stages.demonstrations import HELD_BACK
from robot_rig.stages.shipping import checkpoints, load_policy
from robot_rig.vision import save_picture

PLAYED = "played"
"""Beside what practice.launch has learnt lies what the robot has played."""

MOST_EPISODES, MOST_OF_ONE, MOST_FRAMES = 120, 200, 3000
"""That a picture is held against, spread evenly over a log of any length: a few seconds of reading."""

MOST_HELD_OUT, FEWEST_HELD_OUT = 1000, 50
SET_ASIDE = 5
MOST_IMAGINED = 400

NEVER_SEEN = "the robot has never seen anything like this"


def settings_of(run: Path) -> Path:
    """The settings of `run`, as an overlay. Raises UserError when there is no run."""
    return RunFolder.open(run).path / CONFIG_FILE


def newest_encoder(run: Path) -> Encoder:
    """That of the newest checkpoint of `run`. Raises UserError when there is none, or it is not sound."""
    use_one_core()
    shipped = list(checkpoints(RunFolder.open(run)).values())
    if not shipped:
        raise UserError(f"the run in {run} has no checkpoint", next_step="run `rig practice` or `rig demo` first")
    return load_policy(shipped[-1]).encoder


def require_judge(run: Path, calibration: str) -> None:
    """Raise UserError for a run that has not learnt to see, or with another camera than that of `calibration`."""
    learnt = calibration_id(RunFolder.open(run).config.camera)
    if learnt != calibration:
        raise UserError(
            f"the run in {run} has learnt under calibration {learnt}, and these goals are of {calibration}",
            next_step="give the settings that it has learnt with, or a run of this camera",
        )
    if not checkpoints(RunFolder.open(run)):
        raise UserError(f"the run in {run} has no checkpoint", next_step="run `rig practice` or `rig demo` first")


class Judge:
    """Holds pictures against what the robot of `run` has seen. Raises UserError as `require_judge` does, and for a log
    that is not there or too short.
    """

    def __init__(self, run: Path, calibration: str, console: Console) -> None:
        require_judge(run, calibration)
        encoder = newest_encoder(run)
        self._known, self._names, held_out = frames_of(log_of(run), console)
        self._memory = Memory(encoder, self._known, held_out)

    def look(self, goals: Sequence[StoredGoal], console: Console) -> Bytes:
        """Say of each goal how new it is; returns a sheet: the picture, what the encoder makes of it, its like."""
        cells: list[Bytes] = []
        for number, goal in enumerate(goals, start=1):
            seen = self._memory.look(goal.picture)
            cells += [goal.picture, seen.decoded, self._known[seen.nearest]]
            console.print(
                f"{number}. {goal.name}: {_said(seen)}; most like {self._names[seen.nearest]}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )
            if seen.is_new:
                console.print(f"[yellow]WARNING[/] {goal.name}: {NEVER_SEEN}", highlight=False, soft_wrap=True)
        console.print("the sheet: goal, what the encoder makes of it, the most alike picture of the log")
        return sheet(cells, columns=3)


def _said(seen: Look) -> str:
    return f"novelty {seen.novelty:.2f}, where 1 is what 1 in 100 pictures of its own world exceed"


def log_of(run: Path) -> EpisodeStore:
    """The log that `run` has learnt from. Raises UserError when there is none in it or beside it."""
    folder = RunFolder.open(run).path
    for place in (folder, folder.parent / PLAYED):
        if (place / "episodes").is_dir() and (store := EpisodeStore(place / "episodes")).paths():
            return store
    raise UserError(f"there is no log in {run}", next_step="name the run folder that the robot's episodes lie in")


def frames_of(log: EpisodeStore, console: Console) -> tuple[Bytes, list[str], Bytes]:
    """Frames known (N, 84, 84, 3), the name of each, and frames held out (M, 84, 84, 3)."""
    paths = log.paths()
    chosen = [paths[i] for i in _spread(len(paths), MOST_EPISODES)]
    known: list[Bytes] = []
    names: list[str] = []
    held_out: list[Bytes] = []
    aside = sum(stage_of(path) in (HELD_OUT, HELD_BACK) for path in chosen) == 0
    with stage_bar(console, "reading the log", len(chosen)) as advance:
        for number, path in enumerate(chosen, start=1):
            try:
                frames = read_episode(path).frames
            except UserError:
                continue
            finally:
                advance(number, path.name)
            some = _spread(len(frames), MOST_OF_ONE)
            # A log without held-out play: every fifth episode is held against the others instead.
            if stage_of(path) in (HELD_OUT, HELD_BACK) or (aside and number % SET_ASIDE == 0):
                held_out.append(frames[some])
            else:
                known.append(frames[some])
                names += [f"{path.stem}, frame {index}" for index in some]
    if sum(map(len, held_out)) < FEWEST_HELD_OUT or sum(map(len, known)) < FEWEST_HELD_OUT:
        raise UserError(
            f"the log in {log.folder} is too short to say what is new to the robot",
            next_step="let it play longer, or leave --run out",
        )
    every, least = np.concatenate(known), np.concatenate(held_out)
    chosen_frames = _spread(len(every), MOST_FRAMES)
    return every[chosen_frames], [names[i] for i in chosen_frames], least[_spread(len(least), MOST_HELD_OUT)]


def _spread(count: int, most: int) -> Ints:
    """At most `most` of the numbers 0 to `count` - 1, spread evenly."""
    chosen: Ints = np.unique(np.linspace(0, count - 1, most).astype(np.int64))
    return chosen


def imagine(run: Path, count: int, seed: int, out: Path | None, console: Console) -> int:
    """Draw `count` latents from the prior, decode them with the newest encoder of `run`, and print the sheet's path."""
    if not 1 <= count <= MOST_IMAGINED:
        raise UserError(f"-n {count} is no number of pictures", next_step=f"give 1 to {MOST_IMAGINED}")
    if not 0 <= seed < 2**63:
        raise UserError(f"--seed {seed} is none", next_step="give a whole number from 0 on, of 18 digits at most")
    encoder = newest_encoder(run)
    pictures = encoder.decode(encoder.sample_prior(count, seeded(seed)))
    path = run / f"imagined-{encoder.encoder_id}-{count}-{seed}.png" if out is None else out
    if out is None and path.exists():
        # The same encoder and seed draw the same.
        console.print(f"{path}", highlight=False, markup=False, soft_wrap=True)
        return 0
    if path.suffix.lower() != ".png":
        raise UserError(f"{path} is no name for a picture", next_step="call it FILE.png")
    with appearing(path) as fresh:
        save_picture(fresh, sheet(list(pictures), columns=max(1, int(np.ceil(np.sqrt(count))))))
    console.print(f"{path}", highlight=False, markup=False, soft_wrap=True)
    return 0
