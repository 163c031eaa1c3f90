"""The simulated head's pan: position only, no dynamics. Called by `sim.wire.sawyer`."""

from __future__ import annotations

LOWER_LIMIT_RAD, UPPER_LIMIT_RAD = -5.0952, 0.9064
RATED_SPEED_RAD_S = 1.8
RATED_ACCELERATION_RAD_S2 = 10.0
RATED_EFFORT_NM = 8.0
DEADBAND_RAD = 0.01
TURNING_RAD_S = 0.02
HEAD_PAN = "head_pan"


class HeadPan:
    """Turns to its target at a share of the rated speed."""

    def __init__(self) -> None:
        self.pan = 0.0
        self.speed = 0.0
        self._target = 0.0
        self._pace = 0.0

    @property
    def is_turning(self) -> bool:
        """What HeadState.isTurning says."""
        return abs(self.speed) > TURNING_RAD_S

    def command(self, target: float, speed_ratio: float) -> None:
        """Turn to `target` rad, clamped to the joint's limits, at `speed_ratio` of the rated speed, in [0, 1]."""
        self._target = min(max(target, LOWER_LIMIT_RAD), UPPER_LIMIT_RAD)
        self._pace = min(max(speed_ratio, 0.0), 1.0) * RATED_SPEED_RAD_S

    def halt(self) -> None:
        """Stay where it is, as when the motors go off."""
        self._target, self.speed = self.pan, 0.0

    def tick(self, seconds: float) -> None:
        """Let `seconds` pass."""
        remaining = self._target - self.pan
        if abs(remaining) <= DEADBAND_RAD:
            self.speed = 0.0
            return
        step = min(abs(remaining), self._pace * seconds) * (1.0 if remaining > 0 else -1.0)
        self.pan += step
        self.speed = step / seconds
