"""Tells the graph what the guard does: state and sent velocity each tick, a report each policy period. For arm_node.

Runs on a thread of its own: building messages must not cost the tick anything.
"""

from __future__ import annotations

import logging
import queue
from collections.abc import Callable

import numpy as np

from drivers.policy_periods import PolicyPeriods
from drivers.tick_report import TickReport
from robot_rig.config import Config
from robot_rig.datatypes import Mode, Outcome
from robot_rig.ros.arm_report import ArmReport, report_message
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import sent_message, state_message
from robot_rig.ros.stamps import HostStamps
from robot_rig.ros.topics import ARM_EXECUTED, ARM_STATE, ARM_STATUS
from robot_rig.safety.reasons import explained

REPORT_PERIOD_S = 0.1

log = logging.getLogger(__name__)


class ArmReporting:
    """Publishes what `put` was given until `close`. `master` says in a word how the ROS master is; `beside` gives the
    codes of what lies beside the guard's own."""

    def __init__(
        self,
        config: Config,
        stamps: HostStamps,
        master: Callable[[], str],
        beside: Callable[[], tuple[str, ...]],
    ) -> None:
        self._stamps, self._master, self._beside = stamps, master, beside
        self._periods, self._meaning = PolicyPeriods(config.control), config.control.meaning
        self._box = np.array([config.guard.box_low_m, config.guard.box_high_m])
        self._ticks: queue.SimpleQueue[TickReport | None] = queue.SimpleQueue()
        self._state, self._sent, self._status = (advertise(one) for one in (ARM_STATE, ARM_EXECUTED, ARM_STATUS))
        self._mode = Mode.DISABLED
        self._last_report = 0.0

    def put(self, report: TickReport) -> None:
        """Take one tick's report; returns at once."""
        self._ticks.put(report)

    def close(self) -> None:
        """End `run`; may be called twice."""
        self._ticks.put(None)

    def run(self) -> None:
        """Publish until `close`."""
        while (report := self._ticks.get()) is not None:
            self._publish(report)

    def _publish(self, report: TickReport) -> None:
        status = report.status
        # When this thread was held up, only the newest state is worth sending; the periods need every tick.
        newest = self._ticks.empty()
        if newest and self._state.get_num_connections():
            self._state.publish(state_message(status.state, self._stamps))
        if newest and self._sent.get_num_connections():
            self._sent.publish(sent_message(status, self._stamps))
        ended = self._periods.add(status)
        changed = status.mode is not self._mode
        if changed:
            self._tell(report)
        if ended or changed or status.stamp - self._last_report >= REPORT_PERIOD_S:
            self._last_report = status.stamp
            self._status.publish(report_message(self._report(report), self._stamps))

    def _report(self, report: TickReport) -> ArmReport:
        status, periods = report.status, self._periods
        return ArmReport(
            stamp=status.stamp,
            mode=status.mode,
            why=(*report.why, *self._beside()),
            verdict=status.verdict,
            source=status.source,
            action_seq=status.action_seq,
            executed=periods.executed,
            executed_seq=periods.executed_seq,
            at_home=report.at_home,
            master=self._master(),
            tool=report.tool,
            meaning=self._meaning,
            box=self._box,
        )

    def _tell(self, report: TickReport) -> None:
        """One line for people when the mode changes: what happened, what the arm did, what to do next."""
        status = report.status
        sentences = " ".join(explained(report.why).values())
        bad = status.mode is Mode.FAULT or status.verdict.outcome is Outcome.LATCHED
        log.log(
            logging.ERROR if bad else logging.INFO,
            "%s -> %s%s",
            self._mode.value,
            status.mode.value,
            f": {sentences}" if sentences else "",
        )
        self._mode = status.mode
