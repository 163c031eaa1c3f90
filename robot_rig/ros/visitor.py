"""A command line's short stay in the ROS graph: join it, hear one message, leave. Called by `robot_rig.cli`.

Nothing here waits for ever: whatever does not come in time is None, or a UserError.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import rosgraph.names
import rospy

from robot_rig.errors import UserError
from robot_rig.ros.connect import advertise
from robot_rig.ros.master import MasterSilent, answer_within, master_uri
from robot_rig.ros.node import await_master
from robot_rig.ros.topics import Topic

JOIN_S = 5.0
SETTLE_S = 0.3


@contextmanager
def visit(name: str) -> Iterator[str]:
    """Be an anonymous node of the graph that ROS_MASTER_URI names, whose address this gives, until the block ends.

    Once a process; a process that is a node already stays that one. Raises UserError when the master does not answer or
    refuses.
    """
    uri = master_uri()
    await_master(uri)
    if rospy.core.is_initialized():
        yield uri
        return
    try:
        answer_within(JOIN_S, lambda: _enter(name))
    except MasterSilent as error:
        raise UserError(f"cannot join the ROS graph of {uri}: {error}", next_step="check ROS_IP") from error
    try:
        yield uri
    finally:
        rospy.signal_shutdown("the visit is over")


def _enter(name: str) -> bool:
    try:
        # Ctrl-C is the command line's to answer.
        rospy.init_node(name, anonymous=True, disable_signals=True)
    except (rospy.ROSException, ValueError) as error:
        raise MasterSilent(str(error)) from error
    return True


def check_topic(topic: str) -> str:
    """`topic` itself. Raises UserError for what cannot be a topic's name."""
    if not topic.strip("/") or not rosgraph.names.is_legal_name(topic):
        raise UserError(f"{topic[:80]!r} is no topic", next_step="`rostopic list` has those there are")
    return topic


def hear(topic: Topic, within: float) -> Any | None:
    """The first message of `topic` that comes `within` seconds, or None."""
    heard = listen(topic.name, topic.message, within, lambda messages: bool(messages))
    return heard[0][1] if heard else None


def listen(
    topic: str, message: Any, within: float, enough: Callable[[list[tuple[float, Any]]], bool] = lambda _: False
) -> list[tuple[float, Any]]:
    """(arrival in monotonic s, message) of all that comes on `topic` in `within` s, or until that is `enough`."""
    arrived: list[tuple[float, Any]] = []
    satisfied = threading.Event()

    def take(one: Any) -> None:
        arrived.append((time.monotonic(), one))
        if enough(arrived):
            satisfied.set()

    subscriber = rospy.Subscriber(topic, message, take, queue_size=100, tcp_nodelay=True)
    satisfied.wait(within)
    subscriber.unregister()
    return list(arrived)


def speaks(topic: str, within: float) -> bool:
    """Whether anything comes on `topic` in `within` s, whatever its type."""
    return bool(listen(topic, rospy.AnyMsg, within, bool))


def how_often(topic: str, within: float, enough: int) -> float:
    """How often (Hz) anything comes on `topic`, by the first `enough` messages or those of `within` s; 0: hardly."""
    arrivals = [at for at, _ in listen(topic, rospy.AnyMsg, within, lambda arrived: len(arrived) >= enough)]
    return (len(arrivals) - 1) / (arrivals[-1] - arrivals[0]) if len(arrivals) > 1 else 0.0


def parameter(name: str, default: Any) -> Any:
    """The value of the ROS parameter `name`, or `default` where there is none."""
    try:
        return rospy.get_param(name, default)
    except (rospy.ROSException, OSError):
        return default


def publish_once(topic: Topic, message: Any, within: float) -> int:
    """Publish `message` on `topic` as soon as somebody listens; returns to how many, 0 when nobody came `within` s."""
    publisher = advertise(topic)
    pause, deadline = threading.Event(), time.monotonic() + within
    while publisher.get_num_connections() == 0 and time.monotonic() < deadline:
        pause.wait(0.02)
    # Others may be connecting at this moment; and what is published leaves on a thread of its own.
    pause.wait(SETTLE_S)
    publisher.publish(message)
    pause.wait(SETTLE_S)
    reached = int(publisher.get_num_connections())
    publisher.unregister()
    return reached
