"""Publishers and subscribers of the rig's own topics, with what `topics` says of each. Called by every node."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import rospy

from robot_rig.ros.topics import Topic

SENT = 8
"""Messages that may wait until a link's own thread sends them. With one, the second of two pictures at once takes the
first one's place, and a recorder misses it; whoever wants the newest only says so where it listens."""

OVERHEARD = 200
"""Messages that may wait for an onlooker: two seconds of the arm's."""


def advertise(topic: Topic) -> Any:
    """A publisher of `topic`, whose `publish` never waits for a subscriber."""
    size = max(topic.queue_size, SENT)
    return rospy.Publisher(topic.name, topic.message, queue_size=size, latch=topic.latched, tcp_nodelay=True)


def subscribe(topic: Topic, take: Callable[[Any], None]) -> Any:
    """Call `take` with every message of `topic`, on a thread for each publisher of it."""
    return rospy.Subscriber(topic.name, topic.message, take, queue_size=topic.queue_size, tcp_nodelay=True)


def overhear(topic: Topic, take: Callable[[Any], None]) -> Any:
    """`subscribe` for an onlooker who judges: a message counts even when a newer one is there already."""
    return rospy.Subscriber(topic.name, topic.message, take, queue_size=OVERHEARD, tcp_nodelay=True)


class Links:
    """The TCP links of the subscriber that it watches, none before; each known by its messages' `_connection_header`.

    rospy has no public way to ask. A link whose other end has died is taken off its list, or has no socket any more.
    """

    def __init__(self) -> None:
        self._subscriber: Any = None

    def watch(self, subscriber: Any) -> None:
        """Look at the links of `subscriber` from now on."""
        self._subscriber = subscriber

    def is_open(self, connection: object) -> bool:
        """Whether the link with this header still stands."""
        return any(header is connection for header in self._open())

    def of(self, program: str) -> object | None:
        """The header of the open link that comes from the node `program`; None when there is none."""
        return next((header for header in self._open() if header.get("callerid") == program), None)

    def _open(self) -> list[Mapping[str, str]]:
        links = () if self._subscriber is None else tuple(self._subscriber.impl.connections)
        return [link.header for link in links if link.socket is not None and link.header is not None]
