"""The gate, tick by tick: what closes it, what it refuses, what it slows, and that nothing passes beyond a bound."""

from __future__ import annotations

import math

import numba
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.datatypes import JOINTS, Floats, Mode, Outcome, Source
from robot_rig.safety.gate import Gate
from robot_rig.safety.limits import STOP_TIME_S, Limits
from tests.integrated_arm import PERIOD, act, report
from tests.safety.gate_bench import HOME, KINEMATICS, GateBench, tool_wish

NOTHING = np.zeros(7)


def never() -> Floats:
    raise AssertionError("a refused action reached the controller")


def test_an_ordinary_wish_passes_unchanged() -> None:
    bench = GateBench()
    wish = tool_wish(x=0.01)
    command = bench.tick(wish)
    assert command.command.velocity == pytest.approx(wish)
    assert command.verdict.outcome is Outcome.PASSED
    assert command.verdict.reasons == ()


@pytest.mark.parametrize("mode", [Mode.DISABLED, Mode.FAULT])
def test_disabled_and_fault_are_zero_at_once_past_the_slew(mode: Mode) -> None:
    bench = GateBench()
    assert np.abs(bench.speed_up(tool_wish(x=0.2))).max() > 0.2
    command = bench.tick(never, mode=mode)
    assert not command.command.velocity.any()
    assert command.verdict.reasons == (mode.value,)
    assert command.verdict.outcome is (Outcome.HELD if mode is Mode.DISABLED else Outcome.LATCHED)


def test_hold_comes_to_rest_by_the_slew_and_stays() -> None:
    bench = GateBench()
    last = bench.speed_up(tool_wish(x=0.2))
    for _ in range(math.ceil(STOP_TIME_S / PERIOD)):
        command = bench.tick(never, mode=Mode.HOLD)
        now = command.command.velocity
        assert (np.abs(now) <= np.abs(last) + 1e-12).all()
        assert (np.abs(now - last) <= bench.limits.acceleration * PERIOD + 1e-9).all()
        last = now
    assert not last.any()
    assert command.verdict.outcome is Outcome.HELD
    assert command.verdict.reasons == ("hold",)


BROKEN = [math.nan, math.inf, -math.inf, 1e9, -1.001, 1e-41]


@pytest.mark.parametrize("value", BROKEN)
@pytest.mark.parametrize("place", [0, 1])
def test_a_broken_action_is_refused_and_never_reaches_the_controller(value: float, place: int) -> None:
    bench = GateBench()
    values = [0.3, 0.3]
    values[place] = value
    command = bench.tick(never, action=bench.fresh(values))
    assert not command.command.velocity.any()
    assert command.verdict.outcome is Outcome.HELD
    assert command.verdict.reasons == ("action_garbled",)


@pytest.mark.parametrize("value", [(), (0.1,), (0.1, 0.1, 0.1)])
def test_an_action_of_the_wrong_length_is_refused(value: tuple[float, ...]) -> None:
    bench = GateBench()
    assert bench.tick(never, action=bench.fresh(value)).verdict.reasons == ("action_garbled",)


@pytest.mark.parametrize("wish", [np.full(7, math.nan), np.full(7, math.inf), np.full(7, 1e9), np.zeros(6)])
def test_a_broken_wish_is_refused(wish: Floats) -> None:
    command = GateBench().tick(wish)
    assert not command.command.velocity.any()
    assert command.verdict.reasons == ("wish_garbled",)


AS_PYTHON = pytest.mark.skipif(bool(numba.config.DISABLE_JIT), reason="Python's cosine of infinity raises")


@pytest.mark.parametrize("bad", [math.nan, pytest.param(math.inf, marks=AS_PYTHON)])
def test_a_report_that_is_not_a_number_stops_and_latches(bad: float) -> None:
    bench = GateBench()
    bench.speed_up(tool_wish(x=0.2))
    command = bench.tick(never, state=report(np.full(7, bad), bench.now + PERIOD))
    assert not command.command.velocity.any()
    assert command.verdict.outcome is Outcome.LATCHED
    assert bench.tick(never).verdict.reasons == ("state_garbled",)
    bench.gate.reset()
    assert bench.tick(tool_wish(x=0.01)).verdict.outcome is Outcome.PASSED


