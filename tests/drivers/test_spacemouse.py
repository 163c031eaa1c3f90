"""A 3D mouse's HID reports as what the loop takes, and what is said where there is none that may be used.

The reports are written after the layout that these mice are known to have (and one that was published as recorded off
a SpaceNavigator); nobody here has held one.
"""

from __future__ import annotations

import importlib.util
import struct
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from drivers.spacemouse import (
    FULL,
    SpaceMouse,
    SpaceMouseReader,
    is_spacemouse,
    open_spacemouse,
    shut,
    spacemouse_among,
)
from robot_rig.errors import UserError
from robot_rig.loops.hand_loop import HandLoop, HandReport
from robot_rig.loops.teleop_loop import DIRECTIONS

HAS_HIDAPI = importlib.util.find_spec("hidraw") is not None
PRESSED, RELEASED = bytes([3, 1, 0]), bytes([3, 0, 0])


def shift(right: int, near: int, down: int, *turn: int) -> bytes:
    return bytes([1]) + struct.pack(f"<{3 + len(turn)}h", right, near, down, *turn)


def test_the_cap_moves_the_way_it_is_pushed() -> None:
    reader = SpaceMouseReader()
    away, left, up = shift(0, -350, 0), shift(-350, 0, 0), shift(0, 0, -350)
    assert [reader.feed(data) for data in (away, left, up)] == [
        HandReport((1.0, 0.0, 0.0)), HandReport((0.0, 1.0, 0.0)), HandReport((0.0, 0.0, 1.0)),
    ]  # fmt: skip
    assert {axis for axis, _ in DIRECTIONS.values()} == set("xyz")


def test_a_published_recording_is_read() -> None:
    report = SpaceMouseReader().feed(bytes.fromhex("0176000000faff"))
    assert report is not None
    assert report.axes == pytest.approx((0.0, -0x76 / FULL, 6 / FULL))


def test_a_button_is_the_dead_man_and_the_cap_alone_is_not() -> None:
    reader = SpaceMouseReader()
    pushed = reader.feed(shift(0, -350, 0))
    assert pushed is not None
    assert not pushed.held
    reader.feed(shift(0, 0, 0))
    assert reader.feed(PRESSED) == HandReport(held=True)
    assert reader.feed(shift(0, -350, 0)) == HandReport((1.0, 0.0, 0.0), held=True)
    assert reader.feed(RELEASED) == HandReport((1.0, 0.0, 0.0))


def test_newer_mice_send_shift_and_turn_as_one_and_a_turn_alone_moves_nothing() -> None:
    reader = SpaceMouseReader()
    assert reader.feed(shift(35, 0, 0, 350, 350, 350)) == HandReport((0.0, -0.1, 0.0))
    assert reader.feed(bytes([2]) + struct.pack("<3h", 350, 350, 350)) == HandReport((0.0, -0.1, 0.0))


@pytest.mark.parametrize("cut", [bytes([1]), bytes([1, 0xFF, 0x7F]), bytes([3])])
def test_a_report_that_is_cut_off_lets_the_dead_man_go(cut: bytes) -> None:
    reader = SpaceMouseReader()
    reader.feed(PRESSED)
    reader.feed(shift(0, -350, 0))
    assert reader.feed(cut) == HandReport()
    assert reader.feed(shift(0, -350, 0)) == HandReport((1.0, 0.0, 0.0)), "until it is pressed anew"


@given(st.lists(st.binary(max_size=20), max_size=40))
def test_no_bytes_make_more_than_full_deflection_and_others_say_nothing(reports: list[bytes]) -> None:
    reader = SpaceMouseReader()
    for data in reports:
        report = reader.feed(data)
        assert (report is None) == (data[:1] not in (b"\x01", b"\x02", b"\x03"))
        assert report is None or all(-1.0 <= value <= 1.0 for value in report.axes)


class Wire:
    """The transport of hidapi: hands out reports, then nothing, then that the device is gone."""

    def __init__(self, *reports: bytes) -> None:
        self.reports, self.gone, self.closed = list(reports), False, 0

    def read(self, length: int, timeout_ms: int = 0) -> list[int]:
        if self.gone:
            raise OSError("read error")
        if self.reports:
            return list(self.reports.pop(0)[:length])
        time.sleep(timeout_ms / 1000)
        return []

    def close(self) -> None:
        self.closed += 1


def test_a_read_takes_all_that_waits_and_a_press_within_it_counts() -> None:
    wire = Wire(PRESSED, bytes([0x17, 50, 0]), RELEASED, PRESSED, shift(0, -350, 0))
    mouse = SpaceMouse(wire, "mouse")
    loop = HandLoop(("x", "y"))
    loop.begin(0.0, mouse.begin())
    reports = mouse.read(0.01)
    assert [report.held for report in reports] == [True, False, True, True]
    for report in reports:
        loop.feel(0.0, report)
    assert loop.moving(0.0)
    assert mouse.read(0.01) == []
    wire.gone = True
    with pytest.raises(OSError, match="read error"):
        mouse.read(0.01)
    mouse.close()
    mouse.close()
    assert wire.closed == 1


def entry(vendor: int, product: int, usage: int = 8) -> dict[str, object]:
    return {"vendor_id": vendor, "product_id": product, "usage_page": 1, "usage": usage, "path": b"/dev/hidraw3"}


def test_a_mouse_of_either_maker_is_found_and_nothing_else_of_theirs() -> None:
    assert is_spacemouse(0x256F, 0xC635)
    assert is_spacemouse(0x046D, 0xC626)
    assert not is_spacemouse(0x046D, 0xC52B), "a usual mouse's receiver"
    keyboard, mouse = entry(0x256F, 0xC652, usage=6), entry(0x256F, 0xC652)
    assert spacemouse_among([entry(0x046D, 0xC52B), keyboard, mouse]) is mouse
    with pytest.raises(UserError, match="no 3D mouse is connected"):
        spacemouse_among([keyboard])


def test_one_that_does_not_open_is_told_from_one_that_is_forbidden() -> None:
    forbidden, broken = str(shut("SpaceMouse", "/dev/hidraw3", False)), str(shut("SpaceMouse", "/dev/hidraw3", True))
    assert "may not be read by you" in forbidden
    assert "99-spacemouse.rules" in forbidden
    assert "uaccess" in forbidden
    assert "plug it in again" in broken
    assert "rules" not in broken


def test_this_machine_says_what_it_lacks() -> None:
    if HAS_HIDAPI:
        import hidraw

        if hidraw.enumerate():
            pytest.skip("this machine has HID devices, one of them may be a 3D mouse")
    with pytest.raises(UserError, match="no 3D mouse is connected" if HAS_HIDAPI else "package hidapi"):
        open_spacemouse()
