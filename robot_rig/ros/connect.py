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


def still_open(subscriber: Any, connection: object) -> bool:
    """Whether the link over which `subscriber` got messages with the `_connection_header` `connection` still stands.

    rospy has no public way to ask. A link whose other end has died is taken off this list, or has no socket any more.
    """
    return any(link.header is connection and link.socket is not None for link in tuple(subscriber.impl.connections))
