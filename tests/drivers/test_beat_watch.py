"""A dead tick is told from a busy machine, and lateness is counted."""

from __future__ import annotations

from drivers.beat_watch import CHECK_PERIOD_S, MISSES_IN_A_ROW, SILENT_CHECKS, BeatWatch, LatenessWatch


def test_a_tick_that_stops_is_dead_after_a_tenth_of_a_second() -> None:
    watch, now, looks = BeatWatch(), 50.0, 0
    for beats in range(20):
        assert not watch.dead(now, beats)
        now += CHECK_PERIOD_S
    while not watch.dead(now, 19):
        now += CHECK_PERIOD_S
        looks += 1
    assert looks == SILENT_CHECKS - 1
    assert SILENT_CHECKS * CHECK_PERIOD_S <= 0.1 + 1e-9
    assert watch.dead(now + CHECK_PERIOD_S, 19)


def test_a_tick_that_goes_on_was_not_dead() -> None:
    watch, now = BeatWatch(), 0.0
    for beats in range(100):
        for _ in range(SILENT_CHECKS):
            assert not watch.dead(now, beats)
            now += CHECK_PERIOD_S


def test_a_process_that_was_held_up_as_a_whole_is_not_a_dead_tick() -> None:
    watch, now = BeatWatch(), 0.0
    watch.dead(now, 7)
    for _ in range(50):
        now += 1.0
        assert not watch.dead(now, 7)


def test_lateness_is_counted_and_three_in_a_row_are_told() -> None:
    watch = LatenessWatch(0.01)
    assert not any(watch.late(lag) for lag in (0.0, 0.009, 0.02, 0.02, 0.0, 0.02))
    assert watch.missed == 3
    assert [watch.late(0.03) for _ in range(2 * MISSES_IN_A_ROW - 1)] == [False, True, False, False, True]
    assert watch.worst_s == 0.03
