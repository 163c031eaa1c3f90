"""A node for the tests of `robot_rig.ros.node`, run as a process: `python -m tests.ros.ending_node [--trouble ...]`."""

from __future__ import annotations

import logging
import sys
import threading
import time
from dataclasses import dataclass
from functools import partial
from typing import Literal

import rospy
from std_msgs.msg import String

from robot_rig.errors import UserError
from robot_rig.ros.node import Node, run

HELD_S = 3.0
"""How long the wiring holds a lock that a closing wants; a signal comes meanwhile."""


@dataclass
class Options:
    """A node that says that it lives."""

    trouble: Literal["none", "wiring", "thread", "bug", "lock"] = "none"


def wire(options: Options, node: Node) -> None:
    publisher = rospy.Publisher("/test/last_words", String, queue_size=10, latch=True)
    node.closing(lambda: sys.stdout.write("closed first\n"))
    node.closing(lambda: sys.stdout.write(f"closed last, heard by {publisher.get_num_connections()}\n"))
    publisher.publish("alive")
    error = UserError("the arm is on fire", next_step="put it out")
    if options.trouble == "wiring":
        raise error
    if options.trouble == "thread":
        threading.Timer(0.2, node.fail, [error]).start()
    if options.trouble == "bug":
        raise ZeroDivisionError("a bug of ours")
    logging.getLogger("robot_rig.test").warning("a line of the library's log")
    if options.trouble == "lock":
        lock = threading.Lock()
        node.closing(partial(take, lock))
        with lock:
            say_so(node)
            time.sleep(HELD_S)
    else:
        say_so(node)


def take(lock: threading.Lock) -> None:
    with lock:
        sys.stdout.write("taken\n")


def say_so(node: Node) -> None:
    sys.stdout.write(f"alive as {node.name}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(run("ending", Options, wire))
