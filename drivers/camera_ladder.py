"""What to try when a camera falls silent, in which order and for how long. Pure; asked by `held_camera`.

The first rung is not here: the guard stops the arm by the picture's age, 250 ms after its exposure, whatever this does.
Every attempt is counted, and a picture that was exposed after it ends the climb.
"""

from __future__ import annotations

import enum
import math
from collections import Counter
from dataclasses import dataclass


class Rung(str, enum.Enum):
    """From mild to harsh. NONE: pictures come."""

    NONE = "none"
    RESTART = "restart"
    """Stop and start the sensor, in the camera's process."""
    RESET = "reset"
    """Let the device begin anew, drop all handles, look for it until it is back, start it."""
    KILL = "kill"
    """End the camera's process, which may hang in the vendor's code, and start another."""
    POWER = "power"
    """Take the power from its USB port for a moment, then as KILL."""
    PERSON = "person"
    """Somebody must replug it. A fresh process looks for it again and again."""


@dataclass(frozen=True)
class Patience:
    """Seconds that each rung is given; tests shorten them."""

    silence: float = 1.0
    """Without a new picture before anything is tried."""
    restart: float = 2.0
    reset: float = 12.0
    """10 s for the device to come back, and its start."""
    start: float = 10.0
    """A new process until its first picture."""
    again: float = 2.0
    """Between two looks for a device that a person must replug."""


class Ladder:
    """Asked at every look; says what to do now. Times are monotonic seconds."""

    def __init__(self, now: float, patience: Patience | None = None) -> None:
        self._patience = patience or Patience()
        self.rung = Rung.NONE
        self.counts: Counter[str] = Counter()
        self._since, self._until = now, math.inf

    def tick(self, now: float, newest: float, failed: bool) -> Rung:
        """The rung to take now, or NONE for nothing to do.

        `newest`: exposure of the newest picture, -inf for none. `failed`: what was tried last has ended without.
        """
        if self.rung is Rung.NONE:
            # A device that reports an end of its own need not be waited for.
            silent = now - max(newest, self._since) > self._patience.silence
            return self._take(Rung.RESTART, now, self._patience.restart) if silent or failed else Rung.NONE
        if newest > self._since:
            self.counts[f"recovered by {self.rung.value}"] += 1
            self.rung, self._since = Rung.NONE, now
            return Rung.NONE
        # A person is waited for in peace: nothing changes until somebody has come.
        early = self.rung is Rung.PERSON and now <= self._since + self._patience.again
        if now <= self._until and (early or not failed):
            return Rung.NONE
        return self._take(*self._next(now))

    def _next(self, now: float) -> tuple[Rung, float, float]:
        patience = self._patience
        if self.rung is Rung.RESTART:
            return Rung.RESET, now, patience.reset
        if self.rung is Rung.RESET:
            return Rung.KILL, now, patience.start
        if self.rung is Rung.KILL:
            return Rung.POWER, now, patience.start
        return Rung.PERSON, now, patience.start

    def _take(self, rung: Rung, now: float, patience: float) -> Rung:
        self.rung, self._since, self._until = rung, now, now + patience
        self.counts[rung.value] += 1
        return rung
