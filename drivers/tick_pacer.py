"""When the guard process ticks: on a grid of deadlines, and at once when an action comes. Called by `guard_process`."""

from __future__ import annotations

import threading

from drivers.beat_watch import LatenessWatch
from robot_rig.clock import Clock

EARLY_SPACING_S = 0.05
"""A new action is answered at once instead of at the next deadline, but no oftener than this."""


class TickPacer:
    """One thread waits; others `nudge`. `closing` ends a wait."""

    def __init__(self, clock: Clock, period_s: float, closing: threading.Event) -> None:
        self._clock, self._period_s, self._closing = clock, period_s, closing
        self._wake = threading.Event()
        self._last_early = -EARLY_SPACING_S
        self._lateness = LatenessWatch(period_s)

    def nudge(self) -> None:
        """Something has come that should not wait for up to a period."""
        self._wake.set()

    def wait(self, deadline: float) -> tuple[float, bool]:
        """Sleep until `deadline` (s) or a nudge; the deadline after that, and whether too many in a row were late."""
        remaining = deadline - self._clock.now()
        early = remaining > 0 and self._wake.wait(remaining)
        now = self._clock.now()
        self._wake.clear()
        if early and now < deadline:
            if now - self._last_early >= EARLY_SPACING_S:
                # The grid moves with the actions: they come periodically, so the next one finds a tick at its door.
                self._last_early = now
                return now + self._period_s, False
            self._closing.wait(deadline - now)
            now = self._clock.now()
        lag = now - deadline
        return (deadline if lag <= self._period_s else now) + self._period_s, self._lateness.late(lag)
