"""What `rig latency` calls on time: its exit code is the bar."""

from __future__ import annotations

from benchmarks.heartbeat import Beat
from robot_rig.cli.latency import LATE_S, Timing, on_time
from robot_rig.loops.step_trace import Step

PERIOD_S = 0.1


def steps(*took: float) -> list[Step]:
    """Steps of one episode that took so long (s) from frame to joint command, NaN: not followed."""
    made = []
    for number, seconds in enumerate(took):
        frame = 10.0 + PERIOD_S * number
        made.append(
            Step(number, number == 0, frame - 0.1, frame, frame, frame, frame + seconds - 0.001, frame + seconds)
        )
    return made


def timer(*late: float) -> list[Beat]:
    return [Beat(10.0 + PERIOD_S * number, PERIOD_S, seconds) for number, seconds in enumerate(late)]


def test_a_policy_is_on_time_below_the_limit_and_with_no_more_misses_than_a_bare_timer() -> None:
    quick = [0.004] * 200
    assert on_time(Timing(steps(*quick), timer(0.0), PERIOD_S))
    # One late action in 200 is no matter of the p99, but of the deadlines.
    assert not on_time(Timing(steps(*quick, 0.11), timer(0.0), PERIOD_S))
    assert on_time(Timing(steps(*quick, 0.11), timer(0.12), PERIOD_S))
    assert not on_time(Timing(steps(*quick, 0.11, float("nan")), timer(0.12), PERIOD_S))


def test_a_policy_that_is_slow_or_never_acts_is_not_on_time() -> None:
    assert not on_time(Timing(steps(*[LATE_S + 0.001] * 50), timer(0.0), PERIOD_S))
    assert not on_time(Timing([], timer(0.0), PERIOD_S))
