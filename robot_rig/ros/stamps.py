"""Other clocks' time stamps on the local monotonic clock. Called by the ROS drivers and by `convert`; needs no ROS.

`HostStamps` is for messages of this machine's own nodes, which are stamped with its wall clock. `LowerEnvelope` is for
a machine of its own clock, such as the robot's controller, which may be seconds off and need not run NTP. Both answer
with a monotonic time, or with `Refused` and the reason: a stamp that cannot be trusted is never guessed.
"""

from __future__ import annotations

import math
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

MAX_STEP_S = 0.020
"""A wall clock that moved against the monotonic one by more than this between two messages has been set."""
MAX_SLEW = 1e-3
"""Seconds per second by which a clock may run wrong without having been set: NTP slews at up to 0.0005."""
QUIET_AFTER_STEP_S = 0.5
"""How long stamps are refused after a step: one made before it would look younger or older than it is."""
MAX_AHEAD_S = 0.005
"""A stamp may lie this far in the future for the reading of two clocks in a row; it then counts as now."""


@dataclass(frozen=True, slots=True)
class Refused:
    """Why something that arrived is not used; one line for a log or a person."""

    reason: str


class HostStamps:
    """Wall time of this host <-> its monotonic time, with the offset read anew for every message.

    An NTP step is noticed at the first message after it; stamps are then refused for `QUIET_AFTER_STEP_S`. One for the
    whole process: any thread may call it.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._read_wall, self._read_monotonic = wall, monotonic
        self._lock = threading.Lock()
        self._now, self._offset = self._read()
        self._refused_until = -math.inf
        self._step = 0.0

    @property
    def last_step(self) -> float:
        """By how many seconds the wall clock was set last while this was watching; 0 if never, > 0 for forward."""
        return self._step

    def wall(self, stamp: float) -> float:
        """Seconds since 1970 of the monotonic `stamp` (s): what goes into a header."""
        return stamp + self._read()[1]

    def local(self, wall_stamp: float) -> float | Refused:
        """The monotonic time (s) of `wall_stamp` (s since 1970), read from a message that has just arrived."""
        with self._lock:
            now, offset = self._read()
            moved = offset - self._offset
            if abs(moved) > MAX_STEP_S + MAX_SLEW * (now - self._now):
                self._step, self._refused_until = moved, now + QUIET_AFTER_STEP_S
            self._now, self._offset = now, offset
            if now < self._refused_until:
                return Refused(f"this machine's clock was set by {self._step:+.3f} s a moment ago")
        if reason := _unusable(wall_stamp):
            return Refused(reason)
        stamp = wall_stamp - offset
        if stamp > now + MAX_AHEAD_S:
            return Refused(f"stamped {stamp - now:.3f} s in the future")
        return min(stamp, now)

    def _read(self) -> tuple[float, float]:
        """(monotonic s, wall - monotonic s), of the closest pair of readings: a process may lose the CPU in between."""
        best = (math.inf, 0.0, 0.0)
        for _ in range(5):
            before, wall, after = self._read_monotonic(), self._read_wall(), self._read_monotonic()
            best = min(best, (after - before, after, wall - (before + after) / 2))
            if after - before < 1e-4:
                break
        return best[1], best[2]


@dataclass(frozen=True, slots=True)
class ClockLimits:
    """What `LowerEnvelope` believes of a remote clock. Seconds; `drift` in seconds per second.

    `noise` is by how much the shortest delay itself may differ between the two halves of the window.
    """

    window: float = 10.0
    settle: float = 1.0
    settle_count: int = 10
    jitter: float = 0.05
    drift: float = MAX_SLEW
    noise: float = 0.002
    jump: float = MAX_STEP_S


@dataclass(slots=True)
class _Slice:
    """Arrivals within a tenth of the window: the first one's delay, the least, and the sum of all above the first."""

    begin: float
    least: float
    first: float
    excess: float
    count: int


