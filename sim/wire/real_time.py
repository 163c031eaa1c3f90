"""Runs the simulated robot at the speed of the wall clock. Called by `sim.sim_node`.

Every step has an absolute deadline, so lateness does not add up: a late step is followed by its successors at once.
What cannot be caught up is given up aloud: time lost in silence would make every speed measured on the robot wrong.
"""

from __future__ import annotations

import logging
from collections.abc import Callable

from robot_rig.clock import Clock

log = logging.getLogger(__name__)

LONGEST_LAG_S = 0.25
"""Further behind than this is not caught up: a burst of steps would answer commands that have long been replaced."""

WARNING_PERIOD_S = 1.0


class RealTime:
    """Calls `step(stamp)` once a `period` (s); `stamp` is the moment on `clock` that the step stands for."""

    def __init__(self, clock: Clock, period: float, step: Callable[[float], None]) -> None:
        self._clock = clock
        self._period = period
        self._step = step
        self._begin = self._zero = float("nan")
        self._warned = -WARNING_PERIOD_S
        self._unsaid = 0.0
        self.steps = 0
        self.lost_s = 0.0
        """Wall time that was given up since the start."""
        self.largest_lag_s = 0.0

    def run(self, stopped: Callable[[], bool]) -> None:
        """Step until `stopped()`."""
        while not stopped():
            self.advance()

    def advance(self) -> None:
        """Wait for the next deadline, unless it has passed, and step."""
        if self.steps == 0:
            self._begin = self._zero = self._clock.now()
        due = self._zero + self.steps * self._period
        lag = self._clock.now() - due
        self.largest_lag_s = max(self.largest_lag_s, lag)
        if lag > LONGEST_LAG_S:
            self._give_up(lag)
            due += lag
        elif lag < 0.0:
            self._clock.sleep_until(due)
        self._step(due)
        self.steps += 1

    def factor(self) -> float:
        """Simulated seconds for each second of wall time since the start."""
        passed = self._clock.now() - self._begin
        return self.steps * self._period / passed if passed > 0.0 else 1.0

    def _give_up(self, lag: float) -> None:
        self._zero += lag
        self.lost_s += lag
        self._unsaid += lag
        now = self._clock.now()
        if now - self._warned >= WARNING_PERIOD_S:
            log.warning(
                "the simulator cannot keep up: %.0f ms of wall time given up, real-time factor %.3f since the start",
                1000 * self._unsaid,
                self.factor(),
            )
            self._warned, self._unsaid = now, 0.0
