"""The guard and the camera as nodes, against a simulated robot over real ROS. What the arm was sent is read off the
wire by this process, never taken from a node's word."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import time
import xmlrpc.client
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rospy
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty
from std_srvs.srv import Trigger

from drivers.sawyer import JOINT_COMMAND, JOINT_STATES
from robot_rig.config import Config
from robot_rig.datatypes import Action, Frame, Mode, Source
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.connect import advertise, subscribe
from robot_rig.ros.convert import SentVelocity, action_message, read_frame, read_sent, read_state
from robot_rig.ros.intera_messages import load
from robot_rig.ros.master import Master as MasterCalls
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import (
    ACTION,
    ARM_EXECUTED,
    ARM_STATE,
    ARM_STATUS,
    CAMERA_FRAME,
    CAMERA_RAW,
    ESTOP,
    TELEOP,
    arm_service,
)
from tests.house import ROOT
from tests.live_robot import live_robot, process_in_graph
from tests.ros_graph import Master, eventually, start_master

TYPES = load()


class Onlooker:
    """This process in the graph: hears everything, sends actions, gives orders."""

    def __init__(self) -> None:
        self.stamps = HostStamps()
        self.commands: list[np.ndarray] = []
        self.reports: list[ArmReport] = []
        self.frames: list[Frame] = []
        self.sent: list[SentVelocity] = []
        self.positions: list[np.ndarray] = []
        self.seq = 0
        self.actions, self.teleop, self.estop = advertise(ACTION), advertise(TELEOP), advertise(ESTOP)
        self.subscribers = [
            rospy.Subscriber(JOINT_COMMAND, TYPES.JointCommand, self._command, queue_size=100, tcp_nodelay=True),
            subscribe(ARM_STATUS, lambda message: self._keep(read_report(message, self.stamps), self.reports)),
            subscribe(CAMERA_FRAME, lambda message: self._keep(read_frame(message, self.stamps), self.frames)),
            subscribe(ARM_EXECUTED, lambda message: self._keep(read_sent(message, self.stamps), self.sent)),
            subscribe(ARM_STATE, self._state),
        ]

    def _command(self, message: Any) -> None:
        assert message.mode == message.VELOCITY_MODE
        self.commands.append(np.array(message.velocity))

    def _keep(self, record: Any, records: list[Any]) -> None:
        assert not isinstance(record, Refused), record.reason
        records.append(record)

    def _state(self, message: Any) -> None:
        state = read_state(message, self.stamps)
        assert not isinstance(state, Refused)
        self.positions.append(state.position)

    @property
    def mode(self) -> Mode:
        return self.reports[-1].mode

    def order(self, name: str) -> tuple[bool, str]:
        answer = rospy.ServiceProxy(arm_service(name), Trigger)()
        return answer.success, answer.message

    def ask(self, x: float, seconds: float, source: Source = Source.POLICY) -> None:
        """Ten actions a second, each answering the newest frame."""
        for _ in range(round(seconds * 10)):
            self.seq += 1
            now, frame = time.monotonic(), self.frames[-1]
            value = np.array([x, 0.0], np.float32)
            topic = self.teleop if source is Source.HUMAN else self.actions
            topic.publish(action_message(Action(self.seq, now, value, source, frame.seq, frame.stamp), self.stamps))
            time.sleep(0.1)

    def start_over(self) -> None:
        """At home and disabled, whatever the test before left."""
        if self.mode is Mode.FAULT:
            assert self.order("reset")[0]
        assert eventually(lambda: self.order("enable")[0])
        assert self.order("home")[0]
        assert eventually(lambda: self.reports[-1].at_home and self.mode is Mode.ACTIVE, 30)
        assert self.order("hold")[0]
        assert self.order("reset")[0]
        assert eventually(lambda: self.mode is Mode.DISABLED)
        time.sleep(0.6)  # streaming ends half a second after motion
        self.commands.clear()


@pytest.fixture(scope="module")
def graph(ros_master: Master, ros_node: str) -> Iterator[Onlooker]:
    with live_robot(ros_master), process_in_graph(ros_master, "drivers.camera_node"):
        with process_in_graph(ros_master, "drivers.arm_node"):
            onlooker = Onlooker()
            assert eventually(lambda: onlooker.reports and onlooker.frames, 60), log_of(ros_master)
            rospy.wait_for_service(arm_service("stop"), 60)
            yield onlooker
        for subscriber in onlooker.subscribers:
            subscriber.unregister()
        for publisher in (onlooker.actions, onlooker.teleop, onlooker.estop):
            publisher.unregister()


@pytest.fixture
def rig(graph: Onlooker) -> Onlooker:
    graph.start_over()
    return graph


def log_of(master: Master) -> str:
    return "".join(path.read_text() for path in sorted(master.home.glob("drivers.*.log")))


def test_it_comes_up_disabled_and_nothing_reaches_the_robot(rig: Onlooker) -> None:
    rig.ask(1.0, 0.5)
    assert rig.mode is Mode.DISABLED
    assert rig.commands == []
    tool = rig.reports[-1].tool
    assert tool is not None
    assert tool == pytest.approx(Config().control.home_tool_m, abs=0.02)


def test_an_enabled_arm_follows_actions_and_every_action_is_accounted_for(rig: Onlooker) -> None:
    assert rig.order("enable") == (True, "enable: the guard is in mode active")
    first = rig.seq + 1
    before = rig.positions[-1]
    rig.ask(-0.3, 1.2)
    last = rig.seq
    assert np.abs(rig.positions[-1] - before).max() > 0.02
    assert max(np.abs(command).max() for command in rig.commands) > 0.02
    accounts = {report.executed_seq: report.executed for report in rig.reports}
    assert set(range(first, last)) <= set(accounts)
    settled = accounts[last - 2]
    assert settled is not None
    assert settled.value[0] == pytest.approx(-0.3, abs=0.1)
    assert {(one.source, one.action_seq) for one in rig.sent} >= {(Source.POLICY, last - 2)}
    np.testing.assert_allclose(rig.sent[-1].velocity, rig.commands[-1], atol=0.5)


def test_silence_brings_the_arm_to_rest_and_ends_the_stream_when_held(rig: Onlooker) -> None:
    rig.order("enable")
    rig.ask(0.5, 0.5)
    time.sleep(0.5)
    assert not rig.commands[-1].any()
    assert rig.reports[-1].verdict.reasons == ("action_stale",)
    assert rig.mode is Mode.ACTIVE
    rig.order("hold")
    time.sleep(0.8)
    count = len(rig.commands)
    time.sleep(0.3)
    assert len(rig.commands) == count


@pytest.mark.parametrize("way", ["service", "topic", "robot"])
def test_a_stop_latches_whichever_way_it_comes(rig: Onlooker, way: str) -> None:
    rig.order("enable")
    rig.ask(0.5, 0.5)
    if way == "service":
        rig.order("stop")
    elif way == "topic":
        rig.estop.publish(Bool(data=True))
    else:
        stranger = rospy.Publisher("/robot/set_super_stop", Empty, queue_size=1)
        assert eventually(lambda: (stranger.publish(), rig.mode is Mode.FAULT)[1])
        stranger.unregister()
    assert eventually(lambda: rig.mode is Mode.FAULT)
    rig.commands.clear()
    rig.estop.publish(Bool(data=False))
    rig.ask(0.5, 1.0)
    assert not any(command.any() for command in rig.commands)
    refused, why = rig.order("enable")
    assert not refused
    assert "latched" in why
    assert rig.order("reset")[0]
    assert rig.order("enable")[0]
    # The sender's numbers went on, so its next action moves the arm again.
    rig.ask(-0.5, 0.5)
    assert any(command.any() for command in rig.commands)


def test_a_person_takes_the_arm_from_the_policy_and_a_policy_cannot_play_person(rig: Onlooker) -> None:
    rig.order("enable")
    rig.ask(0.5, 0.3)
    rig.ask(0.3, 0.4, Source.HUMAN)
    assert rig.reports[-1].source is Source.HUMAN
    rig.ask(0.5, 0.4)
    assert rig.reports[-1].source is Source.HUMAN
    time.sleep(0.3)  # the last action is too old then to take the arm that enable sets free
    rig.order("enable")
    rig.teleop, rig.actions = rig.actions, rig.teleop
    try:
        rig.ask(0.5, 0.4)
        rig.ask(0.5, 0.4, Source.HUMAN)
    finally:
        rig.teleop, rig.actions = rig.actions, rig.teleop
    assert rig.reports[-1].source is None


def test_home_is_reached_through_the_guard(rig: Onlooker) -> None:
    assert not rig.order("home")[0]
    rig.order("enable")
    rig.ask(-1.0, 0.8)
    assert eventually(lambda: not rig.reports[-1].at_home)
    assert rig.order("home")[0]
    assert eventually(lambda: rig.reports[-1].at_home and rig.mode is Mode.ACTIVE, 30)


def test_a_second_commander_takes_the_motors_power_away_and_keeps_it_away(rig: Onlooker) -> None:
    rig.order("enable")
    rig.ask(0.3, 0.5)
    rogue = rospy.Publisher(JOINT_COMMAND, TYPES.JointCommand, queue_size=1)
    try:
        assert eventually(lambda: rig.mode is Mode.DISABLED)
        success, why = rig.order("enable")
        assert not success
        assert rospy.get_name() in why
        assert "second commander" in rig.reports[-1].master
    finally:
        rogue.unregister()
    assert eventually(lambda: rig.order("enable")[0])


def test_the_camera_node_shows_the_policys_picture_and_the_whole_one_for_people(rig: Onlooker) -> None:
    raws: list[Any] = []
    subscriber = subscribe(CAMERA_RAW, raws.append)
    began, frames = time.monotonic(), len(rig.frames)
    assert eventually(lambda: len(raws) >= 4)
    took = time.monotonic() - began
    subscriber.unregister()
    assert (raws[0].width, raws[0].height, raws[0].encoding) == (640, 480, "rgb8")
    assert len(raws) <= 5.0 * took + 2
    seen = rig.frames[frames:]
    numbers = [frame.seq for frame in seen]
    assert numbers == sorted(set(numbers))
    assert len(seen) > len(raws)
    assert all(later.stamp > earlier.stamp for earlier, later in itertools.pairwise(seen))


def test_a_second_eye_is_refused_and_the_first_goes_on(rig: Onlooker, ros_master: Master) -> None:
    with process_in_graph(ros_master, "drivers.camera_node", "__name:=second_eye") as second:
        assert second.wait(60) == 2
    said = (ros_master.home / "drivers.camera_node.log").read_text()
    assert "/rig_camera publishes /rig/camera/frame already" in said
    frames = len(rig.frames)
    assert eventually(lambda: len(rig.frames) > frames + 5)


def test_a_second_arm_node_is_refused_and_the_first_goes_on(rig: Onlooker, ros_master: Master) -> None:
    first = guard_pid()
    shim = subprocess.run(
        [ROOT / "launch/nodes/arm_node"], env=ros_master.environment, capture_output=True, text=True, timeout=60
    )
    assert shim.returncode == 2
    assert "rig_arm" in shim.stderr
    assert guard_pid() == first
    rig.order("enable")
    rig.ask(0.3, 0.3)
    assert rig.mode is Mode.ACTIVE


def guard_pid() -> int:
    pid: int = xmlrpc.client.ServerProxy(rospy.get_master().lookupNode("/rig_arm")[2]).getPid("/test")[2]
    return pid


def joint_positions() -> np.ndarray:
    message = rospy.wait_for_message(JOINT_STATES, JointState, 10)
    return np.array([message.position[message.name.index(f"right_j{i}")] for i in range(7)])


def test_a_killed_guard_leaves_an_arm_that_stands(rig: Onlooker, ros_master: Master) -> None:
    rig.order("enable")
    rig.ask(-0.5, 0.5)
    os.kill(guard_pid(), signal.SIGKILL)
    time.sleep(0.5)
    rest = joint_positions()
    time.sleep(0.5)
    assert np.abs(joint_positions() - rest).max() < 2e-3
    rig.commands.clear()
    rig.reports.clear()
    with process_in_graph(ros_master, "drivers.arm_node", "--confirm-publisher", rospy.get_name()):
        assert eventually(lambda: rig.reports, 60), log_of(ros_master)
        assert rig.mode is Mode.DISABLED
        rig.ask(-0.5, 0.5)
        assert rig.commands == []
        confirmed = rospy.Publisher(JOINT_COMMAND, TYPES.JointCommand, queue_size=1)
        time.sleep(0.5)
        assert rig.order("enable")[0]
        confirmed.unregister()


def test_wrong_settings_are_one_line_before_anything_starts(ros_master: Master) -> None:
    for node in ("arm_node", "camera_node"):
        said = subprocess.run(
            [ROOT / "launch/nodes" / node, "--set", "guard.tool_speed_m_s=5", f"__name:=other_{node}"],
            env=ros_master.environment,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert said.returncode == 2
        assert "guard.tool_speed_m_s cannot be 5" in said.stderr.splitlines()[-1]


@pytest.mark.proof
def test_a_lost_master_is_told_and_a_new_one_ends_the_node_with_the_arm_at_rest(
    tmp_path: Path,
) -> None:
    mine = start_master(tmp_path)
    with live_robot(mine), process_in_graph(mine, "drivers.arm_node") as node:
        log = tmp_path / "drivers.arm_node.log"
        calls = MasterCalls(mine.uri, timeout=10.0)
        assert eventually(lambda: calls.state().publishers_of(ARM_STATUS.name), 60)
        port = int(mine.uri.rpartition(":")[2])
        mine.stop()
        time.sleep(1.0)
        assert node.poll() is None
        again = start_master(tmp_path, port)
        assert eventually(lambda: node.poll() is not None, 30)
        assert node.returncode == 2
        assert "the ROS master was restarted" in log.read_text()
    again.stop()
