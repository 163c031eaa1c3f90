"""IK requests in messages, answered without a ROS graph: which seeds count, and what comes with a failure."""

from __future__ import annotations

from typing import Any

import genpy
import numpy as np
import pytest
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from sensor_msgs.msg import JointState
from std_msgs.msg import Header

from robot_rig.config import Config
from robot_rig.datatypes import JOINT_NAMES
from robot_rig.kinematics import NEUTRAL
from robot_rig.ros.intera_messages import load
from sim.wire.ik_service import PositionKinematics
from sim.wire.kinematics_services import KinematicsRequests
from sim.wire.tips import TipFrames

TYPES = load("5.5.2")
AUTO, USER, CURRENT, NS_MAP = range(4)
REQUESTS = KinematicsRequests(
    TYPES,
    PositionKinematics(TipFrames(Config()), lambda _: False),
    lambda: NEUTRAL,
    lambda: genpy.Time(5, 0),
)
# What the vendor's ik_service_client example sends.
POSE = Pose(
    Point(0.450628752997, 0.161615832271, 0.217447307078),
    Quaternion(0.704020578925, 0.710172716916, 0.00244101361829, 0.00194372088834),
)
SEED = (0.7, 0.4, -1.7, 1.4, -1.1, -1.6, -0.4)
SEEDED = JointState(name=list(JOINT_NAMES), position=SEED)
NOT_A_NUMBER = JointState(name=["right_j0"], position=[float("nan")])
TOO_SHORT = JointState(name=list(JOINT_NAMES), position=[0.1])


def ask(pose: Pose = POSE, frame: str = "base", tip: str = "right_hand", **fields: Any) -> Any:
    stamped = PoseStamped(Header(frame_id=frame), pose)
    return REQUESTS.solve(TYPES.SolvePositionIKRequest(pose_stamp=[stamped], tip_names=[tip], **fields))


@pytest.mark.parametrize(
    "bad", [{"seed_angles": [NOT_A_NUMBER]}, {"seed_angles": [TOO_SHORT]}, {"user_seed_indices": [5]}]
)
def test_a_bad_user_seed_fails_only_the_mode_that_has_no_other(bad: dict[str, Any]) -> None:
    results = [list(ask(seed_mode=mode, **bad).result_type) for mode in (AUTO, USER, CURRENT, NS_MAP)]
    assert results == [[2], [-1], [2], [3]]


@pytest.mark.parametrize("empty", [JointState(), JointState(name=list(JOINT_NAMES)), JointState(name=["right_j0"])])
def test_a_seed_without_positions_is_no_seed(empty: JointState) -> None:
    assert list(ask(seed_mode=AUTO, seed_angles=[empty]).result_type) == [2]
    assert list(ask(seed_mode=USER, seed_angles=[empty]).result_type) == [-1]


def test_a_good_user_seed_counts_where_it_is_asked_for() -> None:
    results = [list(ask(seed_mode=mode, seed_angles=[SEEDED]).result_type) for mode in (AUTO, USER, CURRENT, NS_MAP)]
    assert results == [[1], [1], [2], [3]]


def test_a_goal_in_the_null_space_without_a_gain_is_sought_with_two_fifths() -> None:
    def found(*gain: float) -> list[float]:
        goal = JointState(name=["right_j1", "right_j2", "right_j3"], position=[0.1, -0.3, 0.5])
        wish: dict[str, Any] = {"use_nullspace_goal": [True], "nullspace_goal": [goal], "nullspace_gain": gain}
        (joints,) = ask(seed_mode=USER, seed_angles=[SEEDED], **wish).joints
        return list(joints.position)

    assert found() == found(0.4)
    assert found() != found(0.2)
    assert found() != found(1.0)


@pytest.mark.parametrize(
    "bad",
    [
        {"pose": Pose(Point(0.5, 0.0, 0.3), Quaternion())},
        {"pose": Pose(Point(float("nan"), 0.0, 0.3), POSE.orientation)},
        {"frame": "world"},
        {"seed_mode": 7},
        {"seed_mode": USER, "seed_angles": [NOT_A_NUMBER]},
        {"seed_mode": USER},
    ],
)
def test_a_failure_too_comes_with_seven_joints(bad: dict[str, Any]) -> None:
    answer = ask(**bad)
    assert list(answer.result_type) == [-1]
    (joints,) = answer.joints
    assert list(joints.name) == list(JOINT_NAMES)
    assert np.array_equal(joints.position, NEUTRAL)


def test_an_unknown_tip_comes_with_no_joints() -> None:
    answer = ask(tip="claw")
    assert (list(answer.result_type), list(answer.joints[0].name)) == ([-3], [])
