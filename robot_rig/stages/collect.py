"""Random play: what the robot does before it knows anything (R10). Called by `rig collect` and `rig demo`.

The arm is not reset between episodes: an episode is only a file, so that a power cut costs one file's tail.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robot_rig.config import CollectConfig, Config
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.outline import outline
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Source
from robot_rig.errors import GuardStoppedError, UserError
from robot_rig.interfaces import Plant
from robot_rig.learning.policy import RandomPolicy
from robot_rig.loops.policy_loop import PolicyLoop
from robot_rig.runs import RunFolder
from robot_rig.stages.episode import EpisodePlan, lengths, log_episode, played_in, put_back

PLAY = "collect"
HELD_OUT = "heldout"
"""Stage names in the log: frames to learn from, and frames that the VAE does not see before its health check."""

CONTINUATION = "collect"
"""Name of the saved arrays from which an interrupted collection, and later practice, goes on."""

MAX_CONTINUATION_BYTES = 16 << 20
"""Of them all: the state of plant and policy, and the names of all episodes."""

COUNTED = "episodes"
"""Among them: ids of the episodes that play went on from. One that a kill left whole but uncounted is played again."""

RESET = "reset"
"""Among them in place of the plant, after the guard has ended motion: a person resets it, drives the arm home and puts
back what lies on the table before anybody goes on.
"""

ANEW = "begin a new run with another --run"


def collect(run: RunFolder, config: Config, plant: Plant, progress: Callable[[int], None]) -> None:
    """Log the random play that `config.collect` asks for, going on behind what the run folder already holds.

    `progress` is told the number of steps so far. Raises UserError when the disk is too full, and GuardStoppedError
    when the guard has ended motion: what was played until then counts, and after a person's reset the same call goes
    on with the noise that was to come.
    """
    policy = RandomPolicy(config.collect.ou_theta, config.collect.ou_sigma, len(config.control.axes), config.seed)
    counted = _continue(run, plant, policy)
    store = EpisodeStore(run.episodes)
    loop = PolicyLoop(config.guard.image_age_limit_s, 1.0 / config.control.policy_rate_hz, config.control.lag_s)
    made = _steps_of(store, counted)
    count = sum(made.values())

    def on_step() -> None:
        nonlocal count
        count += 1
        progress(count)

    def save(where: Mapping[str, ArrayLike]) -> None:
        run.save_arrays(CONTINUATION, {**where, **policy.state(), COUNTED: np.array(counted, np.str_)})

    for stage, steps in _plan(config.collect, made):
        path = store.next_path(stage)
        try:
            meta = {"stage": stage, "policy": "random", "config": config.hash(), **put_back(plant)}
            writer = EpisodeWriter(path, len(config.control.axes), None, meta)
            log_episode(plant, loop, EpisodePlan(policy, None, Source.RANDOM, steps), writer, on_step)
        except GuardStoppedError:
            if played_in(path):
                counted.append(path.stem)
            save({RESET: np.array(True)})
            raise
        counted.append(path.stem)
        save(plant.state())


def _steps_of(store: EpisodeStore, ids: Iterable[str]) -> dict[str, int]:
    """Steps in the episodes `ids`, by stage."""
    made = {PLAY: 0, HELD_OUT: 0}
    for id in ids:
        told = outline(store.folder / f"{id}.mcap")
        made[told.stage] += told.steps
    return made


def _plan(settings: CollectConfig, made: Mapping[str, int]) -> list[tuple[str, int]]:
    """(stage, steps) of each episode that is still to be played when `made` steps of each stage are."""
    wanted = {PLAY: settings.steps, HELD_OUT: settings.held_out_steps}
    return [
        (stage, steps)
        for stage, in_all in wanted.items()
        for steps in lengths(max(0, in_all - made[stage]), settings.episode_steps)
    ]


def where_play_ended(run: RunFolder) -> dict[str, NDArray[Any]]:
    """The saved plant and policy, from which play or practice goes on; empty where the arm begins at home.

    That is before any play, and after the guard has ended it. Raises UserError when they are damaged, or lost although
    the log holds play: it cannot be continued then.
    """
    saved = _saved(run)
    return {} if RESET in saved else saved


def _saved(run: RunFolder) -> dict[str, NDArray[Any]]:
    saved = run.load_arrays(CONTINUATION, ANEW, MAX_CONTINUATION_BYTES)
    # One whole episode may lie there: a kill between the end of the first and its save.
    store = EpisodeStore(run.episodes)
    played = (episode for stage in (PLAY, HELD_OUT) for episode in store.read_new((), stage))
    if not saved and sum(not episode.truncated for episode in played) > 1:
        raise UserError(f"the run in {run.path} has lost where its random play ended (state)", next_step=ANEW)
    return saved


def _continue(run: RunFolder, plant: Plant, policy: RandomPolicy) -> list[str]:
    """Ids of the episodes that count already; plant and policy are put where the last of them ended."""
    saved = _saved(run)
    if not saved:
        return []
    if RESET not in saved:
        plant.load_state(saved)
    policy.load_state(saved)
    ids: list[str] = saved[COUNTED].tolist()
    return ids
