"""Time as an argument: the clocks that every loop and node uses.

All stamps inside one machine are seconds on that machine's monotonic clock. Epoch time exists only in what is
written to disk or sent to people; `Clock.epoch` converts. Called by the shells (nodes, CLI) and by `sim.rig`.
"""

from __future__ import annotations

import time
from typing import Protocol


class Clock(Protocol):
    """Where loops learn the time from."""

    def now(self) -> float:
        """Monotonic seconds."""
        ...

    def epoch(self, stamp: float) -> float:
        """The monotonic `stamp` (s) as seconds since 1970, for logs."""
        ...

    def sleep_until(self, deadline: float) -> None:
        """Return when `now() >= deadline` (monotonic s); at once if that has passed."""
        ...


class WallClock:
    """The machine's monotonic clock; its offset to epoch is read once, so logged times never jump."""

    def __init__(self) -> None:
        self._offset = time.time() - time.monotonic()

    def now(self) -> float:
        """Monotonic seconds."""
        return time.monotonic()

    def epoch(self, stamp: float) -> float:
        """Seconds since 1970 of the monotonic `stamp`."""
        return stamp + self._offset

    def sleep_until(self, deadline: float) -> None:
        """Block until `deadline`."""
        remaining = deadline - time.monotonic()
        if remaining > 0:
            time.sleep(remaining)


class ManualClock:
    """A clock that moves only when told: simulation in process, and tests."""

    def __init__(self, start: float = 0.0, epoch_at_zero: float = 0.0) -> None:
        self._now = start
        self._epoch_at_zero = epoch_at_zero

    def now(self) -> float:
        """Seconds since the clock's own zero."""
        return self._now

    def epoch(self, stamp: float) -> float:
        """Seconds since 1970, given the epoch of this clock's zero."""
        return stamp + self._epoch_at_zero

    def advance(self, seconds: float) -> None:
        """Move on by `seconds` >= 0."""
        if not seconds >= 0.0:
            raise ValueError(f"a clock cannot go back: advance({seconds})")
        self._now += seconds

    def set_now(self, now: float) -> None:
        """Continue at `now` (s), as when a saved simulation is resumed."""
        self._now = now

    def sleep_until(self, deadline: float) -> None:
        """Jump to `deadline` if it lies ahead."""
        self._now = max(self._now, deadline)
