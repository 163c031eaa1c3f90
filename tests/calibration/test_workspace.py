"""The box is drawn where the camera sees it, its shares in picture and window are right, and bad boxes are refused."""

from __future__ import annotations

import numpy as np
import pytest

from calibration.board import Board
from calibration.drawing import GREEN, ORANGE, box_corners, draw_box, place_in_picture
from calibration.lens import Lens
from calibration.rigid import inverse, rigid
from calibration.workspace import see_box
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError
from tests.calibration.test_poses import CAMERA
from tests.calibration.twin import Twin, held_board

CONFIG = Config()
LENS, BASE_FROM_CAMERA = Lens.configured(CONFIG.camera), CAMERA
BLACK = np.zeros((480, 640, 3), np.uint8)
LOW, HIGH = CONFIG.guard.box_low_m, CONFIG.guard.box_high_m


def nearest(picture: Bytes, colour: tuple[int, int, int], pixel: np.ndarray) -> float:
    """px from `pixel` to the nearest one that is mostly of `colour`."""
    alike = np.abs(picture.astype(int) - colour).sum(axis=2) < 150
    v, u = np.nonzero(alike)
    return float(np.hypot(u - pixel[0], v - pixel[1]).min())


def test_every_corner_is_drawn_where_the_pinhole_puts_it() -> None:
    drawn = draw_box(BLACK, LOW, HIGH, LENS, BASE_FROM_CAMERA)
    pixels, depth = place_in_picture(box_corners(LOW, HIGH), LENS, BASE_FROM_CAMERA)
    assert depth.min() > 0.3
    inside = 0
    for corner, pixel in enumerate(pixels):
        if (pixel > 2).all() and (pixel < (637, 477)).all():
            inside += 1
            assert nearest(drawn, GREEN if corner < 4 else ORANGE, pixel) < 2.0
    assert inside >= 4
    assert (BLACK == 0).all(), "the picture that was given is not drawn into"


def test_the_tool_of_the_twin_lies_where_the_lens_puts_it() -> None:
    twin = Twin(CONFIG, Board(), held_board(Board()))
    tool = twin.data.site("tool").xpos
    pixels, _ = place_in_picture(tool[None], LENS, twin.base_from_camera)
    u, v = pixels[0]
    assert np.allclose(twin.base_from_camera, BASE_FROM_CAMERA, atol=1e-6)
    twin.close()
    own = (inverse(BASE_FROM_CAMERA) @ np.append(tool, 1.0))[:3]
    assert u == pytest.approx(CONFIG.camera.focal_px * own[0] / own[2] + CONFIG.camera.center_u_px - 0.5)
    assert v == pytest.approx(CONFIG.camera.focal_px * own[1] / own[2] + CONFIG.camera.center_v_px - 0.5)


def test_a_box_behind_or_around_the_camera_is_drawn_as_far_as_it_can_be() -> None:
    inside_it = rigid(np.eye(3), np.array([0.57, 0.0, 0.10]))
    drawn = draw_box(BLACK, LOW, HIGH, LENS, inside_it)
    assert drawn.any()
    away = BASE_FROM_CAMERA @ np.diag([1.0, -1.0, -1.0, 1.0])
    assert not draw_box(BLACK, LOW, HIGH, LENS, away).any()


def test_the_shares_say_how_much_of_the_box_is_seen() -> None:
    seen = see_box(BLACK, CONFIG, LENS, BASE_FROM_CAMERA)
    assert seen.in_picture > 0.95
    assert seen.in_window <= seen.in_picture
    small = load_config([], ["camera.crop_px=84", "camera.crop_left_px=0", "camera.crop_top_px=0"])
    assert see_box(BLACK, small, LENS, BASE_FROM_CAMERA).in_window == 0.0
    away = BASE_FROM_CAMERA @ np.diag([1.0, -1.0, -1.0, 1.0])
    behind = see_box(BLACK, CONFIG, LENS, away)
    assert (behind.in_picture, behind.in_window, behind.window) == (0.0, 0.0, None)


def test_the_window_that_it_offers_shows_all_of_the_box() -> None:
    flat = load_config([], ["guard.box_high_m=[0.75, 0.2, 0.12]"])
    offered = see_box(BLACK, flat, LENS, BASE_FROM_CAMERA).window
    assert offered is not None
    through = flat.model_copy(update={"camera": offered.camera(flat.camera)})
    assert see_box(BLACK, through, LENS, BASE_FROM_CAMERA).in_window == 1.0


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        (["guard.box_low_m=[0.63, -0.2, 0.03]", "guard.box_high_m=[0.67, 0.2, 0.3]"], "at least 0.05"),
        (["guard.box_high_m=[1.2, 0.2, 0.3]"], "out of the arm's reach"),
        (["guard.box_low_m=[0.55, -0.2, -0.1]"], "lower than the table"),
    ],
)
def test_a_box_that_the_arm_process_would_refuse_is_refused(settings: list[str], says: str) -> None:
    with pytest.raises(UserError, match=says):
        see_box(BLACK, load_config([], settings), LENS, BASE_FROM_CAMERA)
