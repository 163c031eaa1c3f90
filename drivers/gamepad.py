"""A gamepad as a hand device, over the kernel's event interface. Called by `drivers.hands`.

Left stick: x and y of base, right stick up and down: z, left shoulder button: the dead-man, cross pad up and down:
speed, the right one of the four buttons (B, circle): STOP, start: hand back to the policy.

The kernel speaks of changes only, so a stick that is held still looks like a link that has died; `hid_pulse` tells them
apart where the gamepad repeats its reports and they may be read. Of any other the kernel is made to pass on what it
takes for noise: a stick in a hand trembles, and one that does not moves nothing until it does (`loops.hand_loop`). Over
a cable a lost device is told at once; over Bluetooth the kernel tells it seconds later, so that is refused.
"""

from __future__ import annotations

import contextlib
import dataclasses
import errno
import os
import re
import select
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from drivers.hid_pulse import HidPulse
from robot_rig.errors import UserError
from robot_rig.loops.hand_loop import HandReport, Speech
from robot_rig.loops.key_strokes import Stroke

# Numbers of the kernel's interface, so that recorded events are read where its library is not installed.
EV_SYN, EV_KEY, EV_ABS = 0, 1, 3
SYN_REPORT, SYN_DROPPED = 0, 3
ABS_X, ABS_Y, ABS_RY, ABS_RZ, ABS_HAT0Y = 0x00, 0x01, 0x04, 0x05, 0x11
BTN_EAST, BTN_TL, BTN_START = 0x131, 0x136, 0x13B
BUS_BLUETOOTH = 0x05

DEAD_MAN = BTN_TL
BUTTONS = {BTN_EAST: Stroke.STOP, BTN_START: Stroke.HAND_BACK}

EVENTS = Path("/dev/input")
LISTED = Path("/proc/bus/input/devices")
UNINSTALLED = UserError(
    "the package evdev, which reads gamepads, is not installed", next_step="`sudo apt-get install python3-evdev`"
)


class Span(NamedTuple):
    """The least and greatest value of an axis."""

    low: int
    high: int


class Event(NamedTuple):
    """What the kernel says; `evdev.InputEvent` has these too."""

    type: int
    code: int
    value: int


class GamepadReader:
    """Turns the kernel's events into reports. `spans` has an entry for each axis that the gamepad has."""

    def __init__(self, spans: Mapping[int, Span]) -> None:
        self._spans = spans
        self._height = ABS_RY if ABS_RY in spans else ABS_RZ
        self._values: dict[int, int] = {}
        self._held = False
        self._strokes: list[Stroke] = []
        self._broken = False

    @property
    def broken(self) -> bool:
        """Whether events were lost, so that `stand` has to say how it stands."""
        return self._broken

    def stand(self, values: Mapping[int, int], pressed: Iterable[int]) -> HandReport:
        """How it stands, asked of the kernel: the value of each axis and the buttons that are pressed."""
        self._values, self._held, self._broken = dict(values), DEAD_MAN in pressed, False
        return self._report()

    def feed(self, event: Event) -> HandReport | None:
        """Take one event; a report where it ends one. What was lost counts as a dead-man let go."""
        if event.type == EV_SYN and event.code == SYN_DROPPED:
            self._broken = True
            return HandReport()
        if self._broken:
            return None
        if event.type == EV_ABS:
            self._turn(event.code, event.value)
        elif event.type == EV_KEY:
            self._press(event.code, event.value)
        return self._report() if event.type == EV_SYN and event.code == SYN_REPORT else None

    def _turn(self, code: int, value: int) -> None:
        self._values[code] = value
        if code == ABS_HAT0Y and value:
            self._strokes.append(Stroke.FASTER if value < 0 else Stroke.SLOWER)

    def _press(self, code: int, value: int) -> None:
        if code == DEAD_MAN:
            self._held = value != 0
        elif value == 1 and code in BUTTONS:
            self._strokes.append(BUTTONS[code])

    def _report(self) -> HandReport:
        strokes, self._strokes = tuple(self._strokes), []
        # Up and left are the small values of a stick, and away from the robot and to its left in base.
        axes = (-self._share(ABS_Y), -self._share(ABS_X), -self._share(self._height))
        return HandReport(axes, self._held, strokes)

    def _share(self, code: int) -> float:
        """Deflection of an axis from the middle of its span, in [-1, 1]."""
        span = self._spans.get(code)
        if span is None or code not in self._values or span.high <= span.low:
            return 0.0
        half = (span.high - span.low) / 2.0
        return min(max((self._values[code] - span.low) / half - 1.0, -1.0), 1.0)