def test_without_an_action_nothing_moves() -> None:
    bench = GateBench()
    state = report(HOME, 0.0)
    command = bench.gate.admit(0.0, Mode.ACTIVE, None, state, KINEMATICS.pose(HOME), never)
    assert command.verdict.reasons == ("no_action",)


@pytest.mark.parametrize(
    ("age", "frame_age", "state_age", "reason"),
    [
        (0.1499, 0.2499, 0.1499, None),
        (0.1501, 0.0, 0.0, "action_stale"),
        (0.0, 0.2501, 0.0, "image_stale"),
        (0.0, 0.0, 0.1501, "state_stale"),
        (math.nan, 0.0, 0.0, "action_stale"),
        (0.0, math.nan, 0.0, "image_stale"),
        (0.0, 0.0, math.nan, "state_stale"),
        (-0.021, 0.0, 0.0, "clock_ahead"),
        (0.0, -5.0, 0.0, "clock_ahead"),
        (0.0, 0.0, -5.0, "clock_ahead"),
        (-0.019, -0.019, -0.019, None),
    ],
)
def test_ages_on_both_sides_of_each_limit(age: float, frame_age: float, state_age: float, reason: str | None) -> None:
    bench = GateBench()
    bench.now = 10.0 - PERIOD
    action = act((0.1, 0.1), 10.0 - age, 1, frame_stamp=10.0 - frame_age)
    wish = tool_wish(x=0.005)
    command = bench.tick(wish, action=action, state=report(HOME, 10.0 - state_age))
    assert command.verdict.reasons == (() if reason is None else (reason,))


def test_an_old_action_is_never_followed_after_a_newer_one() -> None:
    bench = GateBench()
    old, new = bench.fresh(), bench.fresh()
    assert bench.tick(NOTHING, action=new).verdict.reasons == ()
    assert bench.tick(NOTHING, action=new).verdict.reasons == ()
    assert bench.tick(never, action=old).verdict.reasons == ("out_of_order",)
    forged = act((1.0, 1.0), bench.now, new.seq)
    assert bench.tick(never, action=forged).verdict.reasons == ("out_of_order",)
    bench.gate.renew()
    assert bench.tick(NOTHING, action=old).verdict.reasons == ()


def test_a_person_takes_over_only_through_rest_and_the_policy_never_gets_it_back() -> None:
    bench = GateBench()
    fast = tool_wish(y=0.2)
    bench.speed_up(fast)
    seen = []
    for _ in range(30):
        command = bench.tick(-fast, action=bench.fresh(source=Source.HUMAN))
        seen.append(command.command.velocity)
    waiting = [v for v in seen if (v * fast).sum() > 0]
    moving = [v for v in seen if (v * fast).sum() < 0]
    assert waiting
    assert moving
    assert any(not v.any() for v in seen)
    twist = KINEMATICS.pose(HOME).jacobian[:3] @ seen[-1]
    assert math.sqrt(twist @ twist) <= bench.limits.slow_speed + 1e-9
    assert bench.gate.source is Source.HUMAN
    assert bench.tick(never).verdict.reasons == ("human_has_arm",)


def test_homing_and_people_are_slow_and_the_policy_is_capped() -> None:
    for mode, source, cap in (
        (Mode.HOMING, Source.POLICY, 0.10),
        (Mode.ACTIVE, Source.HUMAN, 0.10),
        (Mode.ACTIVE, Source.POLICY, 0.25),
        (Mode.ACTIVE, Source.RANDOM, 0.25),
    ):
        bench = GateBench()
        for _ in range(30):
            command = bench.tick(tool_wish(y=0.5), mode=mode, action=bench.fresh(source=source))
        tool = KINEMATICS.pose(HOME).jacobian[:3] @ command.command.velocity
        assert math.sqrt(tool @ tool) == pytest.approx(cap, abs=1e-6)
        assert command.verdict.reasons == ("tool_speed",)


@settings(max_examples=60)
@given(
    direction=st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda d: math.hypot(*d) > 0.1),
    speed=st.floats(0.3, 8.0),
)
def test_the_path_keeps_its_direction_when_only_speed_was_exceeded(
    direction: tuple[float, float, float], speed: float
) -> None:
    bench = GateBench(GuardConfig(box_low_m=(0.4, -0.3, 0.01), box_high_m=(0.75, 0.3, 0.4)))
    unit = np.array(direction) / math.hypot(*direction)
    wish = tool_wish(*(unit * speed))
    sent = bench.speed_up(wish)
    assert sent @ wish / math.sqrt((sent @ sent) * (wish @ wish)) == pytest.approx(1.0, abs=1e-9)
    assert sent @ sent > 0.0


