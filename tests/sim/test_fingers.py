"""The gripper in the physics: closed it changes nothing, it closes on what is there, holds it, and lets go."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from robot_rig.config import Config, SimConfig
from robot_rig.datatypes import JOINTS, Floats
from sim.fingers import OPEN_M
from sim.scenes import PUCK_HALF_HEIGHT_M, PUCK_MASS_KG, TIMESTEP_S
from sim.wire.io_device import Command
from sim.wire.io_gripper import HOLDING_N, Gripper
from sim.world import World

RAISED = np.array([-0.2, -1.0, 0.1, 1.6, 0.0, 0.9, 3.1])
GAP_M = 0.0156
"""Between the tips of closed fingers."""


def standing_room(scene: str) -> tuple[World, Gripper]:
    world = World(Config(sim=SimConfig(scene=scene)), seed=0)
    world.teleport(RAISED)
    return world, Gripper(world.fingers)


def tell(gripper: Gripper, number: int, **signals: object) -> None:
    gripper.device.apply(Command((number, 0), signals))


def run(world: World, gripper: Gripper, seconds: float) -> None:
    for _ in range(round(seconds / TIMESTEP_S)):
        gripper.tick(True, TIMESTEP_S)
        world.advance(TIMESTEP_S)


def put_puck_between_the_fingers(world: World) -> None:
    """On edge, its axis across the fingers: 30 mm of it fit between open ones."""
    world.refresh_geometry()
    _, across, along = world.data.xmat[world.model.body("right_hand").id].reshape(3, 3).T
    turned = np.zeros(4)
    mujoco.mju_mat2Quat(turned, np.column_stack([along, np.cross(across, along), across]).ravel())
    world.data.qpos[JOINTS : JOINTS + 7] = [*world.tool_position(), *turned]
    world.data.qvel[JOINTS:] = 0.0


def tips(world: World) -> Floats:
    world.refresh_geometry()
    return np.array([world.data.geom_xpos[world.model.geom(f"{side}_fingertip").id] for side in ("left", "right")])


def test_the_tips_move_apart_by_the_opening() -> None:
    world, gripper = standing_room("reach")
    closed = np.linalg.norm(np.subtract(*tips(world)))
    tell(gripper, 1, position_m=OPEN_M)
    run(world, gripper, 0.1)
    assert np.linalg.norm(np.subtract(*tips(world))) - closed == pytest.approx(OPEN_M, abs=1e-9)
    assert gripper.device["position_response_m"] == pytest.approx(OPEN_M, abs=1e-6)
    assert not gripper.device["is_moving"]


def test_how_far_it_is_open_changes_nothing_for_the_arm() -> None:
    def path(opening: float) -> Floats:
        world = World(Config(), seed=0)
        world.fingers.place(opening)
        world.set_joint_velocity_target(np.full(JOINTS, 0.1), 1.0)
        world.advance(0.5)
        return world.joint_position()

    assert np.array_equal(path(0.0), path(OPEN_M))


def test_it_grips_the_puck_holds_it_against_its_weight_and_lets_it_fall() -> None:
    world, gripper = standing_room("push")
    device = gripper.device
    tell(gripper, 1, position_m=OPEN_M)
    run(world, gripper, 0.1)
    put_puck_between_the_fingers(world)
    tell(gripper, 2, position_m=0.0)
    run(world, gripper, 0.3)
    held_at = world.puck_position()
    assert device["is_gripping"]
    assert not device["is_moving"]
    assert device["force_response_n"] == pytest.approx(HOLDING_N, rel=0.15)
    assert device["position_response_m"] == pytest.approx(2 * PUCK_HALF_HEIGHT_M - GAP_M, abs=0.002)
    run(world, gripper, 1.0)
    # Soft contacts creep; what is not held would have fallen by five metres, or to the table.
    assert np.linalg.norm(world.puck_position() - held_at) < 0.003
    # 2 fingers x friction x force carry more than its weight.
    assert 2 * 0.6 * HOLDING_N > 9.81 * PUCK_MASS_KG
    tell(gripper, 3, position_m=OPEN_M)
    run(world, gripper, 0.2)
    assert not device["is_gripping"]
    assert device["force_response_n"] == 0.0
    assert world.puck_position()[2] < held_at[2] - 0.03


def test_a_carried_puck_goes_where_the_arm_goes() -> None:
    world, gripper = standing_room("push")
    tell(gripper, 1, position_m=OPEN_M)
    run(world, gripper, 0.1)
    put_puck_between_the_fingers(world)
    tell(gripper, 2, position_m=0.0)
    run(world, gripper, 0.2)
    begin, offset = world.tool_position(), world.puck_position() - world.tool_position()
    world.set_joint_velocity_target(np.array([0.3, 0, 0, 0, 0, 0, 0]), 1.0)
    run(world, gripper, 1.0)
    assert np.linalg.norm(world.tool_position() - begin) > 0.1
    assert np.linalg.norm(world.puck_position() - world.tool_position() - offset) < 0.01


def test_a_mirror_shows_fingers_and_head_and_an_open_gripper_is_not_saved() -> None:
    world, mirror = World(Config(), seed=0), World(Config(), seed=0)
    world.fingers.place(0.03)
    world.turn_head(-0.7)
    mirror.mirror(world.positions())
    assert tips(mirror) == pytest.approx(tips(world))
    head = world.model.body("head").id
    assert np.array_equal(mirror.model.body_quat[head], world.model.body_quat[head])
    with pytest.raises(RuntimeError, match="open gripper"):
        world.save_state()


def test_a_bare_hand_has_no_fingers_to_meet_anything_with() -> None:
    bare = Config.model_validate({"tool": {"kind": "none", "mass_kg": 0}, "control": {"tool_offset_m": 0}})
    world = World(bare, seed=0)
    assert world.model.body("right_hand").geomnum[0] == 0
    world.fingers.place(0.02)
    world.advance(0.1)
    assert world.fingers.pressure() == 0.0
    # It weighs nothing, and nothing is compensated.
    assert np.abs(world.joint_position() - np.array(bare.control.home_posture_rad)).max() < 1e-3
