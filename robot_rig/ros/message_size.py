"""No message may be longer than anybody here sends: rospy would gather a gigabyte in memory for whoever announces one.

Every node gets this through `node.run`. rospy offers no such limit, so its own reader of messages is wrapped; a link
over which more is announced is ended, as if its other end had died.
"""

from __future__ import annotations

import struct
from io import BytesIO
from typing import Any

import rospy.impl.tcpros_base as wire
from rospy.exceptions import TransportTerminated

IMAGE = "sensor_msgs/Image"
IMAGE_BYTES = 64 * 2**20
"""Of a camera's raw picture: 4096 x 4096 in colour, with its header, is 50 MB."""

OTHER_BYTES = 2**20
"""Of everything else: states, actions and reports have kilobytes."""

LENGTH = struct.Struct("<I")
_read = wire.deserialize_messages


def limit_of(kind: Any) -> int:
    """The most bytes that a message of the class `kind` may have."""
    return IMAGE_BYTES if getattr(kind, "_type", "") == IMAGE else OTHER_BYTES


def read_bounded(
    buffer: BytesIO,
    messages: list[Any],
    kind: Any,
    queue_size: int | None = None,
    max_msgs: int | None = None,
    start: int = 0,
) -> None:
    """rospy's `deserialize_messages`, which leaves an unfinished message at `start` of `buffer`.

    Raises TransportTerminated when that one announces more bytes than its kind may have.
    """
    _read(buffer, messages, kind, queue_size=queue_size, max_msgs=max_msgs, start=start)
    end = buffer.tell()
    if end - start < LENGTH.size:
        return
    buffer.seek(start)
    (announced,) = LENGTH.unpack(buffer.read(LENGTH.size))
    buffer.seek(end)
    if announced > limit_of(kind):
        raise TransportTerminated(f"a message of {announced} bytes was announced, the most is {limit_of(kind)}")


def limit_messages() -> None:
    """From now on in this process, for all topics and for what services are asked; may be called twice."""
    wire.deserialize_messages = read_bounded
