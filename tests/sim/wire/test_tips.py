"""The robot's frames against the library's kinematics, finite differences and the simulated body."""

from __future__ import annotations

from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.arm_description import PUBLISHED, read_arm_table
from robot_rig.config import Config
from robot_rig.datatypes import Floats
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS, Kinematics, rotation_from_rpy
from sim.wire.tips import CAMERA, GRIPPER_TIP, HAND, TipFrames, quaternion, rotation_of, rotation_vector
from sim.wire.urdf import robot_description

CONFIG = Config()
FRAMES = TipFrames(CONFIG)
BARE = Config.model_validate({"tool": {"kind": "none", "mass_kg": 0}, "control": {"tool_offset_m": 0}})


def positions(count: int) -> Floats:
    return np.random.default_rng(0).uniform(LOWER_LIMITS, UPPER_LIMITS, (count, 7))


def test_hand_and_gripper_tip_are_the_librarys() -> None:
    kinematics = Kinematics(CONFIG.control.tool_offset_m)
    for position in positions(20):
        pose, poses = kinematics.pose(position), FRAMES.poses(position)
        assert poses[GRIPPER_TIP].position == pytest.approx(pose.tool, abs=1e-12)
        assert poses[GRIPPER_TIP].rotation == pytest.approx(pose.rotation, abs=1e-12)
        assert poses[GRIPPER_TIP].jacobian == pytest.approx(pose.jacobian, abs=1e-12)
        assert poses[HAND].position == pytest.approx(kinematics.hand(position)[:3, 3], abs=1e-12)


@pytest.mark.parametrize("tip", [HAND, GRIPPER_TIP, CAMERA])
def test_jacobians_are_derivatives(tip: str) -> None:
    step = 1e-6
    for position in positions(5):
        jacobian = FRAMES.pose(tip, position).jacobian
        for joint in range(7):
            change = step * np.eye(7)[joint]
            ahead, behind = FRAMES.pose(tip, position + change), FRAMES.pose(tip, position - change)
            linear = (ahead.position - behind.position) / (2 * step)
            angular = rotation_vector(ahead.rotation @ behind.rotation.T) / (2 * step)
            assert jacobian[:, joint] == pytest.approx(np.concatenate([linear, angular]), abs=1e-7)


def test_the_camera_does_not_turn_with_the_last_joint() -> None:
    position = positions(1)[0]
    other = position + np.array([0, 0, 0, 0, 0, 0, 1.0])
    assert np.array_equal(FRAMES.pose(CAMERA, position).position, FRAMES.pose(CAMERA, other).position)


def test_a_bare_flange_reports_the_hand() -> None:
    frames = TipFrames(BARE)
    assert frames.active == HAND
    assert set(frames.tips) == {HAND, CAMERA}
    assert TipFrames(CONFIG).active == GRIPPER_TIP


@given(st.tuples(*[st.floats(-1, 1)] * 4).filter(lambda q: np.linalg.norm(q) > 0.1))
def test_quaternions_return(wxyz: tuple[float, float, float, float]) -> None:
    rotation = rotation_of(*wxyz)
    assert rotation @ rotation.T == pytest.approx(np.eye(3), abs=1e-12)
    assert rotation_of(*quaternion(rotation)) == pytest.approx(rotation, abs=1e-12)


@given(st.tuples(*[st.floats(-1, 1)] * 3).filter(lambda v: np.linalg.norm(v) > 0.1), st.floats(0.0, np.pi))
def test_rotation_vectors_are_axis_times_angle_up_to_half_a_turn(axis: Floats, angle: float) -> None:
    unit = np.array(axis) / np.linalg.norm(axis)
    found = rotation_vector(rotation_of(np.cos(angle / 2), *(np.sin(angle / 2) * unit)))
    assert np.linalg.norm(found) == pytest.approx(angle, abs=1e-7)
    # At half a turn both directions are right.
    assert abs(found @ unit) == pytest.approx(angle, abs=1e-6)


@pytest.mark.parametrize("nothing", [(0.0, 0.0, 0.0, 0.0), (float("nan"), 0.0, 0.0, 1.0)])
def test_no_rotation_comes_of_no_quaternion(nothing: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="length zero"):
        rotation_of(*nothing)


# --- /robot_description -----------------------------------------------------------------------------------------------


def frames_of_urdf(urdf: str, angles: dict[str, float]) -> dict[str, Floats]:
    """Pose (4, 4) in base of every link, by the meaning of URDF alone."""
    joints = ElementTree.fromstring(urdf).findall("joint")
    found = {"base": np.eye(4)}
    while len(found) <= len(joints):
        for joint in joints:
            parent, child = joint.find("parent").get("link"), joint.find("child").get("link")  # type: ignore[union-attr]
            if parent not in found or child in found:
                continue
            origin = joint.find("origin")
            xyz, rpy = ([float(word) for word in origin.get(key).split()] for key in ("xyz", "rpy"))  # type: ignore[union-attr]
            local, turn = np.eye(4), np.eye(4)
            local[:3, :3], local[:3, 3] = rotation_from_rpy(rpy), xyz
            turn[:3, :3] = rotation_from_rpy((0.0, 0.0, angles.get(joint.get("name", ""), 0.0)))
            found[str(child)] = found[str(parent)] @ local @ turn
    return found


def test_the_description_places_every_tip_where_the_robot_says() -> None:
    urdf = robot_description(CONFIG)
    for position in positions(5):
        links = frames_of_urdf(urdf, {f"right_j{i}": position[i] for i in range(7)})
        for name, pose in FRAMES.poses(position).items():
            assert links[name][:3, 3] == pytest.approx(pose.position, abs=1e-9)
            assert links[name][:3, :3] == pytest.approx(pose.rotation, abs=1e-9)


def test_the_description_is_one_that_our_driver_takes() -> None:
    assert read_arm_table(robot_description(CONFIG)) == PUBLISHED
    assert read_arm_table(robot_description(BARE)) == PUBLISHED
    assert GRIPPER_TIP not in robot_description(BARE)


def test_the_description_is_a_body_that_another_program_can_load() -> None:
    model = mujoco.MjModel.from_xml_string(robot_description(CONFIG))
    assert model.njnt == 8  # arm and head
    assert model.body_mass.sum() == pytest.approx(17.0863 + 1.5795 + CONFIG.tool.mass_kg, abs=1e-3)
