"""The camera's side of the rig over the vendor's real library, without a graph. Run by rows 101 to 109.

    python -m sim.faults.library_eye FOLDER '{"spoil": "dark", ...}'

Makes the recording that is planned, plays it into the library's own pipeline in the camera's own process, looks as
camera_node does, and prints one JSON object a line: each picture that arrives, which of them is shown to a policy, and
what is said of the camera.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pyrealsense2

from drivers.camera_device import Source
from drivers.held_camera import HeldCamera
from drivers.looking import Looking
from drivers.picture_watch import NOT_MOVED_RAD, PictureWatch
from robot_rig.clock import WallClock
from robot_rig.config import CameraConfig
from robot_rig.datatypes import RawFrame
from robot_rig.errors import UserError
from sim.faults.library_film import RATE_HZ, record
from sim.faults.library_plan import Plan, film, levels, number_in

BEAT_S = 0.002
AWAY_S = 0.01
"""A beat that comes so late is told."""

TINY = {"crop_px": 84, "crop_left_px": 0, "crop_top_px": 0}


class Noted:
    """`camera`, of which each new picture is told as it arrives."""

    def __init__(self, camera: HeldCamera, note: Callable[..., None]) -> None:
        self._camera, self._note, self._newest = camera, note, -1

    def read(self) -> RawFrame:
        """See `HeldCamera`."""
        raw = self._camera.read()
        if raw.seq != self._newest:
            self._newest = raw.seq
            self._note("picture", number=number_in(raw.rgb), stamp=raw.stamp, levels=levels(raw.rgb))
        return raw

    def close(self) -> None:
        """See `HeldCamera`."""
        self._camera.close()


class Eye:
    """Plays `path` and looks, as `plan` says."""

    def __init__(self, plan: Plan, path: Path) -> None:
        self._plan, self._path, self._clock = plan, path, WallClock()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._marked = threading.Event()

    def run(self) -> None:
        """Look for as long as is planned, or until there is no further picture."""
        threading.Thread(target=self._beat, daemon=True).start()
        plan = self._plan
        (width, height), (wide, high) = plan.asked, plan.wanted
        config = CameraConfig() if plan.wanted == plan.asked else CameraConfig(width_px=wide, height_px=high, **TINY)
        try:
            camera = HeldCamera(
                Source("realsense", width, height, str(self._path), RATE_HZ, stamps=plan.stamps), config
            )
        except UserError as error:
            self._note("refused", text=str(error))
            return
        self._note("opened")
        if plan.signal:
            threading.Thread(target=self._trouble, args=[camera], daemon=True).start()
        looking = Looking(Noted(camera, self._note), PictureWatch(NOT_MOVED_RAD), self._show, self._say)
        end = self._clock.now() + plan.look_s
        try:
            while self._clock.now() < end:
                looking.look()
        except UserError as error:
            looking.refuse(error)
            self._note("ended", text=str(error))
        self._ended.set()
        self._note("counts", counts=camera.counts)
        camera.close()

    def _show(self, raw: RawFrame, now: float) -> None:
        number = number_in(raw.rgb)
        self._note("shown", number=number, age=now - raw.stamp)
        if number >= self._plan.good:
            self._marked.set()

    def _say(self, code: str, now: float) -> None:
        self._note("said", code=code)

    def _trouble(self, camera: HeldCamera) -> None:
        """The signal comes when the last good picture has been seen."""
        self._marked.wait()
        process = camera.process
        self._note("signal")
        os.kill(process, getattr(signal, self._plan.signal))
        if self._plan.cont_s:
            self._clock.sleep_until(self._clock.now() + self._plan.cont_s)
            self._note("continued")
            os.kill(process, signal.SIGCONT)

    def _beat(self) -> None:
        """A beat of this process: while it is away, nothing here is on time."""
        last = time.monotonic()
        while not self._ended.wait(BEAT_S):
            now = time.monotonic()
            if now - last > AWAY_S:
                self._note("away", gap=now - last)
            last = now

    def _note(self, what: str, **more: object) -> None:
        line = json.dumps({"t": time.monotonic(), "what": what, **more}).encode() + b"\n"
        with self._lock:
            os.write(1, line)


def main() -> int:
    """Record, play and look; returns the exit code."""
    folder, text = sys.argv[1:]
    values = json.loads(text)
    plan = Plan(**{**values, "asked": tuple(values["asked"]), "wanted": tuple(values["wanted"])})
    path = record(pyrealsense2, Path(folder) / "film.db3", film(plan, time.time()), plan.form)
    Eye(plan, path).run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
