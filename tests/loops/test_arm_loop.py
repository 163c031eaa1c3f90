"""The arm loop on a kinematic arm: ten-line stories about people, stale data, faults and walls."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import Floats, Mode, Outcome, Source
from robot_rig.errors import UserError
from robot_rig.loops.arm_loop import ArmLoop
from robot_rig.safety.modes import HELD_LIMIT_S
from tests.integrated_arm import PERIOD, act, report
from tests.loops.arm_story import CONTROL, HOME, KINEMATICS, Story


def test_it_comes_up_disabled_and_only_enable_makes_it_move() -> None:
    story = Story(enabled=False)
    assert story.loop.mode is Mode.DISABLED
    command, status = story.act(1.0, 0.0)
    assert not command.command.velocity.any()
    assert status.mode is Mode.DISABLED
    assert status.verdict.reasons == ("disabled",)
    story.loop.enable()
    command, status = story.act(1.0, 0.0)
    assert status.mode is Mode.ACTIVE
    assert status.source is Source.POLICY
    assert status.action_seq == story.seq
    assert status.executed == pytest.approx(command.command.velocity)
    assert status.tool_velocity[0] > 0.1


def test_what_is_reported_is_what_the_sent_velocity_does_to_the_tool() -> None:
    story = Story()
    before = story.tool
    total = np.zeros(3)
    for _ in range(5):
        story.seq += 1
        action = act((0.3, -0.4), story.now, story.seq)
        for _ in range(10):
            _, status = story.tick(action)
            total += PERIOD * status.tool_velocity[:3]
    assert story.tool - before == pytest.approx(total, abs=2e-4)


def test_a_stale_action_is_held_and_a_fresh_one_within_five_seconds_goes_on() -> None:
    story = Story()
    story.act(1.0, 0.0, ticks=40)
    command, status = story.tick(None)
    assert status.mode is Mode.ACTIVE
    assert status.verdict.outcome is Outcome.HELD
    story.now += HELD_LIMIT_S - 1.0
    command, status = story.act(1.0, 0.0)
    assert status.mode is Mode.ACTIVE
    assert command.command.velocity.any()


def test_the_commanded_stop_after_an_action_went_stale_takes_a_tenth_of_a_second() -> None:
    story = Story()
    story.seq += 1
    action = act((1.0, 0.0), story.now, 1)
    sent = [story.tick(action)[0].command.velocity.any() for _ in range(30)]
    assert sent[14]
    assert not any(sent[16 + 10 :])


def test_five_seconds_of_silence_become_hold_and_fresh_actions_do_not_resume_it() -> None:
    story = Story()
    for _ in range(math.ceil(HELD_LIMIT_S / PERIOD) + 3):
        _, status = story.tick(None)
    assert status.mode is Mode.HOLD
    assert story.loop.why[0] == "lapsed"
    command, _ = story.act(1.0, 0.0, ticks=50)
    assert not command.command.velocity.any()
    story.loop.enable()
    command, _ = story.act(1.0, 0.0)
    assert command.command.velocity.any()


def test_streaming_ends_half_a_second_after_motion_ended() -> None:
    story = Story()
    story.act(1.0, 0.0)
    assert story.loop.streaming(story.now)
    story.loop.hold()
    for _ in range(40):
        story.tick(None)
    assert story.loop.streaming(story.now)
    for _ in range(20):
        story.tick(None)
    assert not story.loop.streaming(story.now)
    story.loop.enable()
    story.tick(None)
    assert story.loop.streaming(story.now)


def test_hold_lets_the_arm_come_to_rest_and_the_servo_starts_afresh() -> None:
    story = Story()
    story.act(0.0, 1.0, ticks=14)
    story.loop.hold()
    for _ in range(30):
        command, _ = story.tick(None)
    assert not command.command.velocity.any()
    rest = story.tool
    story.loop.enable()
    story.act(0.0, 0.0)
    assert story.tool == pytest.approx(rest, abs=1e-3)


def test_an_overrun_rests_at_once_and_a_person_lets_it_go_on() -> None:
    """A ramp of ten ticks would last as long as the machine that is too busy takes for ten ticks."""
    story = Story()
    story.act(0.0, 1.0, ticks=14)
    story.loop.overrun()
    command, status = story.act(0.0, 1.0, ticks=1)
    assert not command.command.velocity.any()
    assert (status.mode, story.loop.why) == (Mode.HOLD, ("overrun",))
    story.loop.enable()
    _, status = story.act(0.0, 1.0, ticks=14)
    assert status.executed.any()


def test_stop_is_zero_at_once_and_latches_until_reset_and_enable() -> None:
    story = Story()
    story.act(1.0, 0.0)
    story.loop.stop()
    command, status = story.act(1.0, 0.0, ticks=1)
    assert not command.command.velocity.any()
    assert status.mode is Mode.FAULT
    assert story.loop.why == ("stop",)
    with pytest.raises(UserError, match="stop"):
        story.loop.enable()
    with pytest.raises(UserError, match="fault"):
        story.loop.home([HOME])
    story.loop.reset()
    assert story.loop.mode is Mode.DISABLED
    story.loop.enable()
    assert story.act(1.0, 0.0)[0].command.velocity.any()


@pytest.mark.parametrize(
    ("flags", "codes", "mode"),
    [
        ({"stopped": True}, ("arm_stopped",), Mode.FAULT),
        ({"error": True}, ("arm_error",), Mode.FAULT),
        ({"stopped": True, "error": True}, ("arm_error", "arm_stopped"), Mode.FAULT),
        ({"collided": True}, ("collision",), Mode.FAULT),
        ({"enabled": False}, ("arm_disabled",), Mode.DISABLED),
        ({"stopped": True, "enabled": False}, ("arm_stopped",), Mode.FAULT),
    ],
)
def test_the_arms_own_faults_end_motion_in_the_same_tick(
    flags: dict[str, bool], codes: tuple[str, ...], mode: Mode
) -> None:
    story = Story()
    story.act(1.0, 0.0)
    command, status = story.tick(act((1.0, 0.0), story.now, story.seq + 1), **flags)
    assert not command.command.velocity.any()
    assert status.mode is mode
    assert story.loop.why == codes
    command, status = story.act(1.0, 0.0)
    assert status.mode is mode
    assert not command.command.velocity.any()


def test_a_stop_button_still_pressed_undoes_a_reset() -> None:
    story = Story()
    story.tick(None, stopped=True)
    story.loop.reset()
    story.tick(None, stopped=True)
    assert story.loop.mode is Mode.FAULT


def test_a_person_can_lead_out_of_a_lasting_collision() -> None:
    story = Story()
    story.tick(None, collided=True)
    assert story.loop.mode is Mode.FAULT
    story.loop.reset()
    story.tick(None, collided=True)
    story.loop.enable()
    story.tick(None, collided=True)
    assert story.loop.mode is Mode.ACTIVE
    story.tick(None, collided=False)
    story.tick(None, collided=True)
    assert story.loop.mode is Mode.FAULT


def test_a_report_that_is_not_a_number_is_a_fault() -> None:
    story = Story()
    story.act(1.0, 0.0)
    command, status = story.loop.tick(story.now, report(np.full(7, np.nan), story.now), None)
    assert not command.command.velocity.any()
    assert np.isfinite(status.tool_velocity).all()
    assert status.mode is Mode.FAULT
    assert story.loop.why == ("state_garbled",)
    story.loop.reset()
    story.loop.enable()
    assert story.act(0.5, 0.0)[0].command.velocity.any()


def test_a_broken_action_moves_nothing_and_poisons_nothing() -> None:
    story = Story()
    story.act(math.nan, 1.0)
    command, status = story.act(1e9, 1.0)
    assert status.verdict.reasons == ("action_garbled",)
    assert story.tool == pytest.approx(KINEMATICS.pose(HOME).tool, abs=1e-9)
    command, status = story.act(0.5, 0.0)
    assert np.isfinite(command.command.velocity).all()
    assert command.command.velocity.any()


def test_a_person_takes_over_by_action_and_gives_back_by_enable() -> None:
    story = Story()
    story.act(1.0, 0.0)
    story.act(0.0, 1.0, source=Source.HUMAN, ticks=40)
    _, status = story.act(1.0, 0.0)
    assert status.verdict.reasons == ("human_has_arm",)
    assert status.source is Source.HUMAN
    story.loop.enable()
    command, status = story.act(1.0, 0.0)
    assert status.source is Source.POLICY
    assert command.command.velocity.any()


def random_play(story: Story, steps: int, seed: int) -> list[Floats]:
    rng = np.random.default_rng(seed)
    noise = np.zeros(2)
    tools = []
    for _ in range(steps):
        noise = 0.85 * noise + 0.6 * rng.standard_normal(2)
        story.act(*np.clip(noise, -1, 1))
        tools.append(story.tool)
    return tools


@pytest.mark.parametrize("plant", [(0, 0.0), (8, 0.0), (2, 0.05)])
def test_random_play_uses_the_whole_box_and_never_leaves_it(plant: tuple[int, float]) -> None:
    story = Story(HOME, *plant)
    tools = np.array(random_play(story, 200, 0))
    guard = GuardConfig()
    assert (tools.min(axis=0)[:2] < np.array(guard.box_low_m)[:2] + 0.005).all()
    assert (tools.max(axis=0)[:2] > np.array(guard.box_high_m)[:2] - 0.005).all()
    assert (tools > np.array(guard.box_low_m) - 0.005).all()
    assert (tools < np.array(guard.box_high_m) + 0.005).all()
    assert np.abs(tools[:, 2] - CONTROL.tool_height_m).max() < 0.002
    assert story.loop.mode is Mode.ACTIVE
    total = 2000
    assert story.reasons["joint_limit"] == 0
    assert story.reasons["near_singular"] == 0
    assert story.reasons["joint_speed"] < 0.01 * total


def test_a_table_lower_than_the_arms_base_is_played_on_and_kept_clear_of() -> None:
    table = -0.2
    low, high, home = (0.50, -0.15, table + 0.03), (0.70, 0.15, 0.1), (0.60, 0.0, table + 0.06)
    posture = solve_position(KINEMATICS, np.array(home), TOOL_DOWN, HOME)
    control = ControlConfig(tool_height_m=home[2], home_tool_m=home, home_posture_rad=tuple(posture.tolist()))
    guard = GuardConfig(box_low_m=low, box_high_m=high, table_height_m=table)
    story = Story(posture, control=control, guard=guard)
    tools = np.array(random_play(story, 200, 0))
    assert np.abs(tools[:, 2] - home[2]).max() < 0.002
    assert (tools.min(axis=0)[:2] < np.array(low)[:2] + 0.01).all()
    assert (tools.max(axis=0)[:2] > np.array(high)[:2] - 0.01).all()
    assert (tools > np.array(low) - 0.005).all()
    assert (tools < np.array(high) + 0.005).all()
    assert story.loop.mode is Mode.ACTIVE
    assert story.reasons["table"] == story.reasons["joint_limit"] == 0


def test_a_tool_that_is_to_travel_below_its_table_is_refused() -> None:
    home = (0.60, 0.0, -0.14)
    control = ControlConfig(tool_height_m=home[2], home_tool_m=home)
    guard = GuardConfig(box_low_m=(0.5, -0.15, -0.05), box_high_m=(0.7, 0.15, 0.2), table_height_m=-0.1)
    with pytest.raises(UserError, match="lower than the table"):
        ArmLoop(control, guard.model_copy(update={"box_low_m": (0.5, -0.15, -0.17)}), KINEMATICS)
    with pytest.raises(UserError, match="tool_height_m"):
        ArmLoop(control, guard, KINEMATICS)


def test_a_wall_is_reached_within_a_second_of_pushing_from_two_centimetres() -> None:
    start = solve_position(KINEMATICS, np.array([0.65, 0.18, 0.06]), TOOL_DOWN, HOME)
    story = Story(start)
    for _ in range(10):
        story.act(0.0, 1.0)
    assert story.tool[1] == pytest.approx(0.2, abs=0.002)


def test_the_same_inputs_give_the_same_commands() -> None:
    one, other = Story(), Story()
    random_play(one, 20, 3)
    random_play(other, 20, 3)
    assert (one.arm.position == other.arm.position).all()


def test_an_arm_that_is_held_goes_on_hold_and_does_not_snap_back_when_let_go() -> None:
    story = Story()
    story.act(-1.0, 0.0, ticks=30)
    held, story.arm.move = story.arm.move, lambda _: None  # type: ignore[method-assign]
    for _ in range(20):
        story.act(-1.0, 0.0)
    assert story.loop.mode is Mode.HOLD
    assert story.loop.why == ("trailing",)
    story.arm.move = held  # type: ignore[method-assign]
    story.loop.enable()
    speeds = [float(np.abs(story.act(0.0, 0.0, ticks=1)[0].command.velocity).max()) for _ in range(100)]
    assert max(speeds) <= 0.1
    assert story.loop.mode is Mode.ACTIVE


def test_a_motor_that_pushes_against_something_stops_the_arm_until_a_person_resets_it() -> None:
    story = Story()
    story.act(-1.0, 0.0)
    calm = story.pushed(np.zeros(7))
    assert calm.mode is Mode.ACTIVE
    for _ in range(5):
        status = story.pushed(np.array([0.0, 40.0, 0.0, 0.0, 0.0, 0.0, 0.0]))
    assert story.loop.mode is Mode.FAULT
    assert story.loop.why == ("pushed",)
    assert not status.executed.any()
    with pytest.raises(UserError, match="pushed"):
        story.loop.enable()
    story.loop.reset()
    story.loop.enable()
    assert story.pushed(np.zeros(7)).mode is Mode.ACTIVE
