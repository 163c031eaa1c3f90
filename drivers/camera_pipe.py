"""What goes through the pipe between a camera's process and the one that looks: pictures, facts, words and failures.

Written by `camera_process`, read by `held_camera`. A reader never waits for the rest of a picture: a camera's process
may be stopped or killed in the middle of one.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np

from robot_rig.datatypes import Bytes

HEAD = struct.Struct("<4sI")
"""What kind of message it is, and how many bytes follow."""

PICTURE = struct.Struct("<QdHH")
"""The device's number of the picture, exposure in monotonic s, height and width; its RGB bytes follow."""

SHOT, FACTS, WORD, FAILURE = b"SHOT", b"FACT", b"WORD", b"FAIL"
MAX_BYTES = PICTURE.size + 3 * 4096 * 4096
CHUNK_BYTES = 2**20


@dataclass(frozen=True, slots=True)
class Shot:
    """A picture as the device gave it: its own number, exposure in monotonic s, read-only uint8 (H, W, 3) RGB."""

    number: int
    stamp: float
    rgb: Bytes


@dataclass(frozen=True)
class Facts:
    """What a device says of itself once it has started. `device` and `locked` let it be started again as it was."""

    name: str
    device: str
    """How to ask for this very device again: a serial number, a stable path, a file."""

    details: dict[str, Any] = field(default_factory=dict)
    """For people: firmware, bus, intrinsics, exposure."""

    focal_px: float = 0.0
    """Focal length that the device itself reports, px; 0 where it reports none."""

    locked: dict[str, float] = field(default_factory=dict)
    """Settings that were found at the first start and stay, such as exposure and gain, by the device's names."""

    port: str = ""
    """Where it is plugged in, as a path below /sys; empty where that is unknown."""


@dataclass(frozen=True, slots=True)
class Word:
    """One line for the log."""

    text: str


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there are no pictures. `lasting`: there will never be another one, as after a recording's end."""

    problem: str
    next_step: str
    lasting: bool

    order: int = 0
    """The number of the order that failed; 0: the start of the process, or the process as a whole."""

    code: str = "camera_ended"
    """What it is where it lasts, as a code of safety.reasons."""


Message = Shot | Facts | Word | Failure
KINDS: dict[bytes, type[Facts] | type[Word] | type[Failure]] = {FACTS: Facts, WORD: Word, FAILURE: Failure}


class Writer:
    """Writes whole messages to the file descriptor `pipe`; waits while nobody reads. Raises OSError with no reader."""

    def __init__(self, pipe: int) -> None:
        self._pipe = pipe

    def send(self, message: Message) -> None:
        """Write one message."""
        if isinstance(message, Shot):
            height, width, _ = message.rgb.shape
            head = PICTURE.pack(message.number, message.stamp, height, width)
            self._write(HEAD.pack(SHOT, len(head) + message.rgb.nbytes) + head)
            self._write(np.ascontiguousarray(message.rgb).data.cast("B"))
            return
        text = json.dumps(asdict(message)).encode()
        kind = next(kind for kind, made in KINDS.items() if isinstance(message, made))
        self._write(HEAD.pack(kind, len(text)) + text)

    def _write(self, data: bytes | memoryview) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._pipe, view) :]


class Reader:
    """Takes what has come through the non-blocking `pipe`, in whole messages. `ended`: nothing more will come."""

    def __init__(self, pipe: int) -> None:
        self._pipe, self._kept = pipe, bytearray()
        self.ended = False

    def messages(self) -> Iterator[Message]:
        """All messages that are complete by now. Raises ValueError for bytes that are none."""
        while not self.ended:
            try:
                data = os.read(self._pipe, CHUNK_BYTES)
            except BlockingIOError:
                break
            self.ended = not data
            self._kept += data
            # A picture is taken out as soon as it is whole, so that no backlog builds up in here.
            yield from self._whole()
        yield from self._whole()

    def _whole(self) -> Iterator[Message]:
        while len(self._kept) >= HEAD.size:
            kind, length = HEAD.unpack_from(self._kept)
            if kind not in (SHOT, *KINDS) or length > MAX_BYTES:
                raise ValueError(f"a camera's process sent {bytes(kind)!r} with {length} bytes")
            if len(self._kept) < HEAD.size + length:
                return
            body = bytes(memoryview(self._kept)[HEAD.size : HEAD.size + length])
            del self._kept[: HEAD.size + length]
            try:
                message = _picture(body) if kind == SHOT else KINDS[kind](**json.loads(body))
            except (struct.error, TypeError) as error:
                raise ValueError(
                    f"a camera's process sent {length} bytes that are no {kind.decode()}: {error}"
                ) from None
            yield message


def _picture(body: bytes) -> Shot:
    number, stamp, height, width = PICTURE.unpack_from(body)
    if len(body) != PICTURE.size + 3 * height * width:
        raise ValueError(f"a picture of {width}x{height} px in {len(body) - PICTURE.size} bytes")
    rgb: Bytes = np.frombuffer(body, np.uint8, offset=PICTURE.size).reshape(height, width, 3)
    return Shot(number, stamp, rgb)
