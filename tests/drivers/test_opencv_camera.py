"""A video file through OpenCV keeps the camera's contract; what is not there is named; what hangs is killed."""

from __future__ import annotations

import os
import shutil
import signal
import time
from pathlib import Path

import cv2
import numpy as np
import pytest

from drivers import video_devices
from drivers.camera_device import CameraLost, DeviceAway, Source
from drivers.camera_ladder import Patience
from drivers.held_camera import HeldCamera
from drivers.opencv_camera import FIRST_PICTURES, CaptureClock, OpenCvDevice
from robot_rig.config import CameraConfig
from robot_rig.errors import UserError
from tests.contracts.camera_contract import CameraBench, CameraContract
from tests.ros_graph import eventually

CONFIG = CameraConfig(width_px=160, height_px=120, crop_px=84, crop_left_px=10, crop_top_px=3)
RATE_HZ = 30


def write_video(path: Path, pictures: int, width: int = 160, height: int = 120) -> Path:
    """A video whose left third is red, and noise on the right."""
    random = np.random.default_rng(0)
    video = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), RATE_HZ, (width, height))
    for _ in range(pictures):
        rgb = random.integers(20, 90, (height, width, 3), dtype=np.uint8)
        rgb[:, : width // 3] = (200, 20, 20)
        video.write(rgb[:, :, ::-1])
    video.release()
    return path


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_video(tmp_path_factory.mktemp("film") / "long.avi", 300)


def source(device: Path | str) -> Source:
    return Source("opencv", CONFIG.width_px, CONFIG.height_px, str(device), RATE_HZ)


class TestOpenCvCamera(CameraContract):
    @pytest.fixture(autouse=True)
    def _film(self, film: Path) -> None:
        self.film = film

    def make(self) -> CameraBench:
        return CameraBench(HeldCamera(source(self.film), CONFIG), CONFIG, time.sleep, red=(60, 20))


def test_a_video_comes_at_the_rate_it_was_taken_and_is_of_now(film: Path) -> None:
    camera = HeldCamera(source(film), CONFIG)
    seen = {frame.seq: frame.stamp for frame in (camera.read() for _ in range(60))}
    age = time.monotonic() - max(seen.values())
    camera.close()
    period = (max(seen.values()) - min(seen.values())) / (max(seen) - min(seen))
    assert period == pytest.approx(1 / RATE_HZ, rel=0.2)
    assert age < 0.2


def test_a_video_that_has_ended_says_so_after_its_last_picture(tmp_path: Path) -> None:
    camera = HeldCamera(source(write_video(tmp_path / "short.avi", 12)), CONFIG)
    seen: list[int] = []
    with pytest.raises(CameraLost, match="played to its end") as lost:
        seen.extend(camera.read().seq for _ in range(100))
    camera.close()
    assert lost.value.code == "camera_ended"
    assert max(seen) == 12


def test_another_size_is_refused_with_both(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"320x240 px, expected 160x120"):
        HeldCamera(source(write_video(tmp_path / "large.avi", 5, 320, 240)), CONFIG)


def test_what_is_no_video_is_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.avi").write_text("no video at all")
    with pytest.raises(UserError, match="cannot be played"):
        HeldCamera(source(tmp_path / "notes.avi"), CONFIG)


def test_a_process_that_hangs_is_killed_and_the_next_one_shows_pictures(film: Path) -> None:
    patience = Patience(silence=0.2, restart=0.2, reset=0.2, start=10.0, again=0.5)
    camera = HeldCamera(source(film), CONFIG, patience)
    hung, before = camera.process, camera.read()
    os.kill(hung, signal.SIGSTOP)
    assert eventually(lambda: camera.process != hung and camera.read().stamp > before.stamp + 0.6)
    assert eventually(lambda: "recovered by kill" in camera.counts)
    counts = camera.counts
    after = camera.read()
    camera.close()
    assert (counts["restart"], counts["reset"], counts["kill"]) == (1, 1, 1)
    assert after.seq > before.seq
    with pytest.raises(ProcessLookupError):
        os.kill(hung, 0)


def test_a_process_that_dies_is_replaced_at_once(film: Path) -> None:
    camera = HeldCamera(source(film), CONFIG)
    dead, before = camera.process, camera.read()
    killed = time.monotonic()
    os.kill(dead, signal.SIGKILL)
    assert eventually(lambda: camera.process != dead and camera.read().stamp > killed)
    took = time.monotonic() - killed
    assert camera.read().seq > before.seq
    camera.close()
    assert took < 5


def test_a_camera_that_is_pulled_out_is_looked_for_until_it_is_back(film: Path, tmp_path: Path) -> None:
    plugged, pulled = tmp_path / "camera.avi", tmp_path / "pulled.avi"
    shutil.copy(film, plugged)
    camera = HeldCamera(source(plugged), CONFIG, Patience(again=0.2))
    plugged.rename(pulled)
    os.kill(camera.process, signal.SIGKILL)
    assert eventually(lambda: camera.counts.get("person", 0) >= 2)
    silent = camera.read()
    assert camera.read().seq == silent.seq
    pulled.rename(plugged)
    assert eventually(lambda: camera.read().seq > silent.seq)
    assert eventually(lambda: camera.counts.get("recovered by person") == 1)
    camera.close()


def test_a_restart_goes_on_in_the_same_process(film: Path) -> None:
    device = OpenCvDevice(source(film))
    device.start()
    assert device.wait(0.1) is not None
    device.stop()
    device.stop()
    assert device.wait(0.01) is None
    device.reset()
    assert device.wait(0.1) is not None
    device.stop()


NOW = 5000.0


@pytest.mark.parametrize("first", [0.0, 0.05, 0.99])
def test_a_camera_whose_stamps_were_sane_at_first_bears_old_ones_as_they_are(first: float) -> None:
    clock = CaptureClock()
    assert clock.stamp(NOW - first, NOW) == NOW - first
    for age in (0.05, 1.01, 3.0, 60.0):
        assert clock.stamp(NOW - age, NOW) == NOW - age


@pytest.mark.parametrize("captured", [0.0, 1.7e9, NOW - 300, NOW + 0.01])
def test_stamps_of_another_clock_are_left_for_those_of_the_arrival_and_it_is_told(captured: float) -> None:
    clock = CaptureClock()
    for _ in range(FIRST_PICTURES - 1):
        assert clock.stamp(captured, NOW) is None
        assert clock.told == ""
    assert clock.stamp(captured, NOW) == NOW
    assert "of the arrival" in clock.told
    assert clock.stamp(NOW - 0.01, NOW + 1) == NOW + 1, "decided once"


@pytest.fixture
def by_id(tmp_path: Path) -> Path:
    folder = tmp_path / "by-id"
    folder.mkdir()
    for name in ("usb-A_Camera_1-video-index0", "usb-A_Camera_1-video-index1"):
        (folder / name).write_text("")
    return folder


def test_the_only_camera_is_found_and_of_several_one_must_be_named(by_id: Path) -> None:
    first = by_id / "usb-A_Camera_1-video-index0"
    assert video_devices.plugged_in(by_id) == [first.name]
    assert video_devices.found("", by_id) == video_devices.found(first.name, by_id) == first
    (by_id / "usb-B-video-index0").write_text("")
    with pytest.raises(DeviceAway, match=r"several cameras.*usb-A_Camera_1-video-index0, usb-B-video-index0"):
        video_devices.found("", by_id)


def test_a_number_that_changes_at_the_next_boot_is_refused(by_id: Path) -> None:
    with pytest.raises(UserError, match=r"next boot.*usb-A_Camera_1-video-index0"):
        video_devices.found("/dev/video0", by_id)


def test_no_camera_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DeviceAway, match="no camera is plugged in"):
        video_devices.found("", tmp_path)
    with pytest.raises(DeviceAway, match="no camera and no video nowhere"):
        video_devices.found("nowhere", tmp_path)
