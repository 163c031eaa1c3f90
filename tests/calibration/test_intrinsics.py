"""The lens of the twin's camera is found to 0.5 %, on clean, noisy, blurred, covered boards; else it refuses."""

from __future__ import annotations

from collections.abc import Iterator

import cv2
import numpy as np
import pytest

from calibration.board import Board, BoardFinder, Sighting
from calibration.intrinsics import solve_intrinsics
from calibration.lens import EDGE_PX, Lens
from robot_rig.config import CameraConfig, Config
from robot_rig.datatypes import Bytes, Floats
from robot_rig.errors import UserError
from tests.calibration.twin import Twin, covered, spoilt, wandering_boards

CONFIG = Config(
    camera=CameraConfig(focal_px=606.0, center_u_px=314.8, center_v_px=247.6, crop_left_px=90, crop_top_px=45)
)
BOARD, SIZE, VIEWS = Board(), (640, 480), 18
FINDER = BoardFinder(BOARD)
TRUTH = Lens.configured(CONFIG.camera)
WITHIN = 0.005
POSES = wandering_boards(BOARD, CONFIG, VIEWS, seed=1)


@pytest.fixture(scope="module")
def pictures() -> Iterator[list[Bytes]]:
    twin = Twin(CONFIG, BOARD)
    drawn = []
    for pose in POSES:
        twin.place_board(pose)
        drawn.append(twin.draw())
    yield drawn
    twin.close()


def seen_in(pictures: list[Bytes]) -> dict[str, Sighting | None]:
    return {f"view-{number:02d}": FINDER.find(picture) for number, picture in enumerate(pictures)}


def corners_of(pose: Floats) -> Floats:
    width, height = BOARD.size_m
    return TRUTH.project(np.array([[0, 0, 0], [width, 0, 0], [0, height, 0], [width, height, 0]], np.float64), pose)


def assert_is(lens: Lens, truth: Lens) -> None:
    assert lens.focal_u == pytest.approx(truth.focal_u, rel=WITHIN)
    assert lens.focal_v == pytest.approx(truth.focal_v, rel=WITHIN)
    assert abs(lens.center_u - truth.center_u) < WITHIN * SIZE[0]
    assert abs(lens.center_v - truth.center_v) < WITHIN * SIZE[1]


def test_the_lens_is_found_on_clean_pictures(pictures: list[Bytes]) -> None:
    fit = solve_intrinsics(seen_in(pictures), SIZE)
    assert_is(fit.lens, TRUTH)
    assert fit.rms_px < 0.15
    assert fit.coverage > 0.9
    assert len(fit.used) == VIEWS
    # The settings count from the picture's edge, where the twin's own principal point is given.
    settings = fit.lens.settings()
    assert settings["camera.center_u_px"] == pytest.approx(CONFIG.camera.center_u_px, abs=WITHIN * SIZE[0])
    assert settings["camera.focal_px"] == pytest.approx(CONFIG.camera.focal_px, rel=WITHIN)
    assert TRUTH.center_u + EDGE_PX == CONFIG.camera.center_u_px


@pytest.mark.parametrize(("noise", "blur_px", "patched"), [(6.0, 0.0, 0), (3.0, 1.5, 0), (6.0, 1.0, 9)])
def test_the_lens_is_found_on_noisy_blurred_and_partly_covered_boards(
    pictures: list[Bytes], noise: float, blur_px: float, patched: int
) -> None:
    random = np.random.default_rng(5)
    bad = [
        covered(picture, corners_of(pose), random) if number < patched else picture
        for number, (picture, pose) in enumerate(zip(pictures, POSES, strict=True))
    ]
    fit = solve_intrinsics(seen_in([spoilt(picture, random, noise, blur_px) for picture in bad]), SIZE)
    assert_is(fit.lens, TRUTH)
    # What it says of its own error is not less than a third of the error.
    assert abs(fit.lens.focal_u - TRUTH.focal_u) < 3 * fit.deviation_px[0] + 0.5


