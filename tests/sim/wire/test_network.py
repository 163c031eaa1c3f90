"""The robot's topics from inside: what it tells at its start, and what it hears without an effect."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing

import pytest
import rospy

from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.ros.intera_messages import load
from sim.wire.io_network import IoOnNetwork
from sim.wire.outbox import Outbox
from sim.wire.robot import RobotOnNetwork
from sim.wire.sawyer import Sawyer
from sim.wire.transforms import TransformsOnNetwork, tf_message
from tests.ros_graph import eventually
from tests.sim.wire.client import LIMB, Latest

TYPES = load("5.5.2")
AHEAD_S = 5000.0


def robot_time(stamp: float) -> float:
    return WallClock().epoch(stamp) + AHEAD_S


@pytest.fixture
def outbox() -> Iterator[Outbox]:
    box = Outbox()
    yield box
    box.close()


def test_what_is_told_at_the_start_is_of_the_robots_time(ros_node: str, outbox: Outbox) -> None:
    sawyer = Sawyer(Config(), seed=0)
    told = [
        Latest("/io/robot/config", TYPES.IONodeConfiguration),
        Latest("/io/robot/state", TYPES.IONodeStatus),
        Latest("/io/robot/cuff/config", TYPES.IODeviceConfiguration),
        Latest("/io/robot/cuff/state", TYPES.IODeviceStatus),
    ]
    static = Latest("/tf_static", tf_message()["tf2_msgs/TFMessage"])
    with (
        closing(IoOnNetwork(sawyer, "5.5.2", outbox, robot_time)),
        closing(TransformsOnNetwork(sawyer, Config(), outbox, robot_time)),
    ):
        assert eventually(lambda: static.count and all(latest.count for latest in told))
    stamps = [latest.message.time for latest in told]
    stamps += [transform.header.stamp for transform in static.message.transforms]
    assert [stamp.to_sec() - time.time() for stamp in stamps] == pytest.approx([AHEAD_S] * len(stamps), abs=600.0)
    for latest in (static, *told):
        latest.close()


def test_an_interaction_control_command_finds_an_ear(ros_node: str, outbox: Outbox) -> None:
    topic = f"{LIMB}/interaction_control_command"
    publisher = rospy.Publisher(topic, TYPES.InteractionControlCommand, queue_size=1)
    with closing(RobotOnNetwork(Sawyer(Config(), seed=0), Config(), "5.5.2", outbox, robot_time)):
        assert eventually(publisher.get_num_connections)
    publisher.unregister()
