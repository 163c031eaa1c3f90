"""The newest value of a topic and when it arrived: what stands between ROS's callback threads and a loop's tick.

Called by the ROS drivers and the nodes. A reader never waits: it reads one reference, and letters never change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Letter(Generic[T]):
    """A value, its time of arrival (monotonic s) and its number, counted from 1."""

    value: T
    arrival: float
    number: int


class Mailbox(Generic[T]):
    """Keeps the newest value only. Any number of threads may put, any number may read."""

    def __init__(self, now: Callable[[], float] = time.monotonic) -> None:
        self._now = now
        self._writing = threading.Lock()
        self._letter: Letter[T] | None = None

    def put(self, value: T) -> None:
        """Keep `value`, with the present as its arrival, in place of the one before."""
        with self._writing:
            number = self._letter.number + 1 if self._letter is not None else 1
            self._letter = Letter(value, self._now(), number)

    def newest(self) -> Letter[T] | None:
        """The newest letter, however old, or None while nothing has arrived. The caller judges its age."""
        return self._letter

    def newer_than(self, number: int) -> Letter[T] | None:
        """The newest letter if it is not `number` itself: the way to take each value once."""
        letter = self._letter
        return letter if letter is not None and letter.number > number else None

    def age(self) -> float:
        """Seconds since the newest arrival; infinite while nothing has arrived."""
        letter = self._letter
        return self._now() - letter.arrival if letter is not None else float("inf")
