"""Is the arm process's tick alive and on time? The watchdog thread of arm_node asks; the robot's own timeout is next.

Two different ailments: a tick that has stopped while this process still runs (it hangs or died: stop the arm), and a
machine that is too busy to tick on time (come to rest, and tell people).
"""

from __future__ import annotations

CHECK_PERIOD_S = 0.02
SILENT_CHECKS = 5
"""So many looks in a row without a tick, each look itself on time, are a dead tick: 0.1 s."""

MISSES_IN_A_ROW = 3
"""So many ticks in a row, each more than a period late, and the arm comes to rest."""


class BeatWatch:
    """The watchdog: `dead` is asked every `CHECK_PERIOD_S` with the number of ticks done so far.

    A look that comes late itself proves nothing, because then the whole process was held up; the robot's own 0.2 s
    timeout covers that.
    """

    def __init__(self) -> None:
        self._beats = -1
        self._silent = 0
        self._last_look: float | None = None

    def dead(self, now: float, beats: int) -> bool:
        """Whether the tick must be taken for dead at `now` (s)."""
        late = self._last_look is None or now - self._last_look > 2 * CHECK_PERIOD_S
        self._last_look = now
        if beats != self._beats:
            self._beats, self._silent = beats, 0
        elif not late:
            self._silent += 1
        return self._silent >= SILENT_CHECKS


class LatenessWatch:
    """Counts the ticks that began more than one `period_s` late."""

    def __init__(self, period_s: float) -> None:
        self._period_s = period_s
        self._in_a_row = 0
        self.missed = 0
        self.worst_s = 0.0

    def late(self, lag_s: float) -> bool:
        """Count a tick that began `lag_s` after its deadline; True when too many in a row were late."""
        self.worst_s = max(self.worst_s, lag_s)
        if lag_s <= self._period_s:
            self._in_a_row = 0
            return False
        self.missed += 1
        self._in_a_row += 1
        return self._in_a_row % MISSES_IN_A_ROW == 0
