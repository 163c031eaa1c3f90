"""What grows is found with its true slope, what does not is not called growth, and a restart is neither."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.growth import BLOCK_S, HOUR_S, LEAST_BLOCKS, Series, Slope, has_grown, slope

SAMPLE_S = 10.0
slopes = st.floats(-50.0, 50.0)
levels = st.lists(st.floats(0.0, 500.0), min_size=1, max_size=4)


def line(per_hour: float, minutes: float, level: float = 100.0, since: float = 0.0) -> Series:
    times = since + np.arange(0.0, 60.0 * minutes, SAMPLE_S)
    return Series(times, level + per_hour * (times - since) / HOUR_S)


def noisy(series: Series, rng: np.random.Generator, size: float, memory: float) -> Series:
    """With noise of which a share `memory` stays from one sample to the next."""
    noise = np.zeros(len(series.times))
    for i, kick in enumerate(rng.normal(0.0, size, len(noise))):
        noise[i] = memory * noise[i - 1] + kick
    return Series(series.times, series.values + noise)


def found(*series: Series) -> Slope:
    one = slope(series)
    assert one is not None
    return one


@given(slopes, levels)
def test_a_straight_line_is_found_exactly_however_often_it_was_begun_anew(per_hour: float, at: list[float]) -> None:
    parts = [line(per_hour, 10, level, since=1000.0 * i) for i, level in enumerate(at)]
    one = found(*parts)
    assert one.per_hour == pytest.approx(per_hour, abs=1e-6)
    assert one.low <= one.per_hour <= one.high
    assert one.high - one.low < 1e-5
    assert one.blocks == 10 * len(at)
    assert one.seconds == pytest.approx(600.0 * len(at), abs=SAMPLE_S * len(at))


@given(slopes, st.integers(-10_000, 10_000), st.floats(-1e3, 1e3), st.floats(0.1, 10.0), st.integers(0, 2**32))
def test_level_and_time_of_day_do_not_matter_and_units_do(
    per_hour: float, later_s: int, higher: float, scale: float, seed: int
) -> None:
    one = noisy(line(per_hour, 20), np.random.default_rng(seed), 1.0, 0.5)
    there = found(Series(one.times + later_s, scale * one.values + higher))
    for bound in ("per_hour", "low", "high"):
        assert getattr(there, bound) == pytest.approx(scale * getattr(found(one), bound), rel=1e-4, abs=1e-3)


@pytest.mark.parametrize("memory", [0.0, 0.8, 0.95, 0.99])
def test_the_interval_holds_the_true_slope_as_often_as_it_says_or_nearly(memory: float) -> None:
    rng = np.random.default_rng(0)
    inside = 0
    for _ in range(200):
        parts = [noisy(line(3.0, minutes, level), rng, 1.0, memory) for minutes, level in ((8, 50.0), (40, 80.0))]
        one = found(*parts)
        inside += one.low <= 3.0 <= one.high
    assert inside >= 0.9 * 200


def test_a_leak_is_told_from_none_within_an_hour() -> None:
    rng = np.random.default_rng(1)
    for _ in range(50):
        leaking, sound = (found(noisy(line(rise, 40), rng, 0.3, 0.5)) for rise in (5.0, 0.0))
        assert leaking.low > 1.0
        assert sound.low < 1.0


def test_too_few_minutes_say_nothing() -> None:
    assert slope([]) is None
    assert slope([Series(np.zeros(0), np.zeros(0))]) is None
    assert slope([line(1.0, LEAST_BLOCKS - 1)] * 5) is None
    assert slope([line(1.0, LEAST_BLOCKS * BLOCK_S / 60)]) is not None


@given(st.lists(st.integers(0, 40), max_size=60))
def test_a_count_has_grown_when_it_is_never_again_as_low_as_it_began(values: list[int]) -> None:
    times = SAMPLE_S * np.arange(len(values))
    grown, third = has_grown(Series(times, np.array(values, float))), len(values) // 3
    assert grown == (len(values) >= 9 and min(values[-third:]) > max(values[:third]))
    assert not (grown and has_grown(Series(times, np.array(values[::-1], float))))


@given(st.lists(st.integers(0, 5), min_size=9, max_size=60), st.integers(6, 40))
def test_a_file_left_open_again_and_again_has_grown_and_one_open_for_a_moment_has_not(
    wobble: list[int], rise: int
) -> None:
    times = SAMPLE_S * np.arange(len(wobble))
    ramp = np.round(np.linspace(0.0, 3.0 * rise, len(wobble)))
    assert has_grown(Series(times, 20.0 + ramp + np.array(wobble)))
    assert not has_grown(Series(times, 20.0 + rise * (np.arange(len(wobble)) % 2 == 0)))
