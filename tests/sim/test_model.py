"""The simulated Sawyer against the library's kinematics, the reference values and the published masses."""

from __future__ import annotations

import struct
from pathlib import Path

import mujoco
import numpy as np
import pytest

from robot_rig.config import Config, SimConfig
from robot_rig.datatypes import JOINTS
from robot_rig.errors import UserError
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS, Kinematics
from sim.model import MESHES
from sim.world import World
from tests.reference_poses import REFERENCE_POSES, TIP_OFFSET_M

ARM_MASS_KG = 17.0863
GRIPPER_MASS_KG = 0.47


@pytest.fixture(scope="module")
def world() -> World:
    return World(Config(), seed=0)


@pytest.mark.parametrize("name", REFERENCE_POSES)
def test_simulated_tool_and_hand_are_where_the_reference_says(world: World, name: str) -> None:
    reference = REFERENCE_POSES[name]
    world.teleport(np.array(reference.joints))
    assert world.tool_position() == pytest.approx(reference.tip, abs=1e-6)
    assert world.data.body("right_hand").xpos == pytest.approx(reference.hand, abs=1e-6)


def test_simulator_and_library_agree_anywhere(world: World) -> None:
    kinematics = Kinematics(TIP_OFFSET_M)
    for position in np.random.default_rng(5).uniform(LOWER_LIMITS, UPPER_LIMITS, (100, JOINTS)):
        world.teleport(position)
        assert np.abs(world.tool_position() - kinematics.pose(position).tool).max() < 1e-8
        links = kinematics.links(position)
        for index in range(JOINTS):
            assert np.abs(world.data.body(f"right_l{index}").xpos - links[index, :3, 3]).max() < 1e-8


def test_limits_and_masses_are_the_published_ones(world: World) -> None:
    model = world.model
    assert np.array_equal(model.jnt_range[:JOINTS], np.column_stack([LOWER_LIMITS, UPPER_LIMITS]))
    arm = sum(float(model.body(f"right_l{index}").mass[0]) for index in range(JOINTS))
    assert arm == pytest.approx(ARM_MASS_KG, abs=1e-4)
    assert float(model.body("right_hand").mass[0]) == pytest.approx(GRIPPER_MASS_KG)


def test_joint_limits_stop_the_arm() -> None:
    world = World(Config(), seed=0)
    start = world.joint_position()
    start[5] = UPPER_LIMITS[5] - 0.05
    world.teleport(start)
    for _ in range(50):
        world.set_joint_velocity_target(np.eye(JOINTS)[5], 0.2)
        world.advance(0.01)
    assert world.joint_position()[5] == pytest.approx(UPPER_LIMITS[5], abs=0.01)


def box_stl() -> bytes:
    """A binary STL of a small tetrahedron."""
    corners = np.array([[0, 0, 0], [0.05, 0, 0], [0, 0.05, 0], [0, 0, 0.05]], np.float32)
    faces = ((0, 2, 1), (0, 1, 3), (0, 3, 2), (1, 2, 3))
    body = b"".join(
        struct.pack("<3f", 0, 0, 0) + b"".join(corners[i].tobytes() for i in face) + b"\0\0" for face in faces
    )
    return b"\0" * 80 + struct.pack("<I", len(faces)) + body


def test_meshes_replace_looks_but_neither_masses_nor_contacts(world: World, tmp_path: Path) -> None:
    for name in MESHES:
        (tmp_path / f"{name}.stl").write_bytes(box_stl())
    dressed = World(Config(sim=SimConfig(mesh_dir=str(tmp_path))), seed=0)
    assert dressed.model.nmesh == len(MESHES)
    assert np.allclose(dressed.model.body_mass, world.model.body_mass)
    assert (dressed.model.geom_contype > 0).sum() == (world.model.geom_contype > 0).sum()
    meshes = dressed.model.geom_type == mujoco.mjtGeom.mjGEOM_MESH
    assert not dressed.model.geom_contype[meshes].any()


@pytest.mark.parametrize("have", [(), MESHES[:-1]])
def test_missing_meshes_are_named(tmp_path: Path, have: tuple[str, ...]) -> None:
    for name in have:
        (tmp_path / f"{name}.stl").write_bytes(box_stl())
    with pytest.raises(UserError, match=r"l6\.stl"):
        World(Config(sim=SimConfig(mesh_dir=str(tmp_path))), seed=0)


def test_mesh_folder_must_exist(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="not a folder"):
        World(Config(sim=SimConfig(mesh_dir=str(tmp_path / "none"))), seed=0)
