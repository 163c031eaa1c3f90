"""Taking the power from a USB port for a moment: what cures a camera that no reset reaches. Called by `held_camera`."""

from __future__ import annotations

import time
from pathlib import Path

OFF_S = 0.5
SYSTEM = Path("/sys")


def cycle_power(port: str, system: Path = SYSTEM) -> str:
    """Switch the device that is plugged in at `port` (a path below `system`) off and on.

    Returns why that could not be done, as a sentence, or nothing.
    """
    switch = _switch(Path(port), system)
    if switch is None:
        return "the USB port of the camera is not known, so its power stays on"
    try:
        switch.write_text("0")
        time.sleep(OFF_S)
        switch.write_text("1")
    except OSError as error:
        return f"the power of the camera's USB port stays on: {switch}: {error.strerror}; a udev rule may permit it"
    return ""


def _switch(port: Path, system: Path) -> Path | None:
    """The switch of the device that is closest to `port` on the way up: an interface below it has none that counts."""
    if not port.is_absolute() or ".." in port.parts:
        return None
    for folder in (port, *port.parents):
        # Interfaces have an `authorized` of their own; only a device has a number on its bus.
        if folder.is_relative_to(system) and (folder / "authorized").is_file() and (folder / "devnum").is_file():
            return folder / "authorized"
    return None
