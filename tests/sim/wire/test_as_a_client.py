"""What the vendor's SDK does with the robot, said with rospy alone: each test is named after the SDK's call.

The order of messages, waits and tolerances are those of intera_interface, so that what passes here passes there; the
SDK itself is not needed. Its calls for the robot's devices (gripper, cuff, lights, cameras) have tests of their own.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import rospy
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty, Header

from robot_rig.datatypes import JOINT_NAMES
from robot_rig.kinematics import LOWER_LIMITS, NEUTRAL
from sim.wire.robot import RELEASES
from tests.ros_graph import eventually
from tests.sim.wire.client import LIMB, START, Client, Latest, arm

JOINT_ANGLE_TOLERANCE_RAD = 0.008726646
PERIOD_S = 0.01
KINEMATICS = "/ExternalTools/right/PositionKinematicsNode"

# The pose, seed and goal that the vendor's ik_service_client example sends.
POSE = Pose(
    Point(0.450628752997, 0.161615832271, 0.217447307078),
    Quaternion(0.704020578925, 0.710172716916, 0.00244101361829, 0.00194372088834),
)
SEED = (0.7, 0.4, -1.7, 1.4, -1.1, -1.6, -0.4)
FOLDED = NEUTRAL + np.array([0.0, -0.69, 0.0, 0.85, 0.0, -3.36, 0.0])
NULLSPACE_GOAL = {"right_j1": 0.1, "right_j2": -0.3, "right_j3": 0.5}

pytestmark = pytest.mark.parametrize("running", RELEASES, indirect=True, scope="module")


def wait_for(test: Callable[[], object], body: Callable[[], None]) -> None:
    """The SDK's intera_dataflow.wait_for: repeat `body` at 100 Hz until `test()`."""
    rate = rospy.Rate(1.0 / PERIOD_S)

    def turn() -> bool:
        if test():
            return True
        body()
        rate.sleep()
        return False

    assert eventually(turn)


# --- RobotEnable ------------------------------------------------------------------------------------------------------


def test_robot_enable_version_check(running: Client) -> None:
    said = rospy.get_param("/manifest/robot_software/version/HLR_VERSION_STRING")
    found = re.match(r"([0-9]+)\.([0-9]+)\.([0-9]+)", said)
    assert found is not None
    assert found[0] == running.types.release


def test_robot_enable_enable_on_a_stopped_robot(client: Client) -> None:
    def state() -> Any:
        return client.state.message

    wait_for(lambda: state().stopped, lambda: client.send("/robot/set_super_stop"))
    cleared = (False, False, 0, 0)
    wait_for(
        lambda: (state().stopped, state().error, state().estop_button, state().estop_source) == cleared,
        lambda: client.send("/robot/set_super_reset"),
    )
    assert not state().enabled
    wait_for(lambda: state().enabled, lambda: client.send("/robot/set_super_enable", True))
    wait_for(lambda: not state().enabled, lambda: client.send("/robot/set_super_enable", False))


# --- Limb: motion -----------------------------------------------------------------------------------------------------


def move_to_joint_positions(client: Client, positions: Mapping[str, float]) -> None:
    def arrived() -> bool:
        message = client.joints.message
        now = dict(zip(message.name, message.position, strict=True))
        return all(abs(now[name] - angle) < JOINT_ANGLE_TOLERANCE_RAD for name, angle in positions.items())

    assert not client.collision.message.collision_state
    wait_for(arrived, lambda: client.command(mode=1, names=list(positions), position=list(positions.values())))


def test_limb_move_to_neutral(client: Client) -> None:
    neutral = rospy.get_param("/named_poses/right/poses/neutral")
    client.send(f"{LIMB}/set_speed_ratio", 1.0)
    move_to_joint_positions(client, dict(zip(JOINT_NAMES, neutral, strict=True)))
    assert client.rests() == pytest.approx(NEUTRAL, abs=2e-3)


def test_limb_move_to_joint_positions_of_some_joints(client: Client) -> None:
    client.send(f"{LIMB}/set_speed_ratio", 1.0)
    move_to_joint_positions(client, {"right_j5": 0.4, "right_j0": 0.2})
    assert client.rests() - START == pytest.approx([0.2, 0, 0, 0, 0, 0.4 - START[5], 0], abs=2e-3)


