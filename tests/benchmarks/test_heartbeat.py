"""The heartbeat's beats, what of them is told, whose gap is whose, and when an attempt is void."""

from __future__ import annotations

import itertools
import os
import re
import signal
from collections.abc import Iterator

import pytest

from benchmarks.attempts import GAP_LIMIT_S, Attempts, Gap, void_reason
from benchmarks.heartbeat import ABOVE_ALL, TOLD_EVERY_S, Beat, Heartbeat, Pulse, beats, steal_s, worth_telling
from robot_rig.clock import ManualClock, WallClock
from robot_rig.errors import UserError
from sim.faults import evidence
from sim.faults.judges import void_reason as void_by_the_witness
from tests.house import ROOT


class LateClock(ManualClock):
    """Wakes late by the next of `delays` (s)."""

    def __init__(self, delays: list[float]) -> None:
        super().__init__()
        self._delays = iter(delays)

    def sleep_until(self, deadline: float) -> None:
        super().sleep_until(deadline)
        self.advance(next(self._delays))


def test_one_late_beat_does_not_shift_the_others_and_one_stall_counts_once() -> None:
    told = list(itertools.islice(beats(LateClock([0.0, 0.0004, 0.0, 0.030, 0.0, 0.0]), 0.001), 6))
    assert [beat.late for beat in told] == pytest.approx([0, 0.0004, 0, 0.030, 0, 0])
    assert [beat.gap for beat in told] == pytest.approx([0.001, 0.0014, 0.0006, 0.031, 0.001, 0.001])


def test_every_long_gap_is_told_and_a_sign_of_life_now_and_then() -> None:
    heard = [Beat(0.001 * i, 0.001, 0.0) for i in range(1000)]
    heard[700] = Beat(0.7, 0.025, 0.024)
    told = list(worth_telling(heard, 0.005))
    assert heard[700] in told
    assert len(told) <= 4
    assert max(b.wake - a.wake for a, b in itertools.pairwise(told)) <= TOLD_EVERY_S + 0.002
    assert list(worth_telling(heard, 0.0)) == heard


def test_an_attempt_is_void_only_beyond_the_limit_and_says_why() -> None:
    assert void_reason(GAP_LIMIT_S) == ""
    assert void_reason(0.021) == "the machine was away for 21 ms"


def test_the_reason_names_the_core_and_its_steal_time_where_there_was_any() -> None:
    assert void_reason(Gap(GAP_LIMIT_S, 1, 0.5)) == ""
    assert (
        void_reason(Gap(0.092, 1, 0.0)) == "core 1 of the machine was away for 92 ms (steal time of the attempt: 0 ms)"
    )
    assert void_reason(Gap(0.092, 0, 0.09)).endswith(
        "core 0 of the machine was away for 92 ms (steal time of the attempt: 90 ms)"
    )
    assert void_reason(max(Gap(0.001, 0, 0.0), Gap(0.03, 1, 0.0))).startswith("core 1 ")


def test_steal_time_is_that_of_the_core_even_behind_one_that_is_switched_off() -> None:
    second = os.sysconf("SC_CLK_TCK")
    stat = f"cpu  9 9 9 9 9 9 9 999 9 9\ncpu0 1 1 1 1 1 1 1 {7 * second} 1 1\ncpu12 1 1 1 1 1 1 1 {9 * second} 1 1\n"
    assert steal_s(0, stat) == pytest.approx(7.0)
    assert steal_s(12, stat) == pytest.approx(9.0)
    assert steal_s(1, stat) == 0.0


def test_nothing_of_the_product_outranks_the_heartbeat() -> None:
    rooms = [ROOT / room for room in ("robot_rig", "drivers", "sim", "benchmarks", "launch")]
    # What stalls others on purpose sends a signal now and then, and keeps no core.
    files = [p for room in rooms for p in room.rglob("*.*") if p.suffix in (".py", ".launch") and p.name != "stall.py"]
    default = re.compile(r"^(?: *priority: int|PRIORITY) = (\d+)$", re.MULTILINE)
    asked_for = re.compile(r"""--priority(?:=|", ")(\d+)""")
    taken = {int(n) for path in files for pattern in (default, asked_for) for n in pattern.findall(path.read_text())}
    assert {10, 14, 15, 20} <= taken
    assert max(taken) < ABOVE_ALL


@pytest.mark.parametrize(("wanted", "allowed"), [(1, 0), (3, 0), (4, 1), (5, 1), (20, 5), (180, 45)])
def test_more_than_a_fifth_of_the_attempts_void_is_a_failure_as_soon_as_it_is_certain(
    wanted: int, allowed: int
) -> None:
    attempts = Attempts(wanted)
    for _ in range(allowed):
        assert not attempts.add("a", "away")
    assert not attempts.failed
    assert attempts.wanting
    for _ in range(wanted):
        assert attempts.add("b", "")
    assert not attempts.wanting
    assert len(attempts.voids) <= 0.2 * attempts.made
    attempts.add("c", "away")
    assert attempts.failed
    assert "c: away" in attempts.voids


