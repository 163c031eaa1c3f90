"""A program that a launch file has started anew does not lead the arm on where the dead one ended."""

from __future__ import annotations

import pytest

from robot_rig.clock import ManualClock
from robot_rig.datatypes import Mode, Source
from tests.drivers.test_guard_process import Bench


@pytest.fixture
def bench() -> Bench:
    return Bench(ManualClock())


def test_a_program_that_was_started_anew_does_not_go_on_by_itself(bench: Bench) -> None:
    old, new = object(), object()
    bench.process.heard(Source.POLICY, old)
    bench.process.enable()
    bench.pass_time(0.3, x=-1.0)
    bench.process.heard(Source.POLICY, old)
    assert bench.process.mode is Mode.ACTIVE
    bench.process.heard(Source.POLICY, new)
    bench.pass_time(1.0, x=-1.0)
    assert bench.process.mode is Mode.HOLD
    assert bench.reports[-1].why == ("new_sender",)
    assert bench.arm.speeds[-1] == 0.0
    bench.process.enable()
    bench.process.heard(Source.POLICY, new)
    bench.pass_time(0.3, x=-1.0)
    assert bench.process.mode is Mode.ACTIVE


def test_one_who_does_not_lead_may_come_and_go(bench: Bench) -> None:
    bench.process.heard(Source.RANDOM, object())
    bench.process.enable()
    bench.pass_time(0.3, x=-1.0)
    for source in (Source.RANDOM, Source.HUMAN, Source.HUMAN):
        bench.process.heard(source, object())
    bench.pass_time(0.3, x=-1.0)
    assert bench.process.mode is Mode.ACTIVE
