"""Does the camera show what is there? Asked by camera_node with every picture; what it doubts is not passed on.

A camera can go on sending and be worth nothing: frozen driver, covered lens, exposure gone wrong, old pictures. What is
not passed on makes the policy silent, and the guard stops the arm by the picture's age. How rarely a good picture is
doubted is worked out in docs/camera.md.
"""

from __future__ import annotations

import zlib
from collections import deque
from collections.abc import Callable

import numpy as np

from robot_rig.datatypes import Bytes, Floats, RawFrame

SAMPLE = 8
"""Every so-maniest pixel of a row and row of a picture is enough to judge light by."""

DARK_LEVEL = 25.0
"""A picture whose brightest hundredth is darker than this (of 255) shows a covered lens, or nothing."""

BRIGHT_LEVEL, BURNT_LEVEL, BURNT_SHARE = 200.0, 250, 0.25
"""Over-exposed: so bright on average, or such a share of it burnt out."""

OTHER_LIGHT = 10
"""So many pictures in a row in another light than the reference picture's; fewer may be a hand before the lens."""

LIT_CODES = {"brighter": "image_bright", "darker": "image_dark"}
Lit = Callable[[Bytes], str]

SAME_PICTURES = 5
"""So many identical pictures are a frozen camera: a sensor's noise never repeats."""

BUFFERS = 4
"""A driver that shows its old buffers in turn is frozen too: a picture repeats that is one of so many before it."""

MOVED_RAD = 0.01
"""But a picture that was computed has no noise, and an arm at rest looks the same; so some joint must have moved."""

NOT_MOVED_RAD = 0.0
"""For a sensor that is known to have noise: repeats are enough."""

STALE_S = 0.25
"""A picture that is older than this when it arrives, from its exposure, is one that nobody may act on."""

SILENT_S = 0.15
"""No new picture for so long, and the camera is silent: four periods of a camera of 30 Hz."""

KEPT_S = 3.0


class PictureWatch:
    """Judges pictures in order. `moved` is told where the joints are, in any order with pictures of that time.

    `repeats_after_rad`: how far a joint must have moved under pictures that repeat before they count as frozen;
    `stale_s`: the age from which a picture is stale; `light`: says "brighter" or "darker" of a picture that is lit far
    otherwise than a calibrated camera's reference picture, and nothing of another.
    """

    def __init__(
        self, repeats_after_rad: float = MOVED_RAD, stale_s: float = STALE_S, light: Lit | None = None
    ) -> None:
        self._repeats_after_rad, self._stale_s = repeats_after_rad, stale_s
        self._light, self._in_other_light = light, 0
        self._joints: deque[tuple[float, Floats]] = deque()
        self._shown: deque[int] = deque(maxlen=BUFFERS)
        self._same = 0
        self._since = 0.0

    def moved(self, stamp: float, position: Floats) -> None:
        """The joints were at `position` (7,) rad at `stamp` (s)."""
        self._joints.append((stamp, position))
        while self._joints[0][0] < stamp - KEPT_S:
            self._joints.popleft()

    def judge(self, raw: RawFrame, now: float) -> str:
        """A code of `safety.reasons` for a picture that is not to be believed at `now` (s); empty for a good one."""
        if now - raw.stamp > self._stale_s:
            return "image_stale"
        sample = raw.rgb[::SAMPLE, ::SAMPLE]
        if np.percentile(sample, 99) < DARK_LEVEL:
            return "image_dark"
        if sample.mean() > BRIGHT_LEVEL or (sample >= BURNT_LEVEL).mean() > BURNT_SHARE:
            return "image_bright"
        if code := self._other_light(raw.rgb):
            return code
        checksum = zlib.crc32(np.ascontiguousarray(raw.rgb).data)
        if checksum in self._shown:
            self._same += 1
        else:
            self._same, self._since = 1, raw.stamp
        self._shown.append(checksum)
        frozen = self._same >= SAME_PICTURES and self._travel(self._since, raw.stamp) >= self._repeats_after_rad
        return "image_frozen" if frozen else ""

    def _other_light(self, rgb: Bytes) -> str:
        """A code for a scene that has been far from its light of before for a while."""
        lit = "" if self._light is None else self._light(rgb)
        self._in_other_light = self._in_other_light + 1 if lit else 0
        return LIT_CODES[lit] if self._in_other_light >= OTHER_LIGHT else ""

    def _travel(self, since: float, until: float) -> float:
        """How far the joint that moved most has moved (rad) between `since` and `until`."""
        # A copy: another thread adds to it.
        path = [position for stamp, position in tuple(self._joints) if since <= stamp <= until]
        return float(np.ptp(np.array(path), axis=0).max()) if path else 0.0
