"""The policy process without ROS: the newest of everything in, actions out, on a thread that waits for frames only.

Called by policy_node, which connects it to topics. The tick thread never waits for a network, a disk or another thread:
what is slow (going home, pictures for people, the log of each step) is left to others.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from robot_rig.clock import Clock
from robot_rig.datatypes import Action, Frame, Goal
from robot_rig.interfaces import Policy
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Stand
from robot_rig.loops.live_episodes import ArmView, LiveEpisodes, Rules, View
from robot_rig.ros.mailbox import Mailbox

IDLE_S = 0.02
"""How long the tick thread waits for a frame before it looks at the time."""

KEPT_STEPS = 20_000
"""Steps whose times are kept for the summary of an episode: the longest there may be."""

log = logging.getLogger(__name__)


class Inbox:
    """The newest of what a policy process hears."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.frames: Mailbox[Frame] = Mailbox(now)
        self.goals: Mailbox[Goal] = Mailbox(now)
        self.arms: Mailbox[ArmView] = Mailbox(now)
        self.recorders: Mailbox[RecorderState] = Mailbox(now)

    def view(self) -> View:
        """All of it as one record."""
        frame, goal, arm, recorder = (
            self.frames.newest(), self.goals.newest(), self.arms.newest(), self.recorders.newest()
        )  # fmt: skip
        return View(
            frame.value if frame else None,
            goal.value if goal else None,
            arm.value if arm else None,
            recorder.value if recorder else None,
        )


class Outlets(NamedTuple):
    """Where a policy process's moves go; each returns at once."""

    send: Callable[[Action], None]
    announce: Callable[[EpisodeState], None]
    go_home: Callable[[], None]


class StepTimes(NamedTuple):
    """Of one step, s: the picture's age when it was answered, and from its arrival to the action's sending."""

    camera_age_s: float
    arrival_to_action_s: float


class PolicyProcess:
    """Ticks `live` on `run`'s thread: at once when `new_frame` is called, and now and then without.

    `died` is called, on that thread, when it ends otherwise than by `close`.
    """

    def __init__(
        self, live: LiveEpisodes, inbox: Inbox, outlets: Outlets, clock: Clock, died: Callable[[], None]
    ) -> None:
        self._live, self._inbox, self._outlets, self._clock, self._died = live, inbox, outlets, clock, died
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._moving = threading.Lock()
        self._next: tuple[Policy, Rules] | None = None
        self.steps: deque[StepTimes] = deque(maxlen=KEPT_STEPS)
        """The running episode's, or the last one's."""

    @property
    def live(self) -> LiveEpisodes:
        """The episodes, to look at."""
        return self._live

    def new_frame(self) -> None:
        """A frame lies in the inbox: answer it now."""
        self._wake.set()

    def recast(self, policy: Policy, rules: Rules) -> None:
        """From the next episode on let `policy`, which is warmed up, act by `rules`; the newest such wish counts."""
        with self._moving:
            self._next = policy, rules

    def wants_goal(self) -> bool:
        """Whether a goal that arrives would be the next one served."""
        with self._moving:
            return self._live.wants_goal(self._inbox.view().goal)

    def run(self) -> None:
        """Tick until `close`."""
        try:
            while not self._closing.is_set():
                self._wake.wait(IDLE_S)
                self._wake.clear()
                self.tick()
        finally:
            if not self._closing.is_set():
                self._died()

    def tick(self) -> None:
        """One look at everything; nothing after `close`."""
        letter = self._inbox.frames.newest()
        with self._moving:
            if self._closing.is_set():
                return
            self._swap()
            move = self._live.tick(self._clock.now(), self._inbox.view())
            if move.action is not None:
                self._outlets.send(move.action)
            if move.announce is not None:
                self._outlets.announce(move.announce)
        if move.action is not None and letter is not None:
            age = move.action.stamp - move.action.frame_stamp
            self.steps.append(StepTimes(age, self._clock.now() - letter.arrival))
        if move.announce is not None:
            self._note(move.announce)
        if move.go_home:
            self._outlets.go_home()

    def close(self, reason: str) -> None:
        """End a running episode for `reason`, and the thread; may be called twice."""
        with self._moving:
            self._closing.set()
            self._wake.set()
            move = self._live.cut_short(reason)
            if move.announce is not None:
                self._outlets.announce(move.announce)

    def _swap(self) -> None:
        """Between episodes nothing waits for the tick, and what is swapped in is ready: a moment's work."""
        if self._next is not None and not self._live.episode_runs:
            self._live.recast(*self._next)
            self._next = None

    def _note(self, episode: EpisodeState) -> None:
        """A line about an episode's beginning or end; between episodes nobody waits for it."""
        goal = episode.goal.rpartition(":")[0] or "no goal"
        if episode.stand is Stand.RUNNING:
            self.steps.clear()
            log.info("episode %d towards %s", episode.number, goal)
            return
        steps = episode.last_action - episode.first_action + 1
        log.info(
            "episode %d towards %s: %s after %d steps%s%s",
            episode.number,
            goal,
            episode.stand.value,
            steps,
            f" ({episode.reason})" if episode.reason else "",
            _summary(list(self.steps)),
        )


def _summary(steps: list[StepTimes]) -> str:
    if not steps:
        return ""
    texts = []
    for name, column in zip(("camera age", "arrival to action"), np.array(steps).T * 1e3, strict=True):
        p50, p99 = np.percentile(column, [50, 99])
        texts.append(f"; {name} p50 {p50:.1f} p99 {p99:.1f} max {column.max():.1f} ms")
    return "".join(texts)
