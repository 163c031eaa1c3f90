"""The watch over the arm's motion by hand: exactly at its limits, patient for so long, and with clocks that jump."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from robot_rig.config import GuardConfig
from robot_rig.datatypes import JOINTS, ArmState, Floats
from robot_rig.safety.limits import Limits
from robot_rig.safety.motion_watch import MotionWatch, Patience, _fall_behind, _lead, _span, _strain
from tests.integrated_arm import PERIOD, report
from tests.safety.gate_bench import CONTROL

LIMITS = Limits.from_config(GuardConfig(), CONTROL)
NOTHING = np.zeros(JOINTS)
ONE = np.eye(JOINTS)
STORY = ((1.0, True), (1.25, True), (1.5, True), (1.75, False), (2.0, True), (2.5, True))


def reported(stamp: float, position: Floats = NOTHING, push: Floats = NOTHING) -> ArmState:
    return dataclasses.replace(report(position, stamp), push=push)


def test_effort_and_trail_of_exactly_the_limit_are_within_it() -> None:
    watch = MotionWatch(dataclasses.replace(LIMITS, trail=0.0))
    for k in range(50):
        assert watch.look(PERIOD * k, reported(PERIOD * k, push=-LIMITS.push), NOTHING) == ()
    assert _strain(np.array([0.0, 0.5, -2.0]), np.full(3, 4.0)) == 0.5


@pytest.mark.parametrize("push", [0.0, 2.0])
@pytest.mark.parametrize("away", [0.0, 2.0])
def test_a_watch_that_has_rested_is_as_good_as_new(push: float, away: float) -> None:
    """What it saw before: an arm that was held, far from where it is found later, and that was all but `pushed`."""
    used, new, tick = MotionWatch(LIMITS), MotionWatch(LIMITS), 2.0**-7
    for k in range(30):
        used.look(PERIOD * k, reported(PERIOD * k, push=2.0 * LIMITS.push if k > 27 else NOTHING), -1.0 * ONE[2])
    used.rest()
    told = []
    for watch, begin in ((used, 8.0), (new, 0.0)):
        times = begin + tick * np.arange(60)
        told.append([watch.look(t, reported(t, away * ONE[2], push * LIMITS.push), 0.5 * ONE[2]) for t in times])
    assert told[0] == told[1]
    assert () in told[1]
    assert told[1][-1] == (("pushed",) if push else ("trailing",))


@pytest.mark.parametrize("reaction", [0.08, 0.3])
def test_an_arm_that_lags_by_half_its_delay_is_not_behind_at_all(reaction: float) -> None:
    """Whatever it is sent, and though it reports only every other tick."""
    watch = MotionWatch(dataclasses.replace(LIMITS, reaction=reaction, trail=1e-9))
    place = speed = seen = 0.0
    for k, sent in enumerate(np.random.default_rng(0).uniform(-1.0, 1.0, 200)):
        # What the first look is sent counts as under way already.
        speed = sent if k == 0 else sent + (speed - sent) * math.exp(-PERIOD / (0.5 * reaction))
        place += speed * PERIOD if k else 0.0
        seen = place if k % 2 == 0 else seen
        assert watch.look(k * PERIOD, reported((k - k % 2) * PERIOD, seen * ONE[3]), sent * ONE[3]) == ()


def test_something_lasts_from_when_it_is_first_asked_about() -> None:
    patience = Patience(0.5)
    assert [patience.exhausted(now, lasts) for now, lasts in STORY] == [False, False, True, False, False, True]


@pytest.mark.parametrize("elapsed", [0.0, 0.004, 0.05, 0.2])
def test_commands_lead_as_an_arm_follows_them_and_what_it_is_behind_fades(elapsed: float) -> None:
    """A first-order lag of 0.04 s, and a memory of 2 s; both are exact for any tick."""
    led, expected, sent = 0.5 * ONE[0], 0.2 * ONE[1], 0.3 * ONE[1] - 0.4 * ONE[6]
    follows = sent + (0.2 * ONE[1] - sent) * math.exp(-elapsed / 0.04)
    _lead(led, expected, sent, elapsed, 0.04)
    assert expected == pytest.approx(follows)
    assert led == pytest.approx(0.5 * ONE[0] + elapsed * follows)
    behind, leads = 0.7 * ONE[2], led.copy()
    worst = _fall_behind(behind, led, 0.1 * ONE[5], 0.4 * ONE[5], elapsed)
    assert behind == pytest.approx(math.exp(-elapsed / 2.0) * (0.7 * ONE[2] + leads - 0.3 * ONE[5]))
    assert worst == np.abs(behind).max()
    assert not led.any()


@pytest.mark.parametrize(("slow", "noticed"), [(0.049, False), (-0.049, False), (0.052, True)])
def test_a_constant_error_adds_up_for_two_seconds(slow: float, noticed: bool) -> None:
    watch = MotionWatch(LIMITS)
    codes = [watch.look(now, reported(now, -slow * now * ONE[3]), NOTHING) for now in np.arange(0.0, 12.0, 0.05)]
    assert (codes[-1] == ("trailing",)) == noticed


def test_a_trail_counts_after_a_fifth_of_a_second_and_a_push_after_three_hundredths() -> None:
    for lasting, position, push in ((0.2, ONE[3], NOTHING), (0.03, NOTHING, 2.0 * LIMITS.push)):
        watch = MotionWatch(LIMITS)
        watch.look(0.0, reported(0.0), NOTHING)
        codes = [bool(watch.look(now, reported(now, position, push), NOTHING)) for now in 1e-3 * np.arange(1.0, 300.0)]
        assert codes.index(True) == pytest.approx(1e3 * lasting, abs=1.0)


@pytest.mark.parametrize(
    ("seconds", "counts"), [(0.05, 0.05), (0.2, 0.2), (0.21, 0.2), (math.inf, 0.2), (0.0, 0.0), (-0.5, 0.0)]
)
def test_time_counts_forwards_only_and_for_as_long_as_the_robot_goes_on_by_itself(
    seconds: float, counts: float
) -> None:
    assert _span(seconds) == counts


def test_the_guards_own_clock_may_go_back_while_the_arm_follows() -> None:
    watch = MotionWatch(LIMITS)
    for k in range(60):
        now = PERIOD * k - (0.5 if k > 20 else 0.0)
        assert watch.look(now, reported(PERIOD * k, 0.6 * PERIOD * k * ONE[4]), 0.6 * ONE[4]) == ()


def test_a_report_older_than_the_last_begins_nothing() -> None:
    watch, strong = MotionWatch(LIMITS), 2.0 * LIMITS.push
    for stamp, push in ((2.0, NOTHING), (1.96, strong), (2.01, strong)):
        assert watch.look(2.0, reported(stamp, push=push), NOTHING) == ()
