"""Demonstrations: what a person did with the arm, brought into a run so that it is learnt from (F2). For `rig train`.

A demonstration is an episode file in which a person commanded steps (`source` human), wherever it was recorded. It is
copied into the run byte for byte, so that the run holds all that it has learnt from. Where the run has no held-out
play, every fifth is held out, for the check of the VAE; it is learnt from afterwards, like held-out play.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Literal, NamedTuple

from robot_rig.data.durable_file import being_written
from robot_rig.data.log import read_episode
from robot_rig.data.store import EpisodeStore, logs_below
from robot_rig.disk import appearing, require_free_space
from robot_rig.errors import UserError
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import HELD_OUT
from robot_rig.stranger_files import open_regular, sha256_of

DEMONSTRATED = "demo"
HELD_BACK = "demo_heldout"
"""Stage names in the log: demonstrations to learn from at once, and those that wait for the VAE's check."""

HELD_BACK_EVERY = 5

Progress = Callable[[int], None]
"""Files looked at so far."""


class Brought(NamedTuple):
    """What came of it: episodes now in the run, steps of people in them, those that were in before, and why which file
    was left out. `foreign`: how many were recorded under other settings, so perhaps with another camera.
    """

    taken: int
    human_steps: int
    known: int
    left_out: tuple[str, ...]
    foreign: int

    def told(self) -> list[str]:
        """The same in sentences for a person."""
        said = f"{self.taken} demonstrations taken in, {self.human_steps} steps of people"
        said += f"; {self.known} were in already" if self.known else ""
        sentences = [said, *(f"left out: {why}" for why in self.left_out)]
        if self.foreign:
            sentences.append(
                f"{self.foreign} of them were recorded under other settings: is it the same camera, in the same place?"
            )
        return sentences


def demonstrations_in(folder: Path) -> list[Path]:
    """The episode files in and below `folder`, sorted. Raises UserError when there is none."""
    found = sorted(logs_below(folder)) if folder.is_dir() else []
    if not found:
        raise UserError(f"there is no episode in {folder}", next_step="name a folder of .mcap files, or a run folder")
    return found


def bring_in(run: RunFolder, paths: Sequence[Path], phase: Literal["first", "learnt"], progress: Progress) -> Brought:
    """Copy the demonstrations among `paths` into `run`; one that is in already is not copied again.

    Raises UserError when nothing in `paths` is one that fits the run, the disk is full, or the run has `learnt`
    something already and one would be new to it.
    """
    action_dim, config_hash = len(run.config.control.axes), run.config.hash()
    store = EpisodeStore(run.episodes)
    held = {_digest(path) for stage in (DEMONSTRATED, HELD_BACK) for path in store.paths(stage)}
    hold_back = not store.paths(HELD_OUT)
    taken = human = known = foreign = 0
    left_out = []
    for number, path in enumerate(paths, start=1):
        try:
            steps, settings = _steps_of_people(path, action_dim)
        except UserError as error:
            left_out.append(str(error))
            progress(number)
            continue
        if (digest := _digest(path)) in held:
            known += 1
        elif phase == "learnt":
            raise UserError(
                f"the run in {run.path} has begun to learn without {path}",
                next_step="begin a new run with all of them; what you do while a robot practises is learnt as it comes",
            )
        else:
            held.add(digest)
            # The second and then every fifth, so that two are enough to judge and to learn by.
            later = hold_back and (len(held) - 2) % HELD_BACK_EVERY == 0
            _copy(path, store.next_path(HELD_BACK if later else DEMONSTRATED))
            taken, human, foreign = taken + 1, human + steps, foreign + (settings != config_hash)
        progress(number)
    if not taken and not known:
        raise UserError(
            f"none of the {len(paths)} episodes is a demonstration, as {left_out[0].rstrip('.')}",
            next_step="or make them of a bag with `rig data import`",
        )
    return Brought(taken, human, known, tuple(left_out), foreign)


def _steps_of_people(path: Path, action_dim: int) -> tuple[int, str]:
    """How many steps of the episode `path` a person commanded, and under which settings it was recorded.

    Raises UserError when it cannot serve.
    """
    if being_written(path):
        raise UserError(f"{path} is being written", next_step="end the recording first")
    episode = read_episode(path)
    if episode.action.shape[1] != action_dim:
        raise UserError(
            f"{path} has actions of {episode.action.shape[1]} numbers, this run has {action_dim}",
            next_step="name the run's control.axes as they were then",
        )
    if not episode.human.any():
        raise UserError(f"{path} holds no step of a person", next_step="record it with `rig teleop`")
    return int(episode.human.sum()), episode.meta.get("config", "")


def _digest(path: Path) -> str:
    with open_regular(path, "episode") as file:
        return sha256_of(file)


def _copy(path: Path, target: Path) -> None:
    require_free_space(target.parent, 2 * path.stat().st_size)
    with appearing(target) as fresh, open_regular(path, "episode") as source, fresh.open("wb") as copy:
        shutil.copyfileobj(source, copy)
