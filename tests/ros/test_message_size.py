"""What announces more than anybody here sends is hung up on at once; everything else comes through as before."""

from __future__ import annotations

import io
import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import psutil
import pytest
import rospy.impl.tcpros_base as wire
from rospy.exceptions import TransportTerminated
from rospy.impl.tcpros_pubsub import TCPROSSub
from sensor_msgs.msg import Image, Joy

from robot_rig.ros.message_size import IMAGE_BYTES, OTHER_BYTES, limit_messages, limit_of
from sim.faults.flooder import framed, huge


@pytest.fixture(autouse=True)
def limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "deserialize_messages", wire.deserialize_messages)
    limit_messages()


class Link:
    """rospy's own end of a connection, and the other end in the hands of the test."""

    def __init__(self, kind: Any) -> None:
        near, self.far = socket.socketpair()
        self.transport = wire.TCPROSTransport(TCPROSSub("/x", kind), "/x")
        self.transport.set_socket(near, "somebody")
        self._threads: list[threading.Thread] = []

    def send(self, pieces: Iterable[bytes]) -> None:
        def work() -> None:
            for piece in pieces:
                try:
                    self.far.sendall(piece)
                except OSError:
                    return

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        self._threads.append(thread)

    def close(self) -> None:
        self.transport.close()
        self.far.close()
        for thread in self._threads:
            thread.join(5)


@pytest.fixture
def joys() -> Iterator[Link]:
    link = Link(Joy)
    yield link
    link.close()


@pytest.fixture
def images() -> Iterator[Link]:
    link = Link(Image)
    yield link
    link.close()


def test_messages_come_through_whole_and_in_pieces(joys: Link) -> None:
    sent = [Joy(axes=[number / 8.0] * number) for number in range(1, 6)]
    data = b"".join(map(framed, sent))
    joys.send(data[begin : begin + 7] for begin in range(0, len(data), 7))
    heard = []
    while len(heard) < len(sent):
        heard += joys.transport.receive_once()
    assert [message.axes for message in heard] == [tuple(message.axes) for message in sent]


def test_a_large_picture_comes_through(images: Link) -> None:
    picture = Image(height=1080, width=1920, data=np.arange(1920 * 1080 * 3, dtype=np.uint8).tobytes())
    images.send([framed(picture)])
    (heard,) = images.transport.receive_once()
    assert heard.data == picture.data


def test_a_huge_message_is_not_waited_for(joys: Link) -> None:
    before = psutil.Process().memory_info().rss
    joys.send(huge(500_000_000))
    with pytest.raises(TransportTerminated, match="500000000 bytes was announced"):
        joys.transport.receive_once()
    assert psutil.Process().memory_info().rss - before < 32 << 20


def test_nor_behind_a_good_one(joys: Link) -> None:
    joys.send([framed(Joy(axes=[1.0])) + struct.pack("<I", OTHER_BYTES + 1)])

    def receive() -> None:
        while joys.transport.receive_once():
            pass

    with pytest.raises(TransportTerminated):
        receive()


def test_the_limits_leave_room_for_what_there_is() -> None:
    assert limit_of(Image) == IMAGE_BYTES > 4096 * 4096 * 3 + 1000
    assert limit_of(Joy) == OTHER_BYTES


def test_the_flood_is_what_the_wire_takes_for_messages() -> None:
    data = framed(Joy())
    (length,) = struct.unpack_from("<I", data)
    assert length == len(data) - 4
    assert Joy().deserialize(data[4:]) == Joy()
    pieces = io.BytesIO(b"".join(huge(3_000_000)))
    assert struct.unpack("<I", pieces.read(4)) == (3_000_000,)
    assert len(pieces.read()) == 3_000_000
