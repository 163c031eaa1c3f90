"""What goes wrong with a camera, applied to its messages one by one. Pure but for the message class; called by `relay`.

A fault is a mapping with `kind`, one of `KINDS`, and what the kind needs; it lasts until another one is set.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import genpy
import numpy as np

KEPT = 30


class Late(NamedTuple):
    """A message to publish `delay_s` from now, and when what it shows was exposed (s since 1970)."""

    message: Any
    exposed: float
    delay_s: float = 0.0


class FaultyCamera:
    """Passes pictures on as a camera with `fault` would. `seed` draws drops and delays."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self._fault: Mapping[str, Any] = {"kind": "none"}
        self._kept: deque[Any] = deque(maxlen=KEPT)
        self._frozen: Any = None
        self._burst_until = 0.0
        self._replayed = 0

    @property
    def kind(self) -> str:
        """The fault's kind."""
        return str(self._fault["kind"])

    def set(self, fault: Mapping[str, Any]) -> None:
        """Have `fault` from now on. Raises ValueError for a kind that there is not."""
        if fault.get("kind") not in KINDS:
            raise ValueError(f"no such camera fault: {fault}; there are {', '.join(KINDS)}")
        self._fault, self._frozen, self._replayed, self._burst_until = fault, None, 0, 0.0

    def take(self, message: Any) -> Sequence[Late]:
        """What comes out for `message`."""
        out = KINDS[self.kind](self, message)
        if self.kind == "none":
            self._kept.append(message)
        return out

    def _pass(self, message: Any) -> Sequence[Late]:
        return [Late(message, message.header.stamp.to_sec())]

    def _silence(self, message: Any) -> Sequence[Late]:
        return []

    def _freeze(self, message: Any) -> Sequence[Late]:
        """The same pixels under fresh stamps."""
        if self._frozen is None:
            self._frozen = message
        picture = _with(self._frozen, data=self._frozen.data)
        picture.header = message.header
        return [Late(picture, self._frozen.header.stamp.to_sec())]

    def _gain(self, message: Any) -> Sequence[Late]:
        """Every pixel times `gain`, plus `offset`."""
        bright = _array(message).astype(np.float32) * self._fault.get("gain", 1.0) + self._fault.get("offset", 0.0)
        data = np.clip(bright, 0, 255).astype(np.uint8).tobytes()
        return [Late(_with(message, data=data), message.header.stamp.to_sec())]

    def _size(self, message: Any) -> Sequence[Late]:
        """`width` x `height` px, black or, `filled`, of the scene's bytes; `lie`: only the numbers, not the data."""
        width, height = self._fault["width"], self._fault["height"]
        filled = np.frombuffer(message.data, np.uint8) if self._fault.get("filled") else np.zeros(1, np.uint8)
        data = message.data if self._fault.get("lie") else np.resize(filled, 3 * width * height).tobytes()
        picture = _with(message, data=data, width=width, height=height, step=3 * width)
        return [Late(picture, message.header.stamp.to_sec())]

    def _encoding(self, message: Any) -> Sequence[Late]:
        """Declared as `encoding`, with the bytes that belong to it."""
        name, rgb = self._fault["encoding"], _array(message)
        height, width, _ = rgb.shape
        ways: dict[str, Callable[[], tuple[bytes, int]]] = {
            "bgr8": lambda: (np.ascontiguousarray(rgb[:, :, ::-1]).tobytes(), 3),
            "mono8": lambda: (rgb.mean(axis=2).astype(np.uint8).tobytes(), 1),
        }
        data, channels = ways[name]() if name in ways else (bytes(2 * height * width), 2)
        picture = _with(message, data=data, encoding=name, step=channels * width)
        return [Late(picture, message.header.stamp.to_sec())]

    def _shift(self, message: Any) -> Sequence[Late]:
        """Stamps `by_s` seconds off: a clock that was set."""
        exposed = message.header.stamp.to_sec()
        picture = _with(message, data=message.data)
        picture.header = copy.copy(message.header)
        picture.header.stamp = genpy.Time.from_sec(max(0.0, exposed + self._fault["by_s"]))
        return [Late(picture, exposed)]

    def _replay(self, message: Any) -> Sequence[Late]:
        """Pictures of a second ago, with their own stamps, over and over."""
        if not self._kept:
            return []
        old = self._kept[self._replayed % len(self._kept)]
        self._replayed += 1
        return [Late(old, old.header.stamp.to_sec())]

    def _jitter(self, message: Any) -> Sequence[Late]:
        """A `drop` share is lost, and one in `burst_every` is late by `burst_s`, with all that wait behind it."""
        now = message.header.stamp.to_sec()
        if self._random.random() < self._fault["drop"]:
            return []
        if now > self._burst_until and self._random.random() < 1.0 / self._fault["burst_every"]:
            self._burst_until = now + self._fault["burst_s"]
        return [Late(message, now, max(0.0, self._burst_until - now))]


KINDS: Mapping[str, Callable[[FaultyCamera, Any], Sequence[Late]]] = {
    "none": FaultyCamera._pass,
    "silence": FaultyCamera._silence,
    "freeze": FaultyCamera._freeze,
    "gain": FaultyCamera._gain,
    "size": FaultyCamera._size,
    "encoding": FaultyCamera._encoding,
    "shift": FaultyCamera._shift,
    "replay": FaultyCamera._replay,
    "jitter": FaultyCamera._jitter,
}


def _array(message: Any) -> Any:
    return np.frombuffer(message.data, np.uint8).reshape(message.height, message.width, 3)


def _with(message: Any, **changes: Any) -> Any:
    changed = copy.copy(message)
    for name, value in changes.items():
        setattr(changed, name, value)
    return changed