class LowerEnvelope:
    """Maps a remote clock's stamps to the local monotonic clock.

    The least (arrival - stamp) of the last `window` seconds is the clocks' offset plus the shortest delay of the
    transport: a stamp comes out as local time, late by that shortest delay (under 1 ms on a cable), and never after its
    arrival. A constant offset of any size is fine. Refused: the first `settle` seconds, also after a silence as long as
    the window; delays whose mean lies `jitter` above the least; an envelope that moves faster than `drift`; and a clock
    that was set, which starts it all anew. One for each stream of at least 2 Hz, in order of arrival, from one thread.
    """

    def __init__(self, limits: ClockLimits | None = None) -> None:
        self._limits = limits or ClockLimits()
        self._slices: deque[_Slice] = deque()
        self._last_stamp = self._last_arrival = -math.inf
        self._jumped = ""
        self.jumps = 0

    @property
    def offset(self) -> float:
        """Local monotonic minus remote time, s, shortest delay included; NaN before the first stamp."""
        return min((one.least for one in self._slices), default=math.nan)

    @property
    def jitter(self) -> float:
        """Mean delay above the least one in the window, s; NaN before the first stamp."""
        count, offset = sum(one.count for one in self._slices), self.offset
        total = sum(one.excess + one.count * (one.first - offset) for one in self._slices)
        return total / count if count else math.nan

    @property
    def drift(self) -> float:
        """How the envelope moved from the older to the newer half of the window, s per s; 0 while that is too short."""
        moved, over = self._envelope_moved()
        return moved / over if over else 0.0

    def local(self, stamp: float, arrival: float) -> float | Refused:
        """The local monotonic time (s) of the remote `stamp` (s) of a message that arrived at `arrival` (s)."""
        if reason := _unusable(stamp):
            return Refused(reason)
        if arrival < self._last_arrival:
            return Refused("arrived before the message before it: use one clock and one stream")
        if jumped := self._jump(stamp, arrival):
            self.jumps += 1
            self._slices.clear()
            self._jumped = f"the remote clock jumped {jumped}; "
        self._add(arrival, arrival - stamp)
        self._last_stamp, self._last_arrival = stamp, arrival
        reason = self._distrust(arrival)
        return Refused(reason) if reason else min(stamp + self.offset, arrival)

    def _jump(self, stamp: float, arrival: float) -> str:
        """What the clock did if it was set between the last message and this one, or nothing."""
        if not self._slices:
            return ""
        back = self._last_stamp - stamp
        if back > self._limits.jump:
            return f"back by {back:.3f} s"
        # Nothing is ever faster than the shortest delay, so an early message means a clock set forward; while the
        # shortest delay is still being learnt, an early one is only that.
        ahead = self.offset - (arrival - stamp)
        slack = self._limits.jump + self._limits.drift * (arrival - self._last_arrival)
        if ahead > slack and self._settled(arrival):
            return f"forward by {ahead:.3f} s"
        return ""

    def _add(self, arrival: float, delay: float) -> None:
        limits = self._limits
        while self._slices and self._slices[0].begin < arrival - limits.window:
            self._slices.popleft()
        if not self._slices or arrival - self._slices[-1].begin >= limits.window / 10:
            self._slices.append(_Slice(arrival, delay, delay, 0.0, 0))
        newest = self._slices[-1]
        newest.least = min(newest.least, delay)
        newest.excess += delay - newest.first
        newest.count += 1

    def _settled(self, arrival: float) -> bool:
        """Whether what is in the window is enough to know the shortest delay; old knowledge counts while it lasts."""
        count = sum(one.count for one in self._slices)
        return count >= self._limits.settle_count and arrival - self._slices[0].begin >= self._limits.settle

    def _envelope_moved(self) -> tuple[float, float]:
        """(by how many seconds, over how many seconds) from the older to the newer half of the window."""
        half = len(self._slices) // 2
        if half < 2:
            return 0.0, 0.0
        slices = list(self._slices)
        older, newer = slices[:half], slices[-half:]
        moved = min(one.least for one in newer) - min(one.least for one in older)
        return moved, newer[0].begin - older[0].begin

    def _distrust(self, arrival: float) -> str:
        """Why no stamp of this clock is to be trusted now, or nothing."""
        limits = self._limits
        if not self._settled(arrival):
            return f"{self._jumped}the remote clock's offset is being learnt"
        self._jumped = ""
        if (jitter := self.jitter) > limits.jitter:
            return f"delays vary by {1e3 * jitter:.0f} ms on average, more than {1e3 * limits.jitter:.0f} ms"
        moved, over = self._envelope_moved()
        if abs(moved) > limits.noise + limits.drift * over:
            return f"the remote clock drifts by {1e3 * moved / over:+.2f} ms/s, more than {1e3 * limits.drift:.2f} ms/s"
        return ""


def _unusable(stamp: float) -> str:
    """Why `stamp` is no time at all, or nothing."""
    if not math.isfinite(stamp):
        return "its stamp is not a number"
    return "not stamped" if stamp <= 0.0 else ""
