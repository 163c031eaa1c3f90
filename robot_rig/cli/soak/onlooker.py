"""What a soak hears of the graph, as ROS subscribers that feed its `PracticeWatch`. Called by `cli.soak.run`."""

from __future__ import annotations

import time
from typing import Any

from robot_rig.cli.soak.watch import PracticeWatch
from robot_rig.ros.arm_report import read_report
from robot_rig.ros.camera_report import read_code
from robot_rig.ros.connect import overhear
from robot_rig.ros.episode_reports import read_episode_message, read_recorder
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import ARM_STATUS, CAMERA_STATUS, EPISODE, RECORDER_STATUS


class Onlooker:
    """Feeds `watch` until closed; the process must be a node."""

    def __init__(self, watch: PracticeWatch) -> None:
        self._watch = watch
        self._stamps = HostStamps()
        self._subscribers = [
            overhear(ARM_STATUS, self._report),
            overhear(CAMERA_STATUS, self._camera),
            overhear(RECORDER_STATUS, self._recorder),
            overhear(EPISODE, self._episode),
        ]

    def _report(self, message: Any) -> None:
        report = read_report(message, self._stamps)
        if not isinstance(report, Refused):
            self._watch.report(time.monotonic(), report.mode)
            self._watch.codes(time.monotonic(), (*report.why, *report.verdict.reasons))

    def _camera(self, message: Any) -> None:
        self._watch.codes(time.monotonic(), [read_code(message)])

    def _recorder(self, message: Any) -> None:
        state = read_recorder(message, self._stamps)
        if not isinstance(state, Refused):
            self._watch.recorder(time.monotonic(), state)

    def _episode(self, message: Any) -> None:
        episode = read_episode_message(message, self._stamps)
        if not isinstance(episode, Refused):
            self._watch.episode(episode)

    def close(self) -> None:
        """Hear no more; may be called twice."""
        for subscriber in self._subscribers:
            subscriber.unregister()
