"""The square window that the policy looks through: what fits into the picture, exactly. For `rig calibrate crop`.

A window of a whole number times 84 px is shrunk by plain averages; any other mixes neighbours by uneven shares.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from robot_rig.config import CameraConfig
from robot_rig.datatypes import IMAGE_SIZE, Floats
from robot_rig.errors import UserError


class Window(NamedTuple):
    """Side and place of a window in the raw picture, px; `factor` raw pixels along a side make one of the policy's."""

    side: int
    left: int
    top: int

    @property
    def factor(self) -> float:
        """A whole number for an exact window."""
        return self.side / IMAGE_SIZE

    def camera(self, camera: CameraConfig) -> CameraConfig:
        """`camera` with this window."""
        return camera.model_copy(update={"crop_px": self.side, "crop_left_px": self.left, "crop_top_px": self.top})


def exact_factors(size: tuple[int, int]) -> list[int]:
    """The whole factors whose windows fit into a picture of `size` (W, H) px, largest first."""
    return list(range(min(size) // IMAGE_SIZE, 0, -1))


def window(size: tuple[int, int], factor: int | None, left: int | None, top: int | None) -> Window:
    """The window of `factor` times 84 px at (`left`, `top`); the largest, and in the middle, where that is None.

    Raises UserError for one that reaches outside a picture of `size` (W, H).
    """
    factors = exact_factors(size)
    if not factors:
        raise UserError(f"a picture of {size[0]}x{size[1]} px is smaller than the policy's", next_step="use 640x480")
    side = IMAGE_SIZE * (factors[0] if factor is None else factor)
    if factor is not None and factor not in factors:
        raise UserError(
            f"a window of {factor} x {IMAGE_SIZE} px does not fit into {size[0]}x{size[1]}", choices=factors
        )
    room = (size[0] - side, size[1] - side)
    chosen = Window(side, room[0] // 2 if left is None else left, room[1] // 2 if top is None else top)
    if not (0 <= chosen.left <= room[0] and 0 <= chosen.top <= room[1]):
        raise UserError(
            f"a window of {side} px at ({chosen.left}, {chosen.top}) reaches outside {size[0]}x{size[1]}",
            next_step=f"give --left 0 to {room[0]} and --top 0 to {room[1]}",
        )
    return chosen


def window_around(pixels: Floats, size: tuple[int, int]) -> Window | None:
    """The least exact window of a picture of `size` (W, H) that shows all of `pixels` (N, 2); None where none does."""
    low, high = np.floor(pixels.min(axis=0)), np.ceil(pixels.max(axis=0)) + 1
    if low.min() < 0 or (high > size).any():
        return None
    factor = math.ceil(float((high - low).max()) / IMAGE_SIZE)
    side = factor * IMAGE_SIZE
    if factor not in exact_factors(size):
        return None
    # In the middle of what it is to show, moved inside the picture where that reaches out of it.
    place = np.clip(np.rint((low + high - side) / 2), 0, np.array(size) - side).astype(int)
    return Window(side, int(place[0]), int(place[1]))
