"""A cable between the simulated camera and the camera node, with faults in it, as a ROS node.

    python -m sim.faults.relay

Started by `rig faults`; camera_node listens to `RELAYED` instead of the camera. `FAULT` takes the fault as JSON.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from dataclasses import dataclass
from typing import Any

import genpy
import rospy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header, String

from robot_rig.clock import WallClock
from robot_rig.ros.node import Node, run
from robot_rig.ros.real_time import prepare_process
from sim.faults.camera_faults import FaultyCamera, Late
from sim.wire.camera import IMAGE, INFO

NODE = "faulty_camera"
RELAYED, RELAYED_INFO = "/faulty/color/image_raw", "/faulty/color/camera_info"
FAULT, PASSED = "/faulty/fault", "/faulty/passed"
BUFFER_BYTES = 2**22


@dataclass(frozen=True)
class RelayOptions:
    """The faulty cable of the camera."""

    seed: int = 0
    """Seed of drops and delays."""

    priority: int = 15
    """SCHED_FIFO priority of this process; 0: normal scheduling."""


class Relay:
    """Forwards pictures through a FaultyCamera, those that are late on a thread of its own."""

    def __init__(self, seed: int) -> None:
        self._camera = FaultyCamera(seed)
        self._lock = threading.Lock()
        self._clock = WallClock()
        self._late: queue.SimpleQueue[tuple[float, Late, str] | None] = queue.SimpleQueue()
        self._images = rospy.Publisher(RELAYED, Image, queue_size=2)
        self._infos = rospy.Publisher(RELAYED_INFO, CameraInfo, queue_size=2)
        self._passed = rospy.Publisher(PASSED, Header, queue_size=100)
        threading.Thread(target=self._deliver, name="deliver", daemon=True).start()
        rospy.Subscriber(FAULT, String, self._set, queue_size=10, tcp_nodelay=True)
        rospy.Subscriber(INFO, CameraInfo, self._infos.publish, queue_size=2, tcp_nodelay=True)
        rospy.Subscriber(IMAGE, Image, self._take, queue_size=2, buff_size=BUFFER_BYTES, tcp_nodelay=True)

    def _set(self, message: String) -> None:
        with self._lock:
            self._camera.set(json.loads(message.data))

    def _take(self, message: Image) -> None:
        with self._lock:
            out, kind = self._camera.take(message), self._camera.kind
        now = time.monotonic()
        for late in out:
            self._late.put((now + late.delay_s, late, kind))

    def _deliver(self) -> None:
        while (delivery := self._late.get()) is not None:
            due, late, kind = delivery
            self._clock.sleep_until(due)
            self._passed.publish(Header(stamp=genpy.Time.from_sec(late.exposed), frame_id=kind))
            self._images.publish(late.message)

    def close(self) -> None:
        """End the thread."""
        self._late.put(None)


def wire(options: RelayOptions, node: Node) -> None:
    """Begin to relay."""
    prepare_process(options.priority)
    relay: Any = Relay(options.seed)
    node.closing(relay.close)


def main() -> int:
    """Run the node; returns the exit code."""
    return run(NODE, RelayOptions, wire)


if __name__ == "__main__":
    sys.exit(main())
