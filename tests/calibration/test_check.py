"""A camera that was not calibrated, is another, has another resolution or has moved is refused with what to do."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import mujoco
import numpy as np
import pytest

from calibration.board import Board
from calibration.check import MOST_MOVED_PX, check_camera, outdated, refuse_outdated
from calibration.moved import can_be_compared, picture_shift, swaps_red_and_blue
from calibration.results import Results
from calibration.rigid import rigid
from robot_rig.config import CameraConfig, Config
from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError
from sim.scenes import CAMERA
from tests.calibration.results_made import LATER, SERIAL, hand_eye_record, kept_eye, lens_record
from tests.calibration.twin import Twin, spoilt

CONFIG = Config()
RANDOM = np.random.default_rng(3)


def textured(seed: int) -> Bytes:
    """A scene with something to see everywhere."""
    noise = np.random.default_rng(seed).integers(0, 256, (60, 80, 3), np.uint8)
    return np.asarray(cv2.resize(noise, (640, 480), interpolation=cv2.INTER_CUBIC), np.uint8)


SCENE = textured(0)


def moved_by(rgb: Bytes, pixels: float, turn_deg: float = 0.0) -> Bytes:
    motion = cv2.getRotationMatrix2D((320, 240), turn_deg, 1.0)
    motion[0, 2] += pixels
    return np.asarray(cv2.warpAffine(rgb, motion, (640, 480), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT))


@pytest.fixture
def results(tmp_path: Path) -> Results:
    kept_eye(tmp_path, SCENE)
    return Results(tmp_path)


def test_a_calibrated_camera_that_stands_where_it_stood_passes(results: Results) -> None:
    results.keep(lens_record())
    results.keep(hand_eye_record(np.eye(4)))
    for serial in (SERIAL, ""):
        checked = check_camera(results, serial, spoilt(SCENE, RANDOM, 4.0, 0.5), CONFIG.camera)
        assert checked.eye.serial == SERIAL
        assert checked.lens is not None
        assert checked.hand_eye is not None
        assert checked.shift.pixels < 0.2


def test_nothing_calibrated_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no camera has been calibrated.*rig calibrate crop"):
        check_camera(Results(tmp_path), SERIAL, SCENE, CONFIG.camera)
    Results(tmp_path).keep(lens_record())
    with pytest.raises(UserError, match="no window and no reference picture yet"):
        check_camera(Results(tmp_path), SERIAL, SCENE, CONFIG.camera)


def test_another_camera_is_refused(results: Results) -> None:
    with pytest.raises(UserError, match=f"this is the camera 999, and that was never calibrated.*{SERIAL}"):
        check_camera(results, "999", SCENE, CONFIG.camera)


def test_a_camera_without_a_serial_number_among_several_is_refused(results: Results) -> None:
    kept_eye(results.folder, SCENE, serial="999")
    with pytest.raises(UserError, match=r"several were calibrated.*serial:="):
        check_camera(results, "", SCENE, CONFIG.camera)


def test_another_resolution_is_refused(results: Results) -> None:
    small = np.ascontiguousarray(SCENE[:360])
    with pytest.raises(UserError, match="gives 640x360 px, and eye was calibrated at 640x480"):
        check_camera(results, SERIAL, small, CONFIG.camera)
    results.keep(lens_record(width=1280))
    with pytest.raises(UserError, match="intrinsics was calibrated at 1280x480"):
        check_camera(results, SERIAL, SCENE, CONFIG.camera)


def test_another_window_is_refused(results: Results) -> None:
    elsewhere = CameraConfig(crop_left_px=100)
    with pytest.raises(UserError, match="crop_left_px is not the window that was calibrated"):
        check_camera(results, SERIAL, SCENE, elsewhere)


@pytest.mark.parametrize("pixels", [-40.0, -5.2, 0.0, 2.0, 4.8, 5.2, 12.0, 45.0])
def test_a_camera_that_moved_by_five_pixels_or_more_is_refused(results: Results, pixels: float) -> None:
    now = spoilt(moved_by(SCENE, pixels), RANDOM, 3.0, 0.6)
    if abs(pixels) < MOST_MOVED_PX:
        assert check_camera(results, SERIAL, now, CONFIG.camera).shift.pixels == pytest.approx(abs(pixels), abs=0.15)
    else:
        # Further than corners are followed it cannot say how far, and refuses all the same.
        said = f"shifted by {abs(pixels):.1f}"[:-1] if abs(pixels) < 30 else "has moved"
        with pytest.raises(UserError, match=f"{said}.*[Pp]ut it back"):
            check_camera(results, SERIAL, now, CONFIG.camera)


def test_a_camera_that_was_turned_is_refused(results: Results) -> None:
    with pytest.raises(UserError, match="has moved"):
        check_camera(results, SERIAL, moved_by(SCENE, 0.0, turn_deg=1.5), CONFIG.camera)


@pytest.mark.parametrize("gain", [0.6, 1.3])
def test_more_or_less_light_is_no_motion(results: Results, gain: float) -> None:
    other = np.clip(gain * SCENE.astype(float) + 12.0, 0, 255).astype(np.uint8)
    assert check_camera(results, SERIAL, other, CONFIG.camera).shift.pixels < 0.3


def test_a_hand_in_the_picture_is_no_motion(results: Results) -> None:
    other = SCENE.copy()
    other[100:400, 200:450] = textured(9)[100:400, 200:450]
    assert check_camera(results, SERIAL, other, CONFIG.camera).shift.pixels < 0.3


def hole_table(pixels: float, pitch: int, things: int) -> Bytes:
    """A table with a hole every `pitch` px and `things` on it, before a camera that was pushed by `pixels`."""
    table = np.full((700, 900, 3), 150, np.uint8)
    for v in range(0, 700, pitch):
        for u in range(0, 900, pitch):
            cv2.circle(table, (u, v), 4, (35, 35, 35), -1, cv2.LINE_AA)
    random = np.random.default_rng(0)
    for _ in range(things):
        u, v, width, height = (int(random.integers(*span)) for span in ((120, 760), (100, 580), (30, 80), (30, 80)))
        thing = random.integers(0, 255, (6, 6, 3), dtype=np.uint8)
        table[v : v + height, u : u + width] = cv2.resize(thing, (width, height), interpolation=cv2.INTER_CUBIC)
    seen = cv2.warpAffine(table, np.array([[1, 0, -100 - pixels], [0, 1, -100.0]]), (640, 480), flags=cv2.INTER_CUBIC)
    return spoilt(np.asarray(seen, np.uint8), np.random.default_rng(int(10 * pixels)), 2.0, 0.0)


@pytest.mark.parametrize(("pitch", "things"), [(12, 0), (12, 10), (24, 4), (24, 20), (32, 0), (32, 10)])
def test_a_move_by_the_pitch_of_a_pattern_is_never_taken_for_none(pitch: int, things: int) -> None:
    reference = hole_table(0.0, pitch, things)
    shift = picture_shift(reference, hole_table(pitch, pitch, things))
    assert shift is None or shift.pixels == pytest.approx(pitch, abs=0.3)
    still = picture_shift(reference, hole_table(0.0, pitch, things))
    assert still is None or still.pixels < 0.3
    # With enough on it that is not regular it is told how far; with nothing but holes it is no reference.
    assert (still is not None) or things < 20
    assert things > 0 or not can_be_compared(reference)


ELSEWHERE = {"dark": np.zeros_like(SCENE), "white": np.full_like(SCENE, 255), "other": textured(5)}


def test_a_picture_that_shows_nothing_is_no_reference() -> None:
    assert can_be_compared(SCENE)
    assert not any(can_be_compared(ELSEWHERE[name]) for name in ("dark", "white"))


@pytest.mark.parametrize(
    ("name", "says"),
    [("dark", "; it is .* times as dark as"), ("white", "; it is .* times as bright as"), ("other", "")],
)
def test_what_cannot_be_compared_is_refused(results: Results, name: str, says: str) -> None:
    with pytest.raises(UserError, match=f"too little in common.*has moved{says}"):
        check_camera(results, SERIAL, ELSEWHERE[name], CONFIG.camera)


def test_a_camera_that_swaps_red_and_blue_is_refused(results: Results) -> None:
    for gain in (1.0, 0.7):
        swapped = (gain * SCENE[:, :, ::-1]).astype(np.uint8)
        with pytest.raises(UserError, match="red and blue are swapped"):
            check_camera(results, SERIAL, swapped, CONFIG.camera)


def test_a_scene_without_colours_has_none_to_swap() -> None:
    grey = np.repeat(SCENE[:, :, :1], 3, axis=2)
    warm = np.clip(grey.astype(float) * (1.1, 1.0, 0.9), 0, 255).astype(np.uint8)
    assert not swaps_red_and_blue(grey, spoilt(grey, RANDOM, 6.0, 0.0))
    assert not swaps_red_and_blue(warm, warm)


def test_the_newest_reference_counts(results: Results) -> None:
    kept_eye(results.folder, textured(5), taken=LATER)
    assert check_camera(results, SERIAL, textured(5), CONFIG.camera).eye.taken == LATER


@pytest.mark.parametrize(
    ("since", "says"),
    [
        (moved_by(SCENE, 0.0), ""),
        (moved_by(SCENE, 4.5), ""),
        (moved_by(SCENE, 8.0), "is shifted by 8.0 px"),
        (textured(5), "shows another view"),
    ],
)
def test_a_hand_eye_of_before_the_camera_was_moved_is_out_of_date(results: Results, since: Bytes, says: str) -> None:
    place = hand_eye_record(np.eye(4))
    results.keep(place)
    assert outdated(results, place) == ""
    kept_eye(results.folder, since, taken=LATER)
    why = outdated(results, place)
    assert says in why
    assert bool(why) == bool(says)
    if says:
        with pytest.raises(UserError, match="rig calibrate poses"):
            refuse_outdated(results, place)
        # One of after that counts again.
        assert outdated(results, place.model_copy(update={"taken": LATER})) == ""
    else:
        refuse_outdated(results, place)


def test_a_hand_eye_that_no_reference_picture_is_as_old_as_is_not_judged(tmp_path: Path) -> None:
    results, place = Results(tmp_path), hand_eye_record(np.eye(4))
    results.keep(place)
    assert outdated(results, place) == ""
    kept_eye(tmp_path, moved_by(SCENE, 8.0), taken=LATER)
    assert outdated(results, place) == ""


@dataclass
class MovableCamera:
    """The twin with a poster in it, whose camera can be knocked."""

    twin: Twin

    def knocked(self, turn_rad: float) -> Bytes:
        camera = self.twin.model.camera(CAMERA).id
        kept = self.twin.model.cam_quat[camera].copy()
        by, now = np.zeros(4), np.zeros(4)
        mujoco.mju_axisAngle2Quat(by, np.array([0.0, 1.0, 0.0]), turn_rad)
        mujoco.mju_mulQuat(now, kept, by)
        self.twin.model.cam_quat[camera] = now
        self.twin.pose_arm(np.array(CONFIG.control.home_posture_rad))
        picture = spoilt(self.twin.draw(), RANDOM, 3.0, 0.7)
        self.twin.model.cam_quat[camera] = kept
        return picture


@pytest.fixture(scope="module")
def stand() -> Iterator[MovableCamera]:
    twin = Twin(CONFIG, Board())
    twin.place_board(rigid(np.array([0.2, 0.3, 0.0]), np.array([0.25, -0.25, 1.2])))
    yield MovableCamera(twin)
    twin.close()


@pytest.mark.parametrize("pixels", [0.0, 3.0, 7.0, 20.0])
def test_the_twins_camera_is_seen_to_be_knocked(stand: MovableCamera, pixels: float) -> None:
    shift = picture_shift(stand.knocked(0.0), stand.knocked(pixels / CONFIG.camera.focal_px))
    assert shift is not None
    assert not swaps_red_and_blue(stand.knocked(0.0), stand.knocked(pixels / CONFIG.camera.focal_px))
    assert swaps_red_and_blue(stand.knocked(0.0), stand.knocked(0.0)[:, :, ::-1])
    # A turn shifts the middle by this much and the edges by up to a tenth more.
    assert shift.pixels == pytest.approx(pixels, rel=0.1, abs=0.2)
