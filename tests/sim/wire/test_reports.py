"""What the robot reports of its motors, in messages that never leave the process."""

from __future__ import annotations

from typing import Any

import genpy
import numpy as np
import pytest

from drivers.sawyer import SawyerReports, Tip
from drivers.sawyer_tool import check_tool
from robot_rig.config import Config, FlawsConfig, SimConfig
from robot_rig.datatypes import JOINT_NAMES, Floats
from robot_rig.kinematics import NEUTRAL, Kinematics
from robot_rig.ros.intera_messages import load
from sim.wire.joint_command import CommandMode, JointTargets, read_joint_command
from sim.wire.reports import Reports
from sim.wire.sawyer import Sawyer
from tests.sim.wire.messages import Message, position, torque, trajectory, velocity

REPORTS = Reports(load("5.5.2"), Config())
FLAWED = Config(sim=SimConfig(velocity_bias_rad_s=0.02), flaws=FlawsConfig(servo_lag_s=0.05))


def enabled(config: Config) -> Sawyer:
    sawyer = Sawyer(config, seed=0)
    sawyer.enable()
    sawyer.place_arm(NEUTRAL)
    return sawyer


def torques(sawyer: Sawyer) -> Any:
    """The SEAJointState after one more step."""
    sawyer.step()
    return REPORTS.gravity_compensation(sawyer.snapshot(0.0), genpy.Time(1, 0))


@pytest.mark.parametrize("config", [Config(), FLAWED])
@pytest.mark.parametrize(
    ("command", "joint", "told"),
    [
        (velocity(right_j0=0.3), 0, 0.3),
        (velocity(right_j6=-50.0), 6, -4.545),
        (trajectory(right_j1=(NEUTRAL[1], 0.2)), 1, 0.2),
        (trajectory(right_j0=(NEUTRAL[0], 9.0)), 0, 1.74),
        (position(right_j0=1.0), 0, 0.3 * 1.74),
    ],
)
def test_the_commanded_velocity_is_the_command_and_no_servos_share_of_it(
    config: Config, command: JointTargets, joint: int, told: float
) -> None:
    sawyer = enabled(config)
    sawyer.command(command)
    speeds = list(torques(sawyer).commanded_velocity)
    assert speeds.pop(joint) == pytest.approx(told)
    assert speeds == [0.0] * 6


def test_what_nothing_drives_is_told_no_velocity() -> None:
    sawyer = enabled(Config())
    sawyer.command(velocity(right_j0=0.3))
    sawyer.step()
    sawyer.controller.pause(0.1)
    assert not any(torques(sawyer).commanded_velocity)
    sawyer.disable()
    assert not any(torques(sawyer).commanded_velocity)


def test_in_torque_the_commanded_motion_is_the_motion() -> None:
    sawyer = enabled(Config())
    sawyer.command(torque(right_j0=4.0))
    message = torques(sawyer)
    assert message.commanded_velocity == message.actual_velocity
    assert message.commanded_position == message.actual_position
    assert message.actual_velocity[0] > 0.0


def test_a_trajectorys_acceleration_is_told_until_something_else_is_commanded() -> None:
    sawyer = enabled(Config())
    point = Message(CommandMode.TRAJECTORY, ["right_j1"], [NEUTRAL[1]], [0.0], [1.5])
    sawyer.command(read_joint_command(point))
    assert list(torques(sawyer).commanded_acceleration) == [0.0, 1.5, 0.0, 0.0, 0.0, 0.0, 0.0]
    sawyer.command(position(right_j6=NEUTRAL[6]))
    assert list(torques(sawyer).commanded_acceleration) == [0.0, 1.5, 0.0, 0.0, 0.0, 0.0, 0.0]
    sawyer.command(position(right_j1=NEUTRAL[1]))
    assert not any(torques(sawyer).commanded_acceleration)
    sawyer.command(read_joint_command(point))
    sawyer.command(velocity(right_j0=0.1))
    assert not any(torques(sawyer).commanded_acceleration)


def test_the_heads_limits_are_the_published_ones() -> None:
    limits = REPORTS.joint_limits()
    assert limits.joint_names[7] == "head_pan"
    last = [getattr(limits, name)[7] for name in ("position_lower", "position_upper", "velocity", "accel", "effort")]
    assert last == [-5.0952, 0.9064, 1.8, 10.0, 8.0]


def wrench(sawyer: Sawyer) -> Floats:
    """(6,) N and N·m of the gripper's tip once the arm has come to rest."""
    for _ in range(250):
        sawyer.step()
    state = REPORTS.endpoint_state(sawyer.snapshot(0.0), genpy.Time(1, 0))
    force, turn = state.wrench.force, state.wrench.torque
    return np.array([force.x, force.y, force.z, turn.x, turn.y, turn.z])


def test_at_rest_the_tip_feels_nothing_and_a_weight_that_the_robot_does_not_know() -> None:
    assert wrench(enabled(Config())) == pytest.approx(np.zeros(6), abs=0.1)
    loaded = enabled(Config(sim=SimConfig(payload_error_kg=0.5)))
    assert wrench(loaded)[:3] == pytest.approx([0.0, 0.0, 0.5 * 9.81], abs=0.1)
    loaded.disable()
    assert not wrench(loaded).any()


def test_a_push_on_the_hand_is_met_with_its_opposite() -> None:
    sawyer = enabled(Config())
    sawyer.world.push_hand(np.array([3.0, -5.0, 2.0]))
    assert wrench(sawyer)[:3] == pytest.approx([-3.0, 5.0, -2.0], abs=0.1)
    hand = REPORTS.tip_states(sawyer.snapshot(0.0), genpy.Time(1, 0))
    state = dict(zip(hand.names, hand.states, strict=True))["right_hand"].wrench.force
    assert [state.x, state.y, state.z] == pytest.approx([-3.0, 5.0, -2.0], abs=0.1)


@pytest.mark.parametrize(("unknown_kg", "warned"), [(0.0, False), (0.5, True)])
def test_our_driver_hears_of_a_mass_that_the_robot_was_not_told(
    unknown_kg: float, warned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    config = Config(sim=SimConfig(payload_error_kg=unknown_kg))
    sawyer = enabled(config)
    force = wrench(sawyer)[:3]
    joints, offset, still = sawyer.snapshot(0.0), config.control.tool_offset_m, [0.0] * 7
    heard = SawyerReports()
    heard.take_joints(10.0, 1.0, JOINT_NAMES, joints.position.tolist(), still, joints.effort.tolist())
    at = REPORTS.endpoint_state(joints, genpy.Time(1, 0)).pose.position
    heard.tip = Tip(1.0, np.array([at.x, at.y, at.z]), force)
    check_tool(heard, Kinematics(offset), config.tool, offset)
    assert ("may not know the tool's mass" in caplog.text) is warned
