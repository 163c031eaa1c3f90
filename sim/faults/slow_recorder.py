"""The recorder on a disk that is slow when told to: for row 25. All but the time that a sync takes is real.

    python -m sim.faults.slow_recorder --run RUN

Started by `rig faults`.
"""

from __future__ import annotations

import functools
import json
import os
import sys
import threading
from typing import Any

import rospy
from std_msgs.msg import String

from robot_rig.nodes import recorder_node
from robot_rig.nodes.recorder_node import RecorderNodeOptions
from robot_rig.ros.node import Node, run
from sim.faults.puppet import ORDER


class SlowDisk:
    """Lets every `os.fdatasync` of this process take `sync_s` longer. Any thread may ask for a sync."""

    def __init__(self) -> None:
        self.sync_s = 0.0
        self._pause = threading.Event()
        self._real = os.fdatasync
        os.fdatasync = self._sync

    def _sync(self, fd: Any) -> None:
        self._pause.wait(self.sync_s)
        self._real(fd)


def wire(options: RecorderNodeOptions, node: Node) -> None:
    """Record, and listen to how slow the disk is to be."""
    disk = SlowDisk()

    def obey(message: Any) -> None:
        order = json.loads(message.data)
        if order.get("to") == "disk":
            disk.sync_s = float(order["sync_s"])

    rospy.Subscriber(ORDER, String, obey, queue_size=10, tcp_nodelay=True)
    recorder_node.wire(options, node)


main = functools.partial(run, recorder_node.NODE, RecorderNodeOptions, wire)

if __name__ == "__main__":
    sys.exit(main())
