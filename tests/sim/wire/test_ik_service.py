"""Position kinematics: round trips for every tip, seeds, null space, and what cannot be solved."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.config import Config
from robot_rig.datatypes import Floats
from robot_rig.kinematics import LOWER_LIMITS, NEUTRAL, UPPER_LIMITS
from sim.dynamics import BodyModel
from sim.wire.ik_service import NullspaceGoal, PoseQuery, PositionKinematics, Result, SeedMode
from sim.wire.tips import CAMERA, GRIPPER_TIP, HAND, TipFrames, rotation_of

CONFIG = Config()
FRAMES = TipFrames(CONFIG)
FREE = PositionKinematics(FRAMES, lambda _: False)
BODILY = PositionKinematics(FRAMES, BodyModel(CONFIG).collides)


def query(
    tip: str,
    joints: Floats,
    mode: SeedMode = SeedMode.AUTO,
    seed: Floats | None = None,
    goal: NullspaceGoal | None = None,
) -> PoseQuery:
    pose = FRAMES.pose(tip, joints)
    return PoseQuery(tip, pose.position, pose.rotation, mode, seed, goal)


def misses(asked: PoseQuery, joints: Floats | None) -> float:
    assert joints is not None
    pose = FRAMES.pose(asked.tip, joints)
    return max(np.abs(pose.position - asked.position).max(), np.abs(pose.rotation - asked.rotation).max())


@pytest.mark.parametrize("tip", [HAND, GRIPPER_TIP, CAMERA])
def test_every_pose_that_exists_is_found(tip: str) -> None:
    random = np.random.default_rng(3)
    for _ in range(20):
        asked = query(tip, random.uniform(0.9 * LOWER_LIMITS, 0.9 * UPPER_LIMITS))
        answer = FREE.solve(asked, NEUTRAL)
        assert answer.result in (Result.CURRENT, Result.MAP)
        assert misses(asked, answer.joints) < 1e-6
        assert answer.joints is not None
        assert (answer.joints >= LOWER_LIMITS).all()
        assert (answer.joints <= UPPER_LIMITS).all()


def test_a_near_seed_keeps_its_posture() -> None:
    true = NEUTRAL + 0.1
    near = true + np.array([0.02, -0.02, 0.02, -0.02, 0.02, -0.02, 0.02])
    answer = FREE.solve(query(HAND, true, SeedMode.USER, seed=near), NEUTRAL)
    assert answer.result is Result.USER
    assert answer.joints is not None
    assert np.abs(answer.joints - near).max() < 0.1


def test_the_mode_says_which_seeds_are_tried() -> None:
    there = NEUTRAL + 0.1
    assert FREE.solve(query(HAND, there, SeedMode.USER, seed=NEUTRAL), NEUTRAL).result is Result.USER
    assert FREE.solve(query(HAND, there, SeedMode.CURRENT, seed=NEUTRAL), NEUTRAL).result is Result.CURRENT
    assert FREE.solve(query(HAND, there, SeedMode.MAP), NEUTRAL).result is Result.MAP
    assert FREE.solve(query(HAND, there, SeedMode.AUTO, seed=NEUTRAL), NEUTRAL).result is Result.USER
    assert FREE.solve(query(HAND, there, SeedMode.AUTO), NEUTRAL).result is Result.CURRENT
    # A user's seed that is not there cannot help.
    assert FREE.solve(query(HAND, there, SeedMode.USER), NEUTRAL).result is Result.FAILED


def test_a_goal_in_the_null_space_moves_the_elbow_and_not_the_hand() -> None:
    # The example that the vendor's IK client sends.
    position = np.array([0.450628752997, 0.161615832271, 0.217447307078])
    rotation = rotation_of(0.00194372088834, 0.704020578925, 0.710172716916, 0.00244101361829)
    seed = np.array([0.7, 0.4, -1.7, 1.4, -1.1, -1.6, -0.4])
    goal = np.array([np.nan, 0.1, -0.3, 0.5, np.nan, np.nan, np.nan])
    distances = []
    for nullspace in (None, NullspaceGoal(goal)):
        asked = PoseQuery(HAND, position, rotation, SeedMode.AUTO, seed, nullspace)
        answer = FREE.solve(asked, NEUTRAL)
        assert answer.result is Result.USER
        assert misses(asked, answer.joints) < 1e-6
        assert answer.joints is not None
        distances.append(float(np.linalg.norm((answer.joints - goal)[1:4])))
    assert distances[1] < distances[0] - 0.2


def test_out_of_reach_fails_with_the_nearest_joints() -> None:
    far = PoseQuery(HAND, np.array([3.0, 0.0, 0.5]), np.eye(3), SeedMode.AUTO)
    answer = FREE.solve(far, NEUTRAL)
    assert answer.result is Result.FAILED
    assert answer.joints is not None
    assert FRAMES.pose(HAND, answer.joints).position[0] > 0.8


def test_an_unknown_tip_is_said() -> None:
    asked = PoseQuery("right_claw", np.zeros(3), np.eye(3), SeedMode.AUTO)
    assert FREE.solve(asked, NEUTRAL) == (answer := FREE.solve(asked, NEUTRAL))
    assert (answer.result, answer.joints) == (Result.UNKNOWN_TIP, None)
    assert FREE.forward("right_claw", NEUTRAL) is None


def test_an_arm_folded_into_itself_collides_and_one_in_the_table_does_not() -> None:
    folded = np.array([0.0, -1.87, 0.0, 3.03, 0.0, -2.79, 3.3161])
    lowered = np.array(CONFIG.control.home_posture_rad) + np.array([0.0, 0.3, 0.0, 0.0, 0.0, 0.0, 0.0])
    for posture, result in ((folded, Result.IN_COLLISION), (lowered, Result.CURRENT)):
        asked = query(HAND, posture, SeedMode.CURRENT)
        answer = BODILY.solve(asked, posture)
        assert answer.result is result
        assert misses(asked, answer.joints) < 1e-6


def test_a_colliding_solution_does_not_end_the_search_of_the_mode_auto() -> None:
    there = NEUTRAL + 0.1
    from_current = FREE.solve(query(HAND, there, SeedMode.CURRENT), NEUTRAL).joints
    assert from_current is not None

    def blocked(joints: Floats) -> bool:
        return bool(np.abs(joints - from_current).max() < 0.05)

    picky = PositionKinematics(FRAMES, blocked)
    # In the modes with one seed there is no other solution, and the colliding one is told.
    alone = picky.solve(query(HAND, there, SeedMode.CURRENT), NEUTRAL)
    assert alone.result is Result.IN_COLLISION
    assert alone.joints is not None
    assert np.array_equal(alone.joints, from_current)
    for seed, result in ((None, Result.MAP), (from_current, Result.MAP), (there + 0.3, Result.USER)):
        asked = query(HAND, there, SeedMode.AUTO, seed)
        answer = picky.solve(asked, NEUTRAL)
        assert answer.result is result
        assert misses(asked, answer.joints) < 1e-6
        assert answer.joints is not None
        assert not blocked(answer.joints)


def test_more_gain_in_the_null_space_comes_nearer_to_the_goal() -> None:
    seed = np.array([0.7, 0.4, -1.7, 1.4, -1.1, -1.6, -0.4])
    goal = seed + np.array([np.nan, -0.3, 1.4, -0.9, np.nan, np.nan, np.nan])
    distances = []
    for gain in (0.0, 0.01, 0.05, 0.4):
        asked = query(HAND, seed, SeedMode.USER, seed, NullspaceGoal(goal, gain))
        answer = FREE.solve(asked, NEUTRAL)
        assert answer.result is Result.USER
        assert misses(asked, answer.joints) < 1e-6
        assert answer.joints is not None
        distances.append(float(np.linalg.norm((answer.joints - goal)[1:4])))
    assert distances == sorted(distances, reverse=True)
    assert distances[-1] < distances[0] - 0.1
