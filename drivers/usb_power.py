"""Taking the power from a USB port for a moment: what cures a camera that no reset reaches. Called by `held_camera`."""

from __future__ import annotations

import re
import time
from pathlib import Path

OFF_S = 0.5
SYSTEM = Path("/sys")
DEVICE = re.compile(r"\d+-\d+(\.\d+)*")
"""How the kernel calls a device by its bus and ports. A root hub (usb2) and an interface (2-1:1.0) are called else."""


def cycle_power(port: str, system: Path = SYSTEM) -> str:
    """Switch the device that is plugged in at `port` (a path below `system`) off and on.

    Returns why that could not be done, as a sentence, or nothing.
    """
    device = _device(Path(port), system)
    if device is None:
        return "the USB port of the camera is not known, so its power stays on"
    switch = device / "authorized"
    if not switch.is_file():
        # Whatever is further up is a hub, with others on it.
        return f"there is nothing at the camera's USB port, {device.name}: its power cannot be switched"
    try:
        switch.write_text("0")
    except OSError as error:
        return f"the power of the camera's USB port stays on: {switch}: {error.strerror}; a udev rule may permit it"
    time.sleep(OFF_S)
    try:
        switch.write_text("1")
    except OSError as error:
        return f"the camera's USB port is switched off and stays so: {switch}: {error.strerror}; replug the camera"
    return ""


def _device(port: Path, system: Path) -> Path | None:
    """The USB device that `port` belongs to, whether or not it is there: the deepest folder with a device's name."""
    if not port.is_absolute() or ".." in port.parts or not port.is_relative_to(system):
        return None
    return next((folder for folder in (port, *port.parents) if DEVICE.fullmatch(folder.name)), None)
