"""What people may see of the policy: its goal and its picture through its own eyes, and why it is silent (R19).

A thread of policy_node's that works twice a second; nothing waits for it. It has the other threads' priority: were it
lower, somebody else's work could keep it, and with it Python's lock, from the processor while the tick wants it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import NamedTuple

from robot_rig.clock import Clock
from robot_rig.datatypes import Bytes, Frame, Goal
from robot_rig.nodes.policy_process import Inbox, PolicyProcess
from robot_rig.ros.episode_reports import PolicyReport

PERIOD_S = 0.5

log = logging.getLogger(__name__)


class Eyes(NamedTuple):
    """How the acting policy sees, and in which engine: `runtime` tells it. Pictures are uint8 (84, 84, 3).

    `decode` gives what the encoder makes of a picture, `distance` how far two are from each other in the latent metric;
    both None without an encoder.
    """

    runtime: Callable[[], str]
    decode: Callable[[Bytes], Bytes] | None
    distance: Callable[[Bytes, Bytes], float] | None


class Screens(NamedTuple):
    """Where it is shown: every goal decoded, the newest frame decoded, its distance to the goal, how things stand."""

    goal: Callable[[Goal, Bytes], None]
    picture: Callable[[Frame, Bytes], None]
    distance: Callable[[float], None]
    report: Callable[[PolicyReport], None]


class PolicyViews:
    """Looks through `eyes` and shows it on `screens`, on the thread of `run`."""

    def __init__(self, process: PolicyProcess, inbox: Inbox, clock: Clock, eyes: Eyes, screens: Screens) -> None:
        self._process, self._inbox, self._clock = process, inbox, clock
        self.eyes, self._screens = eyes, screens
        self._closing = threading.Event()
        self._goals = self._frames = 0
        self._steps = 0

    def run(self) -> None:
        """Work until `close`."""
        while not self._closing.wait(PERIOD_S):
            self.work()

    def work(self) -> None:
        """Once: what is new is decoded, and how things stand is told."""
        eyes = self.eyes
        self._screens.report(self._standing(eyes.runtime()))
        self._log_steps()
        if eyes.decode is None or eyes.distance is None:
            return
        goal = self._inbox.goals.newest()
        if goal is not None and goal.number > self._goals:
            self._goals = goal.number
            self._screens.goal(goal.value, eyes.decode(goal.value.image))
        frame = self._inbox.frames.newer_than(self._frames)
        if frame is not None:
            self._frames = frame.number
            self._screens.picture(frame.value, eyes.decode(frame.value.rgb))
            if goal is not None:
                self._screens.distance(eyes.distance(frame.value.rgb, goal.value.image))

    def close(self) -> None:
        """End the thread; may be called twice."""
        self._closing.set()

    def _standing(self, runtime: str) -> PolicyReport:
        live, now = self._process.live, self._clock.now()
        frame = self._inbox.frames.newest()
        episode = live.episode
        return PolicyReport(
            stamp=now,
            phase=live.phase.value,
            silence=live.silence,
            runtime=runtime,
            episode=episode.number if episode is not None else 0,
            steps=len(self._process.steps),
            camera_age_s=now - frame.value.stamp if frame is not None else float("inf"),
            missed=live.missed,
        )

    def _log_steps(self) -> None:
        """Each step's camera age, for who debugs; the episode's log and summary have it too."""
        steps = list(self._process.steps)
        if len(steps) < self._steps:
            self._steps = 0
        for number, step in enumerate(steps[self._steps :], self._steps + 1):
            log.debug(
                "step %d: camera age %.1f ms, arrival to action %.2f ms",
                number,
                1e3 * step.camera_age_s,
                1e3 * step.arrival_to_action_s,
            )
        self._steps = len(steps)
