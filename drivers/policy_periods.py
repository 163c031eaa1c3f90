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
        self._seq: int | None = None
        self._holder: Source | None = None
        self._began = 0.0
        self.executed: Executed | None = None
        self.executed_seq = -1

    def add(self, status: ArmStatus) -> bool:
        """Count one tick in; True when it ended a period.

        A period lasts from the first tick that shows its action, whether or not it is followed, to the first that shows
        another or is another's who took the arm; or until the action has lapsed, or the guard has left ACTIVE, and then
        that tick still belongs to it.
        """
        active = status.mode is Mode.ACTIVE
        ended = active and self._seq is not None and self._is_another(status)
        if ended:
            self._end()
        if active and self._seq is None and status.action_seq >= 0 and (ended or self._is_another(status)):
            self._seq, self._holder, self._began = status.action_seq, None, status.stamp
        self._holder = status.source or self._holder
        if self._seq is None:
            return ended
        self._account.add(status)
        if not active or status.stamp - self._began > self._longest_s:
            self._end()
            return True
        return ended

    def _is_another(self, status: ArmStatus) -> bool:
        """Whether the tick shows another action than the running period's, or else than the one's before it."""
        seq = self.executed_seq if self._seq is None else self._seq
        taken_over = None not in (self._holder, status.source) and status.source is not self._holder
        return status.action_seq != seq or taken_over

    def _end(self) -> None:
        assert self._seq is not None
        self.executed, self.executed_seq, self._seq = self._account.close(), self._seq, None
