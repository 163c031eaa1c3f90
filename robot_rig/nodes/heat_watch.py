"""How hot is this computer? One that throttles or switches off leaves an arm without its guard. For `policy_wiring`.

From 80 C on it is said; from 90 C on no episode begins, until it is below 85 C again. An episode that runs is finished:
it takes seconds. The sensors are the kernel's thermal zones, which are read by a thread of their own, because a sensor
may take its time. A computer that shows none is not judged.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path

ZONES = Path("/sys/class/thermal")
WARN_C, HOT_C, COOL_C = 80.0, 90.0, 85.0
BELIEVABLE_C = (-40.0, 150.0)
"""Sensors that are not connected say -273 or 255 degrees; what silicon does not bear is not believed."""

LOOK_S = 2.0

log = logging.getLogger(__name__)


class HeatWatch:
    """Watches the zones in `zones`, each a folder thermal_zone* with a file `temp` in thousandths of a degree."""

    def __init__(self, zones: Path = ZONES) -> None:
        self._zones = zones
        self._ended = threading.Event()
        self._warned = False
        self.objection = ""
        """Why no episode may begin, or empty."""

    def start(self) -> None:
        """Look now and then, until `close`."""
        threading.Thread(target=self._run, name="heat", daemon=True).start()

    def close(self) -> None:
        """End; may be called twice."""
        self._ended.set()

    def look(self) -> float | None:
        """Look once; the temperature of the hottest zone, C, or None where there is none to be believed."""
        found = [
            celsius for path in sorted(self._zones.glob("thermal_zone*/temp")) if (celsius := _read(path)) is not None
        ]
        if not found:
            self.objection = ""
            return None
        hottest = max(found)
        if hottest >= HOT_C or (self.objection and hottest >= COOL_C):
            self.objection = f"this computer is at {hottest:.0f} C, and from {HOT_C:.0f} C on nothing new begins"
        else:
            self.objection = ""
        if hottest >= WARN_C and not self._warned:
            log.warning("this computer is at %.0f C: see to its fan and its load; at %.0f C it stops", hottest, HOT_C)
        self._warned = hottest >= WARN_C
        return hottest

    def _run(self) -> None:
        while not self._ended.wait(LOOK_S):
            self.look()


def _read(path: Path) -> float | None:
    try:
        celsius = int(path.read_text()) / 1000.0
    except (OSError, ValueError):
        return None
    return celsius if BELIEVABLE_C[0] < celsius < BELIEVABLE_C[1] else None
