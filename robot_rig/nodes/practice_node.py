"""Practice as a ROS node: the robot sets itself goals, with the newest policy that the trainer has shipped (R14, R18).

    python -m robot_rig.nodes.practice_node --run runs/a/played --learnt runs/a/learnt

Until there is a checkpoint it plays at random. Recorder and trainer are processes of their own; so is the guard, and
nothing here enables the arm. Started by practice.launch.
"""

from __future__ import annotations

import contextlib
import logging
import queue
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Goal, Source
from robot_rig.errors import UserError
from robot_rig.interfaces import Policy
from robot_rig.learning.policy import NoisyPolicy, OrnsteinUhlenbeck
from robot_rig.learning.runtime import use_one_core
from robot_rig.loops.episode_state import EpisodeState, Stand
from robot_rig.loops.live_episodes import LiveEpisodes, Rules
from robot_rig.nodes.intake import listen
from robot_rig.nodes.policy_wiring import Actor, Running, Scheduling, eyes_of, random_actor, session_name, start
from robot_rig.nodes.understudy import Ready, Understudy
from robot_rig.ros import topics
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import goal_message
from robot_rig.ros.episode_reports import read_episode_message
from robot_rig.ros.node import Node, run
from robot_rig.runs import CONFIG_FILE
from robot_rig.stages.collect import HELD_OUT, PLAY
from robot_rig.stages.practice import PRACTICE
from robot_rig.stages.unattended import RandomProgramme

NODE = "rig_practice"

LOOK_S = 0.2
"""How often the director looks for a checkpoint, and whether a goal is wanted."""

GOAL_PATIENCE_S = 2.0
"""How long a goal may be on its way before another is imagined."""

log = logging.getLogger("robot_rig.nodes.practice_node")


@dataclass(frozen=True)
class PracticeNodeOptions:
    """Practice without a person, after one enable."""

    run: Path
    """Run folder that the recorder logs into; how far random play has come is read there."""

    learnt: Path
    """Run folder of the trainer, whose newest checkpoint acts."""

    priority: int = 15
    """SCHED_FIFO priority of the tick, the rest of the process one below it; 0: normal scheduling. Below the arm's."""

    cpus: tuple[int, ...] = ()
    """Processors that the tick runs on; empty: any."""

    config: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A preset (rig, reach, ...) or a YAML file laid over the run's settings; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set practice.ou_sigma=0.2; may be given more than once."""

    def load(self) -> Config:
        """The run's settings, where it has begun, with the options laid over them."""
        own = self.run / CONFIG_FILE
        return load_config([*([own] if own.is_file() else []), *self.config], self.set)


class Casting:
    """Who plays the next episode, and how: random play by the programme, or the policy that is `ready`, with noise."""

    def __init__(self, config: Config, logged: Mapping[str, int]) -> None:
        self._config = config
        self._session = session_name()
        self._programme = RandomProgramme(config.collect, logged)
        self._random = random_actor(config)
        settings = config.practice
        self._rng = np.random.default_rng(time.time_ns())
        self._noise = OrnsteinUhlenbeck(settings.ou_theta, settings.ou_sigma, len(config.control.axes), self._rng)
        self._ready: Ready | None = None
        self._imagined = 0

    @property
    def actor(self) -> Actor:
        """Who acts, without the noise."""
        return self._random if self._ready is None else self._ready.actor

    def take(self, ready: Ready) -> None:
        """From now on `ready` is to practise."""
        self._ready = ready

    def count(self, episode: EpisodeState) -> None:
        """An episode has ended."""
        self._programme.count(episode)

    def next(self, under_way: EpisodeState | None) -> tuple[Policy, Rules]:
        """Policy and rules of the episode after the one `under_way`."""
        actor, config = self.actor, self._config
        meta = {"policy": actor.name, "config": config.hash()}
        if actor.latent is None:
            meta["stage"] = self._programme.stage(under_way)
            return actor.policy, self._rules(config.collect.episode_steps, Source.RANDOM, "home_first", meta)
        meta |= {"stage": PRACTICE, "encoder": actor.latent.encoder.encoder_id}
        noisy = NoisyPolicy(actor.policy, self._noise)
        return noisy, self._rules(config.practice.episode_steps, Source.POLICY, "home", meta)

    def imagine(self, now: float) -> Goal | None:
        """A goal to practise on, z_g ~ p(z) (R3, R8); None while there is no policy."""
        if self._ready is None:
            return None
        self._imagined += 1
        goals = self._ready.goals
        image = goals[self._rng.integers(len(goals))]
        return Goal(image, f"imagined-{self._imagined:06d}", now, calibration_id="", source="imagined")

    def _rules(
        self, steps: int, source: Source, start: Literal["home", "home_first"], meta: Mapping[str, str]
    ) -> Rules:
        return Rules(steps, source, start, recording="required", session=self._session, meta=meta)


