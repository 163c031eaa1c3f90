"""Where the simulated tool truly was, and whether the simulator kept up: the judge's ruler over ROS (R17).

Called by the live demo, which judges; no agent and no driver may. The counterpart of `sim.wire.room`.
"""

from __future__ import annotations

import bisect
from typing import Any

import numpy as np
import rospy
from geometry_msgs.msg import PointStamped
from std_msgs.msg import Float64

from robot_rig.datatypes import Floats
from robot_rig.ros.stamps import HostStamps, Refused
from sim.wire.room import FACTOR, TOOL

QUEUE = 200
SILENT_S = 0.1
"""A longer hole between two reports, which come every 10 ms, spoils an attempt: the simulator has given up time (0.25 s
at least), or could tell nobody of its robot."""


class Ruler:
    """Remembers the tool's path from now on; the process must be a node."""

    def __init__(self) -> None:
        self._stamps = HostStamps()
        self._times: list[float] = []
        self._places: list[tuple[float, float]] = []
        self.factor = float("nan")
        """Simulated seconds for each second of wall time since the simulator's start, as it says."""
        self._subscribers = [
            rospy.Subscriber(TOOL, PointStamped, self._take, queue_size=QUEUE, tcp_nodelay=True),
            rospy.Subscriber(FACTOR, Float64, self._take_factor, queue_size=1),
        ]

    def _take(self, message: Any) -> None:
        stamp = self._stamps.local(message.header.stamp.to_sec())
        if not isinstance(stamp, Refused):
            # In this order: a reader looks at the times first.
            self._places.append((message.point.x, message.point.y))
            self._times.append(stamp)

    def _take_factor(self, message: Any) -> None:
        self.factor = float(message.data)

    @property
    def latest(self) -> float:
        """When the newest report was measured (monotonic s); minus infinity before the first."""
        return self._times[-1] if self._times else -np.inf

    def tool_xy(self, stamp: float) -> Floats:
        """(2,) m in base, the last report up to `stamp` (monotonic s), or the first one there is."""
        index = bisect.bisect_right(self._times, stamp) - 1
        return np.array(self._places[max(0, index)])

    def worst_hole(self, begin: float, end: float) -> float:
        """The longest time (s) between two reports that touches `begin` to `end` (monotonic s)."""
        times = [begin, *(time for time in self._times if begin < time < end), end]
        return float(np.diff(times).max())

    def close(self) -> None:
        """Hear no more; may be called twice."""
        for subscriber in self._subscribers:
            subscriber.unregister()
