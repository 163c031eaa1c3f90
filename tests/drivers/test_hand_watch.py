"""A hand device that is let go, unplugged and plugged in again, read as the teleop node reads it: on a thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator

import pytest

from drivers.hand_watch import HandWatch
from drivers.spacemouse import SpaceMouse
from robot_rig.errors import UserError
from robot_rig.loops.hand_loop import HandLoop
from robot_rig.loops.key_strokes import Stroke
from tests.drivers.test_spacemouse import PRESSED, RELEASED, Wire, shift
from tests.ros_graph import eventually


class Desk:
    """A 3D mouse on a person's desk; its wire is the test's."""

    def __init__(self) -> None:
        self.wire = Wire()
        self.loop = HandLoop(("x", "y"))
        self.lock = threading.Lock()
        self.said: list[str] = []
        self.obeyed: list[Stroke] = []
        self.releases: list[float] = []
        self.plugged = True
        self.watch = HandWatch(
            SpaceMouse(self.wire, "mouse"), self.open, self.loop, self.lock,
            lambda: self.releases.append(time.monotonic()), self.obeyed.append, self.said.append,
        )  # fmt: skip
        self.thread = threading.Thread(target=self.watch.run, daemon=True)

    def open(self) -> SpaceMouse:
        if not self.plugged:
            raise UserError("no 3D mouse is connected")
        self.wire = Wire()
        return SpaceMouse(self.wire, "mouse")

    def moving(self) -> bool:
        with self.lock:
            return self.loop.moving(time.monotonic())

    def push(self) -> None:
        """Press the button, then push the cap and keep pushing."""
        self.wire.reports += [shift(0, 0, 0), PRESSED, *[shift(0, -350, 0)] * 3]
        assert eventually(lambda: self.moving() or self.wire.reports.append(shift(0, -350, 0)), 10)

    def unplug(self) -> None:
        self.plugged = False
        self.wire.gone = True


@pytest.fixture
def desk() -> Iterator[Desk]:
    desk = Desk()
    desk.thread.start()
    yield desk
    desk.watch.close()
    desk.thread.join(10)
    assert not desk.thread.is_alive()
    assert desk.wire.closed == 1


def test_a_released_button_is_told_at_once(desk: Desk) -> None:
    desk.push()
    assert not desk.releases
    desk.wire.reports += [shift(0, -350, 0), RELEASED]
    assert eventually(lambda: desk.releases, 10)
    assert not desk.moving()
    assert not desk.obeyed


def test_a_device_that_is_pulled_while_it_moves_the_arm_ends_motion_and_holds_the_arm(desk: Desk) -> None:
    desk.push()
    desk.unplug()
    assert eventually(lambda: desk.releases and desk.said, 10)
    assert not desk.moving()
    assert desk.obeyed == [Stroke.HOLD]
    assert "gone" in desk.said[0]
    desk.plugged = True
    assert eventually(lambda: len(desk.said) == 2, 10)
    assert "back" in desk.said[1]
    desk.wire.reports += [shift(0, -350, 0)] * 5
    assert eventually(lambda: not desk.wire.reports, 10)
    assert not desk.moving(), "the cap was still pushed, the button not pressed anew"
    desk.push()


def test_one_that_is_pulled_while_nobody_holds_it_disturbs_nobody(desk: Desk) -> None:
    assert eventually(lambda: desk.loop.advice == "", 10)
    desk.unplug()
    assert eventually(lambda: desk.said, 10)
    assert not desk.obeyed
