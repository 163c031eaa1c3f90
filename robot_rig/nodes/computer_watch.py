"""Will this computer last? One that is too hot or out of battery leaves an arm without its guard. For `policy_wiring`.

From 80 C on it is said; from 90 C on no episode begins, until it is below 85 C again. On battery the same by what is
used up: said at 80 %, nothing new from 90 % on, until it is below 85 % or plugged in. An episode that runs is finished:
it takes seconds. What the kernel tells is read by a thread of its own, because a sensor may take its time. A computer
that tells nothing is not judged.
"""

from __future__ import annotations

import logging
import threading
from pathlib import Path
from typing import NamedTuple

ZONES, SUPPLIES = Path("/sys/class/thermal"), Path("/sys/class/power_supply")
WARN, STOP, WELL = 80.0, 90.0, 85.0
"""Degrees C, and percent of a battery that are used up."""

BELIEVABLE_C = (-40.0, 150.0)
"""Sensors that are not connected say -273 or 255 degrees; what silicon does not bear is not believed."""

LOOK_S = 2.0
BLIND_LOOKS = 5
"""How often in a row no temperature may be read before a computer that was hot counts as one that shows none."""

log = logging.getLogger(__name__)


class Condition(NamedTuple):
    """The hottest zone (C), and the charge of the fullest battery (%) while one is used; None where nothing tells."""

    celsius: float | None
    charge: float | None


class _Alarm:
    """Judges something that is worse the higher it is."""

    def __init__(self) -> None:
        self._warned = False
        self.objects = False

    def judge(self, value: float | None) -> bool:
        """Take `value`, None where there is none; whether that is to be warned of, once each time it comes."""
        if value is None:
            self.objects = self._warned = False
            return False
        self.objects = value >= STOP or (self.objects and value >= WELL)
        news = value >= WARN and not self._warned
        self._warned = value >= WARN
        return news


class ComputerWatch:
    """Watches `zones`, folders thermal_zone* with a file `temp` in thousandths of a degree, and the batteries in
    `supplies`, every `look_s` seconds.
    """

    def __init__(self, zones: Path = ZONES, supplies: Path = SUPPLIES, look_s: float = LOOK_S) -> None:
        self._zones, self._supplies, self._look_s = zones, supplies, look_s
        self._ended = threading.Event()
        self._heat, self._battery = _Alarm(), _Alarm()
        self._celsius: float | None = None
        self._unseen = 0
        self.objection = ""
        """Why no episode may begin, or empty."""

    def start(self) -> None:
        """Look now and then, until `close`."""
        threading.Thread(target=self._run, name="computer", daemon=True).start()

    def close(self) -> None:
        """End; may be called twice."""
        self._ended.set()

    def look(self) -> Condition:
        """Look once; what was found."""
        celsius, charge = self._hottest(), charge_left(self._supplies)
        objections = []
        if self._heat.judge(celsius):
            log.warning("this computer is at %.0f C: see to its fan and its load; at %.0f C it stops", celsius, STOP)
        if self._heat.objects:
            objections.append(f"this computer is at {celsius:.0f} C, and from {STOP:.0f} C on nothing new begins")
        if self._battery.judge(None if charge is None else 100.0 - charge):
            log.warning("this computer's battery is at %.0f %%: plug it in; at %.0f %% it stops", charge, 100.0 - STOP)
        if self._battery.objects:
            objections.append(
                f"this computer's battery is at {charge:.0f} %, and from {100.0 - STOP:.0f} % on nothing new begins"
            )
        self.objection = "; ".join(objections)
        return Condition(celsius, charge)

    def _hottest(self) -> float | None:
        """The hottest zone's temperature, C: for some looks the last one where none can be read."""
        seen = hottest(self._zones)
        self._unseen = self._unseen + 1 if seen is None else 0
        if seen is not None or self._unseen > BLIND_LOOKS:
            self._celsius = seen
        return self._celsius

    def _run(self) -> None:
        while not self._ended.wait(self._look_s):
            self.look()


def hottest(zones: Path) -> float | None:
    """The temperature of the hottest zone, C, or None where there is none to be believed."""
    found = [_number(path) for path in zones.glob("thermal_zone*/temp")]
    celsius = [milli / 1000.0 for milli in found if milli is not None]
    return max((one for one in celsius if BELIEVABLE_C[0] < one < BELIEVABLE_C[1]), default=None)


def charge_left(supplies: Path) -> float | None:
    """Percent left in the fullest battery of this computer, or None while it runs on none."""
    charges, used = [], False
    for folder in supplies.glob("*"):
        # Scope Device: the battery of a mouse or a gamepad.
        if _text(folder / "type") != "Battery" or _text(folder / "scope") == "Device":
            continue
        used = used or _text(folder / "status") == "Discharging"
        if (percent := _number(folder / "capacity")) is not None and 0.0 <= percent <= 100.0:
            charges.append(percent)
    return max(charges, default=None) if used else None


def _text(path: Path) -> str:
    try:
        return path.read_text().strip()
    except (OSError, ValueError):
        return ""


def _number(path: Path) -> float | None:
    try:
        return float(int(_text(path)))
    except ValueError:
        return None
