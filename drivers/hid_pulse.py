"""Whether a HID device repeats its reports by itself, and its last sign of life. Called by `drivers.gamepad`.

The kernel's events tell changes only. Below them many gamepads send a report every few milliseconds, moved or not; one
that has done so and falls silent has died, with its last value still in the kernel.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path

SYSTEM = Path("/sys/class/input")
DEVICES = Path("/dev")
REPORT_BYTES = 512
MOST_REPORTS = 1000

GAP_S = 0.06
"""Longest pause in a stream; it is looked for every 0.02 s."""

PROVEN_S = 1.0
"""How long a stream must have lasted before its end means anything."""


class HidPulse:
    """The raw reports behind the event device called `event` (as event5), where this user may read them.

    Where not, it never beats, and proves nothing.
    """

    def __init__(self, event: str, system: Path = SYSTEM, devices: Path = DEVICES) -> None:
        self._fd = -1
        self._began = self._last = 0.0
        for node in sorted((system / event / "device/device/hidraw").glob("hidraw*")):
            with contextlib.suppress(OSError):
                self._fd = os.open(devices / node.name, os.O_RDONLY | os.O_NONBLOCK)
                break

    def beats(self, now: float) -> bool:
        """Whether reports have come since the last look, at `now` (s)."""
        came = self._drain()
        if came:
            if now - self._last > GAP_S:
                self._began = now
            self._last = now
        return came

    @property
    def proven(self) -> bool:
        """Whether the device has kept up a stream until its last sign of life, so that silence is death."""
        return self._last - self._began >= PROVEN_S

    def _drain(self) -> bool:
        for count in range(MOST_REPORTS if self._fd >= 0 else 0):
            try:
                if not os.read(self._fd, REPORT_BYTES):
                    return count > 0
            except BlockingIOError:
                return count > 0
        return self._fd >= 0

    def close(self) -> None:
        """Read no more; may be called twice."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
