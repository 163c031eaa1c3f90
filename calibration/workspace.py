"""The guard's box as the camera sees it: refused as by an arm process, and how much of it is in the picture.

Called by `rig calibrate workspace`. Corners are shown with the arm, by `rig box` or in teleop, which judge them alike.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from calibration.crop import Window, window_around
from calibration.drawing import NEAR_M, box_corners, draw_box, place_in_picture
from calibration.lens import EDGE_PX, Lens
from robot_rig.config import Config
from robot_rig.datatypes import Bytes, Floats
from robot_rig.safety.limits import Limits

SAMPLES = 9
Bools = NDArray[np.bool_]


class SeenBox(NamedTuple):
    """`picture` with the box drawn in; shares of its volume that are in the picture and in the policy's window.

    `window`: the least exact window that shows all of it; None where the picture does not.
    """

    picture: Bytes
    in_picture: float
    in_window: float
    window: Window | None


def see_box(rgb: Bytes, config: Config, lens: Lens, base_from_camera: Floats) -> SeenBox:
    """The guard's box of `config` over `rgb` uint8 (H, W, 3), which `lens` took from `base_from_camera`.

    Raises UserError, with the arm process's own sentence, for a box that is narrower than 5 cm, out of reach, below the
    table or without the home point in it.
    """
    Limits.from_config(config.guard, config.control)
    low, high = config.guard.box_low_m, config.guard.box_high_m
    grid = np.stack(np.meshgrid(*(np.linspace(a, b, SAMPLES) for a, b in zip(low, high, strict=True))), axis=-1)
    pixels, depth = place_in_picture(grid.reshape(-1, 3), lens, base_from_camera)
    camera = config.camera
    edge = np.array([camera.crop_left_px, camera.crop_top_px], np.float64)
    before = depth > NEAR_M
    corners, near = place_in_picture(box_corners(low, high), lens, base_from_camera)
    return SeenBox(
        draw_box(rgb, low, high, lens, base_from_camera),
        _share(pixels, before, np.zeros(2), np.array(lens.size, np.float64)),
        _share(pixels, before, edge, edge + camera.crop_px),
        window_around(corners, lens.size) if (near > NEAR_M).all() else None,
    )


def _share(pixels: Floats, before: Bools, low: Floats, high: Floats) -> float:
    """Share of `pixels` (N, 2), if `before` the camera, in the rectangle of whole pixels from `low` up to `high`."""
    return float((before[:, None] & (pixels >= low - EDGE_PX) & (pixels < high - EDGE_PX)).all(axis=1).mean())
