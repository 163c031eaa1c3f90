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

NEWEST = 1
"""Pictures that the kernel keeps: one."""

SANE_AGE_S = 1.0
"""A stamp that is older than this at arrival is of another clock."""

POLL_S = 0.25
BACK_S = 10.0


class OpenCvDevice:
    """The video device or file that `source.device` names. The methods are those of `Device`."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._capture: Any = None
        self._number = 0
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
                (cv2.CAP_PROP_BUFFERSIZE, NEWEST),
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
        stamp = self._exposed()
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

    def _exposed(self) -> float:
        """When the picture was taken, in monotonic seconds."""
        position = self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000
        if self._file:
            due = self._began + position
            time.sleep(max(0.0, due - time.monotonic()))
            return time.monotonic()
        # The kernel's own stamp of the buffer, on the monotonic clock with every driver that is up to date.
        now = time.monotonic()
        return float(position) if 0.0 <= now - position <= SANE_AGE_S else now
