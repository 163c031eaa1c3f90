"""Learning from a log that grows: `rig train --follow`, while a robot plays and practises elsewhere (R14, R16).

Called by `cli.follow`. Every episode pays for its own learning, in the order of the log: play for VAE updates, what
comes after it for TD3 updates and now and then a VAE tuning. So what is learnt depends on the log alone, never on how
fast it grew or when the learner was killed, and on a CPU it is the same bit for bit. It may grow for ever: the learner
holds its newest episodes, `config.replay_pictures` at most, and of all others that their numbers have been. One that
comes late, behind others that were learnt from, is learnt from after those, and so again after a kill.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.data.episode_ids import EpisodeIds
from robot_rig.data.growing_log import GrowingLog
from robot_rig.data.log import read_episode
from robot_rig.data.replay import Past, Replay
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Episode
from robot_rig.errors import UserError
from robot_rig.learning.health import health_check
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.training_state import from_arrays, prefixed, to_arrays, under
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import HELD_OUT
from robot_rig.stages.learn import CHECKED, SAVE_EVERY_UPDATES, newest
from robot_rig.stages.reporting import save_health
from robot_rig.stages.shipping import checkpoints, ship
from robot_rig.trainer import Trainer

SAVED = "following"
"""Name of the saved arrays."""

TRAINER, STORY = "trainer", "story"
"""In it: the learner's tensors, and JSON of which episodes it has had and what they came to."""

AGAIN = "delete it: everything is then learnt anew from the log"


class Reports(NamedTuple):
    """Whom to tell: `curve` the metrics of each update (stage, update, values), `say` a sentence for a person."""

    curve: Callable[[str, int, Mapping[str, float]], None]
    say: Callable[[str], None]


Objection = Callable[[LatentPolicy, Path | None], str]
"""Why a policy is not to take over from the checkpoint before it, empty when it may; the same for the same two."""


def no_objection(policy: LatentPolicy, before: Path | None) -> str:
    """Of whoever ships everything."""
    return ""


class Counts(NamedTuple):
    """Steps taken in before and after the latent space was fixed, VAE tunings done, and steps at the last checkpoint
    (-1: there is none).
    """

    play: int = 0
    practice: int = 0
    tunings: int = 0
    shipped: int = -1


