"""What a person holds to move the arm: the promise that a gamepad and a 3D mouse keep, and how one is opened.

Called by `drivers.teleop_node`. The keyboard is not one of them: a terminal knows no release.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal, Protocol

from drivers.gamepad import open_gamepad
from drivers.spacemouse import open_spacemouse
from robot_rig.loops.hand_loop import HandReport, Speech

HandName = Literal["gamepad", "spacemouse"]


class Hand(Protocol):
    """An open device. `lesson` says in one line how it is held."""

    name: str
    lesson: str

    @property
    def speech(self) -> Speech:
        """What its silence means while it is deflected; it may learn that."""
        ...

    def begin(self) -> HandReport:
        """How it stands now. Raises OSError when it is gone."""
        ...

    def read(self, timeout_s: float) -> list[HandReport]:
        """What it has said since, oldest first; waits `timeout_s` at most for a first word. OSError: it is gone."""
        ...

    def close(self) -> None:
        """Let go of it; may be called twice."""
        ...


OPENERS: Mapping[HandName, Callable[[], Hand]] = {"gamepad": open_gamepad, "spacemouse": open_spacemouse}


def open_hand(device: HandName) -> Hand:
    """The first such device of this machine. UserError: it is missing, taken or forbidden, with what to do."""
    return OPENERS[device]()
