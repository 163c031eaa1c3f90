"""Any camera that the kernel knows as a video device, by its stable name, or a video file, through OpenCV.

Runs in `camera_process` only: a grab can hang as long as the kernel lets it.
"""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

from drivers.camera_device import DeviceAway, Source
from drivers.camera_pipe import Facts, Shot
from drivers.video_devices import found, port_of
from robot_rig.errors import UserError

# OpenCV reads this from the environment when it waits for the first time; its own limit is 10 s.
os.environ.setdefault("OPENCV_VIDEOIO_V4L_SELECT_TIMEOUT", "1")

import cv2

BUFFERS = 2
"""Room for pictures in the kernel: with one, none is taken while that one is looked at, and every other is lost."""

SANE_AGE_S = 1.0
"""A camera's first picture is no older than this when it arrives, by a clock that is this machine's monotonic one."""

FIRST_PICTURES = 5
"""So many are looked at before a camera's stamps count as of another clock."""

POLL_S = 0.25
BACK_S = 10.0


class CaptureClock:
    """Whose stamps a camera's pictures bear: the kernel's of the capture, or, where those are of another clock, ours.

    Decided once, by the first pictures, and never in the middle: an old stamp is that of an old picture then.
    """

    def __init__(self) -> None:
        self.told = ""
        """Whose, for people; empty while it is not decided."""
        self._looked_at = 0
        self._kernel = False

    def stamp(self, captured: float, now: float) -> float | None:
        """The stamp of a picture that arrives at `now` (monotonic s) and was `captured` then, as the kernel says.

        None while nothing is decided: nobody knows how old that picture is.
        """
        if not self.told:
            self._look(captured, now)
        if not self.told:
            return None
        return captured if self._kernel else now

    def _look(self, captured: float, now: float) -> None:
        self._looked_at += 1
        if 0.0 <= now - captured <= SANE_AGE_S:
            self._kernel, self.told = True, "of the capture, by the kernel"
        elif self._looked_at >= FIRST_PICTURES:
            self.told = "of the arrival: those of the kernel are of another clock"


class OpenCvDevice:
    """The video device or file that `source.device` names. The methods are those of `Device`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._capture: Any = None
        self._number = 0
        self._clock = CaptureClock()
        self._began = 0.0
        self._file: Path | None = None

    def start(self) -> Facts:
        """Open it with the size and the rate that are asked for."""
        source = self._source
        path = found(source.device)
        self._file = path if path.is_file() else None
        if self._file is None and not os.access(path, os.R_OK | os.W_OK):
            raise UserError(f"{path} may not be read", next_step="run `sudo usermod -aG video $USER` and log in again")
        capture = cv2.VideoCapture(str(path), cv2.CAP_ANY if self._file else cv2.CAP_V4L2)
        if not capture.isOpened():
            capture.release()
            if self._file:
                raise UserError(f"the video {path} cannot be played", next_step="see whether another player can")
            raise DeviceAway(
                f"the camera {path} does not open", next_step=f"see who holds it with `fuser {path}` and close that"
            )
        if self._file is None:
            for field, value in (
                (cv2.CAP_PROP_FRAME_WIDTH, source.width_px),
                (cv2.CAP_PROP_FRAME_HEIGHT, source.height_px),
                (cv2.CAP_PROP_FPS, source.rate_hz),
                (cv2.CAP_PROP_BUFFERSIZE, BUFFERS),
            ):
                capture.set(field, value)
        got = tuple(round(capture.get(one)) for one in (cv2.CAP_PROP_FRAME_WIDTH, cv2.CAP_PROP_FRAME_HEIGHT))
        if got != (source.width_px, source.height_px):
            capture.release()
            raise UserError(
                f"{source.title} gives {got[0]}x{got[1]} px, expected {source.width_px}x{source.height_px}",
                next_step="set camera.width_px and camera.height_px to a size that it has, and calibrate",
            )
        self._capture, self._began = capture, time.monotonic()
        named = str(path) if self._file else source.device or path.name
        details = {"rate_hz": capture.get(cv2.CAP_PROP_FPS), "through": capture.getBackendName()}
        if self._file is None:
            self._decide(capture)
            details["stamps"] = self._clock.told or "not known yet"
        return Facts(path.name, named, details, port=port_of(path))

    def wait(self, limit_s: float) -> Shot | None:
        """The next picture; those of a file come as slowly as they were taken."""
        if self._capture is None:
            time.sleep(limit_s)
            return None
        arrived, bgr = self._capture.read()
        if not arrived:
            if self._file:
                raise UserError(f"the video {self._file} has been played to its end", next_step="start it again")
            time.sleep(limit_s)
            return None
        self._number += 1
        if (stamp := self._exposed()) is None:
            return None
        rgb = np.ascontiguousarray(bgr[:, :, ::-1])
        return Shot(self._number, stamp, rgb)

    def stop(self) -> None:
        """Let go of the device."""
        capture, self._capture = self._capture, None
        if capture is not None:
            capture.release()

    def reset(self) -> Facts:
        """Open it again as soon as it is there: a video device knows no reset."""
        self.stop()
        deadline = time.monotonic() + BACK_S
        while True:
            try:
                return self.start()
            except DeviceAway:
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)

    def _decide(self, capture: Any) -> None:
        """Look at the first pictures; where none come, it is decided when they do."""
        while not self._clock.told and capture.read()[0]:
            self._clock.stamp(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000, time.monotonic())

    def _exposed(self) -> float | None:
        """When the picture was taken, in monotonic seconds; None while the clock of its stamp is not known."""
        position = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self._file:
            due = self._began + position
            time.sleep(max(0.0, due - time.monotonic()))
            return time.monotonic()
        return self._clock.stamp(float(position), time.monotonic())
