"""What is done with each picture of a camera, without ROS: a good one is shown, what is wrong with another is told.

Called by camera_node on its camera's thread, and by `sim.faults.library_eye`, which has no graph.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from drivers.camera_device import CameraLost
from drivers.picture_watch import SILENT_S, PictureWatch
from robot_rig.datatypes import RawFrame
from robot_rig.errors import UserError
from robot_rig.interfaces import Camera
from robot_rig.safety.reasons import REASONS

STATUS_PERIOD_S = 0.5
"""How often the state is told while it does not change."""

SILENCE_S = 1.0

log = logging.getLogger(__name__)


class Looking:
    """Looks through `camera`, asks `watch` what to believe, and calls `show(raw, now)` and `say(code, now)`."""

    def __init__(
        self,
        camera: Camera,
        watch: PictureWatch,
        show: Callable[[RawFrame, float], None],
        say: Callable[[str, float], None],
    ) -> None:
        self._camera, self._watch, self._show, self._say = camera, watch, show, say
        self._code, self._next_word = "", 0.0
        self._newest = -1
        self._last_new = time.monotonic()
        self._silent = False

    def look(self) -> None:
        """Wait a frame period at most for the next picture. Raises UserError as `camera.read`."""
        raw = self._camera.read()
        now = time.monotonic()
        if raw.seq == self._newest:
            self._miss(now)
        else:
            self._take(raw, now)

    def refuse(self, error: UserError) -> None:
        """Tell that there will be no further picture, because of `error`."""
        self._tell(error.code if isinstance(error, CameraLost) else "image_refused", time.monotonic())

    def _take(self, raw: RawFrame, now: float) -> None:
        """Show a good picture. What is wrong with a bad one is told, and it stays here: the arm rests meanwhile."""
        self._newest, self._last_new, self._silent = raw.seq, now, False
        code = self._watch.judge(raw, now)
        if code != self._code or now >= self._next_word:
            self._tell(code, now)
        if not code:
            self._show(raw, now)

    def _miss(self, now: float) -> None:
        if now - self._last_new > SILENT_S and (self._code != "image_stale" or now >= self._next_word):
            self._tell("image_stale", now)
        if not self._silent and now - self._last_new > SILENCE_S:
            self._silent = True
            log.error("no new picture for %.0f s: the arm rests until there is one; check the camera", SILENCE_S)

    def _tell(self, code: str, now: float) -> None:
        if code and code != self._code:
            log.error("%s", REASONS[code])
        self._code, self._next_word = code, now + STATUS_PERIOD_S
        self._say(code, now)
