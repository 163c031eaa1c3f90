"""The gate and time: late ticks, early ones, clocks that go back, what was sent a moment ago, and who spoke first."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.datatypes import ArmState, Floats, Mode, Outcome, Source
from robot_rig.safety.gate import _remember
from tests.integrated_arm import PERIOD, act, report
from tests.safety.gate_bench import HOME, KINEMATICS, GateBench, tool_wish

ACCELERATION = 8.0


def never() -> Floats:
    raise AssertionError("a refused action reached the controller")


@pytest.mark.parametrize(("pause", "goes_on"), [(0.19, True), (0.2, True), (0.21, False), (3.0, False)])
def test_speed_starts_from_zero_once_the_robot_itself_has_timed_out(pause: float, goes_on: bool) -> None:
    bench = GateBench()
    wish = tool_wish(x=0.2)
    before = bench.speed_up(wish)
    bench.now = round(bench.now, 6) + pause - PERIOD
    bench.gate._last_time = bench.now + PERIOD - pause
    sent = bench.tick(wish).command.velocity
    assert np.abs(sent).max() == pytest.approx(np.abs(before).max() if goes_on else ACCELERATION * PERIOD)


def test_a_halt_begins_at_zero_once_and_forgets_nothing_that_is_under_way() -> None:
    bench, ramped = GateBench(), GateBench()
    wish = tool_wish(x=0.2)
    before = bench.speed_up(wish)
    ramped.speed_up(wish)
    bench.gate.halt()
    assert not bench.tick(wish, mode=Mode.HOLD).command.velocity.any()
    assert ramped.tick(wish, mode=Mode.HOLD).command.velocity.any()
    # What was sent in the last period is still on its way to the arm.
    assert bench.gate._under_way == pytest.approx(ramped.gate._under_way)
    # Whoever may move it again starts from rest, and is not halted again.
    first = bench.tick(wish).command.velocity
    assert 0.0 < np.abs(first).max() <= ACCELERATION * PERIOD + 1e-9 < np.abs(before).max()
    assert np.abs(bench.tick(wish).command.velocity).max() > np.abs(first).max()


@pytest.mark.parametrize(("since", "step"), [(0.002, 0.002), (0.01, 0.01), (0.05, 0.01), (0.0, 0.0)])
def test_a_tick_changes_speed_by_the_time_since_the_last_and_by_one_period_at_most(since: float, step: float) -> None:
    bench = GateBench()
    bench.tick(np.zeros(7))
    bench.now += since - PERIOD
    sent = bench.tick(np.eye(7)[6]).command.velocity
    assert sent[6] == pytest.approx(ACCELERATION * step, abs=1e-9)


def test_the_first_tick_of_all_has_one_period() -> None:
    assert GateBench().tick(np.eye(7)[6]).command.velocity[6] == pytest.approx(ACCELERATION * PERIOD)


moves = st.lists(st.tuples(st.floats(-2, 2), st.sampled_from([0.0, 0.001, 0.005, 0.01])), min_size=12, max_size=40)


@given(moves, st.sampled_from([0.0, 0.004, 0.01, 0.05, 0.3]))
def test_what_is_under_way_is_the_least_run_of_last_moves_that_covers_the_delay(
    story: list[tuple[float, float]], delay: float
) -> None:
    rows, spans, total = np.zeros((12, 7)), np.full(12, 0.01), np.full(7, 0.5)
    for speed, span in story:
        _remember(rows, spans, speed * np.arange(7.0), span, delay, total)
    last = story[-12:]
    assert spans == pytest.approx([span for _, span in last])
    count = next((n for n in range(1, 12) if sum(s for _, s in last[-n:]) >= delay - 1e-9), 12)
    way = sum(speed * span for speed, span in last[-count:])
    assert total == pytest.approx(way * np.arange(7.0))


def test_with_twice_as_many_ticks_the_whole_delay_is_still_remembered() -> None:
    """The longest delay is the identified one and the oldest report that may move the arm: 0.08 + 0.15 s."""
    bench = GateBench()
    bench.gate._last = np.full(7, 0.1)
    for tick in range(200):
        bench.gate._elapsed(0.005 * tick, 0.23)
    assert bench.gate._under_way == pytest.approx(np.full(7, 0.023), abs=0.0005)


def test_neither_a_clock_that_goes_back_nor_a_long_pause_makes_up_motion() -> None:
    bench = GateBench()
    bench.gate._elapsed(1.0, 0.05)
    bench.gate._last = np.full(7, 0.1)
    bench.gate._elapsed(0.9, 0.05)
    assert bench.gate._under_way == pytest.approx(np.zeros(7), abs=1e-12)
    bench.gate._elapsed(2.9, 0.05)
    # Two seconds on, but the robot followed for 0.2 s only.
    assert bench.gate._under_way == pytest.approx(np.full(7, 0.02))


def test_a_time_that_is_no_number_is_no_time_and_the_next_one_is_limited_again() -> None:
    bench = GateBench()
    before = bench.speed_up(tool_wish(x=0.1))
    action, state = bench.fresh(), report(HOME, bench.now)
    bench.gate.admit(math.nan, Mode.ACTIVE, action, state, KINEMATICS.pose(HOME), lambda: tool_wish(x=-0.1))
    after = bench.tick(tool_wish(x=-0.1)).command.velocity
    assert np.isfinite(after).all()
    assert np.abs(after - before).max() <= 2 * 8.0 * PERIOD + 1e-9


def near_the_wall(age: float) -> Floats:
    """What passes of a fast wish, 4 cm before the wall at y = 0.2, when the position is `age` s old."""
    bench = GateBench()
    for _ in range(30):
        bench.tick(tool_wish(y=0.24))
    position = HOME + np.linalg.pinv(KINEMATICS.pose(HOME).jacobian) @ np.array([0.0, 0.16, 0.0, 0.0, 0.0, 0.0])
    for _ in range(3):
        sent = bench.tick(tool_wish(y=0.24), state=report(position, bench.now + PERIOD - age)).command.velocity
    return sent


def test_an_older_position_leaves_less_room_and_one_stamped_ahead_no_more() -> None:
    fresh, ahead, old = (float(np.abs(near_the_wall(age)).max()) for age in (0.0, -0.019, 0.1))
    assert ahead == pytest.approx(fresh)
    assert old < 0.8 * fresh


def test_the_first_fault_keeps_its_name() -> None:
    bench = GateBench()
    bench.speed_up(tool_wish(y=0.24))
    bench.tick(tool_wish(y=0.24), position=HOME + np.array([0.4, 0, 0, 0, 0, 0, 0]))
    assert bench.gate.latched == ("bound_space",)
    garbled = report(np.full(7, math.nan), bench.now + PERIOD)
    assert bench.tick(never, state=garbled).verdict.reasons == ("bound_space",)
    assert bench.gate.latched == ("bound_space",)


@pytest.mark.parametrize("place", range(7))
@pytest.mark.parametrize("what", ["position", "velocity"])
def test_one_number_that_is_none_anywhere_in_a_report_latches(place: int, what: str) -> None:
    bench = GateBench()
    values = {"position": HOME.copy(), "velocity": np.zeros(7)}
    values[what][place] = math.nan
    state = ArmState(PERIOD, values["position"], values["velocity"], np.zeros(7), True, False, False, False)
    command = bench.gate.admit(PERIOD, Mode.ACTIVE, bench.fresh(), state, KINEMATICS.pose(HOME), never)
    assert command.verdict.reasons == ("state_garbled",)
    assert command.verdict.outcome is Outcome.LATCHED


def test_homing_asks_for_no_action_and_minds_none() -> None:
    for action in (None, act((math.nan, 9.0), -5.0, 1)):
        bench = GateBench()
        bench.now = PERIOD
        state = report(HOME, PERIOD)
        wish = tool_wish(x=0.004)
        command = bench.gate.admit(PERIOD, Mode.HOMING, action, state, KINEMATICS.pose(HOME), lambda wish=wish: wish)
        assert command.command.velocity == pytest.approx(wish)
        assert bench.gate.source is Source.HOMING


@pytest.mark.parametrize("order", ["renew", "reset"])
def test_an_order_of_a_person_gives_the_arm_back_to_the_policy(order: str) -> None:
    bench = GateBench()
    bench.tick(np.zeros(7), action=bench.fresh(source=Source.HUMAN))
    assert bench.tick(never).verdict.reasons == ("human_has_arm",)
    getattr(bench.gate, order)()
    assert bench.gate.source is None
    assert bench.tick(np.zeros(7)).verdict.reasons == ()


def test_a_sender_may_count_from_zero() -> None:
    assert GateBench().tick(np.zeros(7), action=act((0.0, 0.0), PERIOD, 0)).verdict.reasons == ()


def test_a_refused_tick_keeps_the_cap_of_whoever_moved_last() -> None:
    """An arm slowing down for a person's garbled action was slow, and is braked no faster than it slews."""
    bench = GateBench()
    fast = bench.speed_up(tool_wish(y=0.24))
    sent = bench.tick(never, action=bench.fresh((math.nan, 0.0))).command.velocity
    assert np.abs(sent - fast).max() == pytest.approx(ACCELERATION * PERIOD)
    assert bench.gate.latched == ()
