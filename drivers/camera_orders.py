"""Orders to a camera's process, given by `held_camera` and kept by `camera_process` until they are due, or have lapsed.

A process may hang while it is ordered this and that, and go on by itself. So an order is numbered, and a failure says
which order it belongs to; and an order lapses with the first picture that was exposed after it was given, as the ladder
steps down with that picture: what was meant for a silent camera would only silence one that shows pictures again.
"""

from __future__ import annotations

import math
import queue
from dataclasses import dataclass

from drivers.camera_pipe import Shot

LOOK_S = 0.1
"""How long the device is looked at before an order is carried out: it may be back by now."""

FIRST_PICTURE_S = 1.0
"""What a device that has just been started is given to show a picture in, before the next order."""


@dataclass(frozen=True)
class Order:
    """The rung `word`, given at `given` (monotonic s, the same in all processes), the `number`th to this process."""

    number: int
    word: str
    given: float

    @property
    def line(self) -> bytes:
        """The order as a line for the process."""
        return f"{self.number} {self.word} {self.given!r}\n".encode()


START = Order(0, "start", -math.inf)
"""What a process begins with."""


def read_order(line: str) -> Order:
    """The order in a line of `Order.line`."""
    number, word, given = line.split()
    return Order(int(number), word, float(given))


class OrderBook:
    """The order that waits, if any: a later one is harsher and takes its place. `arriving` brings them; None ends."""

    def __init__(self, arriving: queue.Queue[Order | None]) -> None:
        self._arriving = arriving
        self._waiting: Order | None = None
        self._due = -math.inf
        self._rest_until = -math.inf
        self._number, self._newest = -1, -math.inf
        self.ended = False

    def due(self, now: float) -> Order | None:
        """The order to carry out at `now` (s), once; None while there is none. `ended` when nobody looks any more."""
        while not self._arriving.empty():
            self._waiting = self._arriving.get()
            self.ended = self.ended or self._waiting is None
            self._due = now + LOOK_S
        if self._waiting is not None and self._waiting.given < self._newest:
            self._waiting = None
        if self._waiting is None or now < max(self._due, self._rest_until):
            return None
        order, self._waiting = self._waiting, None
        return order

    def shown(self, shot: Shot) -> None:
        """The device has shown `shot`; one with the number of the one before is no news, and nor is an older one."""
        if shot.number != self._number:
            self._newest = max(self._newest, shot.stamp)
        self._number = shot.number

    def started(self, now: float) -> None:
        """The device was started anew, which ended at `now` (s); it counts from the beginning."""
        self._number = -1
        self._rest_until = now + FIRST_PICTURE_S