def test_limb_set_joint_velocities_with_the_arrays_of_an_earlier_call(client: Client) -> None:
    stale = {"position": [9.0] * 7, "acceleration": [1.0] * 2}
    wait_for(
        lambda: client.joints.message and arm(client.joints.message)[3] < START[3] - 0.1,
        lambda: client.command(mode=2, names=["right_j3"], velocity=[-0.4], **stale),
    )
    there = client.rests()
    assert np.abs(there - START)[[0, 1, 2, 4, 5, 6]].max() < 5e-3


def test_limb_set_joint_torques_and_exit_control_mode(client: Client) -> None:
    def torque(newton_metres: float) -> None:
        client.command(mode=3, names=["right_j0"], effort=[newton_metres])

    # Added to gravity compensation: the shoulder turns, and nothing falls.
    wait_for(lambda: arm(client.joints.message)[0] > 0.1, lambda: torque(4.0))
    wait_for(lambda: np.abs(client.joints.message.velocity).max() < 0.05, lambda: torque(0.0))
    assert np.abs(arm(client.joints.message) - START)[[1, 3, 5]].max() < 0.1
    client.send(f"{LIMB}/joint_command_timeout", 0.2)
    client.command(mode=1, names=list(JOINT_NAMES), position=arm(client.joints.message).tolist())
    client.rests()


# --- Limb: kinematics -------------------------------------------------------------------------------------------------


def joint_state(angles: Mapping[str, float]) -> JointState:
    return JointState(name=list(angles), position=list(angles.values()))


def ik_request(client: Client, poses: list[Pose], **fields: Any) -> Any:
    """IKService's answer for the hand at `poses`; `fields` as SolvePositionIKRequest has them."""
    inverse = rospy.ServiceProxy(f"{KINEMATICS}/IKService", client.types.SolvePositionIK)
    stamped = [PoseStamped(Header(frame_id="base"), pose) for pose in poses]
    request = {"pose_stamp": stamped, "tip_names": ["right_hand"] * len(poses)} | fields
    return inverse(client.types.SolvePositionIKRequest(**request))


def fk_request(client: Client, angles: Mapping[str, float], tip: str = "right_hand") -> Any:
    forward = rospy.ServiceProxy(f"{KINEMATICS}/FKService", client.types.SolvePositionFK)
    return forward([joint_state(angles)], [tip])


def named(position: Any) -> dict[str, float]:
    return dict(zip(JOINT_NAMES, position, strict=True))


def place(pose: Pose) -> list[float]:
    return [pose.position.x, pose.position.y, pose.position.z]


def test_limb_ik_request_and_fk_request(client: Client) -> None:
    plain = ik_request(client, [POSE])
    seeded = ik_request(client, [POSE], seed_mode=1, seed_angles=[joint_state(named(SEED))])
    assert (list(plain.result_type), list(seeded.result_type)) == ([2], [1])
    for answer in (plain, seeded):
        reached = fk_request(client, dict(zip(answer.joints[0].name, answer.joints[0].position, strict=True)))
        assert list(reached.isValid) == [True]
        assert place(reached.pose_stamp[0].pose) == pytest.approx(place(POSE), abs=1e-6)


def test_limb_ik_request_with_a_goal_in_the_null_space(client: Client) -> None:
    distances = []
    for wanted in (False, True):
        answer = ik_request(
            client,
            [POSE],
            seed_mode=1,
            seed_angles=[joint_state(named(SEED))],
            use_nullspace_goal=[wanted],
            nullspace_goal=[joint_state(NULLSPACE_GOAL)],
            nullspace_gain=[0.4],
        )
        assert list(answer.result_type) == [1]
        found = dict(zip(answer.joints[0].name, answer.joints[0].position, strict=True))
        assert place(fk_request(client, found).pose_stamp[0].pose) == pytest.approx(place(POSE), abs=1e-6)
        distances.append(np.linalg.norm([found[name] - angle for name, angle in NULLSPACE_GOAL.items()]))
    assert distances[1] < distances[0] - 0.2


