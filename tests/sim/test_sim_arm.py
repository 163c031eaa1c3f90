"""The simulated arm keeps the contract, tracks like the real one's servo and does not creep."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.clock import ManualClock
from robot_rig.config import Config, SimConfig
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.kinematics import Kinematics
from sim.sim_arm import SimArm
from sim.world import World
from tests.contracts.arm_contract import ArmBench, ArmContract
from tests.contracts.commands import admitted


def arm_in(world: World) -> tuple[SimArm, ManualClock]:
    clock = ManualClock()
    return SimArm(world, clock), clock


class TestSimArm(ArmContract):
    def make(self) -> ArmBench:
        world = World(Config(), seed=0)
        arm, clock = arm_in(world)

        def let_pass(seconds: float) -> None:
            world.advance(seconds)
            clock.advance(seconds)

        return ArmBench(arm, let_pass, still_rad=1e-6)


def circle_tracking_error(world: World) -> Floats:
    """Distances (m) of the tool from a circle of 8 cm that is driven through the Jacobian at 0.2 m/s, open loop."""
    arm, clock = arm_in(world)
    arm.enable()
    kinematics = Kinematics(world.config.control.tool_offset_m)
    wish = world.joint_position()
    radius, speed, errors = 0.08, 0.2, []
    for tick in range(300):
        angle = speed / radius * tick * 0.01
        twist = np.array([-np.sin(angle), np.cos(angle), 0, 0, 0, 0]) * min(1.0, tick / 30) * speed
        velocity = np.linalg.pinv(kinematics.pose(wish).jacobian) @ twist
        arm.send(admitted(velocity))
        world.advance(0.01)
        clock.advance(0.01)
        wish = wish + velocity * 0.01
        errors.append(np.linalg.norm(world.tool_position() - kinematics.pose(wish).tool))
    return np.array(errors)


def test_tool_follows_the_commanded_path_within_millimetres() -> None:
    errors = circle_tracking_error(World(Config(), seed=0))
    assert errors.mean() < 0.003
    assert errors.max() < 0.007
    assert errors.max() > 1e-4, "a perfect arm would hide what the outer loop is for"


def test_speed_error_makes_the_path_drift_but_hold_does_not_creep() -> None:
    world = World(Config(sim=SimConfig(velocity_bias_rad_s=0.02)), seed=3)
    arm, _ = arm_in(world)
    arm.enable()
    start = world.joint_position()
    for _ in range(100):
        arm.send(admitted(np.zeros(JOINTS)))
        world.advance(0.01)
    assert np.abs(world.joint_position() - start) == pytest.approx(np.full(JOINTS, 0.02), rel=0.2)
    world.advance(2.0)
    held = world.joint_position()
    world.advance(5.0)
    assert np.abs(world.joint_position() - held).max() < 1e-5


@pytest.mark.parametrize(("payload_kg", "sign"), [(0.5, -1.0), (-0.5, 1.0)])
def test_payload_error_moves_the_tool_the_way_gravity_would(payload_kg: float, sign: float) -> None:
    exact, loaded = World(Config(), seed=0), World(Config(sim=SimConfig(payload_error_kg=payload_kg)), seed=0)
    for world in (exact, loaded):
        world.advance(2.0)
    sag = loaded.tool_position()[2] - exact.tool_position()[2]
    assert 1e-3 < sign * sag < 0.02


def test_effort_balances_gravity() -> None:
    """At rest the motors carry the arm's weight: some 28 N·m at the shoulder."""
    world = World(Config(), seed=0)
    world.advance(1.0)
    gravity = world.data.qfrc_gravcomp[:JOINTS]
    assert np.abs(world.joint_effort() - gravity).max() < 0.05
    assert abs(world.joint_effort()[1]) > 20.0


def test_servo_gives_no_more_than_the_rated_effort() -> None:
    world = World(Config(), seed=0)
    arm, _ = arm_in(world)
    arm.enable()
    for _ in range(100):
        arm.send(admitted(np.array([0, 0.5, 0, 0, 0, 0, 0])))
        world.advance(0.01)
    assert arm.state().collided, "the hand was driven into the table"
    assert (np.abs(world.joint_effort()) <= np.array([80, 80, 40, 40, 9, 9, 9]) + 1e-9).all()


def test_flags_survive_saving() -> None:
    world = World(Config(), seed=0)
    arm, _ = arm_in(world)
    arm.enable()
    other, _ = arm_in(world)
    other.load_state(arm.save_state())
    assert other.state().enabled
    arm.stop()
    other.load_state(arm.save_state())
    assert other.state().stopped
    assert not other.state().enabled
