"""Numbers in the messages tie the stations of a step together, whatever the order of arrival; and what they come to."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import numpy as np
import pytest

from robot_rig.loops.step_trace import (
    STAGES,
    Spread,
    Step,
    StepTrace,
    missed_deadlines,
    periods_without_picture,
    stage_durations,
)

PERIOD_S = 0.1


def feed(trace: StepTrace, steps: int) -> list[Callable[[], None]]:
    """What an onlooker hears of `steps` steps: a frame every 1/30 s, each third one answered."""
    heard: list[Callable[[], None]] = [lambda: trace.begin_episode(1)]
    for frame in range(3 * steps):
        exposure = 100.0 + frame / 30
        heard.append(lambda f=frame, e=exposure: trace.add_frame(f, e, e + 0.120))  # type: ignore[misc]
        if frame % 3 == 0:
            seq, seen = 1 + frame // 3, exposure + 0.121
            heard.append(lambda s=seq, f=frame, e=exposure, t=seen: trace.add_action(s, f, e, t, t + 0.002))  # type: ignore[misc]
            for tick in range(10):
                at = seen + 0.003 + 0.01 * tick
                heard.append(lambda s=seq, t=at: trace.add_tick(s, t))  # type: ignore[misc]
                heard.append(lambda t=at: trace.add_command(t + 0.0005))  # type: ignore[misc]
    return heard


def test_each_stage_is_what_lies_between_its_stations_in_any_order_of_arrival() -> None:
    for seed in range(3):
        trace = StepTrace()
        heard = feed(trace, 20)
        random.Random(seed).shuffle(heard)
        for hear in heard:
            hear()
        steps = trace.steps()
        assert [step.seq for step in steps] == list(range(1, 21))
        expected = dict(zip(STAGES, (120.0, 1.0, 2.0, 1.0, 0.5, 4.5, 124.5), strict=True))
        for name, durations in stage_durations(steps).items():
            np.testing.assert_allclose(1e3 * durations, expected[name], atol=1e-6)
        assert missed_deadlines(steps, PERIOD_S) == 0


def test_the_first_five_stages_add_up_to_the_whole() -> None:
    trace = StepTrace()
    for hear in feed(trace, 5):
        hear()
    durations = list(stage_durations(trace.steps()).values())
    np.testing.assert_allclose(sum(durations[:5]), durations[6])
    np.testing.assert_allclose(sum(durations[1:5]), durations[5])


def test_what_came_since_is_tied_together_as_if_all_had_been_asked_for() -> None:
    trace = StepTrace()
    for hear in feed(trace, 20):
        hear()
    steps = trace.steps()
    for since in (0.0, steps[7].policy, steps[7].policy + 1e-6, steps[-1].policy, 1e9):
        assert trace.steps(since) == [step for step in steps if step.policy >= since]


def test_an_onlooker_who_hears_late_never_makes_time_run_backwards() -> None:
    trace = StepTrace()
    trace.add_frame(7, 10.0, 10.2)  # heard after the policy has looked at it
    trace.add_action(1, 7, 10.0, 10.12, 10.3)  # heard after the guard has followed it
    trace.add_tick(1, 10.13)
    trace.add_command(10.131)
    (step,) = trace.steps()
    assert list(step[2:]) == pytest.approx([10.0, 10.12, 10.12, 10.13, 10.13, 10.131])


def test_only_the_command_of_its_own_tick_counts() -> None:
    trace = StepTrace()
    trace.add_action(1, 7, 10.0, 10.12, 10.121)
    trace.add_command(10.125)  # of the tick before
    assert not trace.steps()[0].complete
    trace.add_tick(1, 10.13)
    assert not trace.steps()[0].complete
    trace.add_command(10.2)  # a tick that sent nothing, and later another's
    assert not trace.steps()[0].complete
    trace.add_command(10.1305)
    assert trace.steps()[0].command == 10.1305


def test_numbers_that_begin_anew_with_a_new_policy_process_do_not_mix() -> None:
    trace = StepTrace()
    for begin in (10.0, 50.0):
        trace.add_frame(1, begin, begin + 0.1)
        trace.add_action(1, 1, begin, begin + 0.1, begin + 0.102)
        trace.add_tick(1, begin + 0.103)
        trace.add_command(begin + 0.104)
    assert [step.command for step in trace.steps()] == pytest.approx([10.104, 50.104])
    assert [step.frame for step in trace.steps()] == pytest.approx([10.1, 50.1])


def step(seq: int, exposure: float, took: float = 0.005, first: bool = False) -> Step:
    arrival = exposure + 0.12
    return Step(seq, first, exposure, arrival, arrival, arrival, arrival, arrival + took)


def test_a_period_without_a_command_of_its_own_is_missed() -> None:
    regular = [step(i, 0.1 * i) for i in range(10)]
    assert missed_deadlines(regular, PERIOD_S) == 0
    # Two periods in which no frame was answered.
    assert (
        missed_deadlines([*regular[:4], *(s._replace(exposure=s.exposure + 0.2) for s in regular[4:])], PERIOD_S) == 2
    )
    # The same pause between two episodes is none.
    later = [s._replace(exposure=s.exposure + 5.0, first=s.seq == 4) for s in regular[4:]]
    assert missed_deadlines([*regular[:4], *later], PERIOD_S) == 0
    # A camera's jitter is none either.
    assert missed_deadlines([step(i, 0.1 * i + 0.03 * (i % 2)) for i in range(10)], PERIOD_S) == 0
    late = [*regular, step(10, 1.0, took=0.11)]
    assert missed_deadlines(late, PERIOD_S) == 1
    assert periods_without_picture(late, PERIOD_S) == 0
    assert missed_deadlines([*regular, step(10, 1.0, took=math.nan)], PERIOD_S) == 1


def test_percentiles_are_those_of_the_field() -> None:
    spread = Spread.of([i / 1000 for i in range(101)])
    assert (spread.n, spread.p50, spread.p99, spread.max) == pytest.approx((101, 50.0, 99.0, 100.0))
    assert spread.p999 == pytest.approx(99.9)
    assert math.isnan(Spread.of([]).p50)
