"""Library FK and Jacobians against the published reference values and against finite differences."""

from __future__ import annotations

import re

import numpy as np
import pytest

from robot_rig.config import ControlConfig
from robot_rig.datatypes import JOINT_NAMES, JOINTS, Floats
from robot_rig.kinematics import (
    JOINT_ORIGINS,
    LINK_SPHERES,
    LOWER_LIMITS,
    NEUTRAL,
    UPPER_LIMITS,
    Kinematics,
    rotation_from_rpy,
)
from tests import house
from tests.reference_poses import NEUTRAL_JACOBIAN, REFERENCE_POSES, TIP_OFFSET_M, rotation_from_xyzw

PRINTED_M = 1e-6
"""The reference tables print six decimals of a metre and five of a quaternion."""


@pytest.fixture(scope="module")
def kinematics() -> Kinematics:
    return Kinematics(TIP_OFFSET_M)


def random_positions(count: int) -> Floats:
    return np.random.default_rng(7).uniform(LOWER_LIMITS, UPPER_LIMITS, (count, JOINTS))


@pytest.mark.parametrize("name", REFERENCE_POSES)
def test_hand_and_tip_are_where_the_reference_says(kinematics: Kinematics, name: str) -> None:
    reference = REFERENCE_POSES[name]
    hand = kinematics.hand(np.array(reference.joints))
    pose = kinematics.pose(np.array(reference.joints))
    assert hand[:3, 3] == pytest.approx(reference.hand, abs=PRINTED_M)
    assert np.abs(hand[:3, :3] - rotation_from_xyzw(reference.quaternion)).max() < 3e-5
    assert pose.tool == pytest.approx(reference.tip, abs=PRINTED_M)
    assert pose.rotation == pytest.approx(hand[:3, :3], abs=1e-14)


def test_known_point_above_neutral() -> None:
    pose = Kinematics(0.12).pose(NEUTRAL)
    assert pose.tool == pytest.approx([0.44969246, 0.1603, 0.09575409], abs=1e-8)
    assert pose.rotation[:, 2] == pytest.approx([0.0008, 0.0, -1.0], abs=1e-4)


def test_jacobian_of_the_hand_at_neutral_is_the_reference() -> None:
    jacobian = Kinematics(0.0).pose(NEUTRAL).jacobian
    assert np.abs(jacobian - np.array(NEUTRAL_JACOBIAN)).max() <= PRINTED_M
    assert np.linalg.cond(jacobian) == pytest.approx(8.707, abs=5e-4)
    assert np.sqrt(np.linalg.det(jacobian @ jacobian.T)) == pytest.approx(0.05295, abs=5e-6)


def test_jacobian_is_the_derivative_of_the_tool_pose(kinematics: Kinematics) -> None:
    step = 1e-6
    for position in random_positions(20):
        pose = kinematics.pose(position)
        for joint in range(JOINTS):
            ahead, behind = (kinematics.pose(position + sign * step * np.eye(JOINTS)[joint]) for sign in (1, -1))
            assert (ahead.tool - behind.tool) / (2 * step) == pytest.approx(pose.jacobian[:3, joint], abs=1e-8)
            spin = (ahead.rotation - behind.rotation) / (2 * step) @ pose.rotation.T
            assert [spin[2, 1], spin[0, 2], spin[1, 0]] == pytest.approx(pose.jacobian[3:, joint], abs=1e-8)


def test_sphere_jacobians_are_derivatives_of_the_spheres(kinematics: Kinematics) -> None:
    step = 1e-6
    for position in random_positions(20):
        pose = kinematics.pose(position)
        for joint in range(JOINTS):
            ahead, behind = (kinematics.pose(position + sign * step * np.eye(JOINTS)[joint]) for sign in (1, -1))
            numeric = (ahead.spheres - behind.spheres) / (2 * step)
            assert np.abs(numeric - pose.sphere_jacobians[:, :, joint]).max() < 1e-8


def chained_links(position: Floats) -> list[Floats]:
    """The links' poses by multiplying plain homogeneous matrices: slow and obvious."""
    pose, links = np.eye(4), []
    for (xyz, rpy), angle in zip(JOINT_ORIGINS, position, strict=True):
        joint = np.eye(4)
        joint[:3, :3] = rotation_from_rpy(rpy) @ rotation_from_rpy((0.0, 0.0, angle))
        joint[:3, 3] = xyz
        pose = pose @ joint
        links.append(pose)
    return links


def test_links_and_spheres_are_plain_chains_of_transforms(kinematics: Kinematics) -> None:
    for position in random_positions(20):
        expected = chained_links(position)
        assert np.abs(kinematics.links(position) - np.array(expected)).max() < 1e-12
        spheres = [expected[link][:3, :3] @ centre + expected[link][:3, 3] for link, centre, _ in LINK_SPHERES]
        assert np.abs(kinematics.pose(position).spheres - np.array(spheres)).max() < 1e-12


def test_home_posture_holds_the_tool_down_at_home() -> None:
    control = ControlConfig()
    pose = Kinematics(control.tool_offset_m).pose(np.array(control.home_posture_rad))
    assert pose.tool == pytest.approx(control.home_tool_m, abs=1e-5)
    assert pose.rotation[:, 2] == pytest.approx([0.0, 0.0, -1.0], abs=1e-4)


def reach_keeping_rotation(kinematics: Kinematics, start: Floats, target: Floats, rotation: Floats) -> Floats:
    """Joint position (7,) with the tool at `target`, near `start`: damped least squares with a pull to `start`."""
    position = start
    for _ in range(300):
        pose = kinematics.pose(position)
        turn = rotation @ pose.rotation.T
        axis = np.array([turn[2, 1] - turn[1, 2], turn[0, 2] - turn[2, 0], turn[1, 0] - turn[0, 1]]) / 2
        error = np.concatenate([target - pose.tool, axis])
        inverse = pose.jacobian.T @ np.linalg.inv(pose.jacobian @ pose.jacobian.T + 1e-6 * np.eye(6))
        position = position + 0.5 * inverse @ error
        position = position + 0.05 * (np.eye(JOINTS) - inverse @ pose.jacobian) @ (start - position)
    assert np.linalg.norm(kinematics.pose(position).tool - target) < 1e-4
    return position


def test_home_posture_serves_the_whole_box() -> None:
    """Over the box: 0.3 rad from every joint limit, links 3 cm above the table, far from singular."""
    control = ControlConfig()
    kinematics = Kinematics(control.tool_offset_m)
    home = np.array(control.home_posture_rad)
    rotation = kinematics.pose(home).rotation
    for x in (0.55, 0.65, 0.75):
        for y in (-0.2, 0.0, 0.2):
            position = reach_keeping_rotation(kinematics, home, np.array([x, y, 0.06]), rotation)
            assert (np.minimum(position - LOWER_LIMITS, UPPER_LIMITS - position) > 0.3).all()
            pose = kinematics.pose(position)
            assert (pose.spheres[:, 2] - pose.radii).min() > 0.03
            assert np.linalg.svd(pose.jacobian, compute_uv=False)[-1] > 0.1


def test_the_joints_are_named_in_one_place() -> None:
    naming = [
        source.name
        for source in house.sources()
        if not source.name.startswith("tests") and re.search(r"right_j[{%]", source.text)
    ]
    assert naming == ["robot_rig.datatypes"]
    assert JOINT_NAMES == ("right_j0", "right_j1", "right_j2", "right_j3", "right_j4", "right_j5", "right_j6")
