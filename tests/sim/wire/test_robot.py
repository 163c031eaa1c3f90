"""The simulated Sawyer over a real ROS graph: a robot in one process, a client that knows only the wire in another."""

from __future__ import annotations

import itertools
import time
from typing import Any

import numpy as np
import pytest
import rospy
from geometry_msgs.msg import Point, Pose, PoseStamped, Quaternion
from sensor_msgs.msg import JointState
from std_msgs.msg import Header, UInt16

from robot_rig.config import Config
from robot_rig.kinematics import LOWER_LIMITS, NEUTRAL, RATED_EFFORTS, RATED_SPEEDS, UPPER_LIMITS
from robot_rig.ros.intera_messages import md5
from sim.wire.joint_command import JOINT_NAMES
from sim.wire.tips import TipFrames, rotation_of
from tests.ros_graph import eventually
from tests.sim.wire.client import LIMB, START, Client, Latest, arm

FRAMES = TipFrames(Config())
NODE = "/ExternalTools/right/PositionKinematicsNode"


def test_it_comes_up_disabled(running: Client) -> None:
    assert running.came_up_enabled is False


# --- what it says -----------------------------------------------------------------------------------------------------


def test_every_report_has_the_published_md5(client: Client) -> None:
    assert client.state.message._md5sum == md5("5.5.2", "RobotAssemblyState")
    for latest in (client.endpoint, client.tips, client.torques, client.collision, client.limits, client.head):
        # rospy connects publisher and subscriber only when their md5 sums agree.
        assert latest.message._connection_header["md5sum"] == latest.message._md5sum
        assert latest.message._md5sum == md5("5.5.2", latest.message._type.split("/")[1])


def test_joint_states_are_whole_and_limits_are_latched(client: Client) -> None:
    joints, limits = client.joints.next(), client.limits.message
    assert len(joints.name) == len(joints.position) == len(joints.velocity) == len(joints.effort)
    assert set(joints.name) >= {"head_pan", *JOINT_NAMES}
    assert limits.joint_names == [*JOINT_NAMES, "head_pan"]
    assert list(limits.position_lower[:7]) == LOWER_LIMITS.tolist()
    assert list(limits.position_upper[:7]) == UPPER_LIMITS.tolist()
    assert list(limits.velocity[:7]) == RATED_SPEEDS.tolist()
    assert list(limits.effort[:7]) == RATED_EFFORTS.tolist()
    assert list(limits.accel) == [10.0, 8.0, 10.0, 10.0, 12.0, 12.0, 12.0, 10.0]
    late = Latest("/robot/joint_limits", client.types.JointLimits)
    assert eventually(lambda: late.count)
    late.close()


def test_tips_are_where_the_joints_put_them(client: Client) -> None:
    client.rests()
    position, endpoint, tips = client.position(), client.endpoint.next(), client.tips.next()
    assert endpoint.header.frame_id == "base"
    assert endpoint.valid
    assert set(tips.names) == {"right_hand", "right_hand_camera", "right_gripper_tip"}
    for name, state in zip(tips.names, tips.states, strict=True):
        pose, said = FRAMES.pose(name, position), state.pose
        assert [said.position.x, said.position.y, said.position.z] == pytest.approx(pose.position, abs=1e-4)
        turn = said.orientation
        assert rotation_of(turn.w, turn.x, turn.y, turn.z) == pytest.approx(pose.rotation, abs=1e-3)
        if name == "right_gripper_tip":
            assert said.position.z == pytest.approx(endpoint.pose.position.z, abs=1e-4)
    truth = client.tool.next().point
    assert endpoint.pose.position.x == pytest.approx(truth.x, abs=1e-4)
    assert endpoint.pose.position.z == pytest.approx(truth.z, abs=1e-4)


def test_a_moving_tip_has_the_twist_of_its_joints(client: Client) -> None:
    for _ in range(30):
        client.command(mode=2, names=["right_j0"], velocity=[0.3])
        time.sleep(0.01)
    twist, place = client.endpoint.next().twist, client.endpoint.message.pose.position
    assert twist.angular.z == pytest.approx(0.3, abs=0.03)
    assert [twist.linear.x, twist.linear.y] == pytest.approx([-0.3 * place.y, 0.3 * place.x], abs=0.03)


