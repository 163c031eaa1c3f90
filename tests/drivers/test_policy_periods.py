"""Every action gets exactly one account of what it came to, over its own ticks and no others."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.policy_periods import LATEST_END, PolicyPeriods
from robot_rig.config import Config
from robot_rig.datatypes import ArmState, ArmStatus, Mode, Outcome, Source, Verdict

CONTROL = Config().control
PERIOD = 1.0 / CONTROL.arm_rate_hz
FULL_SPEED = CONTROL.action_scale_m * CONTROL.policy_rate_hz
ZERO = np.zeros(7)
PASSED = Verdict(Outcome.PASSED)


class Ticks:
    """A stream of ticks and the accounts that came of it: (action number, x of what was executed)."""

    def __init__(self) -> None:
        self.periods = PolicyPeriods(CONTROL)
        self.accounts: list[tuple[int, float]] = []
        self.now = 100.0

    def tick(
        self,
        count: int,
        seq: int,
        x: float,
        mode: Mode = Mode.ACTIVE,
        source: Source | None = Source.POLICY,
        verdict: Verdict = PASSED,
    ) -> None:
        for _ in range(count):
            state = ArmState(self.now, ZERO, ZERO, ZERO, True, False, False, False)
            twist = np.array([x * FULL_SPEED, 0, 0, 0, 0, 0])
            if self.periods.add(ArmStatus(self.now, mode, state, ZERO, twist, verdict, source, seq)):
                assert self.periods.executed is not None
                self.accounts.append((self.periods.executed_seq, round(float(self.periods.executed.value[0]), 6)))
            self.now += PERIOD


@pytest.fixture
def ticks() -> Ticks:
    return Ticks()


def test_each_action_is_accounted_for_when_the_next_one_is_shown(ticks: Ticks) -> None:
    ticks.tick(10, seq=1, x=0.5)
    assert ticks.accounts == []
    ticks.tick(1, seq=2, x=-0.25)
    assert ticks.accounts == [(1, 0.5)]
    ticks.tick(8, seq=2, x=-0.25)
    ticks.tick(1, seq=3, x=1.0)
    assert ticks.accounts == [(1, 0.5), (2, -0.25)]


def test_the_account_is_the_mean_over_its_own_ticks(ticks: Ticks) -> None:
    ticks.tick(4, seq=1, x=0.0)
    ticks.tick(6, seq=1, x=1.0)
    ticks.tick(1, seq=2, x=-1.0)
    assert ticks.accounts == [(1, 0.6)]


def test_the_last_action_ends_when_it_has_lapsed_and_is_told_once(ticks: Ticks) -> None:
    ticks.tick(100, seq=7, x=0.5)
    assert [seq for seq, _ in ticks.accounts] == [7]
    assert LATEST_END / CONTROL.policy_rate_hz >= Config().guard.action_age_limit_s
    ticks.tick(1, seq=8, x=0.5)
    ticks.tick(1, seq=9, x=0.5)
    assert [seq for seq, _ in ticks.accounts] == [7, 8]


def test_a_fault_ends_the_period_in_its_own_tick_with_its_reason(ticks: Ticks) -> None:
    ticks.tick(3, seq=1, x=0.5)
    ticks.tick(1, seq=1, x=0.0, mode=Mode.FAULT, verdict=Verdict(Outcome.LATCHED, ("collision",)))
    assert ticks.accounts == [(1, 0.375)]
    executed = ticks.periods.executed
    assert executed is not None
    assert (executed.outcome, executed.reasons) == (Outcome.LATCHED, ("collision",))
    ticks.tick(50, seq=1, x=0.0, mode=Mode.FAULT)
    assert len(ticks.accounts) == 1


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.HOLD, Mode.HOMING, Mode.FAULT])
def test_outside_active_no_action_is_accounted_for(ticks: Ticks, mode: Mode) -> None:
    for seq in range(5):
        ticks.tick(10, seq=seq, x=0.5, mode=mode, source=Source.HOMING if mode is Mode.HOMING else Source.POLICY)
    assert ticks.accounts == []


def test_a_change_of_who_moves_is_a_new_period(ticks: Ticks) -> None:
    ticks.tick(5, seq=1, x=0.5)
    ticks.tick(5, seq=1, x=-0.5, source=Source.HUMAN)
    ticks.tick(1, seq=2, x=0.0, source=Source.HUMAN)
    assert ticks.accounts == [(1, 0.5), (1, -0.5)]


def test_an_action_that_is_not_followed_is_accounted_for_as_well(ticks: Ticks) -> None:
    held = Verdict(Outcome.HELD, ("image_stale",))
    ticks.tick(10, seq=1, x=0.0, source=None, verdict=held)
    ticks.tick(4, seq=2, x=0.0, source=None, verdict=held)
    ticks.tick(6, seq=2, x=0.5)
    ticks.tick(1, seq=3, x=0.5)
    assert ticks.accounts == [(1, 0.0), (2, 0.3)]
    executed = ticks.periods.executed
    assert executed is not None
    assert executed.reasons == ("image_stale",)


def test_before_anybody_asks_nothing_ends(ticks: Ticks) -> None:
    ticks.tick(50, seq=-1, x=0.0, source=None)
    assert ticks.accounts == []
    assert ticks.periods.executed is None
    assert ticks.periods.executed_seq == -1
