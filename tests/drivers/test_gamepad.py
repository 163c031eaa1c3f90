"""A gamepad's events as reports, and what is said where there is none that may be used.

The event streams are written after what the kernel's xpad and playstation drivers send, not recorded off a device.
Through a real event device the same is done where this machine can make one (/dev/uinput).
"""

from __future__ import annotations

import errno
import importlib.util
import os
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers import gamepad
from drivers.gamepad import (
    ABS_HAT0Y,
    ABS_RY,
    ABS_RZ,
    ABS_X,
    ABS_Y,
    BTN_EAST,
    BTN_START,
    BTN_TL,
    EV_ABS,
    EV_KEY,
    EV_SYN,
    SYN_DROPPED,
    SYN_REPORT,
    Event,
    Gamepad,
    GamepadReader,
    Span,
    is_gamepad,
    joysticks,
    no_gamepad,
    open_gamepad,
    take,
)
from drivers.hid_pulse import PROVEN_S, HidPulse
from robot_rig.errors import UserError
from robot_rig.loops.hand_loop import HandReport, Speech
from robot_rig.loops.key_strokes import Stroke

XBOX = {ABS_X: Span(-32768, 32767), ABS_Y: Span(-32768, 32767), ABS_RY: Span(-32768, 32767), ABS_RZ: Span(0, 255)}
OLD_STYLE = {ABS_X: Span(0, 255), ABS_Y: Span(0, 255), ABS_RZ: Span(0, 255), ABS_HAT0Y: Span(-1, 1)}
END = Event(EV_SYN, SYN_REPORT, 0)
HAS_EVDEV = importlib.util.find_spec("evdev") is not None

LISTED = """\
I: Bus=0019 Vendor=0000 Product=0001 Version=0000
N: Name="Power Button"
H: Handlers=kbd event0

I: Bus=0003 Vendor=045e Product=028e Version=0114
N: Name="Microsoft X-Box 360 pad"
P: Phys=usb-0000:00:14.0-1/input0
H: Handlers=event5 js0
B: KEY=7cdb000000000000 0 0 0 0
"""


def played(reader: GamepadReader, *events: Event) -> list[HandReport]:
    reports = [reader.feed(event) for event in events]
    return [report for report in reports if report is not None]


