"""What people may see of the policy: its goal and its picture through its own eyes, and why it is silent (R19).

A thread of policy_node's that works twice a second; nothing waits for it. It has the other threads' priority: were it
lower, somebody else's work could keep it, and with it Python's lock, from the processor while the tick wants it.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from robot_rig.clock import Clock
from robot_rig.datatypes import Bytes, Frame, Goal
from robot_rig.nodes.policy_process import Inbox, PolicyProcess
from robot_rig.ros.episode_reports import PolicyReport

PERIOD_S = 0.5

log = logging.getLogger(__name__)


class PolicyViews:
    """Calls, on the thread of `run`: `show_goal` with every goal decoded, `show_picture` with the newest frame decoded,
    `report` with how things stand. `decode` gives what the encoder makes of a picture uint8 (84, 84, 3), None without
    an encoder; `runtime` names the engine.
    """

    def __init__(
        self,
        process: PolicyProcess,
        inbox: Inbox,
        clock: Clock,
        runtime: str,
        decode: Callable[[Bytes], Bytes] | None,
        show_goal: Callable[[Goal, Bytes], None],
        show_picture: Callable[[Frame, Bytes], None],
        report: Callable[[PolicyReport], None],
    ) -> None:
        self._process, self._inbox, self._clock, self._runtime = process, inbox, clock, runtime
        self._decode, self._show_goal, self._show_picture, self._report = decode, show_goal, show_picture, report
        self._closing = threading.Event()
        self._goals = self._frames = 0
        self._steps = 0

    def run(self) -> None:
        """Work until `close`."""
        while not self._closing.wait(PERIOD_S):
            self.work()

    def work(self) -> None:
        """Once: what is new is decoded, and how things stand is told."""
        self._report(self._standing())
        self._log_steps()
        if self._decode is None:
            return
        goal = self._inbox.goals.newer_than(self._goals)
        if goal is not None:
            self._goals = goal.number
            self._show_goal(goal.value, self._decode(goal.value.image))
        frame = self._inbox.frames.newer_than(self._frames)
        if frame is not None:
            self._frames = frame.number
            self._show_picture(frame.value, self._decode(frame.value.rgb))

    def close(self) -> None:
        """End the thread; may be called twice."""
        self._closing.set()

    def _standing(self) -> PolicyReport:
        live, now = self._process.live, self._clock.now()
        frame = self._inbox.frames.newest()
        episode = live.episode
        return PolicyReport(
            stamp=now,
            phase=live.phase.value,
            silence=live.silence,
            runtime=self._runtime,
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
