"""Cuts the guard's ticks into policy periods, one an action. Fed by arm_node's reporting thread, tick by tick."""

from __future__ import annotations

from robot_rig.config import ControlConfig
from robot_rig.datatypes import ArmStatus, Executed, Mode, Source
from robot_rig.loops.step_accounting import StepAccount

LATEST_END = 1.5
"""A period without a successor ends after this many periods: then the action is too old to be followed anyway."""


class PolicyPeriods:
    """`executed` is what came of action `executed_seq`, the one whose period ended last (None and -1 before)."""

    def __init__(self, control: ControlConfig) -> None:
        self._account = StepAccount(control)
        self._longest_s = LATEST_END / control.policy_rate_hz
        self._current: tuple[Source | None, int] | None = None
        self._ended: tuple[Source | None, int] | None = None
        self._began = 0.0
        self.executed: Executed | None = None
        self.executed_seq = -1

    def add(self, status: ArmStatus) -> bool:
        """Count one tick in; True when it ended a period.

        A period lasts from the first tick that shows its action to the first that shows another; or until the action
        has lapsed, or the guard has left ACTIVE, and then that tick still belongs to it.
        """
        shown = (status.source, status.action_seq)
        ended = self._current is not None and shown != self._current and status.mode is Mode.ACTIVE
        if ended:
            self._end()
        asks = status.mode is Mode.ACTIVE and status.action_seq >= 0 and status.source not in (None, Source.HOMING)
        if self._current is None and asks and shown != self._ended:
            self._current, self._began = shown, status.stamp
        if self._current is None:
            return ended
        self._account.add(status)
        if status.mode is not Mode.ACTIVE or status.stamp - self._began > self._longest_s:
            self._end()
            return True
        return ended

    def _end(self) -> None:
        assert self._current is not None
        self.executed, self.executed_seq = self._account.close(), self._current[1]
        self._ended, self._current = self._current, None
