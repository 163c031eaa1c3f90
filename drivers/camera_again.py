"""A camera whose place is checked again when it comes back: somebody may have replugged it, and pushed it. No ROS.

Made by camera_node around a calibrated camera. Until the check has passed, no picture of it is passed on.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from drivers.camera_device import CameraLost
from drivers.camera_ladder import Rung
from robot_rig.datatypes import RawFrame
from robot_rig.errors import UserError
from robot_rig.interfaces import Camera

OPENED_ANEW = (Rung.RESET, Rung.KILL, Rung.POWER, Rung.PERSON)
"""Whoever replugs a camera does so during one of these. A restart finds a device that never went away."""


class CheckedAgain:
    """`camera`, which calls `check` before its first picture after a rung of `OPENED_ANEW`. An `interfaces.Camera`.

    `counts` says how often each rung was taken; `check` reads the camera itself, and raises UserError where it does not
    stand where it stood.
    """

    def __init__(self, camera: Camera, counts: Callable[[], Mapping[str, int]], check: Callable[[], None]) -> None:
        self._camera, self._counts, self._check = camera, counts, check
        self._opened = self._times_opened()
        self._newest = -1

    def read(self) -> RawFrame:
        """As that of the camera; raises CameraLost also when the check raises UserError."""
        frame = self._camera.read()
        if frame.seq == self._newest:
            return frame
        # Counted before the device is tried, so never after its first picture.
        if (opened := self._times_opened()) != self._opened:
            try:
                self._check()
            except UserError as error:
                raise CameraLost("camera_moved", error.problem, error.next_step) from None
            self._opened = opened
        self._newest = frame.seq
        return frame

    def close(self) -> None:
        """Close the camera."""
        self._camera.close()

    def _times_opened(self) -> int:
        counts = self._counts()
        return sum(counts.get(rung.value, 0) for rung in OPENED_ANEW)
