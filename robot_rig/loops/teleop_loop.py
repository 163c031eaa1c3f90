"""A person's keys as actions, with a dead man's switch: no repeated key, no motion. Pure; called by the teleop node.

A terminal does not say when a key is let go. A held key repeats, so one that has not repeated for `RELEASE_S` counts as
let go; a tap is a nudge of that length, and so is a held key until its repeats set in.
"""

from __future__ import annotations

import numpy as np

from robot_rig.datatypes import Action, Float32s
from robot_rig.loops.human_actions import HumanActions
from robot_rig.loops.key_strokes import Stroke

RATE_HZ = 20.0
"""How often `tick` is to be called; the guard follows an action for at most 0.15 s."""

RELEASE_S = 0.15
"""Silence that counts as release: the slowest keyboards repeat every 0.1 s. With a tick of 0.05 s the zero goes out
within 0.2 s of the last key, and the arm takes up to 0.1 s to follow."""

DIRECTIONS: dict[Stroke, tuple[str, float]] = {
    Stroke.X_UP: ("x", 1.0),
    Stroke.X_DOWN: ("x", -1.0),
    Stroke.Y_UP: ("y", 1.0),
    Stroke.Y_DOWN: ("y", -1.0),
    Stroke.Z_UP: ("z", 1.0),
    Stroke.Z_DOWN: ("z", -1.0),
}


class TeleopLoop(HumanActions):
    """One direction at a time, the newest key's. `axes` are those of control.axes; keys of other axes mean rest."""

    rate_hz = RATE_HZ

    def __init__(self, axes: tuple[str, ...]) -> None:
        super().__init__(axes)
        self._direction: tuple[str, float] | None = None
        self._pressed = -np.inf

    @property
    def advice(self) -> str:
        """Why nothing moves although a person wants it to; a keyboard has nothing to say."""
        return ""

    def moving(self, now: float) -> bool:
        """Whether a direction's key counts as held at `now` (s)."""
        return self._direction is not None and now - self._pressed <= RELEASE_S

    def press(self, now: float, stroke: Stroke) -> None:
        """A key at `now` (s): a direction begins or goes on, a change of speed goes on, anything else is a release."""
        if stroke in (Stroke.FASTER, Stroke.SLOWER):
            self.faster(1 if stroke is Stroke.FASTER else -1)
            return
        direction = DIRECTIONS.get(stroke)
        self._direction = direction if direction is not None and direction[0] in self._axes else None
        self._pressed = now

    def wish(self, now: float) -> Float32s | None:
        """What a person asks for at `now` (s), float32 (A,); None: no key is held."""
        if not self.moving(now):
            self._direction = None
        if self._direction is None:
            return None
        axis, sign = self._direction
        value = np.zeros(len(self._axes), np.float32)
        value[self._axes.index(axis)] = sign * self.speed
        return value

    def tick(self, now: float) -> Action | None:
        """What to send at `now` (s): an action while a key is held, zeros when it was let go, then nothing."""
        return self.at(now, self.wish(now))