def test_gravity_torques_hold_the_arm(client: Client) -> None:
    client.rests()
    torques, effort = client.torques.next(), np.array(client.joints.next().effort)[1:8]
    assert torques.name == list(JOINT_NAMES)
    assert torques.gravity_only == pytest.approx(effort.tolist(), abs=0.3)
    assert np.abs(torques.gravity_only).max() > 5.0
    arrays = [getattr(torques, slot) for slot in torques.__slots__ if isinstance(getattr(torques, slot), (list, tuple))]
    assert {len(array) for array in arrays} == {7}


def test_parameters_are_those_that_the_sdk_reads(client: Client) -> None:
    assert rospy.get_param("/robot_config/assembly_names") == ["head", "right", "torso"]
    assert rospy.get_param("/robot_config/right_config/joint_names") == list(JOINT_NAMES)
    assert rospy.get_param("/robot_config/right_config/type") == "limb"
    assert rospy.get_param("/robot_config/joint_config/joint_acceleration_limit")["right_j1"] == 8.0
    assert rospy.get_param("/manifest/robot_class") == "sawyer"
    assert rospy.get_param("/manifest/robot_software/version/HLR_VERSION_STRING") == "5.5.2.0"
    assert rospy.get_param("/named_poses/right/poses/neutral") == NEUTRAL.tolist()
    assert rospy.get_param("/robot/limb/right/tip_name") == "right_gripper_tip"
    assert rospy.get_param("/robot_description").startswith("<robot")
    assert set(rospy.get_param("/robot_config/camera_config")) == {"head_camera", "right_hand_camera"}


# --- what it obeys ----------------------------------------------------------------------------------------------------


def test_one_velocity_command_is_worth_a_fifth_of_a_second(client: Client) -> None:
    client.command(mode=2, names=["right_j6"], velocity=[0.2])
    assert eventually(lambda: client.position()[6] > START[6] + 0.01)
    assert client.rests()[6] - START[6] == pytest.approx(0.2 * 0.2, abs=2e-3)


def test_the_timeout_and_the_speed_ratio_are_settable(client: Client) -> None:
    client.send(f"{LIMB}/joint_command_timeout", 0.5)
    client.send(f"{LIMB}/set_speed_ratio", 1.0)
    time.sleep(0.1)
    client.command(mode=2, names=["right_j6"], velocity=[0.2])
    assert eventually(lambda: client.position()[6] > START[6] + 0.01)
    assert client.rests()[6] - START[6] == pytest.approx(0.2 * 0.5, abs=2e-3)
    assert move_time(client, 6, 1.0) == pytest.approx(0.9 / RATED_SPEEDS[6], abs=0.1)


def move_time(client: Client, joint: int, target: float) -> float:
    """Seconds on the robot's clock from the first motion of `joint` to its arrival at `target` rad."""
    start = client.position()[joint]
    client.command(mode=1, names=[JOINT_NAMES[joint]], position=[target])
    left = None
    for _ in range(1000):
        message = client.joints.next()
        angle, now = arm(message)[joint], message.header.stamp.to_sec()
        if left is None and abs(angle - start) > 0.002:
            left = now
        if left is not None and abs(angle - target) < 0.0087:
            return now - left
    raise AssertionError(f"{JOINT_NAMES[joint]} did not arrive at {target}")


def test_a_position_move_takes_the_time_of_the_speed_ratio_and_lasts(client: Client) -> None:
    assert move_time(client, 3, START[3] - 0.4) == pytest.approx(0.4 / (0.3 * RATED_SPEEDS[3]), abs=0.1)
    assert client.rests()[3] == pytest.approx(START[3] - 0.4, abs=2e-3)


