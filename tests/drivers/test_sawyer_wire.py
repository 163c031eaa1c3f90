"""The driver without the SDK keeps the arm's contract against a robot on the network, and refuses the wrong robot."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterator

import numpy as np
import pytest
import rospy
from sensor_msgs.msg import JointState
from std_msgs.msg import Empty, Float64

from drivers.arm_description import PUBLISHED
from drivers.sawyer_wire import SawyerWire
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.errors import UserError
from robot_rig.kinematics import NEUTRAL
from robot_rig.ros.stamps import ClockLimits, LowerEnvelope
from tests.contracts.arm_contract import ArmBench, ArmContract
from tests.contracts.commands import admitted, one_joint
from tests.live_robot import at_wall_clock, live_robot
from tests.ros_graph import Master, eventually

STILL_RAD = 1e-3


@pytest.fixture(scope="module")
def robot(ros_master: Master, ros_node: str) -> Iterator[None]:
    high = f"control.home_posture_rad={NEUTRAL.tolist()}"
    with live_robot(ros_master, "--robot-clock-offset-s", "7.5", "--set", high):
        yield


@pytest.fixture
def quick_to_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    """A new arm learns the robot's clock in a tenth of a second instead of one; there are many new arms here."""
    quick = functools.partial(LowerEnvelope, ClockLimits(settle=0.1))
    monkeypatch.setattr("drivers.sawyer_topics.LowerEnvelope", quick)


@pytest.fixture
def arm(robot: None, quick_to_trust: None) -> Iterator[SawyerWire]:
    made = SawyerWire(Config())
    made.reset()
    yield made
    made.close()


@pytest.mark.usefixtures("robot", "quick_to_trust")
class TestSawyerWire(ArmContract):
    def make(self) -> ArmBench:
        arm = SawyerWire(Config())
        arm.reset()
        return ArmBench(arm, at_wall_clock(), STILL_RAD, attempts=4)


def test_reports_of_a_clock_seconds_ahead_are_as_old_as_they_are(arm: SawyerWire) -> None:
    ages = []
    for _ in range(50):
        ages.append(time.monotonic() - arm.state().stamp)
        time.sleep(0.01)
    assert min(ages) >= 0.0
    assert np.median(ages) < 0.05


def test_a_device_of_another_clock_does_not_unsettle_the_arms(arm: SawyerWire) -> None:
    """A gripper's driver reports its fingers on the same topic, stamped with a clock of its own."""
    device = rospy.Publisher("/robot/joint_states", JointState, queue_size=1)
    assert eventually(lambda: device.get_num_connections() > 0)
    ages = []
    for count in range(50):
        report = JointState(name=["right_gripper_finger"], position=[0.0], velocity=[0.0], effort=[0.0])
        report.header.stamp = rospy.Time(100 + 7 * count)
        device.publish(report)
        time.sleep(0.01)
        ages.append(time.monotonic() - arm.state().stamp)
    device.unregister()
    assert np.median(ages) < 0.05


def test_the_arm_brings_its_own_kinematic_table(arm: SawyerWire) -> None:
    np.testing.assert_allclose(np.array(arm.table.origins), np.array(PUBLISHED.origins), atol=1e-5)


def test_a_stop_reaches_the_robot_whoever_asks(arm: SawyerWire) -> None:
    arm.enable()
    stranger = rospy.Publisher("/robot/set_super_stop", Empty, queue_size=1)
    assert eventually(lambda: (stranger.publish(), arm.state().stopped)[1])
    stranger.unregister()
    with pytest.raises(UserError, match="reset"):
        arm.enable()
    arm.reset()
    arm.enable()


def test_enabling_puts_the_robots_own_dead_man_back(arm: SawyerWire) -> None:
    stranger = rospy.Publisher("/robot/limb/right/joint_command_timeout", Float64, queue_size=1, latch=True)
    assert eventually(lambda: stranger.get_num_connections() > 0)
    stranger.publish(1.0)
    arm.enable()
    for _ in range(30):
        arm.send(one_joint(3, 0.2))
        time.sleep(0.01)
    silent = arm.state().position[3]
    assert eventually(lambda: abs(arm.state().velocity[3]) < 0.01)
    # 0.2 s of 0.2 rad/s, and what is under way; the stranger's second would be 0.2 rad.
    assert abs(arm.state().position[3] - silent) < 0.1
    stranger.unregister()


def test_commands_after_a_stop_are_zero_on_the_wire(arm: SawyerWire) -> None:
    arm.enable()
    for _ in range(20):
        arm.send(one_joint(3, 0.2))
        time.sleep(0.01)
    arm.stop()
    assert eventually(lambda: arm._reports.flags is not None and arm._reports.flags.stopped)
    before = arm.state().position
    for _ in range(20):
        arm.send(one_joint(3, 0.2))
        time.sleep(0.01)
    assert np.abs(arm.state().position - before).max() < 0.01


def test_a_thousand_commands_open_no_further_connection(arm: SawyerWire) -> None:
    arm.enable()

    def links() -> int:
        return sum(publisher.get_num_connections() for publisher in arm._link._publishers)

    before = links()
    assert before == len(arm._link._publishers)
    for _ in range(1000):
        arm.send(admitted(np.zeros(7)))
    assert links() == before


@pytest.mark.usefixtures("robot", "quick_to_trust")
def test_a_robot_with_another_tool_is_refused_with_what_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    # It is given a moment to come to rest in; this one rests.
    monkeypatch.setattr("drivers.sawyer_tool.PATIENCE_S", 0.3)
    bare = load_config([], ["tool.kind=none", "tool.mass_kg=0", "control.tool_offset_m=0"])
    with pytest.raises(UserError, match=r"Set tool\.kind electric and control\.tool_offset_m 0\.1356"):
        SawyerWire(bare)
