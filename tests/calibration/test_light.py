"""Another light, exposure or white balance is refused at the start; noise, a hand and a little more sun are not."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.board import Board
from calibration.check import check_camera
from calibration.light import FEWEST_CELLS, MOST_CAST, MOST_GAIN, Light, cast_of, gain_of
from calibration.results import Results
from calibration.rigid import rigid
from robot_rig.config import Config
from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError
from tests.calibration.results_made import SERIAL, kept_eye
from tests.calibration.test_check import SCENE, textured
from tests.calibration.twin import Twin, spoilt

CONFIG = Config()
GREY = (1.0, 1.0, 1.0)


def lit(rgb: Bytes, gains: tuple[float, float, float] = GREY, gamma: float = 1.0) -> Bytes:
    """`rgb` through a sensor whose colours are so many times as sensitive, and whose curve is another."""
    bright = 255.0 * (rgb / 255.0) ** gamma * np.array(gains)
    return np.clip(bright, 0, 255).astype(np.uint8)


@pytest.fixture(scope="module")
def drawn() -> Bytes:
    """The simulated room, dark at its edges, with a poster in it."""
    twin = Twin(CONFIG, Board())
    twin.place_board(rigid(np.array([0.2, 0.3, 0.0]), np.array([0.25, -0.25, 1.2])))
    picture = twin.draw()
    twin.close()
    return picture


@pytest.fixture(params=["textured", "drawn"])
def scene(request: pytest.FixtureRequest) -> Bytes:
    return SCENE if request.param == "textured" else np.asarray(request.getfixturevalue("drawn"))


OTHERS = {
    "three times the exposure": ((3.0, 3.0, 3.0), 1.0, "times as bright as"),
    "half the exposure": ((0.45, 0.45, 0.45), 1.0, "times as dark as"),
    "gamma of 2.2": (GREY, 2.2, "times as dark as"),
    "blue gone": ((1.0, 1.0, 0.6), 1.0, "times as much (red|green) for its blue as"),
    "lamp light": ((1.3, 1.0, 0.75), 1.0, "1.[678] times as much red for its blue as"),
    "green": ((0.85, 1.25, 0.85), 1.0, "times as much green for its (red|blue) as"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_a_start_in_another_light_is_refused(name: str, scene: Bytes, tmp_path: Path) -> None:
    gains, gamma, says = OTHERS[name]
    kept_eye(tmp_path, scene)
    random = np.random.default_rng(0)
    for _ in range(3):
        now = spoilt(lit(scene, gains, gamma), random, 3.0, 0.6)
        with pytest.raises(UserError, match=rf"the picture .*{says} that.*rig calibrate crop"):
            check_camera(Results(tmp_path), SERIAL, now, CONFIG.camera)


@pytest.mark.parametrize("gains", [GREY, (0.7, 0.7, 0.7), (1.4, 1.4, 1.4), (1.1, 1.0, 0.9)])
def test_a_start_in_nearly_the_same_light_is_not(
    gains: tuple[float, float, float], scene: Bytes, tmp_path: Path
) -> None:
    kept_eye(tmp_path, scene)
    now = spoilt(lit(scene, gains), np.random.default_rng(1), 3.0, 0.6)
    checked = check_camera(Results(tmp_path), SERIAL, now, CONFIG.camera)
    changes = checked.light.changes(now)
    if max(gains) <= 1.0:
        # Nothing has burnt out, so what comes out is what went in.
        assert changes == pytest.approx(np.array(gains), rel=0.05)
    assert gain_of(changes) < MOST_GAIN
    assert cast_of(changes) < MOST_CAST


def test_a_hand_or_a_cup_that_stands_elsewhere_is_no_light(scene: Bytes) -> None:
    light = Light(scene)
    for colour in ((255, 255, 255), (0, 0, 0), (220, 30, 30)):
        now = scene.copy()
        now[:, :250] = colour
        assert light.doubt(now) == ""
    assert light.changes(scene) == pytest.approx(np.ones(3))


def test_noise_is_no_light(scene: Bytes) -> None:
    light, random = Light(scene), np.random.default_rng(2)
    far = [abs(light.changes(spoilt(scene, random, 8.0, 0.0)) - 1.0).max() for _ in range(20)]
    assert max(far) < 0.05, "a twentieth of what is refused"


def test_what_shows_nothing_tells_nothing() -> None:
    for level in (0, 255):
        assert Light(np.full_like(SCENE, level)).doubt(SCENE) == ""
    dark = np.zeros_like(SCENE)
    # A cell is 40x40 px: one row of them that is lit.
    dark[:40, : 40 * (FEWEST_CELLS - 1)] = textured(4)[:40, : 40 * (FEWEST_CELLS - 1)]
    assert Light(dark).doubt(lit(dark, (0.2, 0.2, 0.2))) == ""
    dark[:40, : 40 * FEWEST_CELLS] = textured(4)[:40, : 40 * FEWEST_CELLS]
    assert "times as dark as" in Light(dark).doubt(lit(dark, (0.2, 0.2, 0.2)))


def test_a_reference_picture_that_begins_in_the_middle_of_a_row_is_looked_at_as_well() -> None:
    """As what comes out of a crop or a flipped picture, whose memory is no whole block."""
    wide = np.concatenate([SCENE, SCENE], axis=1)[:, 320:960]
    assert Light(wide).changes(wide[:, ::1]) == pytest.approx(np.ones(3))