def test_a_real_pulse_beats_until_it_is_ended() -> None:
    clock = WallClock()
    with Pulse(0, 0.01, 0.0) as pulse:
        begin = clock.now()
        clock.sleep_until(begin + 0.3)
        end = clock.now()
        told = pulse.told(begin, end)
        # Whatever the machine does meanwhile: the beats' gaps cover the whole time.
        assert told[0].wake - told[0].gap <= begin
        assert told[-1].wake >= end or told[-1].wake + 0.01 > end
        assert all(b.wake - b.gap == pytest.approx(a.wake) for a, b in itertools.pairwise(told))
        assert pulse.worst_gap(begin, end) == max(beat.gap for beat in told)
        assert pulse.worst_gap(begin, end).core is None
        assert pulse.scheduling
        assert os.sched_getaffinity(pulse.pid) == os.sched_getaffinity(0)
    with pytest.raises(UserError, match="died"):
        pulse.told(begin, clock.now() + 1)


def test_the_gap_of_a_core_that_stands_still_is_its_own_and_the_worst_of_all() -> None:
    clock = WallClock()
    with Heartbeat(ABOVE_ALL) as heart:
        for pulse in heart.pulses:
            begin = clock.now()
            os.kill(pulse.pid, signal.SIGSTOP)
            clock.sleep_until(begin + 0.8)
            os.kill(pulse.pid, signal.SIGCONT)
            end = clock.now()
            worst = heart.worst_gap(begin, end)
            assert worst >= 0.75
            assert worst.core == pulse.core
            assert {beat.core for beat in pulse.told(begin, end)} == {pulse.core}
            assert f"core {pulse.core} of the machine was away for" in void_reason(worst)
            # Half of it, because another core of a shared machine may well be away at the same time.
            assert all(other.worst_gap(begin, end) < 0.4 for other in heart.pulses if other is not pulse)
            # What stood still before an attempt does not void it.
            assert pulse.worst_gap(clock.now(), clock.now() + 0.1) < 0.4


@pytest.fixture
def one_core() -> Iterator[int]:
    cores = os.sched_getaffinity(0)
    core = max(cores)
    os.sched_setaffinity(0, {core})
    yield core
    os.sched_setaffinity(0, cores)


def test_a_core_that_this_process_may_not_use_has_no_heartbeat(one_core: int) -> None:
    with Heartbeat(ABOVE_ALL) as heart:
        assert [pulse.core for pulse in heart.pulses] == [one_core]
        assert heart.scheduling.endswith(f"on each of the cores {one_core}")


def test_each_pulse_is_alone_on_its_core_above_everything_or_says_that_it_may_not() -> None:
    with Heartbeat(ABOVE_ALL) as heart:
        assert {pulse.core for pulse in heart.pulses} == os.sched_getaffinity(0)
        for pulse in heart.pulses:
            assert os.sched_getaffinity(pulse.pid) == {pulse.core}
            if os.sched_getscheduler(pulse.pid) == os.SCHED_FIFO:
                assert os.sched_getparam(pulse.pid).sched_priority == ABOVE_ALL
                assert pulse.scheduling == f"SCHED_FIFO {ABOVE_ALL}"
            else:
                assert "not permitted" in pulse.scheduling
    assert not any(os.path.exists(f"/proc/{pulse.pid}") for pulse in heart.pulses)


def test_the_witness_puts_nothing_in_the_log_that_a_core_could_still_precede() -> None:
    in_step = evidence.InStep([0, 1])
    away = evidence.Beat(2.1, 0.9, 1)
    assert in_step.add(evidence.Beat(1.0, 0.001, 0)) == []
    assert in_step.add(evidence.Beat(1.2, 0.001, 1)) == [evidence.Beat(1.0, 0.001, 0)]
    assert in_step.add(evidence.Beat(1.5, 0.001, 0)) == [evidence.Beat(1.2, 0.001, 1)]
    assert in_step.add(evidence.Beat(2.0, 0.001, 0)) == []
    assert in_step.add(away) == [evidence.Beat(1.5, 0.001, 0), evidence.Beat(2.0, 0.001, 0)]
    assert in_step.add(evidence.Beat(2.5, 0.001, 0)) == [away]


def test_the_witness_names_the_core_too_and_a_log_without_cores_is_still_judged() -> None:
    def judged(*beats: evidence.Beat) -> str:
        lines = [evidence.line_of(beat) for beat in beats]
        return void_by_the_witness(evidence.gather(map(evidence.read_line, lines), 1.0, 3.0, {}))

    assert "core 1 of the machine was away for 92 ms" in judged(
        evidence.Beat(2.0, 0.004, 0), evidence.Beat(2.0, 0.092, 1)
    )
    assert "the machine was away for 30 ms" in judged(evidence.Beat(2.0, 0.03))
