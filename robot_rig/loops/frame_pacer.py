"""Which of the camera's frames the policy answers: at 30 frames/s and 10 Hz, every third. Called by `live_episodes`.

A deadline alone would leave the chosen frame up to a camera period old. So the frame gives the beat: the one nearest to
the policy's own grid, at once when it arrives. The grid is of exposure stamps, which do not jitter with the network,
and follows the camera slowly, so that 29.97 frames/s do not slip a frame every half minute.
"""

from __future__ import annotations

import statistics
from collections import deque

SPACINGS = 9
"""Frames that the camera's own period is the median of; an odd number, and few enough to follow a change of mode."""

NUDGE = 0.1
"""Share of a deviation by which the grid follows the camera."""


class FramePacer:
    """Asked once for every new frame, in order. `period_s` is the policy's."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._spacings: deque[float] = deque(maxlen=SPACINGS)
        self._last: float | None = None
        self._next: float | None = None
        self.missed = 0
        """Policy periods in which no frame came."""

    def restart(self) -> None:
        """Begin a new grid with the next frame."""
        self._next = None

    def due(self, stamp: float) -> bool:
        """Whether the frame exposed at `stamp` (s) is to be answered."""
        if self._last is not None and stamp > self._last:
            self._spacings.append(stamp - self._last)
        self._last = stamp
        if self._next is None:
            self._next = stamp + self._period_s
            return True
        off = stamp - self._next
        if off < -self._early():
            return False
        if off >= self._period_s:
            self.missed += int(off // self._period_s)
            self._next = stamp + self._period_s
        else:
            self._next += self._period_s + NUDGE * off
        return True

    def _early(self) -> float:
        """How long before its time a frame is taken: half a camera period, or the next one would be farther off."""
        spacing = statistics.median(self._spacings) if self._spacings else 0.0
        return min(spacing, self._period_s) / 2