def reader(spans: dict[int, Span] = XBOX) -> GamepadReader:
    made = GamepadReader(spans)
    made.stand({code: (span.low + span.high) // 2 for code, span in spans.items()}, [])
    return made


def test_events_become_one_report_at_each_end() -> None:
    pad = reader()
    assert not played(pad, Event(EV_KEY, BTN_TL, 1))
    (report,) = played(pad, Event(EV_ABS, ABS_Y, -32768), END)
    assert report.held
    assert report.axes[0] == 1.0, "up is away from the robot"
    assert report.axes[1:] == pytest.approx((0.0, 0.0), abs=1e-4)
    (report,) = played(pad, Event(EV_ABS, ABS_Y, 0), Event(EV_ABS, ABS_X, -32768), Event(EV_KEY, BTN_TL, 0), END)
    assert not report.held
    assert report.axes == pytest.approx((0.0, 1.0, 0.0), abs=1e-4), "left is the robot's left"


@pytest.mark.parametrize(("spans", "code"), [(XBOX, ABS_RY), (OLD_STYLE, ABS_RZ)])
def test_the_right_stick_is_found_whichever_way_the_gamepad_names_it(spans: dict[int, Span], code: int) -> None:
    (report,) = played(reader(spans), Event(EV_ABS, code, spans[code].low), END)
    assert report.axes == pytest.approx((0.0, 0.0, 1.0), abs=0.01)
    assert not report.held


def test_buttons_and_the_cross_pad_are_strokes_of_one_report_only() -> None:
    pad = reader(OLD_STYLE)
    (report,) = played(pad, Event(EV_KEY, BTN_EAST, 1), Event(EV_KEY, BTN_START, 1), Event(EV_ABS, ABS_HAT0Y, -1), END)
    assert report.strokes == (Stroke.STOP, Stroke.HAND_BACK, Stroke.FASTER)
    (report,) = played(pad, Event(EV_KEY, BTN_EAST, 0), Event(EV_ABS, ABS_HAT0Y, 0), END)
    assert report.strokes == ()
    (report,) = played(pad, Event(EV_ABS, ABS_HAT0Y, 1), END)
    assert report.strokes == (Stroke.SLOWER,)


def test_lost_events_are_a_dead_man_let_go_until_the_kernel_has_been_asked() -> None:
    pad = reader()
    played(pad, Event(EV_KEY, BTN_TL, 1), Event(EV_ABS, ABS_Y, -32768), END)
    reports = played(pad, Event(EV_ABS, ABS_X, 5), Event(EV_SYN, SYN_DROPPED, 0), Event(EV_KEY, BTN_TL, 1), END, END)
    assert reports == [HandReport()]
    assert pad.broken
    report = pad.stand({ABS_X: 0, ABS_Y: 0, ABS_RY: 32767, ABS_RZ: 0}, [BTN_TL])
    assert not pad.broken
    assert report.held
    assert report.axes == pytest.approx((0.0, 0.0, -1.0), abs=1e-4)


@given(
    st.lists(st.builds(Event, st.integers(0, 5), st.integers(0, 0x2FF), st.integers(-(2**31), 2**31 - 1)), max_size=60)
)
def test_no_event_makes_more_than_full_deflection(events: list[Event]) -> None:
    for report in played(reader(), *events, END):
        assert all(-1.0 <= value <= 1.0 for value in report.axes)


def test_an_axis_without_a_span_is_at_rest() -> None:
    (report,) = played(reader({ABS_X: Span(0, 0), ABS_Y: Span(0, 255)}), Event(EV_ABS, ABS_X, 7), END)
    assert report.axes[1] == 0.0


def test_what_has_no_left_shoulder_button_or_no_stick_is_no_gamepad() -> None:
    assert is_gamepad({EV_KEY: [BTN_TL, BTN_EAST], EV_ABS: [ABS_X, ABS_Y]})
    assert not is_gamepad({EV_KEY: [BTN_EAST], EV_ABS: [ABS_X, ABS_Y]})
    assert not is_gamepad({EV_KEY: [BTN_TL], EV_ABS: [ABS_X]})
    assert not is_gamepad({EV_KEY: [30, 31]})


def test_each_reason_for_having_no_gamepad_is_one_sentence_with_what_to_do() -> None:
    known = joysticks(LISTED)
    assert known == {"event5": "Microsoft X-Box 360 pad"}
    forbidden = str(no_gamepad([Path("/dev/input/event0"), Path("/dev/input/event5")], known))
    assert "X-Box 360 pad (/dev/input/event5) may not be read" in forbidden
    assert "usermod -aG input" in forbidden
    assert "left shoulder button" in str(no_gamepad([], known))
    assert "Plug one in" in str(no_gamepad([Path("/dev/input/event0")], {}))
    assert joysticks("") == {}


class Device:
    """An event device that is taken as far as `take` goes."""

    def __init__(self, bus: int, refusal: int | None = None) -> None:
        self.name, self.path = "pad", "/dev/input/event5"
        self.info = SimpleNamespace(bustype=bus)
        self.refusal, self.grabbed, self.closed = refusal, False, False

    def grab(self) -> None:
        if self.refusal is not None:
            raise OSError(self.refusal, "no")
        self.grabbed = True

    def close(self) -> None:
        self.closed = True


def test_a_gamepad_is_taken_for_us_alone() -> None:
    assert take(Device(3)).grabbed


def test_one_that_another_program_has_or_that_hangs_on_no_cable_is_refused() -> None:
    taken, bluetooth, broken = Device(3, errno.EBUSY), Device(gamepad.BUS_BLUETOOTH), Device(3, errno.ENODEV)
    with pytest.raises(UserError, match="taken by another program"):
        take(taken)
    with pytest.raises(UserError, match="by its cable"):
        take(bluetooth)
    with pytest.raises(OSError, match="no"):
        take(broken)
    assert taken.closed
    assert bluetooth.closed
    assert broken.closed


def test_a_machine_without_a_gamepad_says_so() -> None:
    if list(gamepad.EVENTS.glob("event*")):
        pytest.skip("this machine has input devices, one of them may be a gamepad")
    with pytest.raises(UserError, match="no gamepad is connected" if HAS_EVDEV else "evdev.*apt-get install"):
        open_gamepad()


class Kernel:
    """An event device without a kernel behind it: a pipe that is readable while there are `said` events."""

    name = "pad"

    def __init__(self) -> None:
        self.fd, self._bell = os.pipe()
        self.said: list[Event] = []
        self.values = {ABS_X: 0, ABS_Y: 0}
        self.fuzz = {ABS_X: 16, ABS_Y: 0}
        self.refuses = False
        self.pressed: list[int] = []
        self.gone = False

    def capabilities(self) -> dict[int, list[tuple[int, Any]]]:
        said = [(code, SimpleNamespace(min=-100, max=100, fuzz=self.fuzz[code])) for code in self.values]
        return {EV_ABS: said}

    def set_absinfo(self, code: int, fuzz: int) -> None:
        if self.refuses:
            raise OSError(errno.EINVAL, "Invalid argument")
        self.fuzz[code] = fuzz

    def absinfo(self, code: int) -> Any:
        return SimpleNamespace(value=self.values[code])

    def active_keys(self) -> list[int]:
        return self.pressed

    def say(self, *events: Event) -> None:
        self.said += events
        os.write(self._bell, b"!")

    def read(self) -> list[Event]:
        if self.gone:
            raise OSError(errno.ENODEV, "No such device")
        os.read(self.fd, 1)
        if not self.said:
            raise BlockingIOError
        said, self.said = self.said, []
        return said

    def close(self) -> None:
        for end in (self.fd, self._bell):
            os.close(end)


class Wired:
    """A gamepad on a cable whose raw reports are a pipe, too."""

    def __init__(self, folder: Path) -> None:
        (folder / "sys/event5/device/device/hidraw/hidraw7").mkdir(parents=True)
        (folder / "dev").mkdir()
        os.mkfifo(folder / "dev/hidraw7")
        self.kernel = Kernel()
        self.pulse = HidPulse("event5", folder / "sys", folder / "dev")
        self.raw = os.open(folder / "dev/hidraw7", os.O_WRONLY)
        self.pad = Gamepad(self.kernel, self.pulse)

    def stream(self, seconds: float, gap: float = 0.008) -> None:
        """Raw reports as the clock of the pulse sees them, which is this test's."""
        for _ in range(round(seconds / gap)):
            self.now += gap
            os.write(self.raw, b"\x01report")
            assert self.pulse.beats(self.now)

    now = 1000.0


@pytest.fixture
def wired(tmp_path: Path) -> Iterator[Wired]:
    wired = Wired(tmp_path)
    yield wired
    wired.pad.close()
    wired.pad.close()
    os.close(wired.raw)


def test_a_gamepad_that_streams_is_known_to_be_stuck_by_its_silence_and_another_is_not(wired: Wired) -> None:
    assert wired.pad.speech is Speech.CHANGES
    wired.stream(PROVEN_S - 0.1)
    assert wired.pad.speech is Speech.CHANGES, "not for long enough yet"
    wired.stream(0.2)
    assert wired.pad.speech is Speech.REPEATS
    assert not wired.pulse.beats(wired.now + 5.0)
    assert wired.pad.speech is Speech.REPEATS, "silence does not make it one that may be silent"
    wired.now += 5.0
    wired.stream(0.1)
    assert wired.pad.speech is Speech.CHANGES, "it is another stream"
    wired.stream(PROVEN_S, gap=0.5)
    assert wired.pad.speech is Speech.CHANGES, "now and then is no stream"


def test_the_kernel_is_made_to_pass_on_what_trembles_while_the_gamepad_is_ours(wired: Wired) -> None:
    assert wired.kernel.fuzz == {ABS_X: 0, ABS_Y: 0}
    wired.pad.close()
    assert wired.kernel.fuzz == {ABS_X: 16, ABS_Y: 0}


def test_a_kernel_that_will_not_is_no_obstacle(tmp_path: Path) -> None:
    kernel = Kernel()
    kernel.refuses = True
    pad = Gamepad(kernel, HidPulse("event9", tmp_path, tmp_path))
    assert pad.speech is Speech.CHANGES
    pad.close()
    assert kernel.fuzz[ABS_X] == 16


def test_a_sign_of_life_is_the_last_word_once_more_without_its_strokes(wired: Wired) -> None:
    wired.kernel.say(Event(EV_ABS, ABS_Y, -100), Event(EV_KEY, BTN_TL, 1), Event(EV_KEY, BTN_EAST, 1), END)
    (word,) = wired.pad.read(0.1)
    assert (word.held, word.axes[0], word.strokes) == (True, 1.0, (Stroke.STOP,))
    assert wired.pad.read(0.0) == []
    os.write(wired.raw, b"report")
    assert wired.pad.read(0.0) == [HandReport(word.axes, held=True)]
    wired.kernel.say()
    assert wired.pad.read(0.0) == [], "readable, and nothing there"


def test_a_gamepad_that_lost_events_is_asked_how_it_stands(wired: Wired) -> None:
    wired.kernel.values[ABS_Y], wired.kernel.pressed = 100, [BTN_TL]
    wired.kernel.say(Event(EV_SYN, SYN_DROPPED, 0), END)
    assert wired.pad.read(0.1) == [HandReport(), HandReport((-1.0, 0.0, 0.0), held=True)]


def test_a_gamepad_that_is_gone_is_an_error_of_the_system(wired: Wired) -> None:
    wired.kernel.gone = True
    wired.kernel.say(END)
    with pytest.raises(OSError, match="No such device"):
        wired.pad.read(0.1)


def test_raw_reports_that_may_not_be_read_prove_nothing(tmp_path: Path) -> None:
    pulse = HidPulse("event9", tmp_path, tmp_path)
    assert not pulse.beats(1.0)
    assert not pulse.proven
    pulse.close()


# --- where the packages and the kernel permit -------------------------------------------------------------------------


@pytest.mark.skipif(not HAS_EVDEV, reason="the package python3-evdev is not installed")
def test_the_numbers_are_those_of_the_kernels_own_headers() -> None:
    from evdev import ecodes

    names = [name for name in vars(gamepad) if name.startswith(("EV_", "SYN_", "ABS_", "BTN_", "BUS_"))]
    assert len(names) == 14
    for name in names:
        assert getattr(gamepad, name) == getattr(ecodes, name), name


def read_on(pad: Gamepad, until: float) -> None:
    while time.monotonic() < until:
        pad.read(0.02)


@pytest.fixture
def virtual() -> Iterator[Any]:
    """A gamepad that the kernel takes for a real one."""
    if not HAS_EVDEV:
        pytest.skip("the package python3-evdev is not installed")
    if not os.access("/dev/uinput", os.W_OK):
        pytest.skip("no /dev/uinput that may be written: this kernel cannot make virtual input devices, or not for us")
    import evdev

    stick = evdev.AbsInfo(0, -32768, 32767, 16, 128, 0)
    capabilities = {EV_KEY: [BTN_TL, BTN_EAST, BTN_START], EV_ABS: [(ABS_X, stick), (ABS_Y, stick), (ABS_RY, stick)]}
    made = evdev.UInput(capabilities, name="robot-rig test pad", bustype=3)
    yield made
    made.close()


def test_a_virtual_gamepad_is_found_read_kept_from_others_and_missed_at_once_when_it_goes(virtual: Any) -> None:
    pad = open_gamepad()
    assert pad.name == "robot-rig test pad"
    assert not pad.begin().held
    with pytest.raises(UserError, match="taken by another program"):
        open_gamepad()
    virtual.write(EV_ABS, ABS_Y, -32768)
    virtual.write(EV_KEY, BTN_TL, 1)
    virtual.syn()
    (report,) = pad.read(1.0)
    assert report.held
    assert report.axes[0] == 1.0
    assert pad.begin() == report, "the kernel says the same when it is asked"
    assert pad.read(0.0) == []
    virtual.write(EV_ABS, ABS_Y, -32767)
    virtual.syn()
    assert len(pad.read(1.0)) == 1, "one count of 65536, which the kernel used to take for noise"
    virtual.close()
    gone = time.monotonic()
    with pytest.raises(OSError, match="No such device"):
        read_on(pad, until=gone + 1.0)
    assert time.monotonic() - gone < 0.15
    pad.close()
    pad.close()
