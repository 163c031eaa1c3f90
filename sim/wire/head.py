"""The simulated head's pan: position only, no dynamics. Called by `sim.wire.sawyer`."""

from __future__ import annotations

import math
from enum import IntEnum

LOWER_LIMIT_RAD, UPPER_LIMIT_RAD = -5.0952, 0.9064
RATED_SPEED_RAD_S = 1.8
RATED_ACCELERATION_RAD_S2 = 10.0
RATED_EFFORT_NM = 8.0
DEADBAND_RAD = 0.01
TURNING_RAD_S = 0.02
HEAD_PAN = "head_pan"


class PanMode(IntEnum):
    """HeadPanCommand.pan_mode; the first three are HeadState.panMode too."""

    PASSIVE = 0
    ACTIVE = 1
    ACTIVE_CANCELLATION = 2
    NO_CHANGE = 3


class HeadPan:
    """Turns to its target at a share of the rated speed.

    In `mode` ACTIVE the target is the joint's angle; in ACTIVE_CANCELLATION the angle in base, kept while the arm turns
    the head with it; in PASSIVE nothing drives it.
    """

    def __init__(self) -> None:
        self.mode = PanMode.ACTIVE
        self.blocked = False
        """Whether the place to look at is out of reach, which only ACTIVE_CANCELLATION knows."""
        self.pan = 0.0
        self.speed = 0.0
        self._target = 0.0
        self._pace = 0.0

    @property
    def is_turning(self) -> bool:
        """What HeadState.isTurning says."""
        return abs(self.speed) > TURNING_RAD_S

    def command(self, target: float, speed_ratio: float, mode: PanMode = PanMode.ACTIVE) -> None:
        """Turn to `target` rad, clamped to the joint's limits, at `speed_ratio` of the rated speed, in [0, 1]."""
        self.mode = self.mode if mode is PanMode.NO_CHANGE else mode
        self._target = target
        self._pace = min(max(speed_ratio, 0.0), 1.0) * RATED_SPEED_RAD_S

    def halt(self) -> None:
        """Stay where it is, as when the motors go off."""
        self.mode, self.blocked = PanMode.ACTIVE, False
        self._target, self.speed = self.pan, 0.0

    def _wanted(self, base_turn: float) -> float:
        """The joint's angle to go to, within its limits."""
        self.blocked = False
        if self.mode is PanMode.PASSIVE:
            return self.pan
        wanted = self._target
        if self.mode is PanMode.ACTIVE_CANCELLATION:
            turns = (self._target - base_turn + 2.0 * math.pi * turn for turn in (-2, -1, 0, 1, 2))
            wanted = min(turns, key=lambda angle: abs(angle - (LOWER_LIMIT_RAD + UPPER_LIMIT_RAD) / 2))
        reached = min(max(wanted, LOWER_LIMIT_RAD), UPPER_LIMIT_RAD)
        self.blocked = self.mode is PanMode.ACTIVE_CANCELLATION and reached != wanted
        return reached

    def tick(self, seconds: float, base_turn: float = 0.0) -> None:
        """Let `seconds` pass while the link that carries the head stands at `base_turn` rad in base."""
        remaining = self._wanted(base_turn) - self.pan
        if abs(remaining) <= DEADBAND_RAD:
            self.speed = 0.0
            return
        step = min(abs(remaining), self._pace * seconds) * (1.0 if remaining > 0 else -1.0)
        self.pan += step
        self.speed = step / seconds
