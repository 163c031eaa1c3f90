"""The room: time, contacts, the puck, and states that continue bit for bit."""

from __future__ import annotations

from pathlib import Path

import mujoco
import numpy as np
import pytest

from robot_rig.config import Config, SimConfig
from robot_rig.config_files import load_config
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import JOINTS
from robot_rig.kinematics import RATED_EFFORTS, Kinematics
from sim.model import ROBOT_BIT
from sim.scenes import PUCK_START_M
from sim.world import World

PUSH = Config(sim=SimConfig(scene="push", payload_error_kg=0.1, velocity_bias_rad_s=0.01))


def push_about(world: World, steps: int, seed: int) -> list[bytes]:
    """Drive randomly and return everything that can be observed after each step."""
    random = np.random.default_rng(seed)
    seen = []
    for _ in range(steps):
        world.set_joint_velocity_target(random.uniform(-0.3, 0.3, JOINTS), 0.2)
        world.advance(0.06)
        arrays = (
            world.joint_position(),
            world.joint_velocity(),
            world.joint_effort(),
            world.tool_position(),
            world.puck_position(),
            np.array([world.now(), world.touches_table()]),
        )
        seen.append(b"".join(array.tobytes() for array in arrays))
    return seen


def test_saved_state_continues_bit_for_bit() -> None:
    world = World(PUSH, seed=1)
    push_about(world, 40, seed=2)
    world.set_joint_velocity_target(np.full(JOINTS, 0.1), 0.2)
    world.advance(0.05)
    saved, effort = world.save_state(), world.joint_effort()
    kept = saved.copy()
    # The first of these crosses the timeout of the target that was under way.
    world.advance(0.2)
    expected = [world.joint_position().tobytes(), *push_about(world, 40, seed=3)]

    resumed = World(PUSH, seed=1)
    resumed.load_state(saved)
    assert np.array_equal(resumed.joint_effort(), effort)
    assert np.array_equal(resumed.report()[2], effort)
    resumed.advance(0.2)
    assert [resumed.joint_position().tobytes(), *push_about(resumed, 40, seed=3)] == expected
    assert np.array_equal(saved, kept)
    assert np.array_equal(resumed.save_state(), world.save_state())


def test_same_seed_same_run_and_other_seed_other_run() -> None:
    first, second, other = (push_about(World(PUSH, seed), 10, seed=4) for seed in (1, 1, 2))
    assert first == second
    assert first != other


def test_state_of_another_scene_is_refused() -> None:
    saved = World(Config(), seed=0).save_state()
    with pytest.raises(ValueError, match="push"):
        World(PUSH, seed=0).load_state(saved)
    with pytest.raises(ValueError, match="push"):
        World(PUSH, seed=0).load_state(saved[:-3])


def test_home_touches_nothing_and_stands_still() -> None:
    world = World(Config(), seed=0)
    start = world.tool_position()
    assert start == pytest.approx(world.config.control.home_tool_m, abs=1e-5)
    world.advance(10.0)
    assert world.data.ncon == 0
    assert not world.touches_table()
    assert np.linalg.norm(world.tool_position() - start) < 1e-5


def test_time_passes_in_whole_physics_steps() -> None:
    world = World(Config(), seed=0)
    world.advance(0.1)
    world.advance(0.002)
    assert world.now() == pytest.approx(0.102)
    for seconds in (0.0, -0.1, 0.0031, 1e-4):
        with pytest.raises(ValueError, match="whole number"):
            world.advance(seconds)


def test_puck_rests_on_its_mark_and_can_be_placed() -> None:
    world = World(PUSH, seed=0)
    assert world.puck_position() == pytest.approx([0.60, 0.0, 0.015])
    world.advance(2.0)
    assert world.puck_position() == pytest.approx([0.60, 0.0, 0.015], abs=1e-4)
    world.place_puck(0.70, 0.15)
    world.advance(0.5)
    assert world.puck_position() == pytest.approx([0.70, 0.15, 0.015], abs=1e-4)
    world.place_puck_at_start()
    assert world.puck_position() == pytest.approx([0.60, 0.0, 0.015])


