"""Publishers and subscribers of the rig's own topics, with what `topics` says of each. Called by every node."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import rospy

from robot_rig.ros.topics import Topic


def advertise(topic: Topic) -> Any:
    """A publisher of `topic`, whose `publish` never waits for a subscriber."""
    return rospy.Publisher(
        topic.name, topic.message, queue_size=topic.queue_size, latch=topic.latched, tcp_nodelay=True
    )


def subscribe(topic: Topic, take: Callable[[Any], None]) -> Any:
    """Call `take` with every message of `topic`, on a thread for each publisher of it."""
    return rospy.Subscriber(topic.name, topic.message, take, queue_size=topic.queue_size, tcp_nodelay=True)
