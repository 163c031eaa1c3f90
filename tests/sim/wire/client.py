"""A client of the robot that speaks the wire with rospy alone, and the simulator's process beside it.

`running` and `client` reach the tests of this folder through its conftest.py: one robot for each module that asks.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rospy
from geometry_msgs.msg import PointStamped
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty, Float64

from robot_rig.datatypes import Floats
from robot_rig.ros.intera_messages import load
from sim.wire.joint_command import JOINT_NAMES
from tests.children import die_with_parent
from tests.ros_graph import Master, eventually

LIMB = "/robot/limb/right"
START = np.array([0.0, -1.18, 0.0, 2.18, 0.0, 0.57, 0.0])
"""Neutral, with room for the last joint to turn both ways."""


@contextmanager
def simulator(master: Master, log: Path, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The executable as its users start it, until the end of the block."""
    command = [sys.executable, "-m", "sim.sim_node", *arguments]
    with log.open("wb") as output:
        process = subprocess.Popen(
            command, env=master.environment, stdout=output, stderr=output, preexec_fn=die_with_parent
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(20)


class Latest:
    """The newest message of a topic, and how many came."""

    def __init__(self, topic: str, kind: Any) -> None:
        self.message: Any = None
        self.count = 0
        self._arrived = threading.Condition()
        self._subscriber = rospy.Subscriber(topic, kind, self._take, queue_size=100, tcp_nodelay=True)

    def _take(self, message: Any) -> None:
        with self._arrived:
            self.message, self.count = message, self.count + 1
            self._arrived.notify_all()

    def next(self, within: float = 10.0) -> Any:
        """The next one to arrive."""
        with self._arrived:
            before = self.count
            assert self._arrived.wait_for(lambda: self.count > before, within), "no message came"
            return self.message

    def close(self) -> None:
        self._subscriber.unregister()


class Client:
    """Everything a test says to the robot and hears from it."""

    def __init__(self, release: str = "5.5.2") -> None:
        self.types = types = load(release)
        self.joints = Latest("/robot/joint_states", JointState)
        self.state = Latest("/robot/state", types.RobotAssemblyState)
        self.endpoint = Latest(f"{LIMB}/endpoint_state", types.EndpointState)
        self.tips = Latest(f"{LIMB}/tip_states", types.EndpointStates)
        self.limits = Latest("/robot/joint_limits", types.JointLimits)
        self.collision = Latest(f"{LIMB}/collision_detection_state", types.CollisionDetectionState)
        self.torques = Latest(f"{LIMB}/gravity_compensation_torques", types.SEAJointState)
        self.head = Latest("/robot/head/head_state", types.HeadState)
        self.tool = Latest("/sim/tool", PointStamped)
        self._publishers = {
            name: rospy.Publisher(name, kind, queue_size=10, tcp_nodelay=True)
            for name, kind in (
                ("/robot/set_super_enable", Bool),
                ("/robot/set_super_stop", Empty),
                ("/robot/set_super_reset", Empty),
                ("/robot/head/command_head_pan", types.HeadPanCommand),
                (f"{LIMB}/joint_command", types.JointCommand),
                (f"{LIMB}/joint_command_timeout", Float64),
                (f"{LIMB}/set_speed_ratio", Float64),
                ("/sim/place_arm", JointState),
                ("/sim/estop_button", Bool),
                ("/sim/fault", Empty),
            )
        }
        assert eventually(self._is_connected, 30.0)
        self.came_up_enabled = bool(self.state.message.enabled)
        """Before anybody asked for anything."""

    def _is_connected(self) -> bool:
        heard = all(latest.count for latest in vars(self).values() if isinstance(latest, Latest))
        return heard and all(publisher.get_num_connections() for publisher in self._publishers.values())

    def send(self, topic: str, *values: Any) -> None:
        self._publishers[topic].publish(*values)

    def command(self, **fields: Any) -> None:
        self.send(f"{LIMB}/joint_command", self.types.JointCommand(**fields))

    def position(self) -> Floats:
        """(7,) rad, as the robot reports them next."""
        return arm(self.joints.next())

    def settles(self, **flags: Any) -> bool:
        """Whether /robot/state comes to say `flags`."""
        return eventually(lambda: all(getattr(self.state.message, name) == value for name, value in flags.items()))

    def begin(self, *, enabled: bool = True) -> None:
        """The arm at START, with everything as a fresh robot has it."""
        self.send("/sim/estop_button", False)
        assert self.settles(estop_button=0)
        left = self.state.message
        # A reset without an effect to wait for could arrive late, and undo the test's own stop.
        if left.enabled or left.stopped or left.error:
            self.send("/robot/set_super_reset")
        assert self.settles(enabled=False, stopped=False, error=False)
        self.send(f"{LIMB}/joint_command_timeout", 0.2)
        self.send(f"{LIMB}/set_speed_ratio", 0.3)
        self.send("/sim/place_arm", JointState(name=list(JOINT_NAMES), position=START.tolist()))
        assert eventually(lambda: np.allclose(arm(self.joints.message), START, atol=1e-3))
        if enabled:
            self.send("/robot/set_super_enable", True)
            assert self.settles(enabled=True)

    def rests(self) -> Floats:
        """(7,) rad where the arm is once it has stopped moving."""
        assert eventually(lambda: max(np.abs(self.joints.next().velocity)) < 1e-3, 20.0)
        return self.position()

    def close(self) -> None:
        for value in vars(self).values():
            if isinstance(value, Latest):
                value.close()
        for publisher in self._publishers.values():
            publisher.unregister()


@pytest.fixture(scope="module")
def running(
    request: pytest.FixtureRequest, ros_master: Master, ros_node: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Client]:
    """A module's robot, as its tests leave it; of another release where `running` is parametrized with one."""
    release = getattr(request, "param", "5.5.2")
    with simulator(ros_master, tmp_path_factory.mktemp("sim") / "log", "--release", release):
        client = Client(release)
        yield client
        client.close()


@pytest.fixture
def client(running: Client) -> Client:
    """The module's robot as a fresh one is, and enabled."""
    running.begin()
    return running


def arm(message: JointState) -> Floats:
    """(7,) rad of the arm, by name."""
    return np.array([message.position[message.name.index(name)] for name in JOINT_NAMES])
