"""The arm node takes postures from a topic and the order to visit from a service, both of one program, over ROS."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import rospy
from std_srvs.srv import Trigger

from drivers import arm_node
from drivers.arm_description import PUBLISHED
from drivers.arm_node import ArmNode, ArmNodeOptions
from drivers.fake import FakeArm
from drivers.guard_process import GuardProcess
from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import Floats, Mode
from robot_rig.kinematics import Kinematics
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import AskedPosture, posture_message
from robot_rig.ros.master import Master as MasterCalls
from robot_rig.ros.node import Node
from robot_rig.ros.topics import POSTURE
from tests.ros_graph import Master, eventually

CONFIG = Config()
ARM = Kinematics(CONFIG.control.tool_offset_m)
HOME = np.array(CONFIG.control.home_posture_rad)
BEAT_S = 0.05


def at(x: float, y: float, z: float) -> Floats:
    return solve_position(ARM, np.array([x, y, z]), TOOL_DOWN, HOME)


class TableArm(FakeArm):
    """An arm of arithmetic that knows its own lengths."""

    table = PUBLISHED

    def __init__(self, _: Config) -> None:
        super().__init__(WallClock(), HOME)


class Program:
    """What asks for a posture twenty times a second until it falls silent."""

    def __init__(self, node: Node) -> None:
        self.asked: tuple[int, Floats] | None = None
        self._node, self._publisher = node, advertise(POSTURE)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.wait(BEAT_S):
            if (asked := self.asked) is not None:
                wish = AskedPosture(asked[0], time.monotonic(), asked[1])
                self._publisher.publish(posture_message(wish, self._node.stamps))

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._publisher.unregister()


@pytest.fixture
def node(ros_node: str, ros_master: Master, monkeypatch: pytest.MonkeyPatch) -> Iterator[Node]:
    monkeypatch.setitem(arm_node.DRIVERS, "wire", TableArm)  # type: ignore[arg-type]
    # A late tick would hold or stop the arm, and a test machine may be busy; both are tested elsewhere.
    monkeypatch.setattr(GuardProcess, "watch", lambda _: None)
    monkeypatch.setattr(GuardProcess, "_rest_overrun", lambda _: None)
    services, service = list[Any](), rospy.Service

    def kept(*arguments: Any) -> Any:
        services.append(service(*arguments))
        return services[-1]

    monkeypatch.setattr(rospy, "Service", kept)
    made = Node(ros_node, MasterCalls(ros_master.uri, timeout=10.0).state())
    yield made
    made._ends.close()
    # A node ends with its process, and this one goes on.
    for one in services:
        one.shutdown()


def order(word: str) -> Any:
    rospy.wait_for_service(f"~{word}", 30)
    return rospy.ServiceProxy(f"~{word}", Trigger)()


def test_a_program_leads_the_arm_until_it_falls_silent(node: Node) -> None:
    arm = ArmNode(CONFIG, ArmNodeOptions(priority=0), node)
    arm.start()
    program = Program(node)
    try:
        assert "mode disabled, and no program may move it" in order("visit").message
        assert eventually(lambda: order("enable").success)
        refused = order("visit")
        assert not refused.success
        assert "does not say which posture it wants" in refused.message
        program.asked = (1, at(0.65, 0.03, 0.12))
        visited = order("visit")
        assert visited.success, visited.message
        assert visited.message == "visit: the guard is in mode homing"
        # An order may overtake the posture that it is about: it waits for the next one.
        program.asked = (2, at(0.65, 0.0, 0.50))
        outside = order("visit")
        assert not outside.success
        assert "leave its box" in outside.message
        assert arm.process.mode is Mode.HOMING
        program.asked = None
        assert eventually(lambda: arm.process.mode is Mode.HOLD, 10.0)
        program.asked = (3, at(0.65, 0.03, 0.12))
        held = order("visit")
        assert not held.success
        assert "mode hold, and no program may move it" in held.message
    finally:
        program.close()
