"""The learner inside its run folder: built from the log, saved now and then, restored bit for bit after a kill (R14).

Called by the command line, which shows the progress. The saved state names the episodes that it learns from, so
episodes of an interrupted attempt stay in the log (and are counted) but are not mixed in a second time. However long
the log is, the replay holds `config.replay_pictures` at most, and the check of the VAE `CHECKED` times what was asked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np
from numpy.typing import ArrayLike

from robot_rig.config import Config
from robot_rig.data.log import read_episode
from robot_rig.data.replay import Past, Replay
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Episode
from robot_rig.errors import UserError
from robot_rig.learning.health import HealthReport, health_check
from robot_rig.learning.training_state import from_arrays, to_arrays
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import ANEW, CONTINUATION, COUNTED, HELD_OUT, MAX_CONTINUATION_BYTES, PLAY
from robot_rig.stages.demonstrations import DEMONSTRATED, HELD_BACK
from robot_rig.trainer import Trainer

SAVED = "learning"
"""Name of the saved arrays."""

PRACTISED = "practised"
"""Among them: how many episodes of practice there have been, those included that the guard cut short."""

SAVE_EVERY_UPDATES = 200
"""About every ten seconds: what a kill costs at most."""

CHECKED = 10
"""The VAE is checked with the newest play, so many times `collect.steps` and `collect.held_out_steps` at most: a check
has all of it in memory, and a log can be longer.
"""

Progress = Callable[[int, Mapping[str, float]], None]
"""(updates so far, metrics of the last one)."""


def newest(lengths: dict[str, int], most: int) -> list[str]:
    """Ids of the newest episodes, in their order, as many as it takes to come to `most` steps; all where that is none.

    `lengths`: the steps of each, the oldest first.
    """
    kept, held = [], 0
    for id, steps in reversed(list(lengths.items())):
        if held >= most:
            break
        kept.append(id)
        held += steps
    return kept[::-1]


class Learning:
    """Trainer and replay of `run`, restored to where they were saved last, and what was saved beside them.

    `extra` holds the arrays that others (practice) gave to `save`. Raises UserError when there is nothing to learn.
    """

    def __init__(self, run: RunFolder, config: Config) -> None:
        self.config = config
        self.store = EpisodeStore(run.episodes)
        self._run = run
        self.extra = run.load_arrays(SAVED, next_step="delete it and run `rig train` to learn anew from the log")
        played, shown = self._pictures(PLAY, HELD_OUT), self._pictures(DEMONSTRATED, HELD_BACK)
        capacity = _capacity(config, played, shown, int(self.extra.get(PRACTISED, 0)))
        ids, past = self.extra.pop("episodes", None), Past(*self.extra.pop("past", np.array(Past())).tolist())
        self._replay = Replay(capacity, len(config.control.axes), None, past)
        self.trainer = Trainer(config, self._replay)
        for episode in self._read(self._first() if ids is None else ids.tolist()):
            self.ingest(episode)
        state = {key: self.extra.pop(key) for key in list(self.extra) if key.startswith("trainer.")}
        if state:
            named = {key.removeprefix("trainer."): value for key, value in state.items()}
            self.trainer.load_state_dict(from_arrays(named))

    @property
    def told(self) -> str:
        """How much the learner holds of what it has had, in words."""
        return self._replay.told

    def _pictures(self, *stages: str) -> int:
        """How many pictures the log holds of `stages`, a goal in each episode included."""
        played = (episode for stage in stages for episode in self.store.read_new((), stage))
        return sum(len(episode.frames) + 1 for episode in played)

    def _first(self) -> dict[str, int]:
        """Ids and steps of what is learnt from before the VAE's check: play, and what people have shown."""
        shown = self._shown(DEMONSTRATED)
        return {**(self._whole(PLAY) if self.store.paths(PLAY) or not shown else {}), **shown}

    def _held_out(self) -> dict[str, int]:
        """The same of what the VAE has not learnt from when it is checked. Raises UserError when there is none."""
        shown = self._shown(HELD_BACK)
        return {**(self._whole(HELD_OUT) if self.store.paths(HELD_OUT) or not shown else {}), **shown}

    def _shown(self, stage: str) -> dict[str, int]:
        """Of demonstrations; a person who ends one early has shown something all the same."""
        return {episode.id: len(episode) for episode in self.store.read_new((), stage) if len(episode)}

    def _whole(self, stage: str) -> dict[str, int]:
        """Of the episodes of `stage` that play went on from; where nobody has noted that, of those not cut short."""
        saved = self._run.load_arrays(CONTINUATION, ANEW, MAX_CONTINUATION_BYTES).get(COUNTED)
        counted = None if saved is None else set(saved.tolist())
        lengths = {
            episode.id: len(episode)
            for episode in self.store.read_new((), stage)
            if (not episode.truncated if counted is None else episode.id in counted)
        }
        if not lengths:
            raise UserError(
                f"the run in {self._run.path} holds no {stage} episodes", next_step="run `rig collect` on it first"
            )
        return lengths

    def ingest(self, episode: Episode) -> None:
        """Learn from `episode` from now on, also after a restore."""
        self.trainer.ingest(episode)

    def save(self, extra: Mapping[str, ArrayLike]) -> None:
        """Save everything, and `extra` arrays beside it, in one atomic step."""
        trainer = {f"trainer.{key}": value for key, value in to_arrays(self.trainer.state_dict()).items()}
        held = {"episodes": np.array(self._replay.episodes), "past": np.array(self._replay.past)}
        self._run.save_arrays(SAVED, {**trainer, **extra, **held})
        self.extra = {key: np.asarray(value) for key, value in extra.items()}

    def train_vae(self, progress: Progress) -> None:
        """Bring the VAE to `config.vae.updates` updates. Raises UserError when it could not be judged afterwards."""
        self._held_out()
        trainer, goal = self.trainer, self.config.vae.updates
        while trainer.vae_updates < goal:
            chunk = min(SAVE_EVERY_UPDATES, goal - trainer.vae_updates)
            trainer.train_vae(chunk, lambda metrics: progress(trainer.vae_updates, metrics))
            self.save({})

    def check_health(self) -> HealthReport:
        """Judge the VAE on the held-out episodes, from pictures and actions alone; nothing is changed."""
        asked = self.config.collect
        known = newest(self._first(), CHECKED * asked.steps)
        new = newest(self._held_out(), CHECKED * asked.held_out_steps)
        return health_check(self.trainer.vae, list(self._read(known)), list(self._read(new)))

    def begin_practice(self, progress: Progress, lag: int = 0) -> None:
        """Make the agent and let it learn from what there is for `config.practice.pretrain_updates` updates (R16).

        `lag`: steps by which the pictures trail the actions, as the health check found it.
        The held-out episodes have done their duty and join the replay.
        """
        trainer, goal = self.trainer, self.config.practice.pretrain_updates
        if trainer.vae_updates < self.config.vae.updates:
            raise UserError(f"the VAE in {self._run.path} is not trained", next_step="run `rig train` on it first")
        if not trainer.practising:
            for episode in self._read(self._held_out()):
                self.ingest(episode)
            trainer.begin_practice(lag)
        while trainer.updates < goal:
            chunk = min(SAVE_EVERY_UPDATES, goal - trainer.updates)
            trainer.update(chunk, lambda metrics: progress(trainer.updates, metrics))
            self.save({})

    def _read(self, ids: Iterable[str]) -> Iterator[Episode]:
        """One at a time."""
        return (read_episode(self._run.episodes / f"{id}.mcap") for id in ids)


def _capacity(config: Config, logged: int, shown: int, practised: int) -> int:
    """Pictures the run can come to: one a step, and at each episode's end one more, and its goal; the most it may hold.

    An arm that played by the clock may have `logged` more than the configured steps; people have `shown` their own; the
    guard may have cut some of the `practised` episodes short, so that there come to be more of them.
    """
    collect, practice = config.collect, config.practice
    episodes = (collect.steps + collect.held_out_steps) // collect.episode_steps + 2
    play = collect.steps + collect.held_out_steps + 2 * episodes
    episodes = practised + practice.steps // practice.episode_steps + 1
    return min(max(play, logged) + shown + practice.steps + 2 * episodes, config.replay_pictures)
