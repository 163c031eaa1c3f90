"""Pacing against a clock that the test moves: no drift, bounded catching up, and no silent loss."""

from __future__ import annotations

import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.clock import ManualClock
from sim.wire.real_time import LONGEST_LAG_S, RealTime

PERIOD = 0.002


class Machine:
    """Steps that cost what the test says."""

    def __init__(self) -> None:
        self.clock = ManualClock(start=5.0)
        self.stamps: list[float] = []
        self.cost = 0.0
        self.real_time = RealTime(self.clock, PERIOD, self.step)

    def step(self, stamp: float) -> None:
        self.stamps.append(stamp)
        self.clock.advance(self.cost)

    def run(self, steps: int) -> None:
        until = self.real_time.steps + steps
        self.real_time.run(lambda: self.real_time.steps >= until)


@given(st.lists(st.floats(0.0, 0.05), max_size=30))
def test_lateness_that_can_be_caught_up_leaves_no_drift(stalls: list[float]) -> None:
    machine = Machine()
    machine.run(1)
    for stall in stalls:
        machine.clock.advance(stall)
        machine.run(200)
    assert machine.real_time.lost_s == 0.0
    assert machine.stamps == pytest.approx([5.0 + PERIOD * index for index in range(len(machine.stamps))])
    assert machine.clock.now() == pytest.approx(machine.stamps[-1])
    assert machine.real_time.factor() == pytest.approx(1.0, abs=1.01 * PERIOD / max(PERIOD, machine.clock.now() - 5.0))


def test_a_stall_is_caught_up_at_once() -> None:
    machine = Machine()
    machine.run(10)
    machine.clock.advance(0.05)
    late = machine.clock.now()
    machine.run(25)
    assert machine.clock.now() == late
    assert machine.real_time.largest_lag_s == pytest.approx(0.05 - PERIOD)


def test_a_long_stall_is_given_up_aloud(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.run(500)
    machine.clock.advance(1.0)
    with caplog.at_level(logging.WARNING):
        machine.run(1)
    assert "cannot keep up" in caplog.text
    assert machine.real_time.lost_s == pytest.approx(1.0 - PERIOD)
    # The world goes on from now and does not rush.
    assert machine.stamps[-1] == machine.clock.now()
    machine.run(500)
    assert machine.clock.now() == pytest.approx(machine.stamps[-1])
    assert machine.real_time.factor() == pytest.approx(2.0 / 3.0, abs=0.01)


def test_a_machine_that_is_too_slow_is_told_of_once_a_second(caplog: pytest.LogCaptureFixture) -> None:
    machine = Machine()
    machine.cost = 2 * PERIOD
    with caplog.at_level(logging.WARNING):
        machine.run(1500)
    passed = machine.clock.now() - 5.0
    assert passed == pytest.approx(6.0, abs=0.1)
    assert passed / 2 <= len(caplog.records) <= passed + 1
    assert machine.real_time.factor() == pytest.approx(0.5, abs=0.01)
    assert machine.real_time.lost_s == pytest.approx(passed / 2, abs=2 * LONGEST_LAG_S)
