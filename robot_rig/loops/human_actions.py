"""A person's wishes as numbered actions, with a goodbye when they end. The base of `teleop_loop` and `hand_loop`."""

from __future__ import annotations

from typing import Protocol

import numpy as np

from robot_rig.datatypes import Action, Float32s, Source
from robot_rig.loops.key_strokes import Stroke

GOODBYES = 3
"""Zeros sent after a release, so that a lost one does no harm; then silence, which is zero too."""

SPEEDS = (0.06, 0.12, 0.3, 0.6)
"""Steps of speed as normalised actions: 1, 2, 5 and 10 cm/s at the default scale; the guard caps a person's at that."""


NUMBERS_HZ = 50
"""A number is a count of this clock: faster than any device sends and than frames are answered in a log, so that the
guard, which follows rising numbers only, takes one device after another, and a goodbye behind a logged action."""


class HumanActions:
    """Numbers the actions of one person's device, along `axes` of control.axes; the base of every `PersonLoop`."""

    def __init__(self, axes: tuple[str, ...]) -> None:
        self._axes = axes
        self._goodbyes = 0
        self._silent = True
        self._seq = -1
        self._speed = 1

    @property
    def speed(self) -> float:
        """The normalised action of full deflection, or of a key, now."""
        return SPEEDS[self._speed]

    @property
    def silent(self) -> bool:
        """Whether the goodbyes are out: true once `at` is asked again, by when who asks has sent what it got before."""
        return self._silent

    def faster(self, steps: int) -> None:
        """Change the speed by so many `steps`, between the slowest and the fastest."""
        self._speed = min(max(self._speed + steps, 0), len(SPEEDS) - 1)

    def at(self, now: float, value: Float32s | None) -> Action | None:
        """What to send at `now` (s) while a person wants `value` float32 (A,), or None for nothing.

        Zeros follow the last wish, then nothing does.
        """
        if value is not None:
            self._goodbyes = GOODBYES
        elif self._goodbyes > 0:
            self._goodbyes -= 1
            value = np.zeros(len(self._axes), np.float32)
        else:
            self._silent = True
            return None
        self._silent = False
        # Counting from the clock, a teleop that is started again is not taken for an echo of the one before.
        self._seq = max(self._seq + 1, int(now * NUMBERS_HZ))
        # A person looks with their own eyes: the picture is of now.
        return Action(self._seq, now, value, Source.HUMAN, frame_seq=0, frame_stamp=now)


class PersonLoop(Protocol):
    """What the teleop node asks of the loop behind any device; one thread at a time."""

    @property
    def rate_hz(self) -> float:
        """How often `tick` is to be called."""
        ...

    @property
    def speed(self) -> float:
        """The normalised action of full deflection now."""
        ...

    @property
    def silent(self) -> bool:
        """Whether nothing is sent, nor is about to be by itself."""
        ...

    @property
    def advice(self) -> str:
        """Why nothing moves although a person may want it to, and what to do; empty when there is no reason."""
        ...

    def moving(self, now: float) -> bool:
        """Whether a person moves the arm at `now` (s)."""
        ...

    def press(self, now: float, stroke: Stroke) -> None:
        """A key, or a button that is one."""
        ...

    def wish(self, now: float) -> Float32s | None:
        """What a person asks for at `now` (s), float32 (A,); None: nothing is held."""
        ...

    def tick(self, now: float) -> Action | None:
        """What to send at `now` (s), if anything."""
        ...
