"""Other clocks' stamps: never guessed, never after arrival, never younger than the truth by more than is said."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.ros.stamps import ClockLimits, HostStamps, LowerEnvelope, Refused

EPOCH = 1.75e9
PRECISION = 1e-5  # of seconds since 1970 in a float, added up a few times


class Clocks:
    """Wall and monotonic time of one host under our hand."""

    def __init__(self, offset: float = EPOCH) -> None:
        self.now, self.offset = 100.0, offset

    def wall(self) -> float:
        return self.now + self.offset

    def monotonic(self) -> float:
        return self.now

    def stamps(self) -> HostStamps:
        return HostStamps(self.wall, self.monotonic)


# --- one host ---------------------------------------------------------------------------------------------------------


@given(st.floats(0.0, 60.0), st.floats(0.0, 2e9))
def test_there_and_back_on_one_host(age: float, offset: float) -> None:
    clocks = Clocks(offset + 1000.0)
    stamps = clocks.stamps()
    mapped = stamps.local(stamps.wall(clocks.now - age))
    assert mapped == pytest.approx(clocks.now - age, abs=1e-6)


@given(st.floats(-3600, 3600).filter(lambda step: abs(step) > 0.021), st.floats(0.0, 0.2))
def test_a_set_clock_is_noticed_at_the_first_message(step: float, in_flight: float) -> None:
    clocks = Clocks()
    stamps = clocks.stamps()
    made = stamps.wall(clocks.now)
    clocks.offset += step
    clocks.now += in_flight
    refused = stamps.local(made)
    assert isinstance(refused, Refused)
    assert "was set by" in refused.reason
    assert stamps.last_step == pytest.approx(step, abs=1e-5)
    clocks.now += 0.6
    assert stamps.local(stamps.wall(clocks.now)) == pytest.approx(clocks.now, abs=1e-6)


@given(st.floats(-5e-4, 5e-4), st.lists(st.floats(0.001, 100.0), min_size=1, max_size=30))
def test_a_slewed_clock_is_followed(slew: float, gaps: list[float]) -> None:
    clocks = Clocks()
    stamps = clocks.stamps()
    for gap in gaps:
        made, true = clocks.wall(), clocks.now
        clocks.now += gap
        clocks.offset += slew * gap
        mapped = stamps.local(made)
        assert isinstance(mapped, float)
        assert mapped == pytest.approx(true, abs=abs(slew * gap) + 1e-6)


@pytest.mark.parametrize("stamp", [0.0, -1.0, math.nan, math.inf])
def test_what_is_no_time_is_refused(stamp: float) -> None:
    assert isinstance(Clocks().stamps().local(stamp), Refused)
    assert isinstance(LowerEnvelope().local(stamp, 1.0), Refused)


def test_the_future_is_refused_unless_it_is_within_reading_two_clocks() -> None:
    clocks = Clocks()
    stamps = clocks.stamps()
    assert stamps.local(clocks.wall() + 0.004) == clocks.now
    assert "future" in getattr(stamps.local(clocks.wall() + 0.1), "reason", "")


def test_a_process_that_lost_the_cpu_between_two_readings_reads_again() -> None:
    readings = iter([10.0, 10.5, 10.5, 10.5, *[11.0] * 100])

    def wall() -> float:
        return EPOCH + 10.0 if next(readings) < 11.0 else EPOCH + 11.0

    stamps = HostStamps(wall, lambda: next(readings))
    assert stamps.local(EPOCH + 11.0) == pytest.approx(11.0, abs=1e-6)


def test_on_a_busy_machine_the_closest_pair_of_readings_counts() -> None:
    # Five attempts, each (monotonic, wall, monotonic): the third is the closest, and wall time is read late in all.
    spreads = [0.5, 0.4, 0.01, 0.3, 0.6]
    ticks = iter([tick for i, spread in enumerate(spreads) for tick in (10.0 + i, 10.0 + i + spread)])
    walls = iter([EPOCH + 10.0 + i + spread for i, spread in enumerate(spreads)])
    stamps = HostStamps(lambda: next(walls), lambda: next(ticks))
    assert stamps._offset == pytest.approx(EPOCH, abs=0.006)


def test_the_real_clocks_of_this_host_agree() -> None:
    import time

    stamps = HostStamps()
    before = time.monotonic()
    mapped = stamps.local(time.time())
    assert isinstance(mapped, float)
    assert before - 0.01 < mapped <= time.monotonic()


# --- another machine --------------------------------------------------------------------------------------------------


def stream(
    seconds: float,
    rate: float,
    offset: float,
    drift: float = 0.0,
    start: float = 50.0,
    jitter: float = 0.005,
    seed: int = 0,
) -> Iterator[tuple[float, float, float]]:
    """(remote stamp, arrival, true local time) of a stream whose shortest delay is 1 ms."""
    rng = random.Random(seed)
    arrival = start
    for i in range(int(seconds * rate)):
        true = start + i / rate
        arrival = max(arrival, true + 0.001 + jitter * rng.random() ** 2)
        yield true + offset + drift * (true - start), arrival, true


@settings(max_examples=25)
@given(st.floats(-1e5, 2e9), st.floats(-2e-4, 2e-4), st.sampled_from([10, 50, 100]), st.integers(0, 1000))
def test_any_constant_offset_and_a_crystals_drift_are_followed(
    offset: float, drift: float, rate: int, seed: int
) -> None:
    envelope = LowerEnvelope()
    taken = 0
    for stamp, arrival, true in stream(25, rate, offset + 2e5, drift, seed=seed):
        mapped = envelope.local(stamp, arrival)
        if arrival < 51.0:
            assert isinstance(mapped, Refused)
            assert "being learnt" in mapped.reason
            continue
        if isinstance(mapped, Refused):
            assert arrival < 52.5, mapped  # ten messages at 10 Hz take a little longer
            continue
        taken += 1
        assert mapped <= arrival
        # Late by the shortest delay, early by what the clock drifts over a window.
        assert -10 * abs(drift) - PRECISION <= mapped - true <= 0.001 + 0.005 + PRECISION
    assert taken > 22 * rate
    assert envelope.jumps == 0
    assert envelope.jitter < 0.005
    assert envelope.drift == pytest.approx(-drift, abs=1e-3)


@settings(max_examples=20)
@given(st.floats(0.03, 1000.0), st.sampled_from([-1, 1]), st.integers(0, 1000))
def test_a_clock_that_is_set_is_noticed_at_once_and_learnt_anew(size: float, sign: int, seed: int) -> None:
    envelope = LowerEnvelope()
    for stamp, arrival, _ in stream(12, 100, 5000.0, seed=seed):
        envelope.local(stamp, arrival)
    step = sign * size
    answers = [
        (envelope.local(stamp, arrival), arrival, true)
        for stamp, arrival, true in stream(3, 100, 5000.0 + step, start=62.1, seed=seed + 1)
    ]
    first = answers[0][0]
    if sign > 0 or size > 0.2:  # a small step back hides between two messages and comes out as drift
        assert isinstance(first, Refused)
        assert f"jumped {'forward' if sign > 0 else 'back'}" in first.reason
        assert envelope.jumps == 1
        mapped, arrival, true = answers[-1]
        assert isinstance(mapped, float)
        assert abs(mapped - true) < 0.01
    for mapped, arrival, true in answers:
        if isinstance(mapped, float):
            assert mapped <= min(arrival, true + 0.006 + PRECISION)  # never younger than it is


def test_a_step_back_too_small_to_be_seen_is_refused_as_drift_before_it_matters() -> None:
    envelope = LowerEnvelope()
    for stamp, arrival, _ in stream(12, 20, 5000.0):
        envelope.local(stamp, arrival)
    answers = [envelope.local(s, a) for s, a, _ in stream(14, 20, 5000.0 - 0.04, start=62.05)]
    reasons = {answer.reason.split(" by ")[0] for answer in answers if isinstance(answer, Refused)}
    assert reasons == {"the remote clock drifts"}
    assert isinstance(answers[-1], float)
    assert envelope.jumps == 0


@pytest.mark.parametrize("drift", [5e-3, -5e-3, 0.1])
def test_a_clock_that_drifts_too_fast_is_refused(drift: float) -> None:
    envelope = LowerEnvelope()
    answers = [(envelope.local(s, a), t) for s, a, t in stream(12, 100, 5000.0, drift)]
    last = answers[-1][0]
    assert isinstance(last, Refused)
    assert "drifts" in last.reason or "jumped" in last.reason or "vary" in last.reason
    for mapped, true in answers:
        if isinstance(mapped, float):
            assert mapped - true < 0.006 + PRECISION


def test_delays_all_over_the_place_are_refused() -> None:
    envelope = LowerEnvelope()
    answers = [envelope.local(s, a) for s, a, _ in stream(12, 10, 5000.0, jitter=0.4)]
    assert isinstance(answers[-1], Refused)
    assert "vary" in answers[-1].reason


def test_one_late_message_is_late_and_not_refused() -> None:
    envelope = LowerEnvelope()
    for stamp, arrival, _ in stream(12, 100, 5000.0):
        envelope.local(stamp, arrival)
    mapped = envelope.local(62.01 + 5000.0, 62.31)
    assert mapped == pytest.approx(62.01, abs=0.006)


@pytest.mark.parametrize("silence", [2.0, 8.0, 9.5, 9.9, 10.5, 60.0])
def test_old_news_after_a_silence_never_passes_for_fresh(silence: float) -> None:
    """A cable comes back, and what waited in the buffers arrives first."""
    envelope = LowerEnvelope()
    for stamp, arrival, _ in stream(20, 100, 5000.0):
        envelope.local(stamp, arrival)
    back = 70.0 + silence
    burst = [(70.0 + 5000.0 + 0.1 * i, back + 1e-4 * i, 70.0 + 0.1 * i) for i in range(int(silence / 0.1))]
    for stamp, arrival, true in [*burst, *stream(15, 100, 5000.0, start=back + 0.01)]:
        mapped = envelope.local(stamp, arrival)
        if isinstance(mapped, float):
            assert mapped - true < 0.006 + PRECISION


def test_a_slow_stream_is_learnt_from_ten_messages() -> None:
    envelope = LowerEnvelope()
    answers = [envelope.local(s, a) for s, a, _ in stream(15, 2, 5000.0)]
    assert [isinstance(answer, Refused) for answer in answers] == [True] * 9 + [False] * 21


def test_arrivals_out_of_order_are_refused() -> None:
    envelope = LowerEnvelope()
    envelope.local(10.0, 5.0)
    assert "one stream" in getattr(envelope.local(10.1, 4.9), "reason", "")


def test_limits_can_be_tightened() -> None:
    envelope = LowerEnvelope(ClockLimits(jitter=0.001))
    answers = [envelope.local(s, a) for s, a, _ in stream(5, 100, 5000.0, jitter=0.02)]
    assert "vary" in getattr(answers[-1], "reason", "")


def test_before_the_first_stamp_there_is_nothing_to_tell() -> None:
    envelope = LowerEnvelope()
    assert math.isnan(envelope.offset)
    assert math.isnan(envelope.jitter)
    assert envelope.drift == 0.0