def test_joint_speed_scales_the_whole_vector() -> None:
    bench = GateBench(GuardConfig(tool_speed_m_s=0.25))
    null = np.linalg.svd(KINEMATICS.pose(HOME).jacobian)[2][-1]
    sent = bench.speed_up(50.0 * null)
    assert np.abs(sent / bench.limits.joint_speed).max() == pytest.approx(1.0)
    assert sent @ null / math.sqrt(sent @ sent) == pytest.approx(1.0)


def outstretched(share: float) -> Floats:
    """Between home (0) and the fully stretched arm (1), which is singular."""
    stretched = np.array([0.0, -0.2, 0.0, 0.02, 0.0, 0.02, 3.3])
    return HOME + share * (stretched - HOME)


def test_near_a_singularity_active_motion_slows_to_a_stop_and_homing_does_not() -> None:
    conditions = {
        share: np.linalg.cond(KINEMATICS.pose(outstretched(share)).jacobian) for share in np.linspace(0, 1, 60)
    }
    near = next(share for share, c in conditions.items() if 19 < c < 28)
    at = next(share for share, c in conditions.items() if c > 40)
    wish = np.array([0.0, 0.0, 0.0, 0.02, 0.0, 0.0, 0.0])
    guard = GuardConfig(box_low_m=(0.4, -0.3, 0.02), box_high_m=(0.75, 0.3, 0.4))
    for share, code in ((near, "near_singular"), (at, "singular")):
        bench = GateBench(guard)
        command = bench.tick(wish, position=outstretched(share))
        assert code in command.verdict.reasons
        assert command.command.velocity[3] < wish[3] * 0.9
    assert not command.command.velocity.any()
    homing = GateBench(guard).tick(wish, position=outstretched(at), mode=Mode.HOMING)
    assert "singular" not in homing.verdict.reasons
    assert homing.command.velocity.any()


def test_a_jump_of_the_measured_position_towards_a_wall_latches() -> None:
    bench = GateBench()
    bench.speed_up(tool_wish(y=0.24))
    beyond = HOME + np.array([0.4, 0, 0, 0, 0, 0, 0])
    command = bench.tick(tool_wish(y=0.24), position=beyond)
    assert not command.command.velocity.any()
    assert command.verdict.outcome is Outcome.LATCHED
    assert bench.gate.latched == ("bound_space",)
    assert bench.tick(never).verdict.outcome is Outcome.LATCHED


def test_after_the_robot_itself_has_timed_out_speed_starts_from_zero() -> None:
    bench = GateBench()
    wish = tool_wish(x=0.2)
    bench.speed_up(wish)
    bench.now += 0.25
    command = bench.tick(wish)
    assert (np.abs(command.command.velocity) <= bench.limits.acceleration * PERIOD + 1e-9).all()


def test_a_clock_that_stands_still_or_goes_back_changes_nothing() -> None:
    bench = GateBench()
    before = bench.speed_up(tool_wish(x=0.1))
    bench.now -= PERIOD
    assert bench.tick(tool_wish(x=-0.1)).command.velocity == pytest.approx(before)
    bench.now -= 3 * PERIOD
    held = bench.tick(tool_wish(x=-0.1), action=bench.fresh())
    assert held.command.velocity == pytest.approx(before)


@pytest.mark.parametrize("early", [(), (3,), (3, 8)])
def test_motion_under_way_is_counted_by_time_and_not_by_ticks(early: tuple[int, ...]) -> None:
    """An action that brings a tick 1 ms after the last one must not push older motion out of the window."""
    limits = Limits.from_config(GuardConfig(), ControlConfig())
    gate, now, delay = Gate(limits), 0.0, limits.reaction
    gate._last = np.full(JOINTS, 0.1)
    for tick in range(60):
        steps = (0.001, limits.period - 0.001) if tick % 10 in early else (limits.period,)
        for step in steps:
            now += step
            gate._elapsed(now, delay)
    assert delay - 1e-6 <= gate._under_way[0] / 0.1 <= delay + limits.period + 1e-6
