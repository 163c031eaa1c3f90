"""An order to a camera's process lapses with the pictures that come after it; what comes of an older one is no answer.

The real process and the real ladder around a device that takes its time.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from drivers import held_camera
from drivers.camera_device import Source
from drivers.camera_ladder import Patience
from drivers.held_camera import HeldCamera
from robot_rig.config import CameraConfig
from robot_rig.errors import UserError
from tests.ros_graph import eventually

CONFIG = CameraConfig(width_px=160, height_px=120, crop_px=84, crop_left_px=10, crop_top_px=3)
PATIENCE = Patience(silence=0.4, restart=0.8, reset=6.0, start=20.0, again=0.2)
SLOW_S = 0.7
"""Longer than a silence that is complained of, as a RealSense's start is."""

Make = Callable[[Mapping[str, float]], HeldCamera]


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setattr(held_camera, "PROCESS", (sys.executable, "-m", "tests.drivers.slow_camera"))
    made: list[HeldCamera] = []

    def make_one(lasts: Mapping[str, float]) -> HeldCamera:
        for act, seconds in lasts.items():
            (tmp_path / act).write_text(str(seconds))
        source = Source("opencv", CONFIG.width_px, CONFIG.height_px, str(tmp_path))
        made.append(HeldCamera(source, CONFIG, PATIENCE))
        return made[0]

    yield make_one
    for camera in made:
        camera.close()


def soon(condition: Callable[[], bool]) -> bool:
    return eventually(condition, within=20.0)


def done(folder: Path) -> list[str]:
    return (folder / "log").read_text().split()


def silences(camera: HeldCamera, seconds: float) -> list[float]:
    """How long it was silent, s, each time that it was for longer than a complaint takes."""
    found, newest, end = [], camera.read().stamp, time.monotonic() + seconds
    while time.monotonic() < end:
        stamp = camera.read().stamp
        if stamp - newest > PATIENCE.silence:
            found.append(stamp - newest)
        newest = stamp
    return found


@pytest.mark.parametrize(("ordered", "outages"), [("restart", 2), ("reset", 1)])
def test_a_hang_that_ends_is_over_with_the_next_picture(
    make: Make, tmp_path: Path, ordered: str, outages: int, caplog: pytest.LogCaptureFixture
) -> None:
    camera = make({"start": SLOW_S})
    assert silences(camera, 0.3) == []
    process = camera.process
    for outage in range(1, outages + 1):
        os.kill(process, signal.SIGSTOP)
        assert soon(lambda outage=outage: camera.counts.get(ordered, 0) == outage)
        os.kill(process, signal.SIGCONT)
        assert soon(lambda outage=outage: camera.counts.get(f"recovered by {ordered}") == outage)
        assert silences(camera, 1.2) == []
    assert camera.process == process
    # What was ordered while it hung is not done to a camera that shows pictures again.
    assert done(tmp_path) == ["start"]
    assert caplog.text.count("its sensor is stopped and started") == outages, "each outage is in the log"


def test_a_restart_that_works_too_late_is_not_followed_by_the_reset_ordered_meanwhile(
    make: Make, tmp_path: Path
) -> None:
    camera = make({"stop": 1.2})
    (tmp_path / "silent").touch()
    assert soon(lambda: done(tmp_path) == ["start", "stop"])
    (tmp_path / "silent").unlink()
    assert soon(lambda: camera.counts.get("recovered by reset") == 1)
    assert silences(camera, 1.0) == []
    assert done(tmp_path) == ["start", "stop", "start"]


def test_the_late_failure_of_a_restart_is_not_the_reset_s(make: Make, tmp_path: Path) -> None:
    camera = make({"stop": 1.2, "reset": 1.0})
    process = camera.process
    for trouble in ("gone", "silent"):
        (tmp_path / trouble).touch()
    assert soon(lambda: any(count.startswith("recovered") for count in camera.counts))
    assert "kill" not in camera.counts
    assert camera.process == process
    assert done(tmp_path) == ["start", "stop", "start", "reset"]


def test_a_process_that_cannot_be_started_is_tried_again_and_at_first_named(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    camera = make({})
    there = held_camera.PROCESS
    monkeypatch.setattr(held_camera, "PROCESS", (str(tmp_path / "nowhere"),))
    os.kill(camera.process, signal.SIGKILL)
    assert soon(lambda: camera.counts.get("person", 0) >= 1)
    assert "cannot be started" in caplog.text
    with pytest.raises(UserError, match="the camera's process has died"):
        HeldCamera(Source("opencv", CONFIG.width_px, CONFIG.height_px, str(tmp_path)), CONFIG)
    monkeypatch.setattr(held_camera, "PROCESS", there)
    before = camera.read().seq
    assert soon(lambda: camera.read().seq > before)