class Director:
    """Tells the policy process what comes next, on a thread that it never waits for."""

    def __init__(self, casting: Casting, understudy: Understudy, running: Running, node: Node) -> None:
        self._casting, self._understudy, self._running, self._node = casting, understudy, running, node
        self._goals = advertise(topics.GOAL)
        self._heard: queue.SimpleQueue[EpisodeState] = queue.SimpleQueue()
        self._closing = threading.Event()
        self._asked = -GOAL_PATIENCE_S
        node.closing(self._closing.set)

    def start(self) -> None:
        """Hear of the episodes and begin to work."""
        stamps = self._node.stamps
        listen(topics.EPISODE, lambda message: read_episode_message(message, stamps), self._heard.put)
        threading.Thread(target=self._run, daemon=True, name="director").start()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._work()
        except UserError as error:
            self._node.fail(error)
        finally:
            if not self._closing.is_set():
                self._node.fail(UserError("the director of practice has died", next_step="see the traceback above"))

    def _work(self) -> None:
        """Wait for a word of an episode for a moment, then see to what comes next."""
        episode: EpisodeState | None = None
        with contextlib.suppress(queue.Empty):
            episode = self._heard.get(timeout=LOOK_S)
        ended = episode is not None and episode.stand is not Stand.RUNNING
        if episode is not None and ended:
            self._casting.count(episode)
        ready = self._understudy.look()
        if ready is not None:
            self._casting.take(ready)
            self._running.views.eyes = eyes_of(ready.actor)
            log.info("%s acts from the next episode on", ready.actor.name)
        if episode is not None or ready is not None:
            self._running.process.recast(*self._casting.next(None if ended else episode))
        self._see_to_a_goal()

    def _see_to_a_goal(self) -> None:
        now = time.monotonic()
        if now - self._asked > GOAL_PATIENCE_S and self._running.process.wants_goal():
            goal = self._casting.imagine(now)
            if goal is not None:
                self._asked = now
                self._goals.publish(goal_message(goal, self._node.stamps))


def logged_play(run: Path) -> dict[str, int]:
    """Steps of random play in the log of `run`, by stage; none before there is a log."""
    if not (run / "episodes").is_dir():
        return {}
    store = EpisodeStore(run / "episodes")
    return {stage: sum(map(len, store.read_new((), stage))) for stage in (PLAY, HELD_OUT)}


def wire(options: PracticeNodeOptions, node: Node) -> None:
    """Connect everything, begin with random play or the newest checkpoint, and let it tick."""
    use_one_core()
    config = options.load()
    casting = Casting(config, logged_play(options.run))
    understudy = Understudy(options.learnt / "checkpoints", config, options.run)
    ready = understudy.look()
    if ready is not None:
        casting.take(ready)
    policy, rules = casting.next(None)
    control = config.control
    live = LiveEpisodes(policy, rules, config.guard.image_age_limit_s, 1.0 / control.policy_rate_hz, control.lag_s)
    running = start(node, live, casting.actor, control.meaning, Scheduling(options.priority, options.cpus))
    Director(casting, understudy, running, node).start()
    log.info("%s begins; an arm that is not enabled stays where it is", casting.actor.name)


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the practice node; returns the exit code."""
    return run(NODE, PracticeNodeOptions, wire, arguments)


if __name__ == "__main__":
    sys.exit(main())
