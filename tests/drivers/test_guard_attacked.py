"""The guard process against what a hostile reader of it would try, and against a machine that fails it."""

from __future__ import annotations

import threading

import pytest

from robot_rig.clock import ManualClock
from robot_rig.datatypes import Mode, Source
from tests.drivers.test_guard_process import PERIOD, Bench
from tests.ros_graph import eventually


@pytest.fixture
def bench() -> Bench:
    return Bench(ManualClock())


class HurriedClock(ManualClock):
    """Two periods pass between any two looks at it, as on a machine that is far too busy."""

    def now(self) -> float:
        self.advance(2 * PERIOD)
        return super().now()


def test_a_tick_that_is_always_late_brings_the_arm_to_rest_and_says_so() -> None:
    bench = Bench(HurriedClock())
    bench.process.enable()
    assert bench.process.mode is Mode.ACTIVE
    ticking = threading.Thread(target=bench.process.run, daemon=True)
    ticking.start()
    assert eventually(lambda: bench.reports and bench.reports[-1].status.mode is Mode.HOLD)
    assert bench.reports[-1].why == ("overrun",)
    bench.process.close()
    ticking.join(10)
    assert not ticking.is_alive()


@pytest.mark.parametrize("enabled_meanwhile", [False, True])
def test_a_person_who_sends_the_arm_home_still_has_it_until_the_next_enable(
    bench: Bench, enabled_meanwhile: bool
) -> None:
    bench.process.enable()
    for _ in range(5):
        bench.ask(-1.0, Source.HUMAN)
        bench.pass_time(0.1)
    assert bench.reports[-1].status.source is Source.HUMAN
    bench.process.home()
    bench.process.home()
    if enabled_meanwhile:
        bench.process.enable()
    bench.pass_time(3.0, x=1.0)
    home = [report.status.mode for report in bench.reports].index(Mode.HOMING)
    after = [report.status for report in bench.reports[home:] if report.status.mode is Mode.ACTIVE]
    assert after
    if enabled_meanwhile:
        assert after[-1].source is Source.POLICY
        return
    assert not any(status.executed.any() for status in after)
    assert after[-1].source is Source.HUMAN
    bench.ask(-1.0, Source.HUMAN)
    bench.pass_time(0.1)
    assert bench.reports[-1].status.executed.any()
    bench.pass_time(0.5, x=1.0)
    assert bench.reports[-1].status.source is Source.HUMAN
    bench.process.enable()
    bench.pass_time(0.5, x=1.0)
    assert bench.reports[-1].status.source is Source.POLICY


def test_motors_that_cannot_even_be_told_to_switch_off_are_stopped(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.process.enable()
    bench.pass_time(0.3, x=1.0)
    monkeypatch.setattr(bench.arm, "disable", lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        bench.process.see_commanders(["/rig_arm", "/rogue"])
    assert bench.arm.told[-1] == "stop"
    assert bench.process.mode is Mode.FAULT


def test_a_dead_tick_ends_the_process_though_the_stop_fails_too(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    bench.process.enable()
    monkeypatch.setattr(bench.arm, "stop", lambda: 1 / 0)
    bench.arm.trouble = lambda: 1 / 0  # type: ignore[assignment, return-value]
    with pytest.raises(ZeroDivisionError):
        bench.process.run()
    assert bench.process.failed
