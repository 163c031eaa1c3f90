"""Every criterion can fail: each judge passes a log of an arm that stopped as it should, and names what is wrong."""

from __future__ import annotations

import math

import pytest

from sim.faults import freshness, judges
from sim.faults.evidence import VELOCITY_MODE, Beat, Command, Order, RobotState, Tool, Truth, line_of, read_line
from sim.faults.judges import Verdict
from tests.faults.logs import (
    ARM,
    HOME,
    command,
    enabled_by,
    fresh_actions,
    log,
    moving_until,
    pictures,
    told,
    truth,
)

FAULT, END = 1.0, 3.0
MARKS = {"fault": FAULT}


def stopped_at(zero: float, rest: float) -> Verdict:
    verdict = Verdict()
    judges.stopped(log(moving_until(zero, rest, END), END, MARKS), verdict, FAULT)
    return verdict


def test_an_arm_that_stops_in_time_passes_with_its_figures() -> None:
    verdict = stopped_at(1.05, 1.2)
    assert verdict.passed
    assert verdict.figures["stop ms"] == pytest.approx(50, abs=11)
    assert verdict.figures["rest ms"] == pytest.approx(190, abs=11)


def test_a_late_zero_a_late_rest_and_motion_that_returns_are_told() -> None:
    assert "zero command" in " ".join(stopped_at(1.15, 1.2).complaints)
    assert "faster than" in " ".join(stopped_at(1.05, 1.4).complaints)
    verdict = Verdict()
    judges.stopped(log([*moving_until(1.05, 1.2, END), command(2.5, 0.1)], END, MARKS), verdict, FAULT)
    assert "zero command" in " ".join(verdict.complaints)


def test_a_commander_that_falls_silent_has_stopped_when_the_robot_times_out() -> None:
    silent = [fact for fact in moving_until(9.0, 1.25, END) if not isinstance(fact, Command) or fact.t <= FAULT]
    verdict = Verdict()
    judges.stopped(log(silent, END, MARKS), verdict, FAULT)
    assert verdict.figures["stop ms"] == pytest.approx(200, abs=11)
    assert not verdict.passed


def test_a_guard_that_dies_at_the_fault_has_stopped_nothing_though_the_arm_is_at_rest_in_time() -> None:
    verdict, ended = Verdict(), Verdict()
    dead = [fact for fact in moving_until(9.0, 1.1, END) if not isinstance(fact, Command) or fact.t <= FAULT - 0.15]
    judges.stopped(log(dead, END, MARKS), verdict, FAULT)
    assert verdict.complaints == ["no zero was commanded: if the arm stopped, then by the robot's own time-out"]
    judges.ended(log(dead, END, MARKS), ended, FAULT)
    assert ended.passed


def test_nobody_who_saw_the_arm_is_no_proof_of_rest() -> None:
    verdict = Verdict()
    judges.resting(log([command(0.5, 0.0)], END, MARKS), verdict, FAULT)
    assert not verdict.passed


def test_a_nan_is_not_zero_and_not_sane() -> None:
    nan = Command(1.5, ARM, VELOCITY_MODE, (math.nan, *[0.0] * 6))
    assert not judges.is_zero(nan)
    assert judges.sane_commands([nan], [1.0] * 7)
    assert not judges.is_zero(Command(1.5, ARM, 1, (0.0,) * 7))


@pytest.mark.parametrize(
    "bad",
    [
        Command(1.0, ARM, VELOCITY_MODE, (1.01, *[0.0] * 6)),
        Command(1.0, ARM, VELOCITY_MODE, (-math.inf, *[0.0] * 6)),
        Command(1.0, ARM, VELOCITY_MODE, (0.0,) * 6),
        Command(1.0, ARM, 3, (0.0,) * 7),
    ],
)
def test_each_insane_command_is_told(bad: Command) -> None:
    good = command(0.9, 1.0)
    assert judges.sane_commands([good], [1.0] * 7) == []
    assert len(judges.sane_commands([good, bad], [1.0] * 7)) == 1


def test_an_arm_that_stood_still_proves_nothing() -> None:
    moving, still = moving_until(1.05, 1.2, END), moving_until(0.0, 0.0, END)
    assert judges.moved_before(log(moving, END, MARKS), FAULT) == []
    assert judges.moved_before(log(still, END, MARKS), FAULT) != []
    # Told to, but its motors were off all the time.
    assert judges.moved_before(log(moving_until(9.0, 0.0, END), END, MARKS), FAULT) != []