def test_hand_pushes_the_puck() -> None:
    """At push height, swinging the base joint sweeps the fingers through the puck."""
    world = World(Config(sim=SimConfig(scene="push")), seed=0)
    lower = world.joint_position()
    lower[1] += 0.07
    world.teleport(lower)
    tool = world.tool_position()
    assert 0.0 < tool[2] < 0.03
    world.place_puck(tool[0], 0.08)
    for _ in range(60):
        world.set_joint_velocity_target(np.eye(JOINTS)[0] * 0.3, 0.2)
        world.advance(0.01)
    assert world.puck_position()[1] > 0.11
    assert world.puck_position()[2] == pytest.approx(0.015, abs=2e-3)


@pytest.mark.parametrize("angle", np.linspace(-np.pi, np.pi, 12, endpoint=False))
def test_a_finger_that_meets_the_puck_presses_on_its_middle(angle: float) -> None:
    """Whichever way a finger comes, it presses through the axis of a round puck, and level: it is not lifted up."""
    config = load_config(["push"], [])
    world, kinematics = World(config, seed=0), Kinematics(config.control.tool_offset_m)
    home, height = np.array(config.control.home_posture_rad), config.control.tool_height_m
    tool = np.array([*(np.array(PUCK_START_M) + 0.09 * np.array([np.cos(angle), np.sin(angle)])), height])
    puck, pressed = world.model.geom("puck").id, 0
    for _ in range(60):
        tool[:2] += 0.001 * (np.array(PUCK_START_M) - tool[:2]) / np.linalg.norm(np.array(PUCK_START_M) - tool[:2])
        world.teleport(solve_position(kinematics, tool, TOOL_DOWN, home))
        world.refresh_geometry()
        mujoco.mj_collision(world.model, world.data)
        for contact in world.data.contact:
            if puck not in contact.geom or (world.model.geom_contype[contact.geom] != ROBOT_BIT).all():
                continue
            inwards = PUCK_START_M - contact.pos[:2]
            assert abs(contact.frame[2]) < 0.02
            assert abs(np.dot(contact.frame[:2], inwards)) > 0.99 * np.linalg.norm(inwards)
            pressed += 1
        if pressed:
            return
    pytest.fail("the finger went through the puck")


def test_reach_scene_has_no_puck() -> None:
    with pytest.raises(ValueError, match="no puck"):
        World(Config(), seed=0).puck_position()


def test_diverging_physics_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # MuJoCo leaves a log file where it stands.
    world = World(Config(), seed=0)
    world.advance(0.1)
    world.data.qvel[0] = np.nan
    with pytest.raises(RuntimeError, match="diverged"):
        world.advance(0.1)


def test_a_world_without_servos_is_not_saved() -> None:
    world = World(Config(), seed=0)
    world.set_joint_torque(np.zeros(JOINTS))
    world.advance(0.1)
    with pytest.raises(RuntimeError, match="torque"):
        world.save_state()
    world.hold()
    saved = world.save_state()
    before = World(Config(), seed=0)
    before.set_joint_torque(np.full(JOINTS, 1.0))
    before.load_state(saved)
    before.advance(0.2)
    world.advance(0.2)
    assert np.array_equal(before.joint_position(), world.joint_position())


def test_torque_is_clamped_with_the_weight_that_is_carried() -> None:
    world = World(Config(), seed=0)
    world.set_joint_torque(np.full(JOINTS, 1000.0))
    world.advance(0.002)
    assert world.joint_effort() == pytest.approx(RATED_EFFORTS)


def test_servos_take_up_where_the_torque_left_the_arm() -> None:
    world = World(Config(), seed=0)
    world.set_joint_torque(np.array([5.0, 0, 0, 0, 0, 0, 0]))
    world.advance(0.3)
    left = world.joint_position()
    world.brake()
    world.advance(1.0)
    assert world.joint_position() == pytest.approx(left, abs=0.02)


def test_a_mirror_looks_like_the_other_world() -> None:
    world, mirror = World(PUSH, seed=0), World(PUSH, seed=1)
    world.place_puck(0.7, 0.1)
    world.set_joint_velocity_target(np.full(JOINTS, 0.2), 0.2)
    world.advance(0.2)
    mirror.mirror(world.positions())
    assert np.array_equal(mirror.tool_position(), world.tool_position())
    assert np.array_equal(mirror.puck_position(), world.puck_position())
