"""A 3D mouse (SpaceMouse, SpaceNavigator) as a hand device, over its own HID reports. Called by `drivers.hands`.

Pushing the cap: x and y of base, pulling it: z; turning does nothing. A cap that is touched is not a hand that means
it, so the dead-man is a button of the mouse, held.

The reports are read raw and not as the kernel's events: a deflected mouse repeats itself every 8 to 30 ms, by which
one that has died can be told from one that is held still, and the kernel passes changes on only.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterable, Mapping
from typing import Any

from robot_rig.errors import UserError
from robot_rig.loops.hand_loop import HandReport, Speech

MAKER = 0x256F
FORMER_MAKER = 0x046D
FORMER_PRODUCTS = frozenset({0xC603, 0xC605, 0xC606, 0xC621, 0xC623, 0xC625, 0xC626, 0xC627, 0xC628, 0xC629, 0xC62B})
"""3D mice that were sold under the vendor number of Logitech."""

GENERIC_DESKTOP, MULTI_AXIS = 1, 8
"""HID usage of the interface that says where the cap is."""

SHIFT, TURN, BUTTONS = 1, 2, 3
"""What a report is about, its first byte. Newer mice put the turn behind the shift in one report."""

FULL = 350.0
"""The count of a cap that is pushed to its end."""

SHIFTED = struct.Struct("<3h")
REPORT_BYTES = 64
MOST_REPORTS = 50
"""Reports of one read: more than a second's worth means that nobody has read for long."""

UDEV_RULE = 'KERNEL=="hidraw*", ATTRS{idVendor}=="256f", MODE="0660", TAG+="uaccess"'


class SpaceMouseReader:
    """Turns raw HID reports into what the loop takes."""

    def __init__(self) -> None:
        self._axes = (0.0, 0.0, 0.0)
        self._held = False

    def feed(self, data: bytes) -> HandReport | None:
        """What the mouse says with the report `data`, None for one of something else (battery, light).

        One that is cut off says that the dead-man is let go.
        """
        about, rest = data[:1], data[1:]
        if about == bytes([SHIFT]):
            if len(rest) < SHIFTED.size:
                return self._doubt()
            right, near, down = (min(max(count / FULL, -1.0), 1.0) for count in SHIFTED.unpack_from(rest))
            # The mouse counts to the right, towards the person and down.
            self._axes = (-near, -right, -down)
        elif about == bytes([BUTTONS]):
            if not rest:
                return self._doubt()
            self._held = any(rest)
        elif about != bytes([TURN]):
            return None
        return HandReport(self._axes, self._held)

    def _doubt(self) -> HandReport:
        self._axes, self._held = (0.0, 0.0, 0.0), False
        return HandReport()


class SpaceMouse:
    """An open 3D mouse; implements `drivers.hands.Hand`. `device` is a `hidraw.device` of the package hidapi."""

    speech = Speech.REPEATS
    lesson = "hold a button of the mouse: push the cap for x and y, pull or press it for up and down   + - : speed"

    def __init__(self, device: Any, name: str) -> None:
        self.name = name
        self._device = device
        self._reader = SpaceMouseReader()
        self._closed = False

    def begin(self) -> HandReport:
        """At rest: a mouse speaks when it is touched, and a button that is held since before is no dead-man."""
        self._reader = SpaceMouseReader()
        return HandReport()

    def read(self, timeout_s: float) -> list[HandReport]:
        """What it has said since, oldest first. Raises OSError when it is gone."""
        reports: list[HandReport | None] = []
        data = self._device.read(REPORT_BYTES, max(1, round(1000 * timeout_s)))
        while data and len(reports) < MOST_REPORTS:
            reports.append(self._reader.feed(bytes(data)))
            data = self._device.read(REPORT_BYTES)
        return [report for report in reports if report is not None]

    def close(self) -> None:
        """Let go of it; may be called twice."""
        if not self._closed:
            self._closed = True
            self._device.close()


def open_spacemouse() -> SpaceMouse:
    """The first 3D mouse of this machine. Raises UserError when there is none, or when it may not be read."""
    try:
        import hidraw
    except ImportError as error:
        raise UserError(
            "the package hidapi, which reads 3D mice, is not installed", next_step="`make setup`, or pip install hidapi"
        ) from error
    entry = spacemouse_among(hidraw.enumerate())
    name, path = entry["product_string"] or "3D mouse", entry["path"]
    device = hidraw.device()
    try:
        device.open_path(path)
    except OSError as error:
        raise shut(name, path.decode(), os.access(path, os.R_OK | os.W_OK)) from error
    device.set_nonblocking(1)
    return SpaceMouse(device, name)


def spacemouse_among(entries: Iterable[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The 3D mouse in what hidapi has found. Raises UserError where there is none."""
    for entry in entries:
        moves = (entry["usage_page"], entry["usage"]) == (GENERIC_DESKTOP, MULTI_AXIS)
        if moves and is_spacemouse(entry["vendor_id"], entry["product_id"]):
            return entry
    raise UserError("no 3D mouse is connected", next_step="plug one in; `lsusb` lists it as 3Dconnexion")


def is_spacemouse(vendor: int, product: int) -> bool:
    """Whether the USB numbers are those of a 3D mouse."""
    return vendor == MAKER or (vendor == FORMER_MAKER and product in FORMER_PRODUCTS)


def shut(name: str, path: str, permitted: bool) -> UserError:
    """Why the mouse `name` at `path` did not open."""
    if permitted:
        return UserError(f"{name} ({path}) does not open", next_step="unplug it and plug it in again")
    return UserError(
        f"{name} ({path}) may not be read by you",
        next_step=f"put the line {UDEV_RULE} into /etc/udev/rules.d/99-spacemouse.rules (046d for an old one), "
        "`sudo udevadm control --reload`, and plug it in again",
    )