def test_limb_ik_request_that_fails(client: Client) -> None:
    assert list(ik_request(client, [Pose(Point(3, 0, 0), Quaternion(0, 0, 0, 1))]).result_type) == [-1]
    assert list(ik_request(client, [POSE], tip_names=["claw"]).result_type) == [-3]
    nonsense = joint_state(named([float("nan")] * 7))
    assert list(ik_request(client, [POSE], seed_mode=1, seed_angles=[nonsense]).result_type) == [-1]
    folded = fk_request(client, named(FOLDED)).pose_stamp[0].pose
    seed = joint_state(named(FOLDED))
    assert list(ik_request(client, [folded], seed_mode=1, seed_angles=[seed]).result_type) == [-2]


def test_ik_service_seeds_a_pose_with_the_solution_of_an_earlier_one(client: Client) -> None:
    if client.types.release == "5.3.0":
        assert "user_seed_indices" not in client.types.SolvePositionIKRequest.__slots__
        return
    beside = Pose(Point(POSE.position.x, POSE.position.y, POSE.position.z + 0.02), POSE.orientation)
    seeds = [joint_state(named(SEED)), joint_state(named(NEUTRAL))]
    elbow = {}
    for index in (-1, 0):
        answer = ik_request(client, [POSE, beside], seed_mode=1, seed_angles=seeds, user_seed_indices=[-1, index])
        assert list(answer.result_type) == [1, 1]
        first, second = (np.array(joints.position) for joints in answer.joints)
        elbow[index] = np.abs(second - first).max()
    assert elbow[0] < 0.2 < elbow[-1]
    # There is nothing to start from yet.
    answer = ik_request(client, [POSE, beside], seed_mode=1, seed_angles=seeds, user_seed_indices=[1, 7])
    assert list(answer.result_type) == [-1, -1]


def test_limb_fk_request_in_collision(client: Client) -> None:
    # A robot knows its own body and no table.
    into_the_table = NEUTRAL + np.array([0.0, 1.68, 0.0, -1.38, 0.0, 0.0, 0.0])
    collides = [fk_request(client, named(angles)).inCollision[0] for angles in (NEUTRAL, FOLDED, into_the_table)]
    assert collides == [False, True, False]
    assert list(fk_request(client, named(NEUTRAL), "claw").isValid) == [False]
    assert list(fk_request(client, named([float("nan")] * 7)).isValid) == [False]


# --- the rest ---------------------------------------------------------------------------------------------------------


def test_tip_selector_add_and_remove(client: Client) -> None:
    selector = rospy.Publisher("/intera/endpoint_ids", client.types.StringArray, latch=True, queue_size=10)
    every = ["right_hand", "right_hand_camera", "right_gripper_tip"]

    def selects(*chosen: str) -> bool:
        selector.publish(chosen)
        return eventually(lambda: client.tips.next().names == [name for name in every if name in chosen])

    assert selects("right_hand", "right_hand_camera")
    assert selects("right_hand")
    assert selects(*every, "claw")
    selector.unregister()


def test_joint_limits_get_joint_lower_limits(client: Client) -> None:
    limits = client.limits.message
    lower = dict(zip(limits.joint_names, limits.position_lower, strict=True))
    assert [lower[name] for name in JOINT_NAMES] == LOWER_LIMITS.tolist()
    assert rospy.get_param("/robot_config/joint_config/joint_acceleration_limit").keys() == lower.keys()


def test_home_joints(client: Client) -> None:
    homing = Latest("/robot/homing_states", client.types.HomingState)
    order = rospy.Publisher("/robot/set_homing_mode", client.types.HomingCommand, latch=True, queue_size=10)
    message = homing.next()
    order.publish(list(message.name), [client.types.HomingCommand.AUTO] * len(message.name))
    assert set(message.name) == {*JOINT_NAMES, "head_pan"}
    assert set(homing.next().state) == {client.types.HomingState.HOMED}
    assert client.state.next().homed
    homing.close()
    order.unregister()


def test_reflexes_listen_to_their_suppressors_and_tell_their_state(client: Client) -> None:
    names = ("contact_safety", "squish_safety", "collision_avoidance", "hand_overwrench_safety", "cuff_interaction")
    publishers = [rospy.Publisher(f"{LIMB}/suppress_{name}", Empty, queue_size=1) for name in names]
    assert eventually(lambda: all(publisher.get_num_connections() for publisher in publishers))
    avoidance = Latest(f"{LIMB}/collision_avoidance_state", client.types.CollisionAvoidanceState)
    assert list(avoidance.next().collision_object) == []
    avoidance.close()
    for publisher in publishers:
        publisher.unregister()
