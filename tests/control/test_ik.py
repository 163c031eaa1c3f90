"""Inverse kinematics against forward kinematics, and against mink as an independent oracle."""

from __future__ import annotations

import mujoco
import numpy as np
import pytest

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.control.ik import TOOL_DOWN, DampedLeastSquares, rotation_error, solve_position
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import (
    HAND_ORIGIN,
    JOINT_ORIGINS,
    LOWER_LIMITS,
    NEUTRAL,
    UPPER_LIMITS,
    Kinematics,
    rotation_from_rpy,
)

mink = pytest.importorskip("mink")

CONTROL = ControlConfig()
HOME = np.array(CONTROL.home_posture_rad)
KINEMATICS = Kinematics(CONTROL.tool_offset_m)


def quaternion(rotation: Floats) -> Floats:
    out = np.zeros(4)
    mujoco.mju_mat2Quat(out, rotation.ravel())
    return out


def sawyer() -> mujoco.MjModel:
    """The kinematic table as a MuJoCo chain with a site at the tool tip, independent of our own FK code."""
    spec = mujoco.MjSpec()
    body = spec.worldbody
    for i, (xyz, rpy) in enumerate(JOINT_ORIGINS):
        body = body.add_body(name=f"l{i}", pos=list(xyz), quat=quaternion(rotation_from_rpy(rpy)))
        body.add_joint(
            name=f"j{i}", axis=[0, 0, 1], limited=True, range=[float(LOWER_LIMITS[i]), float(UPPER_LIMITS[i])]
        )
        body.add_geom(type=mujoco.mjtGeom.mjGEOM_SPHERE, size=[0.01, 0, 0], mass=1.0)
    spec.compiler.degree = False
    hand = body.add_body(name="hand", pos=list(HAND_ORIGIN[0]), quat=quaternion(rotation_from_rpy(HAND_ORIGIN[1])))
    hand.add_site(name="tip", pos=[0.0, 0.0, CONTROL.tool_offset_m])
    return spec.compile()


@pytest.fixture(scope="module")
def model() -> mujoco.MjModel:
    return sawyer()


def postures(count: int) -> list[Floats]:
    rng = np.random.default_rng(1)
    return [HOME + rng.uniform(-0.4, 0.4, JOINTS) for _ in range(count)]


def error_of(wanted: Floats, measured: Floats) -> Floats:
    error = np.empty(3)
    rotation_error(wanted, np.ascontiguousarray(measured), error)
    return error


def test_our_solution_is_minks_where_no_limit_binds(model: mujoco.MjModel) -> None:
    """Without posture pull both give the least joint velocity of the twist, up to damping and mink's own gain."""
    inverse = DampedLeastSquares(1e-4, HOME, 0.0)
    rng = np.random.default_rng(2)
    dt = 1e-4
    for position in postures(20):
        pose = KINEMATICS.pose(position)
        twist = np.concatenate([rng.uniform(-0.1, 0.1, 3), rng.uniform(-0.2, 0.2, 3)])
        configuration = mink.Configuration(model, q=position)
        task = mink.FrameTask("tip", "site", position_cost=1.0, orientation_cost=1.0, lm_damping=0.0)
        angle = np.linalg.norm(twist[3:]) * dt
        spin = mink.SO3.exp(twist[3:] * dt)
        here = configuration.get_transform_frame_to_world("tip", "site")
        goal = mink.SE3.from_rotation_and_translation(spin @ here.rotation(), here.translation() + twist[:3] * dt)
        task.set_target(goal)
        theirs = mink.solve_ik(configuration, [task], dt, "daqp", damping=1e-12, limits=[])
        ours = inverse.velocity(pose.jacobian, position, twist)
        assert angle < 1e-3
        assert np.abs(ours - theirs).max() < 2e-3 * max(1.0, float(np.abs(theirs).max()))


def test_the_twist_is_met_and_the_posture_is_pulled_in_the_null_space_only() -> None:
    inverse = DampedLeastSquares(1e-3, HOME, 0.5)
    for position in postures(20):
        pose = KINEMATICS.pose(position)
        twist = np.array([0.1, -0.05, 0.02, 0.1, 0.0, -0.1])
        velocity = inverse.velocity(pose.jacobian, position, twist)
        assert pose.jacobian @ velocity == pytest.approx(twist, abs=1e-4)
        null = np.linalg.svd(pose.jacobian)[2][-1]
        assert null @ velocity == pytest.approx(0.5 * (HOME - position) @ null, abs=1e-4)


def test_damping_bounds_joint_speed_at_a_singularity() -> None:
    inverse = DampedLeastSquares(0.03, np.zeros(JOINTS), 0.0)
    pose = KINEMATICS.pose(np.zeros(JOINTS))
    assert np.linalg.matrix_rank(pose.jacobian, tol=1e-6) < 6
    for axis in range(6):
        velocity = inverse.velocity(pose.jacobian, pose.position, 0.25 * np.eye(6)[axis])
        assert np.linalg.norm(velocity) <= 0.25 / (2 * 0.03) + 1e-9


def test_the_rotation_error_is_the_rotation_vector_of_a_small_turn() -> None:
    rng = np.random.default_rng(3)
    for _ in range(10):
        start = rotation_from_rpy(rng.uniform(-2, 2, 3))
        vector = rng.uniform(-1e-3, 1e-3, 3)
        turn = np.eye(3) + np.array(
            [[0, -vector[2], vector[1]], [vector[2], 0, -vector[0]], [-vector[1], vector[0], 0]]
        )
        assert error_of(turn @ start, start) == pytest.approx(vector, abs=1e-8)
        assert error_of(start, start) == pytest.approx(np.zeros(3), abs=1e-12)


def test_every_corner_of_the_default_box_is_reached_tool_down() -> None:
    guard = GuardConfig()
    for x in (guard.box_low_m[0], guard.box_high_m[0]):
        for y in (guard.box_low_m[1], guard.box_high_m[1]):
            for z in (guard.box_low_m[2], CONTROL.tool_height_m, guard.box_high_m[2]):
                target = np.array([x, y, z])
                position = solve_position(KINEMATICS, target, TOOL_DOWN, HOME)
                pose = KINEMATICS.pose(position)
                assert pose.tool == pytest.approx(target, abs=2e-6)
                assert np.abs(pose.rotation - TOOL_DOWN).max() < 1e-5
                assert (position > LOWER_LIMITS + 0.05).all()
                assert (position < UPPER_LIMITS - 0.05).all()


def test_it_solves_from_the_vendors_neutral_pose_too() -> None:
    position = solve_position(KINEMATICS, np.array(CONTROL.home_tool_m), TOOL_DOWN, NEUTRAL)
    assert KINEMATICS.pose(position).tool == pytest.approx(CONTROL.home_tool_m, abs=2e-6)


@pytest.mark.parametrize("target", [(2.0, 0.0, 0.1), (0.0, 0.0, 0.3), (0.65, 0.0, -0.9)])
def test_the_unreachable_is_refused_with_a_next_step(target: tuple[float, float, float]) -> None:
    with pytest.raises(UserError, match="cannot put its tool"):
        solve_position(KINEMATICS, np.array(target), TOOL_DOWN, HOME)
