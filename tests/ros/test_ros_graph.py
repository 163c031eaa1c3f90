"""The test graph itself: a master of one's own, which nobody else's robot is on."""

from __future__ import annotations

import os

import rospy
from std_msgs.msg import Bool

from tests.ros_graph import DEFAULT_PORT, Master, eventually


def test_the_master_is_ours_and_on_loopback(ros_master: Master) -> None:
    assert ros_master.uri.startswith("http://127.0.0.1:")
    assert not ros_master.uri.endswith(f":{DEFAULT_PORT}")
    assert os.environ["ROS_MASTER_URI"] == ros_master.uri


def test_a_message_crosses_the_graph(ros_node: str) -> None:
    heard = []
    rospy.Subscriber("/test/crossing", Bool, heard.append)
    publisher = rospy.Publisher("/test/crossing", Bool, queue_size=1, latch=True)
    publisher.publish(True)
    assert eventually(lambda: heard)
    assert heard[0].data
    assert heard[0]._connection_header["callerid"] == ros_node
