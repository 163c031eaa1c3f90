"""Random play: what the robot does before it knows anything (R10). Called by `rig collect` and `rig demo`.

The arm is not reset between episodes: an episode is only a file, so that a power cut costs one file's tail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_rig.config import Config
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Source
from robot_rig.errors import UserError
from robot_rig.interfaces import Plant
from robot_rig.learning.policy import RandomPolicy
from robot_rig.loops.policy_loop import PolicyLoop
from robot_rig.runs import RunFolder
from robot_rig.stages.episode import EpisodePlan, lengths, log_episode, put_back

PLAY = "collect"
HELD_OUT = "heldout"
"""Stage names in the log: frames to learn from, and frames that the VAE does not see before its health check."""

CONTINUATION = "collect"
"""Name of the saved arrays from which an interrupted collection, and later practice, goes on."""

COUNTED = "episodes"
"""Among them: ids of the episodes that play went on from. One that a kill left whole but uncounted is played again."""

ANEW = "begin a new run with another --run"


def collect(run: RunFolder, config: Config, plant: Plant, progress: Callable[[int], None]) -> None:
    """Log the random play that `config.collect` asks for, going on behind what the run folder already holds.

    `progress` is told the number of steps so far. Raises UserError when the disk is too full or the guard stops.
    """
    settings = config.collect
    plan = [(PLAY, steps) for steps in lengths(settings.steps, settings.episode_steps)]
    plan += [(HELD_OUT, steps) for steps in lengths(settings.held_out_steps, settings.episode_steps)]
    policy = RandomPolicy(settings.ou_theta, settings.ou_sigma, len(config.control.axes), config.seed)
    counted = _continue(run, plant, policy)
    done = len(counted)
    store = EpisodeStore(run.episodes)
    loop = PolicyLoop(config.guard.image_age_limit_s, 1.0 / config.control.policy_rate_hz, config.control.lag_s)
    count = sum(steps for _, steps in plan[:done])

    def on_step() -> None:
        nonlocal count
        count += 1
        progress(count)

    for stage, steps in plan[done:]:
        meta = {"stage": stage, "policy": "random", "config": config.hash(), **put_back(plant)}
        path = store.next_path(stage)
        writer = EpisodeWriter(path, len(config.control.axes), None, meta)
        log_episode(plant, loop, EpisodePlan(policy, None, Source.RANDOM, steps), writer, on_step)
        counted.append(path.stem)
        run.save_arrays(CONTINUATION, {**plant.state(), **policy.state(), COUNTED: np.array(counted)})


def play_otherwise(run: RunFolder, config: Config) -> None:
    """After the guard has ended play, and a person has set the arm free: let it go on with noise that is yet to come.

    From the last whole episode, as ever; the same noise would lead to the same end. Raises UserError before there is
    one.
    """
    saved = where_play_ended(run)
    if not saved:
        raise UserError("the guard has ended play in its first episode", next_step=ANEW)
    settings = config.collect
    policy = RandomPolicy(settings.ou_theta, settings.ou_sigma, len(config.control.axes), config.seed)
    policy.load_state(saved)
    for _ in range(settings.episode_steps):
        policy.noise()
    run.save_arrays(CONTINUATION, {**saved, **policy.state()})


def where_play_ended(run: RunFolder) -> dict[str, NDArray[Any]]:
    """The saved plant and policy, from which play or practice goes on; empty where nothing has been played.

    Raises UserError when they are damaged, or lost although the log holds play: it cannot be continued then.
    """
    saved = run.load_arrays(CONTINUATION, next_step=ANEW)
    # One whole episode may lie there: a kill between the end of the first and its save.
    store = EpisodeStore(run.episodes)
    played = (episode for stage in (PLAY, HELD_OUT) for episode in store.read_new((), stage))
    if not saved and sum(not episode.truncated for episode in played) > 1:
        raise UserError(f"the run in {run.path} has lost where its random play ended (state)", next_step=ANEW)
    return saved


def _continue(run: RunFolder, plant: Plant, policy: RandomPolicy) -> list[str]:
    """Ids of the episodes that are whole already; plant and policy are put where the last of them ended."""
    saved = where_play_ended(run)
    if not saved:
        return []
    plant.load_state(saved)
    policy.load_state(saved)
    ids: list[str] = saved[COUNTED].tolist()
    return ids
