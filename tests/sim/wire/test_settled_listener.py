"""A late ear: who stays is heard, who has left is let go of, and the next one is heard again."""

from __future__ import annotations

import rospy
from std_msgs.msg import UInt16

from sim.wire.settled_listener import SettledListener
from tests.ros_graph import eventually

TOPIC = "/settled_listener_test"


def test_whoever_stays_is_heard_and_whoever_left_is_let_go_of(ros_node: str) -> None:
    heard: list[int] = []
    listener = SettledListener(TOPIC, UInt16, lambda message: heard.append(message.data), period=0.05)
    for number in (1, 2):
        publisher = rospy.Publisher(TOPIC, UInt16, queue_size=1)
        assert eventually(publisher.get_num_connections)
        publisher.publish(number)
        assert eventually(lambda number=number: heard == list(range(1, number + 1)))
        publisher.unregister()
        assert eventually(lambda: TOPIC not in dict(rospy.get_published_topics()))
        # It looks only now and then; one that comes back in between meets rospy with the old link still in its books.
        assert eventually(lambda: listener._subscriber is None)
    listener.close()
    listener.close()
    late = rospy.Publisher(TOPIC, UInt16, queue_size=1)
    assert not late.get_num_connections()
    late.unregister()


def test_whoever_is_seen_for_the_first_time_is_not_listened_to(ros_node: str) -> None:
    publisher = rospy.Publisher(TOPIC, UInt16, queue_size=1)
    listener = SettledListener(TOPIC, UInt16, lambda _: None, period=3600.0)
    # What the vendor's example sends first: nobody is there to make Python 3 write it.
    publisher.publish(500.0)
    listener.close()
    publisher.unregister()