def test_a_code_must_be_told_in_its_time() -> None:
    facts = [*moving_until(1.05, 1.2, END), told(1.1, "image_stale")]
    assert judges.told(log(facts, END, MARKS), ["image_stale"], FAULT, 1.2) == []
    assert judges.told(log(facts, END, MARKS), ["image_stale"], FAULT, 1.05) != []
    assert judges.told(log(facts, END, MARKS), ["collision"], FAULT, 1.2) != []


def test_an_enable_after_the_fault_and_a_second_commander_are_told() -> None:
    facts = moving_until(1.05, 1.2, END)
    assert judges.no_enables(log([*facts, enabled_by(0.5, "rig")], END, MARKS), FAULT) == []
    assert "ghost" in judges.no_enables(log([*facts, enabled_by(2.0, "ghost")], END, MARKS), FAULT)[0]
    # Nor may it clear a stop or an error by itself.
    assert "ghost sent reset" in judges.no_enables(log([*facts, Order(2.0, "reset", "ghost")], END, MARKS), FAULT)[0]
    assert judges.no_enables(log([*facts, Order(2.0, "stop", "ghost")], END, MARKS), FAULT) == []
    assert judges.one_commander(log(facts, END, MARKS), ARM) == []
    assert judges.one_commander(log([*facts, command(2.0, 0.0, "ghost")], END, MARKS), ARM) != []


def test_walls_limits_and_contacts() -> None:
    facts = moving_until(1.05, 1.2, END)
    low, high = (0.55, -0.2, 0.03), (0.75, 0.2, 0.3)
    assert judges.within_box(log(facts, END, MARKS), low, high, 0.005) == []
    outside = [*facts, Tool(2.0, (0.756, 0.0, 0.1), 2.0)]
    assert "6.0 mm" in judges.within_box(log(outside, END, MARKS), low, high, 0.005)[0]
    assert judges.within_box(log([command(1.0, 0.0)], END, MARKS), low, high, 0.005) != []
    bound = [3.0, 3.0, 3.0, 3.0, 3.0, 3.0, 3.2]
    lower = [-angle for angle in bound]
    assert judges.within_joint_limits(log(facts, END, MARKS), lower, bound) == []
    past = [*facts, Truth(2.0, (3.01, *HOME[1:]), (0.0,) * 7, False)]
    assert judges.within_joint_limits(log(past, END, MARKS), lower, bound) != []
    assert judges.within_joint_limits(log([], END, MARKS), lower, bound) != []
    assert judges.no_contact(log(facts, END, MARKS)) == []
    assert judges.no_contact(log([*facts, truth(2.0, 0.0, touches=True)], END, MARKS)) != []


def test_motion_if_and_only_if_fresh() -> None:
    def judged(zero: float, actions_until: float) -> list[str]:
        verdict = Verdict()
        facts = [*moving_until(zero, zero, END), *fresh_actions(actions_until, END)]
        freshness.motion_iff_fresh(log(facts, END, MARKS), verdict, 0.5, END)
        return verdict.complaints

    assert judged(zero=9.0, actions_until=9.0) == []
    assert judged(zero=1.6, actions_until=1.5) == []
    assert "went stale" in judged(zero=1.9, actions_until=1.5)[0]
    assert "though action and picture" in judged(zero=1.5, actions_until=9.0)[0]


def test_motion_may_follow_what_the_witness_reads_just_after_it() -> None:
    def judged(read: float, stamped: float) -> list[str]:
        verdict = Verdict()
        pause = [f for f in moving_until(1.6, 1.6, END) if not (isinstance(f, Command) and f.t >= 2.0)]
        moves = [command(2.0 + 0.01 * n, 0.3) for n in range(8)]
        action = fresh_actions(9.0, END)[0]._replace(t=read, stamp=stamped, frame_stamp=stamped - 0.1)
        facts = [*pause, *moves, *fresh_actions(1.5, END), action]
        freshness.motion_iff_fresh(log(facts, END, MARKS), verdict, 0.5, 2.075)
        return verdict.complaints

    assert judged(read=2.001, stamped=1.999) == []
    # Nobody follows what was sent after it, nor what takes longer than two periods to be read.
    assert "went stale" in judged(read=2.006, stamped=2.005)[0]
    assert "went stale" in judged(read=2.06, stamped=1.999)[0]


def test_a_guard_that_is_silent_though_it_has_something_to_follow_does_not_pass_as_one_that_stopped() -> None:
    def judged(dies: float, back: float, actions_until: float) -> list[str]:
        verdict = Verdict()
        facts = [f for f in moving_until(9.0, dies, END) if not (isinstance(f, Command) and dies < f.t < back)]
        facts += fresh_actions(actions_until, END)
        freshness.motion_iff_fresh(log(facts, END, MARKS), verdict, 0.5, END)
        return verdict.complaints

    assert judged(1.5, 1.54, 9.0) == []
    assert "no command for 80 ms" in judged(1.5, 1.575, 9.0)[0]
    assert "with a fresh action" in judged(1.5, 9.0, 9.0)[0]
    # Silence after what it followed has gone stale is no complaint here: HOLD sends nothing.
    assert judged(1.6, 9.0, 1.5) == []


