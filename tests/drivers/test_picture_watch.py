"""A frozen, dark or over-exposed picture is told from a good one, and a scene at rest is not taken for a frozen one."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.light import Light
from drivers.picture_watch import BUFFERS, MOVED_RAD, NOT_MOVED_RAD, SAME_PICTURES, STALE_S, PictureWatch
from robot_rig.datatypes import Bytes, RawFrame

PERIOD_S = 1 / 30
AGE_S = 0.12
DETECTED_S = 0.2
"""Whatever is wrong with a picture is told so soon after it began."""

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
        codes.append(watch.judge(RawFrame(number, stamp, picture), stamp + AGE_S))
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
        assert watch.judge(RawFrame(number, number * PERIOD_S, SCENE), number * PERIOD_S) == ""
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


@pytest.mark.parametrize(
    ("gains", "code"),
    [
        ((0.4, 0.4, 0.4), "image_dark"),
        ((2.6, 2.6, 2.6), "image_bright"),
        ((1.4, 1.1, 0.9), "image_bright"),
        ((1.0, 1.0, 0.5), "image_dark"),
    ],
)
def test_another_light_than_the_calibrated_one_is_told_within_a_second_and_a_moment_of_it_is_not(
    gains: tuple[float, float, float], code: str
) -> None:
    dim = SCENE[:120, :160] // 2
    random = np.random.default_rng(7)

    def seen(by: tuple[float, float, float]) -> Bytes:
        return np.clip(dim * np.array(by) + random.integers(0, 4, dim.shape), 0, 255).astype(np.uint8)

    usual, watch, blind = (1.0, 1.0, 1.0), PictureWatch(light=Light(dim).lasting_doubt), PictureWatch()
    # A hand passes before the lens; half a minute later somebody switches a lamp.
    told = []
    for number, by in enumerate([usual] * 3 + [gains] * 9 + [usual] * 3 + [gains] * 20 + [usual] * 3):
        raw = RawFrame(number, number * PERIOD_S, seen(by))
        told.append(watch.judge(raw, number * PERIOD_S + AGE_S))
        assert blind.judge(raw, number * PERIOD_S + AGE_S) == ""
    assert told == [""] * (15 + 9) + [code] * 11 + [""] * 3
    assert 10 * PERIOD_S < 1.0


def test_a_sensor_that_repeats_itself_is_frozen_though_the_arm_rests() -> None:
    watch = PictureWatch(NOT_MOVED_RAD)
    began = 10 * PERIOD_S
    for number in range(10):
        assert watch.judge(RawFrame(number, number * PERIOD_S, noisy(number)), number * PERIOD_S) == ""
    told = [
        number * PERIOD_S
        for number in range(10, 20)
        if watch.judge(RawFrame(number, number * PERIOD_S, noisy(10)), number * PERIOD_S) == "image_frozen"
    ]
    assert told[0] - began <= DETECTED_S - PERIOD_S
    assert len(told) == 10 - SAME_PICTURES + 1


@pytest.mark.parametrize("buffers", range(2, BUFFERS + 1))
def test_a_driver_that_shows_its_old_buffers_in_turn_is_frozen(buffers: int) -> None:
    pictures = [noisy(number) for number in range(5)] + [noisy(5 + number % buffers) for number in range(20)]
    watch = PictureWatch(NOT_MOVED_RAD)
    codes = [watch.judge(RawFrame(n, n * PERIOD_S, picture), n * PERIOD_S) for n, picture in enumerate(pictures)]
    good = 5 + buffers + SAME_PICTURES - 2
    assert codes == [""] * good + ["image_frozen"] * (len(pictures) - good)
    assert (good - 4) * PERIOD_S <= DETECTED_S + BUFFERS * PERIOD_S


def test_a_picture_that_comes_back_now_and_then_is_not_frozen() -> None:
    watch = PictureWatch(NOT_MOVED_RAD)
    for number in range(60):
        # One new picture in five, and one of before.
        picture = noisy(number if number % 5 else max(0, number - 1))
        assert watch.judge(RawFrame(number, number * PERIOD_S, picture), number * PERIOD_S) == ""


def test_a_picture_is_stale_from_the_age_on_at_which_nobody_may_act_on_it() -> None:
    watch = PictureWatch()
    assert watch.judge(RawFrame(0, 0.0, noisy(0)), STALE_S) == ""
    assert watch.judge(RawFrame(1, 0.01, noisy(1)), 0.02 + STALE_S) == "image_stale"
    assert watch.judge(RawFrame(2, -1000.0, noisy(2)), 1.0) == "image_stale"
    assert PictureWatch(stale_s=0.4).judge(RawFrame(0, 0.0, noisy(0)), 0.39) == ""


def noisy_rooms(pictures: int) -> int:
    """Alarms among `pictures` of a still room at rest, dim, usual and bright, as a noisy sensor of 160x120 px sees it.

    Few pixels and little noise make an alarm by chance likelier than with a whole picture, so this is the worse case:
    one grey value up or not in half of the picture, and none at all in the other half.
    """
    random = np.random.default_rng(6)
    lights = ((0, 60), (10, 190), (120, 250))
    rooms = [random.integers(low, high, (120, 160, 3), dtype=np.uint8) for low, high in lights]
    # As a calibrated RealSense's, whose light is looked at too.
    watches, alarms = [PictureWatch(NOT_MOVED_RAD, light=Light(room).lasting_doubt) for room in rooms], 0
    for number in range(pictures):
        at = number * len(rooms) // pictures
        picture, watch = rooms[at].copy(), watches[at]
        picture[:60] += (np.frombuffer(random.bytes(picture[:60].size), np.uint8) & 1).reshape(60, 160, 3)
        stamp = number * PERIOD_S
        alarms += watch.judge(RawFrame(number, stamp, picture), stamp + AGE_S) != ""
    return alarms


def test_three_thousand_noisy_pictures_of_a_room_at_rest_raise_no_alarm() -> None:
    assert noisy_rooms(3000) == 0


@pytest.mark.proof
def test_a_million_noisy_pictures_of_a_room_at_rest_raise_no_alarm() -> None:
    assert noisy_rooms(1_000_000) == 0
