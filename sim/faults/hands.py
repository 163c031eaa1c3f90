"""The hands of whoever causes faults, as a ROS node told what to do on standard input, a JSON object a line.

    python -m sim.faults.hands

Each line is answered by one on standard output. A process of its own, because a process is a node of one graph only,
and fault attempts outlive graphs. Started by `rig faults`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import xmlrpc.client
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import rosgraph
import rospy
from sensor_msgs.msg import JointState
from std_msgs.msg import Bool, Empty, String

from robot_rig.datatypes import JOINT_NAMES
from robot_rig.errors import UserError
from robot_rig.ros.node import Node, run
from robot_rig.ros.orders import give_order
from sim.faults.puppet import ORDER
from sim.faults.relay import FAULT
from sim.faults.robot_troubles import TROUBLE
from sim.wire import room

NODE = "hands"


@dataclass(frozen=True)
class HandsOptions:
    """Hands that do what they are told on standard input."""


class Hands:
    """What they can do: a method for each `do`."""

    def __init__(self) -> None:
        self._words = {
            topic: rospy.Publisher(topic, String, queue_size=10, tcp_nodelay=True) for topic in (FAULT, TROUBLE, ORDER)
        }
        self._place = rospy.Publisher(room.PLACE_ARM, JointState, queue_size=10, tcp_nodelay=True)
        self._button = rospy.Publisher(room.BUTTON, Bool, queue_size=10, tcp_nodelay=True)
        self._fault = rospy.Publisher(room.FAULT, Empty, queue_size=10, tcp_nodelay=True)
        self._master = rosgraph.Master("/hands")

    def tell(self, to: str, what: Mapping[str, Any]) -> str:
        """Tell the relay, the robot or the puppet what to do."""
        topic = {"camera": FAULT, "robot": TROUBLE, "puppet": ORDER}[to]
        self._words[topic].publish(json.dumps(what))
        return ""

    def order(self, word: str) -> str:
        """Give the arm process a person's order."""
        return give_order(word)

    def place(self, position: list[float]) -> str:
        """Put the arm somewhere."""
        self._place.publish(JointState(name=list(JOINT_NAMES), position=position))
        return ""

    def button(self, pressed: bool) -> str:
        """Press or release the red button."""
        self._button.publish(pressed)
        return ""

    def robot_fault(self) -> str:
        """The robot finds something wrong with itself."""
        self._fault.publish()
        return ""

    def _listeners(self, topic: str) -> int:
        """How many nodes the master would send to `topic`; at least the robot."""
        _, subscribers, _ = self._master.getSystemState()
        return max([1, *(len(nodes) for name, nodes in subscribers if name == topic)])

    def robot_order(self, word: str) -> str:
        """Somebody else's disable or stop to the robot, over a publisher made for it."""
        message: Any = Bool if word == "disable" else Empty
        name = {"disable": "/robot/set_super_enable", "stop": "/robot/set_super_stop"}[word]
        publisher = rospy.Publisher(name, message, queue_size=1, latch=False)
        pause = threading.Event()
        # The witness hears it as well; with its connection alone the robot would not.
        for _ in range(100):
            if publisher.get_num_connections() >= self._listeners(name):
                break
            pause.wait(0.02)
        publisher.publish(*([False] if word == "disable" else []))
        pause.wait(0.2)
        publisher.unregister()
        return ""

    def call(self, node: str, method: str, arguments: list[Any]) -> str:
        """Call a node's or the master's own XML-RPC, as any stranger can."""
        uri = rosgraph.get_master_uri() if node == "master" else self._master.lookupNode(node)
        return str(getattr(xmlrpc.client.ServerProxy(uri), method)("/stranger", *arguments))[:200]

    def puppets(self) -> str:
        """How many puppets listen."""
        return str(self._words[ORDER].get_num_connections())

    def connected(self) -> str:
        """Raise UserError unless relay and robot listen."""
        used = (self._words[FAULT], self._words[TROUBLE], self._place, self._button, self._fault)
        deaf = [one.name for one in used if not one.get_num_connections()]
        if deaf:
            raise UserError(f"nobody listens to {', '.join(deaf)}")
        return ""


def serve(hands: Hands, fail: Callable[[UserError], None]) -> None:
    """Do what standard input says until it ends."""
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"ok": True, "text": getattr(hands, request.pop("do"))(**request)}
        except (UserError, OSError, xmlrpc.client.Error, rosgraph.MasterError) as error:
            answer = {"ok": False, "text": str(error)}
        os.write(1, f"{json.dumps(answer)}\n".encode())
    fail(UserError("nobody says what to do any more"))


def wire(_: HandsOptions, node: Node) -> None:
    """Begin to listen."""
    threading.Thread(target=serve, args=(Hands(), node.fail), name="serve", daemon=True).start()


def main() -> int:
    """Run the node; returns the exit code."""
    return run(NODE, HandsOptions, wire)


if __name__ == "__main__":
    sys.exit(main())
