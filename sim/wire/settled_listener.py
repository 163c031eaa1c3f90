"""A subscriber that connects to a topic only once somebody has been there for a while. Called by `sim.wire.robot`.

The vendor's velocity example announces its publisher for the rate of joint states and, a fifth of a second later, sends
a float there, which Python 3 cannot write to a connection as UInt16: met by a robot that connects at once it ends. The
vendor's port to Python 3 mended the later messages only, so that their robot had not connected by then.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

import rospy

from robot_rig.ros.master import Master, MasterSilent, master_uri

PERIOD_S = 1.0
"""Who is seen twice, this long apart, is listened to."""

log = logging.getLogger(__name__)


class SettledListener:
    """Calls `take` with the messages of `topic`, of type `kind`, in rospy's threads, until `close`.

    Looks every `period` (s) who publishes there.
    """

    def __init__(self, topic: str, kind: Any, take: Callable[[Any], None], period: float = PERIOD_S) -> None:
        self._topic, self._kind, self._take, self._period = topic, kind, take, period
        self._master = Master(master_uri(), rospy.get_name())
        self._subscriber: rospy.Subscriber | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="settled listener", daemon=True)
        self._thread.start()

    def _watch(self) -> None:
        before = frozenset[str]()
        while not self._closing.wait(self._period):
            try:
                now = frozenset(self._master.state().publishers_of(self._topic))
            except MasterSilent as silence:
                log.debug("nobody is known to publish %s: %s", self._topic, silence)
                now = frozenset()
            if self._subscriber is None and before & now:
                self._subscriber = rospy.Subscriber(self._topic, self._kind, self._take, queue_size=1)
            elif self._subscriber is not None and not now:
                self._subscriber.unregister()
                self._subscriber = None
            before = now

    def close(self) -> None:
        """Hear no more; may be called twice."""
        self._closing.set()
        self._thread.join()
        if self._subscriber is not None:
            self._subscriber.unregister()
            self._subscriber = None
