"""Is the scene as bright, and of the same colours, as in the reference picture? Asked at a start, and while it runs.

Called by the check at every start and, from then on, by the camera node's watch. A policy that has learnt in one light
is lost in another, and a sensor whose exposure or white balance has gone wrong still sends sharp and lively pictures.
The picture is looked at in cells, and what most of them say counts: an arm, a hand or a cup that stands elsewhere is
outvoted. Pure.
"""

from __future__ import annotations

import math
from typing import Literal

import cv2
import numpy as np

from robot_rig.datatypes import Bytes, Floats

SAMPLE, CELLS_WIDE, CELLS_HIGH = 4, 16, 12
"""Every so-maniest pixel of a row and row is enough, and this is asked thirty times a second."""

DARKEST, BRIGHTEST = 16.0, 235.0
"""Mean levels of a cell between which all three of its colours must lie: beyond, a sensor shows only its own limits."""

FEWEST_CELLS = 12
"""With fewer that say anything, nothing is told."""

MOST_GAIN, MOST_CAST = 1.5, 1.35
"""How many times brighter or darker a start may find the scene, and how many times more one of its colours may have
grown than another. A camera finds its own exposure at each start, and levels much the same; three times the exposure
burns out so much of a lively scene that its means grow by 1.6 times only. Lamp to daylight is a cast of about 2."""

LASTING_GAIN, LASTING_CAST = 1.8, 1.5
"""The same while it runs: wider, so that what a start has just let pass does not stop the arm a moment later."""


class Light:
    """The light of `reference` uint8 (H, W, 3), and how far other pictures are from it."""

    def __init__(self, reference: Bytes) -> None:
        cells = _cells(reference)
        self._says = ((cells >= DARKEST) & (cells <= BRIGHTEST)).all(axis=2)
        self._then = np.log(cells[self._says])

    def changes(self, rgb: Bytes) -> Floats:
        """How many times brighter red, green and blue of `rgb` uint8 (H, W, 3) are, (3,): 1 where it cannot be told."""
        if len(self._then) < FEWEST_CELLS:
            return np.ones(3)
        # A cell that has gone black has no logarithm, and one level is as dark as a picture is.
        now = np.log(np.maximum(_cells(rgb)[self._says], 1.0))
        changes: Floats = np.exp(np.median(now - self._then, axis=0))
        return changes

    def doubt(self, rgb: Bytes) -> str:
        """Why `rgb` is not to be started with, as the end of a sentence that begins with the picture; empty: it is."""
        changes = self.changes(rgb)
        gain, cast = gain_of(changes), cast_of(changes)
        if max(gain, 1.0 / gain) > MOST_GAIN:
            return f"is {max(gain, 1.0 / gain):.1f} times as {'bright' if gain > 1.0 else 'dark'} as"
        if cast > MOST_CAST:
            most, least = (("red", "green", "blue")[at] for at in (changes.argmax(), changes.argmin()))
            return f"has {cast:.1f} times as much {most} for its {least} as"
        return ""

    def lasting_doubt(self, rgb: Bytes) -> Literal["", "brighter", "darker"]:
        """How `rgb` is lit, where that is too far from the light of then to go on; empty: it is not."""
        changes = self.changes(rgb)
        gain = gain_of(changes)
        if max(gain, 1.0 / gain) <= LASTING_GAIN and cast_of(changes) <= LASTING_CAST:
            return ""
        return "brighter" if gain > 1.0 else "darker"

    def told(self, rgb: Bytes) -> str:
        """How `rgb` differs, in words."""
        changes = self.changes(rgb)
        return f"{gain_of(changes):.2f} times that of then, its colours {cast_of(changes):.2f} times apart"


def gain_of(changes: Floats) -> float:
    """How many times brighter a picture is whose colours are so many times brighter, (3,)."""
    return math.exp(float(np.log(changes).mean()))


def cast_of(changes: Floats) -> float:
    """How many times more the colour that grew most has grown than the one that grew least; `changes` (3,)."""
    return float(changes.max() / changes.min())


def _cells(rgb: Bytes) -> Floats:
    """Mean levels of the picture's cells, (CELLS_HIGH, CELLS_WIDE, 3)."""
    # As bytes, OpenCV would round the means of a dark picture.
    some = rgb[::SAMPLE, ::SAMPLE].astype(np.float32)
    small = cv2.resize(some, (CELLS_WIDE, CELLS_HIGH), interpolation=cv2.INTER_AREA)
    return small.astype(np.float64)
