"""What commands do to the joints: timing, timeouts, stops, and physics without servos."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.config import Config, SimConfig
from robot_rig.datatypes import Floats
from robot_rig.kinematics import RATED_SPEEDS, UPPER_LIMITS
from sim.scenes import TIMESTEP_S
from sim.wire.joint_command import CommandMode, JointTargets
from sim.wire.sawyer import Sawyer
from tests.sim.wire.messages import position, torque, trajectory, velocity

SERVO_LAG_RAD = 2e-3


def enabled(**sim: float) -> Sawyer:
    sawyer = Sawyer(Config(sim=SimConfig(**sim)), seed=0)
    sawyer.enable()
    # Off the table and out of every joint's way.
    sawyer.place_arm(np.array([0.0, -1.18, 0.0, 2.18, 0.0, 0.57, 3.3161]))
    return sawyer


def run(sawyer: Sawyer, seconds: float, command: JointTargets | None = None) -> Floats:
    """Let `seconds` pass, with `command` at 100 Hz if there is one; the joint positions (7,) rad then."""
    for step in range(round(seconds / TIMESTEP_S)):
        if command is not None and step % 5 == 0:
            sawyer.command(command)
        sawyer.step()
    return sawyer.world.joint_position()


def joints(sawyer: Sawyer) -> Floats:
    return sawyer.world.joint_position()


def arrival_s(sawyer: Sawyer, joint: int, target: float, within: float, limit_s: float) -> float:
    for step in range(round(limit_s / TIMESTEP_S)):
        if abs(joints(sawyer)[joint] - target) < within:
            return step * TIMESTEP_S
        sawyer.step()
    raise AssertionError(f"joint {joint} is at {joints(sawyer)[joint]}, not at {target}, after {limit_s} s")


# --- velocity ---------------------------------------------------------------------------------------------------------


def test_silence_ends_a_velocity_after_the_timeout() -> None:
    sawyer = enabled()
    moving = run(sawyer, 0.5, velocity(right_j3=0.2))
    rest = run(sawyer, 1.0)
    # 0.2 s from the last command, which came 10 ms before the measurement began.
    assert rest[3] - moving[3] == pytest.approx(0.2 * 0.19, abs=SERVO_LAG_RAD)
    assert sawyer.controller.mode is CommandMode.POSITION
    assert run(sawyer, 2.0) == pytest.approx(rest, abs=1e-4)


@pytest.mark.parametrize(("asked", "kept"), [(0.5, 0.5), (7.0, 1.0), (0.05, 0.05), (-1.0, 0.0)])
def test_the_timeout_is_settable_up_to_a_second(asked: float, kept: float) -> None:
    sawyer = enabled()
    sawyer.controller.set_timeout(asked)
    start = joints(sawyer)
    sawyer.command(velocity(right_j3=0.2))
    assert run(sawyer, 2.0)[3] - start[3] == pytest.approx(0.2 * kept, abs=SERVO_LAG_RAD)


def test_a_speed_is_kept_and_clamped_to_the_rated_one() -> None:
    sawyer = enabled()
    start = joints(sawyer)
    moved = run(sawyer, 0.5, velocity(right_j6=50.0, right_j0=-0.3)) - start
    assert moved[0] == pytest.approx(-0.15, abs=0.01)
    assert moved[6] <= RATED_SPEEDS[6] * 0.5 + 0.05
    assert moved[6] > 1.0
    assert np.abs(moved[1:6]).max() < 5e-3


def test_a_joint_that_is_not_named_keeps_its_velocity() -> None:
    sawyer = enabled()
    start = joints(sawyer)
    sawyer.command(velocity(right_j0=0.2, right_j4=0.2))
    moved = run(sawyer, 0.5, velocity(right_j4=-0.2)) - start
    assert moved[0] == pytest.approx(0.1, abs=0.01)
    assert moved[4] == pytest.approx(-0.1, abs=0.01)


def test_the_bias_shows_in_velocity_and_never_in_a_hold() -> None:
    sawyer = enabled(velocity_bias_rad_s=0.02)
    start = joints(sawyer)
    assert np.abs(run(sawyer, 1.0, velocity(right_j0=0.0)) - start) == pytest.approx(
        np.full(7, 0.02), abs=SERVO_LAG_RAD
    )
    run(sawyer, 0.5)
    held = joints(sawyer)
    assert run(sawyer, 3.0) == pytest.approx(held, abs=1e-4)


# --- position ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ratio", [0.3, 1.0])
def test_a_position_move_takes_its_time_and_lasts(ratio: float) -> None:
    sawyer = enabled()
    sawyer.controller.set_speed_ratio(ratio)
    target = joints(sawyer)[3] - 0.4
    sawyer.command(position(right_j3=target))
    expected = 0.4 / (ratio * RATED_SPEEDS[3])
    assert arrival_s(sawyer, 3, target, 0.0087, 2.0) == pytest.approx(expected, abs=0.05)
    # No silence ends it, and the deadband is not an error that stays.
    assert run(sawyer, 2.0)[3] == pytest.approx(target, abs=SERVO_LAG_RAD)


def test_all_joints_arrive_together() -> None:
    sawyer = enabled()
    start = joints(sawyer)
    change = np.array([0.5, -0.1, 0.2, -0.3, 0.4, 0.05, 0.6])
    sawyer.command(position(**{f"right_j{i}": start[i] + change[i] for i in range(7)}))
    duration = float(np.max(np.abs(change) / (0.3 * RATED_SPEEDS)))
    half = run(sawyer, duration / 2) - start
    assert half / change == pytest.approx(np.full(7, 0.5), abs=0.08)
    assert run(sawyer, duration / 2 + 0.5) - start == pytest.approx(change, abs=2 * SERVO_LAG_RAD)


def test_repeating_a_position_command_changes_nothing() -> None:
    once, often = enabled(), enabled()
    command = position(right_j3=joints(once)[3] - 0.3, right_j0=0.2)
    once.command(command)
    assert run(once, 0.4) == pytest.approx(run(often, 0.4, command), abs=5e-3)


def test_speed_ratio_zero_moves_nothing_and_a_ratio_is_clamped() -> None:
    sawyer = enabled()
    start = joints(sawyer)
    sawyer.controller.set_speed_ratio(-3.0)
    assert run(sawyer, 0.5, position(right_j0=1.0)) == pytest.approx(start, abs=SERVO_LAG_RAD)
    sawyer.controller.set_speed_ratio(9.0)
    sawyer.command(position(right_j0=1.0))
    assert arrival_s(sawyer, 0, 1.0, 0.0087, 2.0) == pytest.approx(1.0 / RATED_SPEEDS[0], abs=0.1)


def test_targets_stay_inside_the_joint_limits() -> None:
    sawyer = enabled()
    sawyer.controller.set_speed_ratio(1.0)
    sawyer.command(position(right_j6=9.0))
    assert run(sawyer, 2.0)[6] == pytest.approx(UPPER_LIMITS[6], abs=5e-3)


def test_a_position_command_ends_a_velocity_of_other_joints() -> None:
    sawyer = enabled()
    run(sawyer, 0.3, velocity(right_j0=0.3))
    start = joints(sawyer)
    moved = run(sawyer, 1.0, position(right_j6=start[6] + 0.2)) - start
    assert moved[0] == pytest.approx(0.0, abs=5e-3)
    assert moved[6] == pytest.approx(0.2, abs=5e-3)


# --- trajectory -------------------------------------------------------------------------------------------------------


def test_a_trajectory_is_tracked_without_the_speed_ratio() -> None:
    sawyer = enabled()
    sawyer.controller.set_speed_ratio(0.0)
    start, lags = joints(sawyer), []
    for tick in range(200):
        phase = 0.01 * tick * np.pi
        wanted, speed = start[4] + 0.3 * (1 - np.cos(phase)), 0.3 * np.pi * np.sin(phase)
        run(sawyer, 0.01, trajectory(right_j4=(wanted, speed)))
        lags.append(abs(joints(sawyer)[4] - wanted))
    assert max(lags) < 0.03
    assert run(sawyer, 1.0)[4] == pytest.approx(start[4], abs=5e-3)


def test_a_far_trajectory_target_is_approached_at_rated_speed() -> None:
    sawyer = enabled()
    start = joints(sawyer)
    sawyer.command(trajectory(right_j4=(start[4] + 1.5, 0.0)))
    fastest = 0.0
    for _ in range(400):
        sawyer.step()
        fastest = max(fastest, abs(sawyer.world.joint_velocity()[4]))
    assert fastest < 1.1 * RATED_SPEEDS[4]
    assert joints(sawyer)[4] - start[4] == pytest.approx(1.5, abs=0.01)


def test_a_trajectory_of_other_joints_leaves_a_position_move_alone() -> None:
    sawyer = enabled()
    start = joints(sawyer)
    sawyer.command(position(right_j0=0.5))
    run(sawyer, 0.3)
    sawyer.command(trajectory(right_j6=(start[6], 0.0)))
    assert sawyer.controller.mode is CommandMode.TRAJECTORY
    # With its target stays the ratio that it was commanded at.
    rest_s = 0.5 / (0.3 * RATED_SPEEDS[0]) - 0.3
    assert arrival_s(sawyer, 0, 0.5, 0.0087, 2.0) == pytest.approx(rest_s, abs=0.05)
    assert run(sawyer, 1.0)[0] == pytest.approx(0.5, abs=SERVO_LAG_RAD)


def test_a_position_command_of_other_joints_leaves_a_trajectory_alone() -> None:
    sawyer = enabled()
    start = joints(sawyer)
    sawyer.command(trajectory(right_j0=(0.5, 0.0)))
    run(sawyer, 0.1)
    sawyer.command(position(right_j6=start[6] - 0.2))
    moved = run(sawyer, 1.5) - start
    assert moved[[0, 6]] == pytest.approx([0.5, -0.2], abs=SERVO_LAG_RAD)


# --- torque -----------------------------------------------------------------------------------------------------------


def test_zero_torque_floats() -> None:
    sawyer = enabled()
    start = joints(sawyer)
    assert run(sawyer, 1.0, torque(right_j0=0.0)) == pytest.approx(start, abs=2e-3)
    assert sawyer.controller.mode is CommandMode.TORQUE


def test_a_floating_arm_yields_and_a_held_one_does_not() -> None:
    moved = []
    for command in (torque(right_j0=4.0), None):
        sawyer = enabled()
        start = joints(sawyer)
        moved.append(run(sawyer, 0.5, command)[0] - start[0])
    assert moved[0] > 0.2
    assert abs(moved[1]) < 1e-3


def test_weight_that_the_robot_does_not_know_pulls_a_floating_arm_down() -> None:
    sawyer = enabled(payload_error_kg=0.3)
    start = sawyer.world.tool_position()
    run(sawyer, 1.0, torque(right_j0=0.0))
    assert sawyer.world.tool_position()[2] < start[2] - 0.02


def test_silence_ends_a_torque_in_a_hold_where_the_arm_is() -> None:
    sawyer = enabled()
    run(sawyer, 0.3, torque(right_j0=4.0))
    run(sawyer, 0.5)
    assert sawyer.controller.mode is CommandMode.POSITION
    rest = joints(sawyer)
    assert run(sawyer, 1.0) == pytest.approx(rest, abs=1e-3)


def test_suppressed_gravity_compensation_lets_a_floating_arm_fall_while_repeated() -> None:
    sawyer = enabled()
    start = joints(sawyer)
    for _ in range(8):
        sawyer.controller.suppress_gravity_compensation()
        run(sawyer, 0.05, torque(right_j0=0.0))
    assert np.abs(joints(sawyer) - start).max() > 0.1
    # A fifth of a second after the last message the motors carry the weight again.
    run(sawyer, 0.25, torque(right_j0=0.0))
    assert np.linalg.norm(sawyer.world.compensation_torque()) > 10.0


# --- stop and disable -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["disable", "stop", "press_button", "fault"])
@pytest.mark.parametrize("command", [velocity(right_j0=1.0), position(right_j0=1.5), torque(right_j0=20.0)])
def test_motors_off_ends_every_motion_and_commands_move_nothing(event: str, command: JointTargets) -> None:
    sawyer = enabled()
    run(sawyer, 0.3, command)
    moving = joints(sawyer)
    getattr(sawyer, event)()
    braked = run(sawyer, 0.5, command)
    assert abs(braked[0] - moving[0]) < 0.03
    assert run(sawyer, 1.0, command) == pytest.approx(braked, abs=1e-3)
    assert not sawyer.snapshot(0.0).effort.any()
    # What was commanded meanwhile is forgotten, not saved up.
    sawyer.reset()
    sawyer.enable()
    assert run(sawyer, 1.0) == pytest.approx(braked, abs=1e-3)


def test_it_comes_up_deaf() -> None:
    sawyer = Sawyer(Config(), seed=0)
    start = joints(sawyer)
    assert run(sawyer, 0.5, velocity(right_j0=0.5)) == pytest.approx(start, abs=1e-4)
    sawyer.enable()
    assert run(sawyer, 0.5, velocity(right_j0=0.5))[0] > start[0] + 0.2


def test_brakes_hold_the_weight_that_no_motor_carries() -> None:
    sawyer = enabled()
    sawyer.controller.suppress_gravity_compensation()
    sawyer.disable()
    braked = joints(sawyer)
    for _ in range(10):
        run(sawyer, 0.05)
        sawyer.controller.suppress_gravity_compensation()
    assert joints(sawyer) == pytest.approx(braked, abs=1e-4)
