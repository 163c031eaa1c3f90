"""The RealSense driver over the vendor's real library, on recordings made here and played into its real pipeline."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from drivers.camera_device import CameraLost, DeviceAway, Source
from drivers.camera_ladder import Patience
from drivers.camera_pipe import Shot
from drivers.held_camera import HeldCamera
from drivers.picture_watch import NOT_MOVED_RAD, SAME_PICTURES, PictureWatch
from drivers.realsense import RealSense
from robot_rig.config import CameraConfig
from robot_rig.datatypes import Bytes, RawFrame
from robot_rig.errors import UserError
from tests.contracts.camera_contract import CameraBench, CameraContract
from tests.drivers import recordings
from tests.drivers.recordings import CONFIG, FOCAL_PX, RATE_HZ, SERIAL, Taken, in_order, record, scene
from tests.house import ROOT
from tests.ros_graph import eventually

rs = recordings.real_library()


def source(path: Path | str, stamps: str = "arrival", **more: object) -> Source:
    return Source("realsense", recordings.WIDTH, recordings.HEIGHT, str(path), RATE_HZ, stamps, **more)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four seconds of pictures in order."""
    return record(rs, tmp_path_factory.mktemp("film") / "long.db3", in_order(120))


@pytest.fixture
def device(film: Path) -> Iterator[RealSense]:
    made = RealSense(source(film))
    yield made
    made.stop()


class TestRealSense(CameraContract):
    @pytest.fixture(autouse=True)
    def _film(self, film: Path) -> None:
        self.film = film

    def make(self) -> CameraBench:
        return CameraBench(HeldCamera(source(self.film), CONFIG), CONFIG, time.sleep, red=(240, 100))


def shots(device: RealSense, seconds: float) -> list[Shot]:
    """All pictures that come within `seconds`, or until the recording ends."""
    got, end = [], time.monotonic() + seconds
    with contextlib.suppress(UserError):
        while time.monotonic() < end:
            if (shot := device.wait(0.1)) is not None:
                got.append(shot)
    return got


def test_it_says_what_it_is_and_its_pixels_come_through_exactly(device: RealSense, film: Path) -> None:
    facts = device.start()
    assert facts.name == "Intel RealSense D435"
    assert facts.details["serial"] == SERIAL
    assert facts.device == str(film)
    assert facts.details["intrinsics"]["focal_px"] == pytest.approx(FOCAL_PX)
    assert facts.focal_px == pytest.approx(FOCAL_PX[0])
    shot = device.wait(2.0)
    assert shot is not None
    assert np.array_equal(shot.rgb, scene((shot.number - 1) % recordings.SCENES))


def test_a_pause_is_silence_and_pictures_go_on_after_it(device: RealSense) -> None:
    device.start()
    assert device.wait(5.0) is not None
    device.playback.pause()
    shots(device, 0.3)
    paused = time.monotonic()
    assert device.wait(0.2) is None
    assert time.monotonic() - paused < 1.0
    device.playback.resume()
    resumed = time.monotonic()
    assert device.wait(5.0) is not None
    assert time.monotonic() - resumed < 2.0


def test_it_stops_and_starts_again_as_often_as_asked(device: RealSense) -> None:
    device.start()
    first = shots(device, 1.5)
    device.stop()
    device.stop()
    assert device.wait(0.01) is None
    device.start()
    again = shots(device, 0.5)
    # From the beginning of the recording.
    assert again[0].number < first[-1].number
    assert again[-1].stamp > first[-1].stamp
    device.reset()
    assert device.wait(5.0) is not None


def test_the_end_of_a_recording_is_said_after_its_last_picture(tmp_path: Path) -> None:
    paced = [replace(one, due=(one.number - 1) / RATE_HZ) for one in in_order(30)]
    camera = HeldCamera(source(record(rs, tmp_path / "short.db3", paced)), CONFIG)
    seen: list[int] = []
    with pytest.raises(UserError, match="played to its end"):
        seen.extend(camera.read().seq for _ in range(300))
    camera.close()
    # Playing in real time drops a few, on a busy machine more.
    assert 5 <= max(seen) <= 30


@pytest.mark.parametrize("share", [0.01, 0.5, 0.95])
def test_a_truncated_recording_is_refused(tmp_path: Path, film: Path, share: float) -> None:
    data = film.read_bytes()
    cut = tmp_path / "cut.db3"
    cut.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match="cannot be played"):
        HeldCamera(source(cut), CONFIG)


def test_a_recording_that_is_not_there_and_a_size_that_it_has_not_are_named(tmp_path: Path, film: Path) -> None:
    with pytest.raises(UserError, match=r"no recording .*nothing\.db3"):
        RealSense(source(tmp_path / "nothing.db3")).start()
    wide = Source("realsense", 1280, 720, str(film), RATE_HZ, "arrival")
    with pytest.raises(UserError, match=r"no colour pictures of 1280x720 px at 30 Hz"):
        RealSense(wide).start()


def test_another_size_than_configured_ends_the_camera_with_both(film: Path) -> None:
    with pytest.raises(CameraLost, match=r"640x480 px, expected 320x240") as lost:
        HeldCamera(source(film), CameraConfig(width_px=320, height_px=240, crop_px=84, crop_left_px=0, crop_top_px=0))
    assert lost.value.code == "image_refused"


def test_pictures_with_the_number_of_the_one_before_are_dropped_and_counted(tmp_path: Path) -> None:
    begin = time.time()
    pictures = [Taken(1 + min(number, 30), begin + number / RATE_HZ, scene(number % 5)) for number in range(60)]
    camera = HeldCamera(source(record(rs, tmp_path / "stuck.db3", pictures)), CONFIG, Patience(silence=60.0))
    seen: list[int] = []
    # The eye takes it for silence within 0.2 s, for what it is given is not new.
    with pytest.raises(UserError, match="played to its end"):
        seen.extend(camera.read().seq for _ in range(600))
    counts = camera.counts
    camera.close()
    assert max(seen) <= 31
    assert list(counts) == ["pictures with the number of the one before"]
    assert 1 <= counts["pictures with the number of the one before"] <= 29