class Following:
    """The learner of the episodes in `log`, which works in the run folder `run` and ships its checkpoints there.

    A policy to which there is an `objection` is not shipped, and the robot keeps the one that it has. Following goes on
    where it was saved last. Held-out play is set aside until the VAE has passed its check with it; when the
    VAE fails, each further episode of play pays for more updates, and it is checked again.

    `log_id` is the id of the run whose log it is, empty where it has none. Raises UserError when what was saved is
    damaged or was learnt from another run's log, or an episode that it learns from is gone.
    """

    def __init__(
        self,
        run: RunFolder,
        config: Config,
        log: EpisodeStore,
        reports: Reports,
        objection: Objection = no_objection,
        log_id: str = "",
    ) -> None:
        saved = run.load_arrays(SAVED, next_step=AGAIN)
        story = json.loads(saved.pop(STORY).tobytes()) if saved else {}
        past = Past(*story.get("past", Past()))
        self._replay = Replay(config.replay_pictures, len(config.control.axes), run.path / "state", past)
        self.trainer = Trainer(config, self._replay)
        self.counts = Counts()
        self._run, self._config, self._log, self._reports = run, config, log, reports
        self._objection, self._log_id = objection, log_id
        self._had, held = _names_in(story)
        self._aside: dict[str, int] = {}
        self._coming = GrowingLog(log, self._had, WallClock(), reports.say)
        if saved:
            self._restore(saved, story, held)

    def advance(self) -> bool:
        """Take in the log's next episode and learn what it pays for; False when there is none yet."""
        while (episode := self._coming.next()) is not None:
            self._had.add(episode.id)
            if len(episode):
                self._take(episode)
                self._pay()
                return True
        return False

    # Inside.

    def _take(self, episode: Episode) -> None:
        if self.trainer.practising:
            self._learn_from(episode)
            self.counts = self.counts._replace(practice=self.counts.practice + len(episode))
        elif episode.id.startswith(f"{HELD_OUT}-"):
            self._aside[episode.id] = len(episode)
        else:
            self._learn_from(episode)
            self.counts = self.counts._replace(play=self.counts.play + len(episode))

    def _learn_from(self, episode: Episode) -> None:
        was_whole = not self._replay.past.steps
        self.trainer.ingest(episode)
        if was_whole and self._replay.past.steps:
            self._reports.say(
                f"full: {self._config.replay_pictures} pictures are held at most, and the oldest episodes leave; "
                f"{self._replay.told} are held"
            )

    def _pay(self) -> None:
        """All the learning that is due; none when it was done before."""
        if not self.trainer.practising:
            self._learn_to_see()
            self._check()
        if self.trainer.practising:
            self._learn_to_act()
        self._save()

    def _learn_to_see(self) -> None:
        wanted, due = self._config.collect.steps, 0
        if self.counts.play >= wanted:
            due = self._config.vae.updates * self.counts.play // wanted
        trainer = self.trainer
        while trainer.vae_updates < due:
            trainer.train_vae(min(SAVE_EVERY_UPDATES, due - trainer.vae_updates), self._curve_of_vae)
            self._save()
            self._reports.say(f"VAE: {trainer.vae_updates} of {due} updates, {self.counts.play} steps of play")

    def _check(self) -> None:
        """Begin practice when the VAE is fit for it; only held-out play can tell."""
        asked = self._config.collect
        if self.trainer.vae_updates == 0 or sum(self._aside.values()) < asked.held_out_steps:
            return
        play = newest(self._replay.lengths, CHECKED * asked.steps)
        held_out = newest(self._aside, CHECKED * asked.held_out_steps)
        known, new = ([self._read(id) for id in ids] for ids in (play, held_out))
        health = health_check(self.trainer.vae, known, new)
        save_health(self._run, health)
        serves = health.serves(self._config.agent.kind)
        verdict = "fit to practise on" if health.passed else "NOT fit to practise on"
        if not health.passed:
            verdict += ", but imitation needs no reward" if serves else "; more play is waited for"
        for sentence in (f"VAE check, from pictures alone: {verdict}", *health.findings):
            self._reports.say(sentence)
        if serves:
            for id in self._aside:
                self._learn_from(self._read(id))
            self._aside = {}
            self.trainer.begin_practice(health.lag)

    def _learn_to_act(self) -> None:
        settings, trainer, counts = self._config.practice, self.trainer, self.counts
        due = settings.pretrain_updates + settings.updates_per_step * counts.practice
        while trainer.updates < due:
            trainer.update(min(SAVE_EVERY_UPDATES, due - trainer.updates), self._curve_of_agent)
        tunings = counts.practice // settings.tune_every_steps if settings.tune_every_steps else 0
        if tunings > counts.tunings:
            trainer.tune_vae(settings.tune_updates, self._curve_of_vae)
            self._reports.say(f"VAE tuned: encoder {trainer.vae.encoder_id}")
        shipped = counts.shipped
        if shipped < 0 or counts.practice // settings.snapshot_every_steps > shipped // settings.snapshot_every_steps:
            shipped = counts.practice
            self._ship(shipped)
        self.counts = counts._replace(tunings=tunings, shipped=shipped)

    def _ship(self, steps: int) -> None:
        """The policy after `steps` steps of practice, unless there is an objection."""
        older = [path for number, path in checkpoints(self._run).items() if number < steps]
        if objection := self._objection(self.trainer.averaged_policy(), older[-1] if older else None):
            self._reports.say(f"no checkpoint after {self.trainer.updates} updates: {objection}")
            return
        path = ship(self._run, self._config, self.trainer, steps)
        self._reports.say(f"checkpoint {path.name} after {self.trainer.updates} updates; {self._replay.told} are held")

    def _curve_of_vae(self, metrics: Mapping[str, float]) -> None:
        self._reports.curve("vae", self.trainer.vae_updates, metrics)

    def _curve_of_agent(self, metrics: Mapping[str, float]) -> None:
        self._reports.curve("td3", self.trainer.updates, metrics)

    def _read(self, id: str) -> Episode:
        return read_episode(self._log.folder / f"{id}.mcap")

    def _save(self) -> None:
        """In one atomic step, between updates of play and between episodes of practice."""
        state = to_arrays(prefixed(TRAINER, self.trainer.state_dict()))
        story = {
            "had": self._had.runs,
            "held": self._replay.episodes,
            "past": self._replay.past,
            "aside": self._aside,
            "counts": self.counts,
            "log": self._log_id,
        }
        self._run.save_arrays(SAVED, {**state, STORY: np.frombuffer(json.dumps(story).encode(), np.uint8)})

    def _restore(self, saved: dict[str, NDArray[Any]], story: Mapping[str, Any], held: list[str]) -> None:
        self._require_same_log(story.get("log", ""))
        self._log_id = self._log_id or story.get("log", "")
        for id in held:
            self._learn_from(self._read(id))
        self._aside = story["aside"]
        self.counts = Counts(*story["counts"])
        self.trainer.load_state_dict(under(TRAINER, from_arrays(saved)))
        self._reports.say(f"goes on behind {len(self._had)} episodes; {self._replay.told} are held")
        # A kill may have come between an episode and the rest of what it pays for.
        self._pay()

    def _require_same_log(self, saved: str) -> None:
        """Raise UserError when what was saved is of another run's log than this one; what is older does not say."""
        if saved and self._log_id and saved != self._log_id:
            raise UserError(
                f"{self._run.path} has learnt from the log of run {saved}, and this is the log of {self._log_id}",
                next_step="choose another folder with --out, or the log that it learns from with --data",
            )


def _names_in(story: Mapping[str, Any]) -> tuple[EpisodeIds, list[str]]:
    """What has been taken from the log, and what the replay holds of it, in its order."""
    if "known" not in story:
        return EpisodeIds(story.get("had", ())), story.get("held", [])
    # Saved before there were runs: the names of all that was learnt from, of which the replay holds so many newest.
    had, known = EpisodeIds(), story["known"]
    for id in (*known, *story["aside"]):
        had.add(id)
    return had, known[len(known) - story["held"] :]
