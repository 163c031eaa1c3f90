"""An arm that is held or pushed is noticed in time; one that only lags, as every servo does, never is."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.datatypes import JOINTS, ArmState, Floats
from robot_rig.safety.limits import Limits
from robot_rig.safety.motion_watch import MEMORY_S, PUSH_PATIENCE_S, TRAIL_PATIENCE_S, MotionWatch

LIMITS = Limits.from_config(GuardConfig(), ControlConfig())
PERIOD = 0.01
ZERO = np.zeros(JOINTS)


def state(now: float, position: Floats, push: Floats = ZERO) -> ArmState:
    return ArmState(now, position, ZERO, ZERO, True, False, False, False, push)


def only(joint: int, value: float) -> Floats:
    vector = np.zeros(JOINTS)
    vector[joint] = value
    return vector


@pytest.mark.parametrize("joint", range(JOINTS))
@pytest.mark.parametrize("speed", [0.3, -0.6, 1.2])
def test_an_arm_that_is_held_is_noticed_when_its_commands_lead_a_tenth_of_a_radian_away(
    joint: int, speed: float
) -> None:
    watch, sent = MotionWatch(LIMITS), only(joint, speed)
    seen = [watch.look(k * PERIOD, state(k * PERIOD, ZERO), sent) for k in range(300)]
    first = next(k for k, codes in enumerate(seen) if codes) * PERIOD
    # Without the memory: speed * t = limit; with it: speed * memory * (1 - exp(-t / memory)) = limit.
    reached = -MEMORY_S * math.log(1.0 - LIMITS.trail / (abs(speed) * MEMORY_S))
    assert first == pytest.approx(reached + TRAIL_PATIENCE_S, abs=2.5 * PERIOD)
    assert set(seen) == {(), ("trailing",)}


def test_an_arm_that_somebody_moves_while_it_should_rest_is_noticed_too() -> None:
    watch = MotionWatch(LIMITS)
    seen = [watch.look(k * PERIOD, state(k * PERIOD, only(3, 0.5 * k * PERIOD)), ZERO) for k in range(60)]
    assert seen[-1] == ("trailing",)


@given(
    lag=st.floats(0.0, LIMITS.reaction),
    bias=st.floats(-0.02, 0.02),
    goals=st.lists(st.floats(-1.2, 1.2), min_size=5, max_size=40),
)
def test_an_arm_whose_servo_only_lags_is_never_suspected(lag: float, bias: float, goals: list[float]) -> None:
    watch = MotionWatch(LIMITS)
    sent = speed = place = now = 0.0
    for goal in goals:
        for _ in range(10):
            sent += float(np.clip(goal - sent, -0.08, 0.08))
            speed += (sent - speed) * (1.0 - math.exp(-PERIOD / lag) if lag > 1e-4 else 1.0)
            place, now = place + (speed + bias) * PERIOD, now + PERIOD
            assert watch.look(now, state(now, only(2, place)), only(2, sent)) == ()


@pytest.mark.parametrize("joint", range(JOINTS))
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_effort_that_weight_does_not_explain_counts_once_it_lasts(joint: int, sign: float) -> None:
    watch, strong = MotionWatch(LIMITS), only(joint, 1.01 * sign * LIMITS.push[joint])
    seen = [watch.look(k * PERIOD, state(k * PERIOD, ZERO, strong), ZERO) for k in range(6)]
    assert [bool(codes) for codes in seen] == [k * PERIOD >= PUSH_PATIENCE_S for k in range(6)]
    assert seen[-1] == ("pushed",)


def test_a_jolt_is_no_push_and_neither_is_less_than_the_limit() -> None:
    watch = MotionWatch(LIMITS)
    for k in range(300):
        push = 2.0 * LIMITS.push if k % 4 < 2 else 0.99 * LIMITS.push
        assert watch.look(k * PERIOD, state(k * PERIOD, ZERO, push), ZERO) == ()


def test_an_effort_that_is_no_number_is_a_push() -> None:
    watch = MotionWatch(LIMITS)
    for joint in (0, 6):
        watch.rest()
        seen = [watch.look(k * PERIOD, state(k * PERIOD, ZERO, only(joint, math.nan)), ZERO) for k in range(5)]
        assert seen[-1] == ("pushed",)


def test_what_was_before_a_rest_is_forgotten() -> None:
    watch, sent, push = MotionWatch(LIMITS), only(0, 1.0), 2.0 * LIMITS.push
    for k in range(29):
        watch.look(k * PERIOD, state(k * PERIOD, ZERO), sent)
    assert watch.look(0.29, state(0.29, ZERO), sent) == ()
    assert watch.look(0.30, state(0.30, ZERO), sent) == ()
    watch.rest()
    seen = [watch.look(9.0 + k * PERIOD, state(9.0, only(1, 2.0), push), ZERO) for k in range(3)]
    assert seen == [(), (), ()]


@pytest.mark.parametrize("step", [0.0, -0.5, 5.0, math.inf])
def test_a_clock_that_jumps_adds_no_motion_that_never_was(step: float) -> None:
    watch, sent = MotionWatch(LIMITS), only(5, 0.4)
    watch.look(100.0, state(100.0, ZERO), sent)
    # 0.4 rad/s for at most 0.2 s: below the limit, however long the tick says that it slept.
    assert watch.look(100.0 + step, state(100.0, ZERO), sent) == ()


def test_limits_follow_the_configuration() -> None:
    tight = Limits.from_config(GuardConfig(trail_limit_rad=0.05, push_limit_fraction=0.1), ControlConfig())
    assert tight.trail == 0.05
    assert tight.push == pytest.approx([8.0, 8.0, 4.0, 4.0, 0.9, 0.9, 0.9])
    sent = only(0, 0.5)
    firsts = []
    for limits in (tight, dataclasses.replace(tight, trail=0.1)):
        watch = MotionWatch(limits)
        firsts.append(next(k for k in range(200) if watch.look(k * PERIOD, state(k * PERIOD, ZERO), sent)))
    assert firsts[0] < firsts[1]


@pytest.mark.parametrize("gap", [0.1, 0.3, 1.0])
def test_reports_that_do_not_come_are_no_arm_that_is_held(gap: float) -> None:
    """It did what it was told, and nobody saw it for a while; nor does one push count as long as the silence."""
    watch, speed = MotionWatch(LIMITS), 0.6
    push = np.zeros(JOINTS)
    for k in range(400):
        now = k * PERIOD
        seen = 2.0 if 2.0 <= now < 2.0 + gap else now
        push = 2.0 * LIMITS.push if seen == 2.0 else np.zeros(JOINTS)
        report = dataclasses.replace(state(seen, only(4, speed * seen)), push=push)
        assert watch.look(now, report, only(4, speed)) == ()


def test_an_arm_that_stood_still_while_it_was_silent_is_not_suspected_of_being_held() -> None:
    """Its controller paused: it neither moved nor told, and the guard sent zero once the last report was too old."""
    watch, place = MotionWatch(LIMITS), 0.0
    for k in range(300):
        now = k * PERIOD
        paused = 1.0 < now < 1.5
        seen = 1.0 if paused else now
        sent = 0.0 if paused and now - seen > LIMITS.state_age else 1.2
        assert watch.look(now, state(seen, only(3, place)), only(3, sent)) == ()
        place += 0.0 if paused else sent * PERIOD


@pytest.mark.parametrize(("every", "speed"), [(1.0, 0.15), (0.5, 0.3), (0.5, -1.0), (2.0, 0.1)])
def test_silences_now_and_then_hide_no_arm_that_is_held(every: float, speed: float) -> None:
    watch, silence, noticed = MotionWatch(LIMITS), 0.17, math.inf
    for k in range(800):
        now = k * PERIOD
        into = now % every
        seen = now - into if into < silence else now
        sent = 0.0 if now - seen > LIMITS.state_age else speed
        if watch.look(now, state(seen, ZERO), only(1, sent)) == ("trailing",):
            noticed = min(noticed, now)
    # Without silences it would lead by the limit after limit / speed.
    assert noticed < 2.5 * LIMITS.trail / abs(speed) + TRAIL_PATIENCE_S + silence


@pytest.mark.parametrize("silence", [0.125, 0.1875])
def test_what_was_known_before_a_silence_still_counts(silence: float) -> None:
    # Binary fractions, so that the silence is the limit to the bit.
    period, sent = 0.0078125, only(2, 0.6)
    watch = MotionWatch(dataclasses.replace(LIMITS, state_age=0.125))
    ticks = next(k for k in range(100) if watch.look(k * period, state(k * period, ZERO), sent))
    watch = MotionWatch(dataclasses.replace(LIMITS, state_age=0.125))
    for k in range(ticks):
        assert watch.look(k * period, state(k * period, ZERO), sent) == ()
    end = (ticks - 1) * period + silence
    assert watch.look(end, state(end, ZERO), sent) == ("trailing",)


@pytest.mark.parametrize(("silence", "noticed"), [(0.125, ("pushed",)), (0.1875, ())])
def test_a_push_has_not_lasted_through_a_silence_longer_than_a_report_may_be_old(
    silence: float, noticed: tuple[str, ...]
) -> None:
    watch = MotionWatch(dataclasses.replace(LIMITS, state_age=0.125))
    assert watch.look(1.0, state(1.0, ZERO, 2.0 * LIMITS.push), ZERO) == ()
    assert watch.look(1.0 + silence, state(1.0 + silence, ZERO, 2.0 * LIMITS.push), ZERO) == noticed