def test_a_frozen_picture_with_fresh_numbers_is_told_at_the_fifth(tmp_path: Path) -> None:
    begin = time.time()
    pictures = [Taken(1 + number, begin + number / RATE_HZ, scene(min(number, 20))) for number in range(60)]
    device = RealSense(source(record(rs, tmp_path / "frozen.db3", pictures)))
    device.start()
    # From number 21 on they are equal. A busy machine drops some; those that came are judged in their order.
    got = shots(device, 3.0)
    device.stop()
    watch = PictureWatch(NOT_MOVED_RAD)
    told = [watch.judge(RawFrame(shot.number, shot.stamp, shot.rgb), shot.stamp) for shot in got]
    equal = sum(shot.number >= 21 for shot in got)
    assert equal >= SAME_PICTURES
    good = len(got) - equal + SAME_PICTURES - 1
    assert told == [""] * good + ["image_frozen"] * (len(got) - good)


def covered(rgb: Bytes) -> Bytes:
    return np.zeros_like(rgb)


def over_exposed(rgb: Bytes) -> Bytes:
    burnt: Bytes = np.clip(rgb.astype(int) * 4, 0, 255).astype(np.uint8)
    return burnt


@pytest.mark.parametrize(("spoil", "code"), [(covered, "image_dark"), (over_exposed, "image_bright")])
def test_a_covered_lens_and_gone_exposure_are_told_at_the_first_picture(
    tmp_path: Path, spoil: Callable[[Bytes], Bytes], code: str
) -> None:
    good = in_order(45)
    pictures = [replace(one, rgb=spoil(one.rgb)) if one.number > 20 else one for one in good]
    device = RealSense(source(record(rs, tmp_path / "spoilt.db3", pictures)))
    device.start()
    watch, told = PictureWatch(NOT_MOVED_RAD), {}
    for shot in shots(device, 1.4):
        told[shot.number] = watch.judge(RawFrame(shot.number, shot.stamp, shot.rgb), shot.stamp)
    device.stop()
    assert {told[number] for number in told if number <= 20} == {""}
    assert {told[number] for number in told if number > 20} == {code}


def test_stamps_are_the_recorded_exposure_on_this_machine_s_clock_and_old_ones_are_stale(tmp_path: Path) -> None:
    old = in_order(45, time.time() - 1000)
    device = RealSense(source(record(rs, tmp_path / "old.db3", old), "exposure"))
    device.start()
    got = shots(device, 2.0)
    device.stop()
    walls, ahead = {one.number: one.wall for one in old}, time.time() - time.monotonic()
    assert len(got) >= 5
    assert max(abs(shot.stamp + ahead - walls[shot.number]) for shot in got) < 2e-3
    watch = PictureWatch(NOT_MOVED_RAD)
    frames = [RawFrame(shot.number, shot.stamp, shot.rgb) for shot in got]
    assert {watch.judge(frame, time.monotonic()) for frame in frames} == {"image_stale"}


def test_a_camera_of_old_stamps_is_taken_for_silent(tmp_path: Path) -> None:
    path = record(rs, tmp_path / "old.db3", in_order(90, time.time() - 1000))
    camera = HeldCamera(source(path, "exposure"), CONFIG, Patience(silence=0.5))
    assert eventually(lambda: camera.counts.get("restart") == 1)
    camera.close()


def test_a_library_that_hangs_is_killed_and_another_process_goes_on(film: Path) -> None:
    patience = Patience(silence=0.3, restart=0.2, reset=0.2, start=20.0, again=0.5)
    camera = HeldCamera(source(film), CONFIG, patience)
    hung, before = camera.process, camera.read()
    os.kill(hung, signal.SIGSTOP)
    assert eventually(lambda: "recovered by kill" in camera.counts)
    after = camera.read()
    counts = camera.counts
    camera.close()
    assert (counts["restart"], counts["reset"], counts["kill"]) == (1, 1, 1)
    assert after.seq > before.seq
    assert after.stamp > before.stamp
    with pytest.raises(ProcessLookupError):
        os.kill(hung, 0)


# --- what a person is told --------------------------------------------------------------------------------------------


def test_no_device_is_said_at_once_although_a_serial_number_is_asked_for() -> None:
    begin = time.monotonic()
    with pytest.raises(DeviceAway, match="no RealSense is plugged in"):
        RealSense(source(SERIAL, "exposure")).start()
    assert time.monotonic() - begin < 5


def start_without(libraries: Path) -> str:
    """What the camera's own process answers where its library finds `libraries` first."""
    code = (
        "from drivers.camera_device import Source\nfrom drivers.camera_process import device_of\n"
        "from robot_rig.errors import UserError\n"
        "try:\n    device_of(Source('realsense', 640, 480))\nexcept UserError as error:\n    print(error)"
    )
    found = os.pathsep.join([str(ROOT), *sys.path])
    environment = os.environ | {"LD_LIBRARY_PATH": str(libraries), "PYTHONPATH": found}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT, env=environment
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_missing_libusb_is_said_with_the_package_that_brings_it(tmp_path: Path) -> None:
    (tmp_path / "libusb-1.0.so.0").write_bytes(b"")
    said = start_without(tmp_path)
    assert "libusb-1.0" in said
    assert "apt-get install libusb-1.0-0" in said
    assert start_without(tmp_path / "nowhere") == ""
