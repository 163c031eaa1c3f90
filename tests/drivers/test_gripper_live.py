"""The gripper of a simulated Sawyer through the arm node's services: only while the arm stands, and never by itself."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import rospy
from std_msgs.msg import Bool

from drivers.sawyer_gripper import SawyerGripper
from robot_rig.datatypes import Mode
from robot_rig.ros.intera_messages import load
from robot_rig.ros.topics import arm_service
from sim.fingers import OPEN_M
from tests.drivers.test_nodes import Onlooker, log_of
from tests.live_robot import live_robot, process_in_graph
from tests.ros_graph import Master, eventually

Rig = tuple[Onlooker, SawyerGripper]


@pytest.fixture(scope="module")
def rig(ros_master: Master, ros_node: str) -> Iterator[Rig]:
    with live_robot(ros_master), process_in_graph(ros_master, "drivers.camera_node"):
        with process_in_graph(ros_master, "drivers.arm_node"):
            onlooker = Onlooker()
            assert eventually(lambda: onlooker.reports and onlooker.frames, 60), log_of(ros_master)
            rospy.wait_for_service(arm_service("gripper_status"), 60)
            gripper = SawyerGripper(load())
            yield onlooker, gripper
            # What it publishes would be taken for a robot by who looks for one in this graph later on.
            gripper.close()
        for end in (*onlooker.subscribers, onlooker.actions, onlooker.teleop, onlooker.estop):
            end.unregister()


def test_while_the_arm_is_off_its_fingers_do_not_move(rig: Rig) -> None:
    arm, gripper = rig
    done, said = arm.order("gripper_status")
    assert done
    assert said == "gripper 0.0 mm open, calibrated"
    for word in ("gripper_open", "gripper_close", "gripper_calibrate"):
        done, said = arm.order(word)
        assert not done
        assert "in mode disabled" in said
    assert gripper.state().position_m == pytest.approx(0.0, abs=1e-3)


def test_an_order_takes_the_arm_from_the_policy_and_moves_the_fingers_while_it_stands(rig: Rig) -> None:
    arm, _ = rig
    assert arm.order("enable")[0]
    arm.ask(-0.3, 0.5)
    assert arm.commands[-1].any()
    done, said = arm.order("gripper_open")
    assert done, said
    assert said.startswith(f"gripper {1000 * OPEN_M:.1f} mm")
    assert not arm.commands[-1].any()
    count = len(arm.commands)
    arm.ask(-0.3, 0.5)
    assert not any(command.any() for command in arm.commands[count:])
    assert arm.order("hand_back")[0]
    arm.ask(-0.3, 0.5)
    assert arm.commands[-1].any()
    assert arm.order("gripper_close")[0]


def test_a_stop_halts_the_fingers_and_the_next_enable_does_not_move_them(rig: Rig) -> None:
    arm, gripper = rig
    assert arm.order("enable")[0]
    halting = rospy.Timer(rospy.Duration(0.15), lambda _: arm.estop.publish(Bool(data=True)), oneshot=True)
    done, said = arm.order("gripper_open")
    halting.join()
    assert not done
    assert "halted" in said
    assert eventually(lambda: arm.mode is Mode.FAULT)
    assert eventually(lambda: not gripper.state().moving, 10)
    assert arm.order("reset")[0]
    assert arm.order("enable")[0]
    before = gripper.state().position_m
    time.sleep(1.0)
    assert gripper.state().position_m == pytest.approx(before, abs=5e-4)
    done, said = arm.order("gripper_close")
    assert done, said


def test_a_calibration_is_an_order_like_the_others(rig: Rig) -> None:
    arm, gripper = rig
    done, said = arm.order("gripper_calibrate")
    assert done, said
    assert gripper.state().calibrated
    assert arm.order("hold")[0]
    assert arm.order("gripper_open")[0], "on hold the arm stands as well"
