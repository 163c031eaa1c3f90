"""A frozen, dark or over-exposed picture is told from a good one, and a scene at rest is not taken for a frozen one."""

from __future__ import annotations

import numpy as np
import pytest

from drivers.picture_watch import MOVED_RAD, SAME_PICTURES, PictureWatch
from robot_rig.datatypes import Bytes, RawFrame

PERIOD_S = 1 / 30
REST = np.zeros(7)
SCENE: Bytes = np.random.default_rng(0).integers(0, 190, (480, 640, 3), dtype=np.uint8)


def noisy(number: int) -> Bytes:
    """SCENE with a sensor's noise."""
    noise = np.random.default_rng(number).integers(0, 4, SCENE.shape, dtype=np.uint8)
    picture: Bytes = SCENE + noise
    return picture


def judged(pictures: list[Bytes], speed: float) -> list[str]:
    """What is said of each, while the first joint moves with `speed` (rad/s)."""
    watch, codes = PictureWatch(), []
    for number, picture in enumerate(pictures):
        stamp = number * PERIOD_S
        watch.moved(stamp, REST + speed * stamp * (np.arange(7) == 0))
        codes.append(watch.judge(RawFrame(number, stamp, picture)))
    return codes


def test_a_picture_that_repeats_while_the_arm_moves_is_frozen_by_the_fifth() -> None:
    speed = 2 * MOVED_RAD / (SAME_PICTURES * PERIOD_S)
    codes = judged([noisy(0), *[noisy(1)] * 8, noisy(2)], speed)
    assert codes == [""] * SAME_PICTURES + ["image_frozen"] * (9 - SAME_PICTURES) + [""]


def test_a_scene_at_rest_without_noise_is_not_frozen() -> None:
    assert set(judged([SCENE] * 60, speed=0.0)) == {""}
    assert set(judged([SCENE] * 8, speed=0.5 * MOVED_RAD / (8 * PERIOD_S))) == {""}


def test_noise_is_never_frozen_however_the_arm_moves() -> None:
    assert set(judged([noisy(number) for number in range(60)], speed=1.0)) == {""}


def test_motion_before_and_after_the_pictures_does_not_count() -> None:
    watch = PictureWatch()
    watch.moved(0.0, REST)
    for number in range(1, 10):
        watch.moved(number * PERIOD_S, REST + 1.0)
        assert watch.judge(RawFrame(number, number * PERIOD_S, SCENE)) == ""
    watch.moved(10.0, REST)


@pytest.mark.parametrize("number", range(200))
def test_a_covered_lens_is_dark_at_once(number: int) -> None:
    picture = np.random.default_rng(number).integers(0, 1 + number % 20, (48, 64, 3), dtype=np.uint8)
    assert judged([picture], 0.0) == ["image_dark"]


def test_over_exposure_is_told_from_a_bright_spot() -> None:
    assert judged([np.clip(SCENE.astype(int) * 3, 0, 255).astype(np.uint8)], 0.0) == ["image_bright"]
    assert judged([np.full((48, 64, 3), 210, np.uint8)], 0.0) == ["image_bright"]
    spot = SCENE.copy()
    spot[:120, :160] = 255
    assert judged([spot], 0.0) == [""]