def test_an_action_names_a_picture_that_there_was() -> None:
    def judged(late_s: float, seen: float) -> list[str]:
        actions = [one._replace(frame_stamp=one.frame_stamp + late_s) for one in fresh_actions(9.0, END)]
        shown = [one._replace(t=one.t + seen) for one in pictures(END)]
        return freshness.true_exposures(log([*actions, *shown], END, MARKS), 0.5, END)

    assert judged(0.0, 0.0) == []
    # Stamped anew on arrival, or anywhere in between.
    assert "no picture had" in judged(0.11, 0.0)[0]
    assert "no picture had" in judged(-0.017, 0.0)[0]
    # A picture that came only after the action.
    assert "no picture had" in judged(0.0, 0.03)[0]
    assert freshness.true_exposures(log(pictures(END), END, MARKS), 0.5, END) == ["no action tells of its picture"]


def test_the_first_state_and_the_longest_gap() -> None:
    facts = [*moving_until(1.05, 1.2, END), RobotState(1.5, False, True, False, True)]
    assert judges.first_state(log(facts, END, MARKS), FAULT, lambda state: state.button) == 1.5
    assert judges.first_state(log(facts, END, MARKS), 1.6, lambda state: state.button) is None
    holed = [fact for fact in facts if not (isinstance(fact, Command) and 2.0 < fact.t < 2.1)]
    assert judges.command_gap(log(facts, END, MARKS), FAULT, 2.9) < 0.02
    assert judges.command_gap(log(holed, END, MARKS), FAULT, 2.9) == pytest.approx(0.1, abs=0.011)


def test_an_attempt_is_void_when_the_machine_or_the_simulator_was_away() -> None:
    facts = moving_until(1.05, 1.2, END)
    assert judges.void_reason(log(facts, END, MARKS)) == ""
    assert "away for 25 ms" in judges.void_reason(log([*facts, Beat(2.0, 0.025)], END, MARKS))
    # A gap that begins in the attempt and is told after it counts; one that is all after it does not.
    assert judges.void_reason(log([*facts, Beat(END + 0.02, 0.03)], END, MARKS)) != ""
    assert judges.void_reason(log([*facts, Beat(END + 0.04, 0.03)], END, MARKS)) == ""
    holed = [fact for fact in facts if not (isinstance(fact, Truth) and 2.0 < fact.t < 2.2)]
    assert "silent" in judges.void_reason(log(holed, END, MARKS))
    assert judges.void_reason(log([fact for fact in facts if not isinstance(fact, Beat)], END, MARKS)) == "no heartbeat"


def test_a_simulator_that_a_row_has_ended_is_not_expected_to_speak_until_it_is_back() -> None:
    def said(dark: float, back: float) -> str:
        facts = [f for f in moving_until(1.05, 1.2, END) if not (isinstance(f, Truth) and 1.5 < f.t < 2.5)]
        return judges.void_reason(log(facts, END, {"noticed": 1.5, "dark": dark, "back": back}))

    assert said(1.5, 2.55) == ""
    assert "silent for 500 ms" in said(2.0, 2.55)
    assert "silent for 500 ms" in said(1.5, 2.0)
    assert said(9.0, 9.5) != ""


def test_a_machine_that_starts_a_stack_is_not_expected_to_be_on_time_to_the_millisecond() -> None:
    def said(told_at: float, gap: float) -> str:
        marks = {"dark": 1.5, "back": 2.5}
        return judges.void_reason(log([*moving_until(1.05, 1.2, END), Beat(told_at, gap)], END, marks))

    assert said(2.0, 0.11) == ""
    assert "away for 260 ms" in said(2.0, 0.26)
    # Begun before, or over after it.
    assert "away for 110 ms" in said(1.6, 0.11)
    assert "away for 110 ms" in said(2.51, 0.11)


def test_a_fact_survives_the_log() -> None:
    for fact in [*moving_until(0.02, 0.02, 0.05), *fresh_actions(1.0, 1.0), told(1.0, "a", "b")]:
        assert read_line(line_of(fact)) == fact
    lost = read_line(line_of(Command(1.0, ARM, VELOCITY_MODE, (math.nan, math.inf))))
    assert math.isnan(lost.values[0])
    assert math.isinf(lost.values[1])
