"""What a terminal sends when keys are pressed, as strokes. Called by the teleop node with the bytes that it reads; the
live exam, whose questions a person answers by key, wants the keys themselves.

A terminal knows presses and repeats only, never a release; `teleop_loop` makes do with that.
"""

from __future__ import annotations

import enum

ESCAPE = b"\x1b"
LONGEST = 8
"""Bytes of the longest sequence that a terminal sends for one key."""


STOP_KEY = b"x"


class Stroke(str, enum.Enum):
    """A key's meaning: a direction in base, a change of speed, or an order."""

    X_UP = "+x"
    X_DOWN = "-x"
    Y_UP = "+y"
    Y_DOWN = "-y"
    Z_UP = "+z"
    Z_DOWN = "-z"
    FASTER = "faster"
    SLOWER = "slower"
    REST = "rest"
    ENABLE = "enable"
    STOP = "stop"
    HOLD = "hold"
    HOME = "home"
    HAND_BACK = "hand back"
    CORNER = "corner"
    QUIT = "quit"


KEYS: dict[bytes, Stroke] = {
    b"\x1b[A": Stroke.X_UP,
    b"\x1b[B": Stroke.X_DOWN,
    b"\x1b[D": Stroke.Y_UP,
    b"\x1b[C": Stroke.Y_DOWN,
    b"\x1bOA": Stroke.X_UP,
    b"\x1bOB": Stroke.X_DOWN,
    b"\x1bOD": Stroke.Y_UP,
    b"\x1bOC": Stroke.Y_DOWN,
    b"\x1b[5~": Stroke.Z_UP,
    b"\x1b[6~": Stroke.Z_DOWN,
    b"w": Stroke.X_UP,
    b"s": Stroke.X_DOWN,
    b"a": Stroke.Y_UP,
    b"d": Stroke.Y_DOWN,
    b"r": Stroke.Z_UP,
    b"f": Stroke.Z_DOWN,
    b"+": Stroke.FASTER,
    b"=": Stroke.FASTER,
    b"-": Stroke.SLOWER,
    b" ": Stroke.REST,
    b"e": Stroke.ENABLE,
    STOP_KEY: Stroke.STOP,
    b"h": Stroke.HOLD,
    b"o": Stroke.HOME,
    b"p": Stroke.HAND_BACK,
    b"b": Stroke.CORNER,
    b"q": Stroke.QUIT,
    b"\x03": Stroke.QUIT,
    b"\x04": Stroke.QUIT,
}


class KeyReader:
    """Turns bytes, cut anywhere, into keys: what the terminal sends for each, as b"y" or b"\\x1b[A"."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The keys that `data` completes; no data, as of a read in vain, completes a sequence that goes no further."""
        if not data:
            keys, self._rest = [self._rest] if self._rest else [], b""
            return keys
        self._rest += data
        keys = []
        while self._rest and not self._unfinished():
            length = self._length()
            key, self._rest = self._rest[:length], self._rest[length:]
            keys.append(key)
        return keys

    def _unfinished(self) -> bool:
        """Whether what is left may be the beginning of a sequence."""
        return (len(self._rest) < LONGEST and self._rest in (ESCAPE, b"\x1b[", b"\x1bO")) or self._open_parameters()

    def _open_parameters(self) -> bool:
        body = self._rest[2:]
        return self._rest[:2] == b"\x1b[" and len(self._rest) < LONGEST and all(byte in b"0123456789;" for byte in body)

    def _length(self) -> int:
        if self._rest[:1] != ESCAPE:
            return 1
        if self._rest[:2] == b"\x1bO":
            return 3
        if self._rest[:2] != b"\x1b[":
            return 1
        # A sequence ends with its first byte that is no parameter.
        for i in range(2, min(len(self._rest), LONGEST)):
            if self._rest[i] not in b"0123456789;":
                return i + 1
        return LONGEST


class StrokeReader:
    """Turns bytes, cut anywhere, into strokes. A key without a meaning is REST: whatever is hit by mistake stops.

    Escape and `[` before it do not swallow an x: what ends with the key of STOP and means nothing else is STOP.
    """

    def __init__(self) -> None:
        self._keys = KeyReader()

    def feed(self, data: bytes) -> list[Stroke]:
        """The strokes that `data` completes."""
        return [KEYS.get(key, Stroke.STOP if key.endswith(STOP_KEY) else Stroke.REST) for key in self._keys.feed(data)]
