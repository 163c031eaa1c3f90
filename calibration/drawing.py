"""What people are shown over a picture: the policy's window, the workspace box, a board. Called by `rig calibrate`."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from calibration.lens import Lens
from calibration.rigid import inverse
from robot_rig.datatypes import Bytes, Floats

Colour = tuple[int, int, int]
GREEN, ORANGE = (60, 220, 90), (255, 150, 40)
NEAR_M = 0.05
"""Nothing nearer to the camera is drawn: its place in the picture runs off to infinity."""

PIECES = 24
"""An edge is drawn in so many pieces, because a lens bends it and a part of it may be behind the camera."""

EDGES = tuple((a, b) for a in range(8) for b in range(a + 1, 8) if (a ^ b).bit_count() == 1)


def box_corners(low: Sequence[float], high: Sequence[float]) -> Floats:
    """(8, 3) m; bit i of a corner's number says whether it lies at `high` along axis i."""
    return np.array([[(low, high)[corner >> axis & 1][axis] for axis in range(3)] for corner in range(8)], np.float64)


def place_in_picture(points: Floats, lens: Lens, base_from_camera: Floats) -> tuple[Floats, Floats]:
    """(N, 2) px of `points` (N, 3) m in base, and (N,) m how far before the camera: behind it px mean nothing."""
    camera_from_base = inverse(base_from_camera)
    depth: Floats = points @ camera_from_base[2, :3] + camera_from_base[2, 3]
    return lens.project(points, camera_from_base), depth


def draw_box(rgb: Bytes, low: Sequence[float], high: Sequence[float], lens: Lens, base_from_camera: Floats) -> Bytes:
    """`rgb` uint8 (H, W, 3) with the box from `low` to `high`, m in base: green its floor, orange the rest."""
    result: Bytes = rgb.copy()
    corners = box_corners(low, high)
    for a, b in EDGES:
        line = corners[a] + np.linspace(0.0, 1.0, PIECES + 1)[:, None] * (corners[b] - corners[a])
        pixels, depth = place_in_picture(line, lens, base_from_camera)
        on_floor = not (a >> 2 or b >> 2)
        for start, end, before in zip(pixels[:-1], pixels[1:], np.minimum(depth[:-1], depth[1:]), strict=True):
            if before > NEAR_M and max(np.abs(start).max(), np.abs(end).max()) < 1e5:
                _line(result, start, end, GREEN if on_floor else ORANGE)
    return result


def draw_window(rgb: Bytes, left: int, top: int, side: int, seen: Bytes) -> Bytes:
    """`rgb` uint8 (H, W, 3) with the policy's window drawn in, what is outside darker, and beside it what it sees.

    `seen` uint8 (84, 84, 3) is shown as high as the picture, its pixels as squares.
    """
    result = (rgb * 0.45).astype(np.uint8)
    result[top : top + side, left : left + side] = rgb[top : top + side, left : left + side]
    cv2.rectangle(result, (left, top), (left + side - 1, top + side - 1), GREEN, 1)
    height = rgb.shape[0]
    large = np.asarray(cv2.resize(seen, (height, height), interpolation=cv2.INTER_NEAREST), np.uint8)
    return np.concatenate([result, large], axis=1)


def _line(picture: Bytes, start: Floats, end: Floats, colour: Colour) -> None:
    # OpenCV takes sixteenths of a pixel as whole numbers.
    a, b = (tuple(np.rint(16 * point).astype(int).tolist()) for point in (start, end))
    cv2.line(picture, a, b, colour, 1, cv2.LINE_AA, 4)