def test_a_lens_that_bends_the_picture_is_found(pictures: list[Bytes]) -> None:
    bent = Lens(SIZE, 606.0, 606.0, TRUTH.center_u, TRUTH.center_v, (-0.18, 0.06, 0.001, -0.0005, 0.0))
    v, u = np.mgrid[: SIZE[1], : SIZE[0]].astype(np.float64)
    flat = cv2.undistortPoints(
        np.stack([u.ravel(), v.ravel()], axis=1)[:, None], bent.matrix, np.array(bent.distortion), P=TRUTH.matrix
    ).reshape(SIZE[1], SIZE[0], 2)
    through = [cv2.remap(one, flat.astype(np.float32), None, cv2.INTER_CUBIC) for one in pictures]
    fit = solve_intrinsics(seen_in(through), SIZE)
    assert_is(fit.lens, bent)
    points = np.array([[x, y, 0.6] for x in (-0.25, 0.0, 0.25) for y in (-0.18, 0.0, 0.18)])
    bias = fit.lens.project(points, np.eye(4)) - bent.project(points, np.eye(4))
    assert np.linalg.norm(bias, axis=1).max() < 3.5


def test_views_that_do_not_help_are_left_out_and_say_why(pictures: list[Bytes]) -> None:
    sightings = seen_in(pictures)
    known = sightings["view-04"]
    assert known is not None
    sightings["empty"] = None
    sightings["twin"] = known
    random = np.random.default_rng(2)
    shaken = known.pixels + (0.0, 40.0) + 2.0 * random.standard_normal(known.pixels.shape)
    sightings["shaken"] = Sighting(known.ids, shaken, known.points)
    pushed = known.pixels + np.array([60.0, 30.0])
    pushed[3] += 12.0
    sightings["one corner"] = Sighting(known.ids, pushed, known.points)
    fit = solve_intrinsics(sightings, SIZE)
    said = {view.name: view for view in fit.views}
    assert said["empty"].dropped == "the board was not found"
    assert said["twin"].dropped == "shows the same as view-04"
    assert "residual" in said["shaken"].dropped
    assert said["one corner"].stray >= 1
    assert_is(fit.lens, TRUTH)


def test_what_cannot_say_enough_is_refused(pictures: list[Bytes]) -> None:
    sightings = seen_in(pictures)
    few = dict(list(sightings.items())[:7])
    with pytest.raises(UserError, match="views of the board: 7, and 8 are needed"):
        solve_intrinsics(few, SIZE)
    with pytest.raises(UserError, match=r"views of the board: 0.*view-00: the board was not found"):
        solve_intrinsics(dict.fromkeys(sightings), SIZE)


def facing(distance: float, at: tuple[float, float]) -> Sighting:
    """A board that faces the camera, without any error."""
    points = np.array([[x, y, 0.0] for y in range(4) for x in range(6)], np.float64) * BOARD.square_m
    pose = np.eye(4)
    pose[:3, 3] = (*at, distance)
    return Sighting(np.arange(len(points)), TRUTH.project(points, pose), points)


def test_boards_that_all_face_the_camera_are_refused() -> None:
    places = [(x, y) for x in (-0.22, -0.08, 0.06) for y in (-0.16, -0.05, 0.06)]
    views = {f"{at}": facing(0.5, at) for at in places}
    with pytest.raises(UserError, match=r"faces the camera|focal length"):
        solve_intrinsics(views, SIZE)


@pytest.mark.parametrize(("noise_px", "verdict"), [(0.3, "taken"), (2.0, "refused")])
def test_corners_that_no_lens_explains_are_refused(pictures: list[Bytes], noise_px: float, verdict: str) -> None:
    random, shaken = np.random.default_rng(4), {}
    for name, seen in seen_in(pictures).items():
        assert seen is not None
        pixels = seen.pixels + noise_px * random.standard_normal(seen.pixels.shape)
        shaken[name] = Sighting(seen.ids, pixels, seen.points)
    if verdict == "taken":
        assert solve_intrinsics(shaken, SIZE).rms_px == pytest.approx(noise_px * np.sqrt(2), rel=0.15)
        return
    with pytest.raises(UserError, match=r"px from where any lens would put them, and 1 px are too many.*flat"):
        solve_intrinsics(shaken, SIZE)


def test_boards_in_the_middle_only_are_refused(pictures: list[Bytes]) -> None:
    shrunk = {}
    for name, seen in seen_in(pictures).items():
        assert seen is not None
        # As if they hung three times as far away, each a little elsewhere.
        middle = np.array([320.0, 240.0]) + 20.0 * np.random.default_rng(len(shrunk)).uniform(-1, 1, 2)
        shrunk[name] = Sighting(seen.ids, middle + (seen.pixels - seen.pixels.mean(axis=0)) / 4, seen.points)
    with pytest.raises(UserError, match="of the picture"):
        solve_intrinsics(shrunk, SIZE)
