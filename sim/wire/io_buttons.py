"""Buttons and wheels that a person works by hand, as the robot's firmware reports them. Called by `sim.wire.io_panels`.

The thresholds are those of the configuration that a robot announces. That every value is shown for 0.2 s is ours:
clients look ten times a second, and a short press would escape them.
"""

from __future__ import annotations

from enum import IntEnum

LONG_HOLD_S, DOUBLE_CLICK_S = 0.5, 0.4
SHOWN_S = 0.2
WHEEL_VALUES = 256


class Press(IntEnum):
    """A button's value."""

    OFF = 0
    CLICK = 1
    LONG_PRESS = 2
    DOUBLE_CLICK = 3


class Button:
    """One button. `value` is what it reports; `is_down` whether a finger is on it."""

    def __init__(self) -> None:
        self.value = Press.OFF
        self.is_down = False
        self._since_press_s = self._shown_s = float("inf")

    def push(self, *, down: bool) -> None:
        """A person presses it (`down`) or lets it go; without effect where it is so already."""
        if down and not self.is_down:
            self._show(Press.DOUBLE_CLICK if self._since_press_s < DOUBLE_CLICK_S else Press.CLICK)
            self._since_press_s = 0.0
        self.is_down = down

    def _show(self, value: Press) -> None:
        self.value, self._shown_s = value, 0.0

    def tick(self, seconds: float) -> None:
        """Let `seconds` pass."""
        self._since_press_s += seconds
        self._shown_s += seconds
        if not self.is_down and self.value is not Press.OFF and self._shown_s >= SHOWN_S:
            self._show(Press.OFF)
        elif self.is_down and self.value is Press.CLICK and self._since_press_s >= LONG_HOLD_S:
            self._show(Press.LONG_PRESS)


class Wheel:
    """A wheel without ends: one byte that runs over."""

    def __init__(self) -> None:
        self.value = 0

    def turn(self, clicks: int) -> None:
        """Turn it by `clicks`, forwards where positive."""
        self.value = (self.value + clicks) % WHEEL_VALUES
