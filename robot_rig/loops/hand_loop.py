"""A gamepad or a 3D mouse as a person's actions, behind a held dead-man. Pure; called by the teleop node.

Nothing moves unless the dead-man was pressed while everything was at rest, and is held since. It is spent, and must be
let go and pressed anew, when the device is gone, when nobody reads it any more, when it is silent although it is
deflected and always speaks then, and whenever it has said nothing at all for `STILL_S`.

A deflected device that speaks of changes only and is silent may be a hand that holds still, or a link that has died
with the last value in it. Nobody can tell, so it stands for something that has died: motion pauses until it speaks.
"""

from __future__ import annotations

import enum
import math
from dataclasses import dataclass, field

import numpy as np

from robot_rig.datatypes import Action, Float32s
from robot_rig.loops.human_actions import HumanActions
from robot_rig.loops.key_strokes import Stroke

RATE_HZ = 40.0
"""How often `tick` is to be called."""

LOOK_S = 0.08
"""Longest time without a look at the device. With a tick of 0.025 s and the arm's 0.04 s, motion ends within 0.15 s."""

STUCK_S = 0.08
"""Longest silence of a deflected device under which there is motion: 3D mice speak every 8 to 30 ms, and a stick that a
hand holds trembles."""

STILL_S = 2.0
"""Longest silence of any device under a held dead-man."""

PAUSE_SHOWN_S = 0.3
"""A pause is told of when it has lasted so long beyond `STUCK_S`: short ones come and go with the trembling."""

DEAD_ZONE = 0.1
"""Share of full deflection that is rest: sticks do not come back to their very middle."""


@dataclass(frozen=True, slots=True)
class HandReport:
    """All that a device says at one moment.

    `axes`: deflection along x, y and z of base, each in [-1, 1]; `held`: whether the dead-man is pressed; `strokes`:
    what else was pressed since the last report.
    """

    axes: tuple[float, float, float] = (0.0, 0.0, 0.0)
    held: bool = False
    strokes: tuple[Stroke, ...] = field(default=())

    @property
    def deflected(self) -> bool:
        """Whether it is out of its dead zone, in any direction."""
        return not math.hypot(*self.axes) <= DEAD_ZONE


class Speech(enum.Enum):
    """What the silence of a deflected device means. CHANGES: nothing has changed, or it died. REPEATS: it died."""

    CHANGES = "changes"
    REPEATS = "repeats"


class Grip(enum.Enum):
    """What the dead-man is worth: let go, held, or held but of no use until it has been let go."""

    OPEN = "open"
    HELD = "held"
    SPENT = "spent"


class HandLoop(HumanActions):
    """Actions of one device along `axes` of control.axes."""

    rate_hz = RATE_HZ

    def __init__(self, axes: tuple[str, ...]) -> None:
        super().__init__(axes)
        self._speech = Speech.CHANGES
        self._report = HandReport()
        self._grip = Grip.SPENT
        self._spoke = self._looked = -math.inf
        self._advice = "no device yet"

    @property
    def advice(self) -> str:
        """Why nothing moves although a person may want it to, and what to do; empty when there is no reason."""
        paused = self._grip is Grip.HELD and self._paused(self._looked - PAUSE_SHOWN_S)
        return "the stick says nothing new, so motion pauses: move it a little" if paused else self._advice

    def held(self, now: float) -> bool:
        """Whether the dead-man counts as held at `now` (s)."""
        if self._grip is Grip.HELD:
            silent = now - self._spoke
            if now - self._looked > LOOK_S:
                self._spend("nobody reads the device: let the dead-man go, and press it to go on")
            elif self._speech is Speech.REPEATS and self._paused(now):
                self._spend("the device fell silent while it was deflected: let go, and press the dead-man anew")
            elif silent > STILL_S:
                self._spend(f"nothing new from the device for {STILL_S:g} s: let the dead-man go, and press it anew")
        return self._grip is Grip.HELD

    def moving(self, now: float) -> bool:
        """Whether a person moves the arm at `now` (s)."""
        return self.held(now) and self._report.deflected and not self._paused(now)

    def _paused(self, now: float) -> bool:
        """Whether the device is deflected and has been silent for so long that it may have died."""
        return self._report.deflected and now - self._spoke > STUCK_S

    def begin(self, now: float, report: HandReport) -> None:
        """A device was opened at `now` (s) and stands like this; a dead-man that is held already does not count."""
        self._looked = self._spoke = now
        self._report, self._speech = report, Speech.CHANGES
        self._grip, self._advice = Grip.OPEN, ""
        if report.held:
            self._spend("let the dead-man go once")

    def look(self, now: float, speech: Speech) -> None:
        """The device is there at `now` (s), whether or not it says anything; `speech` is how it speaks as of now."""
        # What has lapsed by the measure of before stays so.
        self.held(now)
        self._looked, self._speech = now, speech

    def feel(self, now: float, report: HandReport) -> None:
        """The device says this at `now` (s)."""
        # What lapsed meanwhile stays so: a device that comes back to life does not go on by itself.
        self.held(now)
        self._looked = self._spoke = now
        self._report = report
        if not report.held:
            self._grip, self._advice = Grip.OPEN, ""
        elif self._grip is Grip.OPEN and report.deflected:
            self._spend("the dead-man was pressed while the stick was deflected: let go of both")
        elif self._grip is Grip.OPEN:
            self._grip, self._advice = Grip.HELD, ""

    def lose(self) -> None:
        """The device is gone; `begin` brings the next one."""
        self._report = HandReport()
        self._spend("the device is gone")

    def press(self, now: float, stroke: Stroke) -> None:
        """A key or button: a change of speed goes on, anything else spends the dead-man."""
        if stroke in (Stroke.FASTER, Stroke.SLOWER):
            self.faster(1 if stroke is Stroke.FASTER else -1)
        elif self.held(now):
            self._spend("let the dead-man go, and press it to go on")

    def wish(self, now: float) -> Float32s | None:
        """What a person asks for at `now` (s), float32 (A,), zero for standing; None: the dead-man is not held."""
        if not self.held(now):
            return None
        return np.zeros(len(self._axes), np.float32) if self._paused(now) else self._vector()

    def tick(self, now: float) -> Action | None:
        """What to send at `now` (s): actions while the dead-man is held, at rest too; then zeros, then nothing."""
        return self.at(now, self.wish(now))

    def _spend(self, advice: str) -> None:
        self._grip, self._advice = Grip.SPENT, advice

    def _vector(self) -> Float32s:
        """The deflection out of its dead zone, in all directions alike, float32 (A,)."""
        along = dict(zip("xyz", self._report.axes, strict=True))
        value = np.array([along[axis] for axis in self._axes])
        length = float(np.linalg.norm(value))
        if not length > DEAD_ZONE:
            return np.zeros(len(self._axes), np.float32)
        share = min((length - DEAD_ZONE) / (1.0 - DEAD_ZONE), 1.0)
        wish: Float32s = (value * (self.speed * share / length)).astype(np.float32)
        return wish
