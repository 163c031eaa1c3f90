"""Windows that are offered fit and are exact; the least one around something shows all of it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from calibration.crop import Window, exact_factors, window, window_around
from calibration.drawing import GREEN, draw_window
from robot_rig.config import CameraConfig
from robot_rig.datatypes import IMAGE_SIZE, RawFrame
from robot_rig.errors import UserError
from robot_rig.vision import preprocess

sizes = st.tuples(st.integers(84, 2000), st.integers(84, 1500))


def test_the_default_window_is_the_schemas() -> None:
    chosen = window((640, 480), None, None, None)
    default = CameraConfig()
    assert chosen == Window(default.crop_px, default.crop_left_px, default.crop_top_px)
    assert chosen.camera(CameraConfig(crop_px=84)) == default


@given(sizes)
def test_every_factor_that_is_offered_fits_and_no_larger_one_does(size: tuple[int, int]) -> None:
    factors = exact_factors(size)
    for factor in factors:
        chosen = window(size, factor, None, None)
        assert chosen.side == factor * IMAGE_SIZE
        assert chosen.left + chosen.side <= size[0]
        assert chosen.top + chosen.side <= size[1]
    assert (factors[0] + 1) * IMAGE_SIZE > min(size)


@pytest.mark.parametrize(
    ("place", "says"),
    [
        ((6, None, None), "does not fit.*5, 4, 3, 2, 1"),
        ((0, None, None), "does not fit"),
        ((5, 221, 0), "left 0 to 220"),
        ((5, 0, -1), "top 0 to 60"),
    ],
)
def test_a_window_that_reaches_outside_is_refused(place: tuple[int | None, ...], says: str) -> None:
    factor, left, top = place
    with pytest.raises(UserError, match=says):
        window((640, 480), factor, left, top)


def test_a_picture_that_is_too_small_is_refused() -> None:
    with pytest.raises(UserError, match="smaller than the policy's"):
        window((100, 60), None, None, None)


@given(
    st.lists(st.tuples(st.floats(0, 639), st.floats(0, 479)), min_size=1, max_size=8),
)
def test_the_window_around_something_is_the_least_exact_one_that_shows_it(points: list[tuple[float, float]]) -> None:
    pixels, size = np.array(points), (640, 480)
    found = window_around(pixels, size)
    spread = np.ceil(pixels.max(axis=0)) + 1 - np.floor(pixels.min(axis=0))
    if found is None:
        assert spread.max() > exact_factors(size)[0] * IMAGE_SIZE
        return
    assert window(size, int(found.factor), found.left, found.top) == found
    assert (pixels >= (found.left, found.top)).all()
    assert (pixels <= np.array([found.left, found.top]) + found.side - 1).all()
    assert found.side == IMAGE_SIZE or spread.max() > found.side - IMAGE_SIZE


def test_what_is_outside_the_picture_has_no_window() -> None:
    assert window_around(np.array([[-3.0, 10.0], [50.0, 60.0]]), (640, 480)) is None
    assert window_around(np.array([[10.0, 10.0], [640.5, 60.0]]), (640, 480)) is None


def test_the_drawing_shows_the_window_and_what_the_policy_sees_of_it() -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
    camera = CameraConfig()
    seen = preprocess(RawFrame(0, 0.0, rgb), camera).rgb
    drawn = draw_window(rgb, camera.crop_left_px, camera.crop_top_px, camera.crop_px, seen)
    assert drawn.shape == (480, 640 + 480, 3)
    inner = (slice(31, 449), slice(111, 529))
    assert (drawn[inner] == rgb[inner]).all()
    assert (drawn[30, 110:530] == GREEN).all()
    assert (drawn[449, 110:530] == GREEN).all()
    assert drawn[:, :110].max() < 0.46 * 256
    assert (drawn[0, 640] == seen[0, 0]).all()
    assert (drawn[479, 1119] == seen[83, 83]).all()
