"""Does the camera show what is there? Asked by camera_node with every picture; what it doubts is not passed on.

A camera can go on sending and be worth nothing: frozen driver, covered lens, exposure gone wrong. A picture that is not
passed on makes the policy silent, and the guard stops the arm by the picture's age.
"""

from __future__ import annotations

import zlib
from collections import deque

import numpy as np

from robot_rig.datatypes import Floats, RawFrame

SAMPLE = 8
"""Every so-maniest pixel of a row and row of a picture is enough to judge light by."""

DARK_LEVEL = 25.0
"""A picture whose brightest hundredth is darker than this (of 255) shows a covered lens, or nothing."""

BRIGHT_LEVEL, BURNT_LEVEL, BURNT_SHARE = 200.0, 250, 0.25
"""Over-exposed: so bright on average, or such a share of it burnt out."""

SAME_PICTURES = 5
"""So many identical pictures are a frozen camera: a sensor's noise never repeats."""

MOVED_RAD = 0.01
"""But a simulated sensor has no noise, and an arm at rest looks the same; so some joint must have moved meanwhile."""

KEPT_S = 3.0


class PictureWatch:
    """Judges pictures in order. `moved` is told where the joints are, in any order with pictures of that time."""

    def __init__(self) -> None:
        self._joints: deque[tuple[float, Floats]] = deque()
        self._checksum = -1
        self._same = 0
        self._since = 0.0

    def moved(self, stamp: float, position: Floats) -> None:
        """The joints were at `position` (7,) rad at `stamp` (s)."""
        self._joints.append((stamp, position))
        while self._joints[0][0] < stamp - KEPT_S:
            self._joints.popleft()

    def judge(self, raw: RawFrame) -> str:
        """A code of `safety.reasons` for a picture that is not to be believed; empty for a good one."""
        sample = raw.rgb[::SAMPLE, ::SAMPLE]
        if np.percentile(sample, 99) < DARK_LEVEL:
            return "image_dark"
        if sample.mean() > BRIGHT_LEVEL or (sample >= BURNT_LEVEL).mean() > BURNT_SHARE:
            return "image_bright"
        checksum = zlib.crc32(np.ascontiguousarray(raw.rgb))
        if checksum != self._checksum:
            self._checksum, self._same, self._since = checksum, 1, raw.stamp
        else:
            self._same += 1
        frozen = self._same >= SAME_PICTURES and self._travel(self._since, raw.stamp) >= MOVED_RAD
        return "image_frozen" if frozen else ""

    def _travel(self, since: float, until: float) -> float:
        """How far the joint that moved most has moved (rad) between `since` and `until`."""
        # A copy: another thread adds to it.
        path = [position for stamp, position in tuple(self._joints) if since <= stamp <= until]
        return float(np.ptp(np.array(path), axis=0).max()) if path else 0.0
