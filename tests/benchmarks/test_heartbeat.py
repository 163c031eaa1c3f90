"""The heartbeat's beats, what of them is told, and when an attempt is void; time is made by hand."""

from __future__ import annotations

import itertools

import pytest

from benchmarks.heartbeat import (
    GAP_LIMIT_S,
    TOLD_EVERY_S,
    Attempts,
    Beat,
    Heartbeat,
    beats,
    void_reason,
    worth_telling,
)
from robot_rig.clock import ManualClock, WallClock
from robot_rig.errors import UserError


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
    assert "21 ms" in void_reason(0.021)


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


def test_a_real_heartbeat_beats_until_it_is_ended() -> None:
    clock = WallClock()
    with Heartbeat(0, 0.01, 0.0) as heart:
        begin = clock.now()
        clock.sleep_until(begin + 0.3)
        end = clock.now()
        told = heart.told(begin, end)
        # Whatever the machine does meanwhile: the beats' gaps cover the whole time.
        assert told[0].wake - told[0].gap <= begin
        assert told[-1].wake >= end or told[-1].wake + 0.01 > end
        assert all(b.wake - b.gap == pytest.approx(a.wake) for a, b in itertools.pairwise(told))
        assert heart.worst_gap(begin, end) == max(beat.gap for beat in told)
        assert heart.scheduling
    with pytest.raises(UserError, match="died"):
        heart.told(begin, clock.now() + 1)
