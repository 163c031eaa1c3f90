"""From a topic to a mailbox or a queue, with what cannot be read named in the log and not more often than useful.

Called by the nodes when they are wired. Callbacks never raise and never wait.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import Any, TypeVar

from robot_rig.ros.connect import subscribe
from robot_rig.ros.stamps import Refused
from robot_rig.ros.topics import Topic

T = TypeVar("T")

TOLD_EVERY_S = 5.0

log = logging.getLogger(__name__)


def listen(topic: Topic, read: Callable[[Any], T | Refused], take: Callable[[T], None]) -> Any:
    """Hand every message of `topic` that `read` can read to `take`, on ROS's thread; returns the subscriber."""
    told = -TOLD_EVERY_S

    def receive(message: Any) -> None:
        nonlocal told
        record = read(message)
        if not isinstance(record, Refused):
            take(record)
        elif (now := time.monotonic()) - told > TOLD_EVERY_S:
            told = now
            log.warning("%s: refused %s", topic.name, record.reason)

    return subscribe(topic, receive)
