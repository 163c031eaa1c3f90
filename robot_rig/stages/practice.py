"""Practice: the robot sets itself goals, tries them, and learns from what happened (R3, R8, R14, R18).

Called by `rig practice` and `rig demo`. Acting and learning alternate episode by episode in one process here; on a real
robot they are two. The arm is never sent home: where one episode ends, the next goal is imagined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np

from robot_rig.config import Config
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.datatypes import Source
from robot_rig.interfaces import Plant
from robot_rig.learning.policy import NoisyPolicy, OrnsteinUhlenbeck
from robot_rig.loops.policy_loop import PolicyLoop
from robot_rig.stages.episode import EpisodePlan, lengths, log_episode, put_back
from robot_rig.stages.learn import Learning
from robot_rig.trainer import Trainer

PRACTICE = "practice"
"""Stage name in the log."""

Progress = Callable[[int, Mapping[str, float]], None]
"""(practice steps so far, the learner's last metrics)."""

Moment = Literal["before", "after"]
OnRefresh = Callable[[Trainer, Moment, int], None]
"""Told right before and right after a tuning of the VAE: the learner, which moment it is, practice steps so far."""


def ignore_refresh(trainer: Trainer, moment: Moment, steps: int) -> None:
    """The callback of a caller who does not want to know."""


class Practice:
    """Practice of a learner on a plant, going on where `learning` was saved last.

    The plant must be where random play left it when nothing has been practised yet.
    """

    def __init__(
        self, config: Config, plant: Plant, learning: Learning, on_refresh: OnRefresh = ignore_refresh
    ) -> None:
        settings = config.practice
        self._config = config
        self._plant = plant
        self._learning = learning
        self._on_refresh = on_refresh
        control = config.control
        self._loop = PolicyLoop(config.guard.image_age_limit_s, 1.0 / control.policy_rate_hz, control.lag_s)
        self._plan = lengths(settings.steps, settings.episode_steps)
        rng = np.random.default_rng([config.seed, 2])
        self._noise = OrnsteinUhlenbeck(settings.ou_theta, settings.ou_sigma, len(config.control.axes), rng)
        self._episodes = 0
        if "practised" in learning.extra:
            self._episodes = int(learning.extra["practised"])
            self._noise.load_state(learning.extra["noise"])
            plant.load_state(learning.extra)

    @property
    def steps(self) -> int:
        """Practice steps learnt from so far."""
        return sum(self._plan[: self._episodes])

    @property
    def finished(self) -> bool:
        """Whether all the configured steps have been practised."""
        return self._episodes == len(self._plan)

    def save(self) -> None:
        """Save learner, plant and noise as of now, between two episodes."""
        extra = {**self._plant.state(), "noise": self._noise.state(), "practised": np.array(self._episodes)}
        self._learning.save(extra)

    def until(self, steps: int, progress: Progress) -> None:
        """Practise until `steps` steps (or all) are done, and save."""
        while not self.finished and self.steps < steps:
            self._episode(progress)
        self.save()

    def _episode(self, progress: Progress) -> None:
        """One episode towards an imagined goal, then the updates that it pays for (R14)."""
        settings, trainer = self._config.practice, self._learning.trainer
        steps, before = self._plan[self._episodes], self.steps
        path = self._learning.store.next_path(PRACTICE)
        goal = trainer.imagine_goal(path.stem, self._plant.now())
        meta = {
            "stage": PRACTICE,
            "policy": f"updates-{trainer.updates}",
            "encoder": trainer.vae.encoder_id,
            "config": self._config.hash(),
            **({} if self._episodes % settings.put_back_every else put_back(self._plant)),
        }
        writer = EpisodeWriter(path, len(self._config.control.axes), goal.image, meta)
        policy = NoisyPolicy(trainer.acting_policy(), self._noise)
        log_episode(self._plant, self._loop, EpisodePlan(policy, goal, Source.POLICY, steps), writer, lambda: None)
        self._learning.ingest(read_episode(path))
        self._episodes += 1
        last: Mapping[str, float] = {}

        def remember(metrics: Mapping[str, float]) -> None:
            nonlocal last
            last = metrics

        trainer.update(settings.updates_per_step * steps, remember)
        if self._tuning_is_due(before):
            self._on_refresh(trainer, "before", self.steps)
            trainer.tune_vae(settings.tune_updates)
            self._on_refresh(trainer, "after", self.steps)
        progress(self.steps, last)

    def _tuning_is_due(self, before: int) -> bool:
        """Whether a tuning period ended since `before` steps; not at the very end, where nothing learns after it."""
        every = self._config.practice.tune_every_steps
        return bool(every) and not self.finished and self.steps // every > before // every
