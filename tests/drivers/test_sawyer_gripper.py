"""The gripper over ROS: a robot's end made of the simulator's own device and messages, and the driver at the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import nullcontext
from functools import partial

import pytest
import rospy

from drivers.gripper import Gripper
from drivers.sawyer_gripper import DEVICE, SawyerGripper
from robot_rig.config import Config
from robot_rig.datatypes import Mode
from robot_rig.errors import UserError
from robot_rig.ros.intera_messages import load
from sim.fingers import OPEN_M
from sim.scenes import TIMESTEP_S
from sim.wire.io_device import read_command
from sim.wire.io_gripper import Gripper as SimulatedGripper
from sim.wire.io_messages import IoMessages
from sim.world import World
from tests.ros_graph import eventually

TYPES = load("5.5.2")
STEPS = 10


class RobotsEnd:
    """The gripper's device on the network, in about real time, on a thread of its own."""

    def __init__(self) -> None:
        self.gripper = SimulatedGripper(World(Config(), seed=0).fingers)
        self._messages = IoMessages(TYPES)
        self._states = rospy.Publisher(f"{DEVICE}/state", TYPES.IODeviceStatus, queue_size=10, latch=True)
        self._commands = rospy.Subscriber(f"{DEVICE}/command", TYPES.IOComponentCommand, self._take)
        self._posted: list[partial[None]] = []
        self.heard = 0
        self.deaf = 0
        """So many commands are lost on the way first."""
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _take(self, message: object) -> None:
        self.heard += 1
        if self.heard > self.deaf:
            command = read_command((message.time.secs, message.time.nsecs), message.op, message.args)  # type: ignore[attr-defined]
            self._posted.append(partial(self.gripper.device.apply, command))

    def _run(self) -> None:
        sent = -1
        while not self._ended.wait(STEPS * TIMESTEP_S):
            while self._posted:
                self._posted.pop(0)()
            for _ in range(STEPS):
                self.gripper.tick(True, TIMESTEP_S)
            device = self.gripper.device
            if device.version != sent:
                sent = device.version
                self._states.publish(self._messages.device_status(device, device.state(), rospy.Time.now()))

    def close(self) -> None:
        self._ended.set()
        self._thread.join()
        self._commands.unregister()
        self._states.unregister()


@pytest.fixture
def robot(ros_node: str) -> Iterator[RobotsEnd]:
    robot = RobotsEnd()
    yield robot
    robot.close()


@pytest.fixture
def link(robot: RobotsEnd) -> Iterator[SawyerGripper]:
    link = SawyerGripper(TYPES)
    yield link
    link.close()
    link.close()


def test_it_opens_and_closes_over_the_network(link: SawyerGripper, robot: RobotsEnd) -> None:
    gripper = Gripper(link, nullcontext, lambda: Mode.ACTIVE, "free", time.sleep)
    assert gripper.open() == f"gripper {1000 * OPEN_M:.1f} mm open, calibrated"
    assert robot.gripper.device["position_response_m"] == pytest.approx(OPEN_M, abs=1e-3)
    assert gripper.close().startswith("gripper 0.0 mm open")
    assert gripper.calibrate() == "gripper 0.0 mm open, calibrated"


def test_a_command_that_is_lost_is_repeated_and_carried_out_once(link: SawyerGripper, robot: RobotsEnd) -> None:
    robot.deaf = 3
    link.set({"position_m": 0.02})
    assert robot.heard > 3
    assert len(robot.gripper.device.state().commands) == 1
    assert eventually(lambda: abs(link.state().position_m - 0.02) < 1e-3, 10)


def test_what_the_gripper_refuses_is_told(link: SawyerGripper) -> None:
    with pytest.raises(UserError, match="refuses"):
        link.set({"fly": True})


def test_every_command_has_a_name_of_its_own(link: SawyerGripper, robot: RobotsEnd) -> None:
    for _ in range(20):
        link.set({"go": True})
    times = robot.gripper.device.state().commands
    assert len(set(times)) == len(times) == 20


def test_a_robot_without_a_gripper_is_one_sentence(ros_node: str) -> None:
    link = SawyerGripper(TYPES)
    try:
        with pytest.raises(UserError, match="no electric gripper"):
            link.state()
    finally:
        link.close()