class Gamepad:
    """An open gamepad; implements `drivers.hands.Hand`. `device` is an `evdev.InputDevice`, ours alone from now on.

    `pulse` is what its raw reports tell.
    """

    lesson = (
        "hold the left shoulder button: left stick x and y, right stick up and down   cross pad up, down: speed   "
        "B or circle: STOP   start: hand back"
    )

    def __init__(self, device: Any, pulse: HidPulse) -> None:
        self.name: str = device.name
        self._device, self._pulse = device, pulse
        axes = dict(device.capabilities().get(EV_ABS, []))
        spans = {code: Span(info.min, info.max) for code, info in axes.items()}
        self._axes = tuple(spans)
        self._fuzz = {code: info.fuzz for code, info in axes.items() if info.fuzz}
        self._tremble(dict.fromkeys(self._fuzz, 0))
        self._reader = GamepadReader(spans)
        self._newest = HandReport()

    @property
    def speech(self) -> Speech:
        """What the silence of a deflected gamepad means: death once it has proven to repeat itself."""
        return Speech.REPEATS if self._pulse.proven else Speech.CHANGES

    def _tremble(self, fuzz: Mapping[int, int]) -> None:
        """Set the changes of each axis that the kernel takes for noise and keeps to itself."""
        for code, counts in fuzz.items():
            # Where the kernel will not, the stick moves the arm by fits and starts.
            with contextlib.suppress(OSError):
                self._device.set_absinfo(code, fuzz=counts)

    def begin(self) -> HandReport:
        """How it stands now. Raises OSError when it is gone."""
        values = {code: self._device.absinfo(code).value for code in self._axes}
        self._newest = self._reader.stand(values, self._device.active_keys())
        return self._newest

    def read(self, timeout_s: float) -> list[HandReport]:
        """What it has said since, oldest first; the same again where it has only given a sign of life.

        Raises OSError when it is gone.
        """
        said: list[HandReport] = []
        # Readable and empty is no word, and no loss either.
        with contextlib.suppress(BlockingIOError):
            if select.select([self._device.fd], [], [], timeout_s)[0]:
                reports = [self._reader.feed(event) for event in self._device.read()]
                said = [report for report in reports if report is not None]
        if self._reader.broken:
            said.append(self.begin())
        if said:
            self._newest = dataclasses.replace(said[-1], strokes=())
        alive = self._pulse.beats(time.monotonic())
        return said if said or not alive else [self._newest]

    def close(self) -> None:
        """Let others have it again; may be called twice."""
        self._pulse.close()
        self._tremble(self._fuzz)
        self._fuzz = {}
        with contextlib.suppress(OSError):
            self._device.close()


def open_gamepad() -> Gamepad:
    """The first gamepad of this machine, for us alone.

    Raises UserError when there is none, when it may not be read, is another program's, or hangs on no cable.
    """
    try:
        import evdev
    except ImportError as error:
        raise UNINSTALLED from error
    paths = sorted(EVENTS.glob("event*"), key=lambda path: int(path.name.removeprefix("event") or 0))
    forbidden = []
    for path in paths:
        if not os.access(path, os.R_OK):
            forbidden.append(path)
            continue
        with contextlib.suppress(OSError):
            device = evdev.InputDevice(str(path))
            if is_gamepad(device.capabilities(absinfo=False)):
                return Gamepad(take(device), HidPulse(path.name))
            device.close()
    raise no_gamepad(forbidden, joysticks(LISTED.read_text() if LISTED.exists() else ""))


def is_gamepad(capabilities: Mapping[int, Iterable[int]]) -> bool:
    """Whether what a device can say, event type to codes, has a stick and the dead-man in it."""
    return DEAD_MAN in capabilities.get(EV_KEY, ()) and {ABS_X, ABS_Y} <= set(capabilities.get(EV_ABS, ()))


def take(device: Any) -> Any:
    """`device`, an `evdev.InputDevice`, for us alone. Raises UserError where it is another's or hangs on no cable."""
    if device.info.bustype == BUS_BLUETOOTH:
        device.close()
        raise UserError(
            f"{device.name} is connected by Bluetooth, whose loss is told seconds late",
            next_step="connect it by its cable",
        )
    try:
        device.grab()
    except OSError as error:
        device.close()
        if error.errno != errno.EBUSY:
            raise
        raise UserError(
            f"{device.name} ({device.path}) is taken by another program", next_step="end that program, or unplug it"
        ) from error
    return device


def joysticks(listed: str) -> dict[str, str]:
    """Event devices that the kernel takes for joysticks, file name to what it calls them, from `LISTED`'s text."""
    found = {}
    for block in listed.split("\n\n"):
        name = re.search(r'^N: Name="(.*)"$', block, re.MULTILINE)
        handlers = re.search(r"^H: Handlers=(.*)$", block, re.MULTILINE)
        words = handlers.group(1).split() if handlers else []
        if any(re.fullmatch(r"js\d+", word) for word in words):
            events = [word for word in words if word.startswith("event")]
            found.update({event: name.group(1) if name else event for event in events})
    return found


def no_gamepad(forbidden: Iterable[Path], known: Mapping[str, str]) -> UserError:
    """Why there is no gamepad, when the event devices `forbidden` may not be read and `known` are joysticks."""
    for path in forbidden:
        if path.name in known:
            return UserError(
                f"{known[path.name]} ({path}) may not be read by you",
                next_step="`sudo usermod -aG input $USER`, then log out and in",
            )
    if known:
        return UserError(
            f"{', '.join(known.values())} has no stick with a left shoulder button, which is the dead-man",
            next_step="take another gamepad, or switch it to XInput if it has such a switch",
        )
    return UserError(
        "no gamepad is connected", next_step="plug one in by its cable; the kernel lists it in /proc/bus/input/devices"
    )
