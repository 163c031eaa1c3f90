"""Practice: the robot sets itself goals, tries them, and learns from what happened (R3, R8, R14, R18).

Called by `rig practice` and `rig demo`. Acting and learning alternate episode by episode in one process here; on a real
robot they are two. The arm is never sent home: where one episode ends, the next goal is imagined.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from robot_rig.config import Config
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.datatypes import Source
from robot_rig.errors import GuardStoppedError
from robot_rig.interfaces import Plant
from robot_rig.learning.policy import NoisyPolicy, OrnsteinUhlenbeck
from robot_rig.loops.policy_loop import PolicyLoop
from robot_rig.stages.collect import RESET
from robot_rig.stages.episode import EpisodePlan, log_episode, played_in, put_back
from robot_rig.stages.learn import PRACTISED, Learning
from robot_rig.trainer import Trainer

PRACTICE = "practice"
"""Stage name in the log."""

STEPS = "practised_steps"
"""Name of a saved number: practice steps learnt from."""

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
        rng = np.random.default_rng([config.seed, 2])
        self._noise = OrnsteinUhlenbeck(settings.ou_theta, settings.ou_sigma, len(config.control.axes), rng)
        self._episodes = self._steps = 0
        extra = learning.extra
        if PRACTISED in extra:
            self._episodes = int(extra[PRACTISED])
            # Until the guard's cuts were counted all episodes were whole, and nobody noted their steps.
            self._steps = int(extra.get(STEPS, min(self._episodes * settings.episode_steps, settings.steps)))
            self._noise.load_state(extra["noise"])
            if RESET not in extra:
                plant.load_state(extra)

    @property
    def steps(self) -> int:
        """Practice steps learnt from so far."""
        return self._steps

    @property
    def finished(self) -> bool:
        """Whether all the configured steps have been practised."""
        return self._steps >= self._config.practice.steps

    def save(self) -> None:
        """Save learner, plant and noise as of now, between two episodes."""
        self._save(self._plant.state())

    def _save(self, where: Mapping[str, ArrayLike]) -> None:
        counts = {PRACTISED: np.array(self._episodes), STEPS: np.array(self._steps)}
        self._learning.save({**where, **counts, "noise": self._noise.state()})

    def until(self, steps: int, progress: Progress) -> None:
        """Practise until `steps` steps (or all) are done, and save.

        Raises GuardStoppedError when the guard has ended motion: what was practised until then is learnt from and
        saved, and after a person's reset, with the arm where practice first found it, a new `Practice` goes on.
        """
        try:
            while not self.finished and self.steps < steps:
                self._episode(progress)
        except GuardStoppedError:
            self._save({RESET: np.array(True)})
            raise
        self.save()

    def _episode(self, progress: Progress) -> None:
        """One episode towards an imagined goal, then the updates that it pays for (R14)."""
        settings, trainer = self._config.practice, self._learning.trainer
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
        steps = min(settings.episode_steps, settings.steps - self._steps)
        try:
            log_episode(self._plant, self._loop, EpisodePlan(policy, goal, Source.POLICY, steps), writer, lambda: None)
        except GuardStoppedError:
            self._learn_from(path, progress)
            raise
        self._learn_from(path, progress)

    def _learn_from(self, path: Path, progress: Progress) -> None:
        """The updates that the episode at `path` pays for, by its steps; none when nothing of it is in the log."""
        settings, trainer, before = self._config.practice, self._learning.trainer, self._steps
        self._episodes += 1
        if not (made := played_in(path)):
            return
        self._learning.ingest(read_episode(path))
        self._steps += made
        last: Mapping[str, float] = {}

        def remember(metrics: Mapping[str, float]) -> None:
            nonlocal last
            last = metrics

        trainer.update(settings.updates_per_step * made, remember)
        if self._tuning_is_due(before):
            self._on_refresh(trainer, "before", self.steps)
            trainer.tune_vae(settings.tune_updates)
            self._on_refresh(trainer, "after", self.steps)
        progress(self.steps, last)

    def _tuning_is_due(self, before: int) -> bool:
        """Whether a tuning period ended since `before` steps; not at the very end, where nothing learns after it."""
        every = self._config.practice.tune_every_steps
        return bool(every) and not self.finished and self.steps // every > before // every