def test_names_may_be_some_and_in_any_order_and_stale_arrays_do_not_count(client: Client) -> None:
    client.command(
        mode=1, names=["right_j6", "right_j0"], position=[0.3, -0.1], velocity=[9.0] * 5, effort=[float("nan")]
    )
    assert eventually(lambda: abs(client.position()[6] - 0.3) < 2e-3)
    change = client.rests() - START
    assert change == pytest.approx([-0.1, 0, 0, 0, 0, 0, 0.3], abs=3e-3)


def test_a_refused_command_neither_moves_nor_keeps_a_motion_alive(client: Client) -> None:
    client.command(mode=2, names=["right_j6"], velocity=[0.2])
    for _ in range(60):
        client.command(mode=2, names=["right_j6", "right_j9"], velocity=[0.2, 0.2])
        client.command(mode=2, names=["right_j6", "right_j0"], velocity=[0.2])
        client.command(mode=9, names=["right_j6"], velocity=[0.2])
        time.sleep(0.01)
    assert client.rests()[6] - START[6] == pytest.approx(0.2 * 0.2, abs=2e-3)


def test_zero_torque_floats(client: Client) -> None:
    before = client.rests()
    for _ in range(100):
        client.command(mode=3, names=list(JOINT_NAMES), effort=[0.0] * 7)
        time.sleep(0.01)
    assert client.position() == pytest.approx(before, abs=5e-3)


def test_a_trajectory_point_is_taken_whatever_the_ratio(client: Client) -> None:
    client.send(f"{LIMB}/set_speed_ratio", 0.0)
    client.command(mode=4, names=["right_j6"], position=[0.5], velocity=[0.0], acceleration=[0.0])
    assert eventually(lambda: abs(client.position()[6] - 0.5) < 2e-3)


def test_the_head_turns(client: Client) -> None:
    target = -0.5 if client.head.message.pan > -0.25 else 0.0
    client.send("/robot/head/command_head_pan", client.types.HeadPanCommand(target, 1.0, 1))
    assert eventually(lambda: abs(client.head.next().pan - target) < 0.02)
    assert client.head.message.panMode == 1


def test_the_rate_of_joint_states_is_settable(client: Client) -> None:
    rate = rospy.Publisher("/robot/joint_state_publish_rate", UInt16, queue_size=1)
    assert eventually(rate.get_num_connections)
    for hz in (500, 100):
        rate.publish(hz)
        assert eventually(lambda hz=hz: spacing_of_stamps(client) == pytest.approx(1.0 / hz, rel=0.01))
    rate.unregister()


def spacing_of_stamps(client: Client) -> float:
    """The usual time (s) from one joint state to the next. The median: a stall of the machine is time that is lost."""
    headers = [client.joints.next().header for _ in range(20)]
    return float(
        np.median([(b.stamp - a.stamp).to_sec() / (b.seq - a.seq) for a, b in itertools.pairwise(headers)]),
    )


# --- stop and go ------------------------------------------------------------------------------------------------------


def test_a_disabled_robot_is_deaf(running: Client) -> None:
    running.begin(enabled=False)
    for _ in range(20):
        running.command(mode=2, names=["right_j6"], velocity=[0.5])
        time.sleep(0.01)
    assert running.position() == pytest.approx(START, abs=1e-3)
    assert not running.joints.message.effort[7]


def test_stop_refuses_an_enable_and_reset_leaves_it_disabled(client: Client) -> None:
    client.command(mode=1, names=["right_j6"], position=[2.0])
    client.send("/robot/set_super_stop")
    assert client.settles(stopped=True, enabled=False, ready=False, error=False, estop_button=0, estop_source=2)
    client.send("/robot/set_super_enable", True)
    time.sleep(0.2)
    assert client.settles(stopped=True, enabled=False)
    held = client.rests()
    client.send("/robot/set_super_reset")
    assert client.settles(stopped=False, enabled=False, ready=True, estop_source=0)
    client.send("/robot/set_super_enable", True)
    assert client.settles(enabled=True)
    time.sleep(0.2)
    assert client.rests() == pytest.approx(held, abs=2e-3)


