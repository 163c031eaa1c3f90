"""A second commander of the arm, as a ROS node: what the guard must find. Started by `rig faults`.

    python -m sim.faults.stranger

Publishes joint velocities at 100 Hz until it is killed.
"""

from __future__ import annotations

import sys
import threading
from dataclasses import dataclass

import rospy

from robot_rig.clock import WallClock
from robot_rig.datatypes import JOINT_NAMES
from robot_rig.ros.intera_messages import load
from robot_rig.ros.node import Node, run
from sim.wire.robot import LIMB

NODE = "stranger"
PERIOD_S = 0.01


@dataclass(frozen=True)
class StrangerOptions:
    """Somebody else who commands the arm."""

    speed: float = 0.05
    """Of the last joint, rad/s."""

    release: str = "5.5.2"
    """Robot software whose messages are on the wire."""


def wire(options: StrangerOptions, node: Node) -> None:
    """Begin to command."""
    message = load(options.release).JointCommand
    publisher = rospy.Publisher(f"{LIMB}/joint_command", message, queue_size=1, tcp_nodelay=True)
    velocity = [0.0] * (len(JOINT_NAMES) - 1) + [options.speed]
    closing = threading.Event()
    node.closing(closing.set)

    def run_on() -> None:
        clock = WallClock()
        while not closing.is_set():
            publisher.publish(message(mode=message.VELOCITY_MODE, names=list(JOINT_NAMES), velocity=velocity))
            clock.sleep_until(clock.now() + PERIOD_S)

    threading.Thread(target=run_on, name="command", daemon=True).start()


def main() -> int:
    """Run the node; returns the exit code."""
    return run(NODE, StrangerOptions, wire)


if __name__ == "__main__":
    sys.exit(main())
