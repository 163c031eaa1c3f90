"""The real process of a camera around a device that takes its time, as real ones do; for test_camera_orders.py.

    python -m tests.drivers.slow_camera 5 '{"kind": "opencv", "device": "FOLDER", ...}'

The folder says how long `start`, `stop` and `reset` take (files of seconds), whether the device is `silent` or `gone`
(files; a reset takes both away), and gets what the device did, a line each, in `log`.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

import numpy as np

from drivers import camera_process
from drivers.camera_device import DeviceAway, Source
from drivers.camera_pipe import Facts, Shot

PERIOD_S = 1 / 30


class SlowDevice:
    """A device of 30 Hz that the files in `source.device` rule."""

    def __init__(self, source: Source) -> None:
        self._source, self._folder = source, Path(source.device)
        self._number = 0

    def start(self) -> Facts:
        self._spend("start")
        if (self._folder / "gone").exists():
            raise DeviceAway("it is gone", next_step="plug it in")
        return Facts("slow", self._source.device)

    def wait(self, limit_s: float) -> Shot | None:
        if (self._folder / "silent").exists():
            time.sleep(limit_s)
            return None
        time.sleep(PERIOD_S)
        self._number += 1
        rgb = np.zeros((self._source.height_px, self._source.width_px, 3), np.uint8)
        return Shot(self._number, time.monotonic(), rgb)

    def stop(self) -> None:
        self._spend("stop")

    def reset(self) -> Facts:
        self._spend("reset")
        for trouble in ("gone", "silent"):
            (self._folder / trouble).unlink(missing_ok=True)
        return Facts("slow", self._source.device)

    def _spend(self, act: str) -> None:
        with (self._folder / "log").open("a") as log:
            log.write(f"{act}\n")
        lasts = self._folder / act
        time.sleep(float(lasts.read_text()) if lasts.exists() else 0.0)


if __name__ == "__main__":
    camera_process.device_of = SlowDevice
    sys.exit(camera_process.main())