def test_a_pressed_button_keeps_it_stopped_until_released_and_reset(client: Client) -> None:
    client.send("/sim/estop_button", True)
    assert client.settles(stopped=True, enabled=False, estop_button=1, estop_source=1)
    client.send("/robot/set_super_reset")
    time.sleep(0.2)
    assert client.settles(stopped=True, estop_button=1)
    client.send("/sim/estop_button", False)
    assert client.settles(stopped=True, estop_button=3)
    client.send("/robot/set_super_reset")
    assert client.settles(stopped=False, estop_button=0, estop_source=0)


def test_a_fault_is_an_error_until_reset(client: Client) -> None:
    client.send("/sim/fault")
    assert client.settles(error=True, stopped=True, enabled=False, estop_source=3)
    client.send("/robot/set_super_reset")
    assert client.settles(error=False, stopped=False, enabled=False)


def test_contact_with_the_table_is_a_collision(client: Client) -> None:
    home = np.array(Config().control.home_posture_rad)
    client.send("/sim/place_arm", JointState(name=list(JOINT_NAMES), position=home.tolist()))
    assert eventually(lambda: np.allclose(client.position(), home, atol=1e-3))
    assert not client.collision.next().collision_state
    client.command(mode=1, names=["right_j1"], position=[home[1] + 0.3])
    assert eventually(lambda: client.collision.next().collision_state)


# --- kinematics -------------------------------------------------------------------------------------------------------


def services(client: Client) -> tuple[Any, Any]:
    types = client.types
    return (
        rospy.ServiceProxy(f"{NODE}/FKService", types.SolvePositionFK),
        rospy.ServiceProxy(f"{NODE}/IKService", types.SolvePositionIK),
    )


def test_inverse_and_forward_kinematics_return_to_the_pose(client: Client) -> None:
    forward, inverse = services(client)
    joints = [0.763331, 0.415979, -1.728629, 1.482985, -1.135621, -1.674347, -0.496337]
    tips = ["right_hand", "right_gripper_tip", "right_hand_camera"]
    configuration = JointState(name=list(JOINT_NAMES), position=joints)
    poses = forward([configuration] * 3, tips)
    assert poses.isValid == [True] * 3
    request = client.types.SolvePositionIKRequest(
        pose_stamp=poses.pose_stamp, seed_angles=[configuration] * 3, tip_names=tips, seed_mode=1
    )
    answer = inverse(request)
    assert list(answer.result_type) == [1] * 3
    again = forward(answer.joints, tips)
    for before, after in zip(poses.pose_stamp, again.pose_stamp, strict=True):
        assert before.header.frame_id == "base"
        for part in ("position", "orientation"):
            here, there = getattr(before.pose, part), getattr(after.pose, part)
            assert [getattr(here, s) for s in here.__slots__] == pytest.approx(
                [getattr(there, s) for s in there.__slots__], abs=1e-6
            )


def test_what_cannot_be_solved_is_said_and_breaks_nothing(client: Client) -> None:
    forward, inverse = services(client)
    types = client.types
    far = PoseStamped(Header(frame_id="base"), Pose(Point(3.0, 0.0, 0.0), Quaternion(0.0, 0.0, 0.0, 1.0)))
    nowhere = PoseStamped(Header(frame_id="base"), Pose())
    request = types.SolvePositionIKRequest(
        pose_stamp=[far, far, nowhere], tip_names=["right_hand", "claw", "right_hand"]
    )
    answer = inverse(request)
    assert list(answer.result_type) == [-1, -3, -1]
    assert len(answer.joints[0].position) == 7
    # Lists that a client left short.
    assert list(inverse(types.SolvePositionIKRequest(pose_stamp=[far])).result_type) == [-3]
    assert list(inverse(types.SolvePositionIKRequest()).result_type) == []
    unknown = forward([JointState()], ["claw"])
    assert (unknown.isValid, unknown.inCollision) == ([False], [False])
    # An empty configuration is the arm as it is.
    here = forward([JointState()], ["right_gripper_tip"]).pose_stamp[0].pose.position
    assert here.x == pytest.approx(client.endpoint.next().pose.position.x, abs=1e-3)
