"""The ChArUco board: what it looks like, and where its corners are in a picture. Called by all that look at one.

Frame of a board: origin at its upper left corner as printed, x to the right, y down, z away from who looks at it; m.
Pixels are OpenCV's: the centre of the upper left one is (0, 0).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np

from robot_rig.datatypes import Bytes, Floats, Ints
from robot_rig.errors import UserError

DICTIONARY = cv2.aruco.DICT_4X4_50
MARKERS = 50
MARKER_BITS = 4
FEWEST_CORNERS = 6
"""Fewer say nothing about a view's perspective, and less than nothing about a lens."""

ENLARGED = 2
"""Corners are looked for in a picture of twice the size: half the error, and markers of half the size are read."""

FLAT = 0.1
"""Corners whose spread across is less than this share of that along lie on one line."""


@dataclass(frozen=True, slots=True)
class Board:
    """A printed board of `columns` x `rows` squares of `square_m`, with markers of `marker_m` in the white ones.

    Raises UserError for one that cannot be printed or found.
    """

    columns: int = 7
    rows: int = 5
    square_m: float = 0.034
    marker_m: float = 0.022

    def __post_init__(self) -> None:
        if not (3 <= self.columns <= 20 and 3 <= self.rows <= 20 and self.columns * self.rows // 2 <= MARKERS):
            raise UserError(
                f"a board of {self.columns}x{self.rows} squares",
                next_step=f"take 3 to 20 squares a side, at most {2 * MARKERS} in all",
            )
        if not 0.005 <= self.square_m <= 0.5:
            raise UserError(f"squares of {1e3 * self.square_m:g} mm", next_step="make them 5 to 500 mm wide")
        if not 0.5 <= self.marker_m / self.square_m <= 0.85:
            raise UserError(
                f"markers of {1e3 * self.marker_m:g} mm in squares of {1e3 * self.square_m:g} mm",
                next_step="make a marker half to 0.85 times as wide as its square",
            )

    @property
    def size_m(self) -> tuple[float, float]:
        """Width and height, m."""
        return self.columns * self.square_m, self.rows * self.square_m

    @property
    def inner_corners(self) -> int:
        """How many corners there are to be found."""
        return (self.columns - 1) * (self.rows - 1)

    def markers(self) -> list[tuple[Floats, Bytes]]:
        """(upper left corner (2,) m, cells uint8 (6, 6) with 0 black, its black border among them) of each marker."""
        dictionary, board = cv2.aruco.getPredefinedDictionary(DICTIONARY), self._drawn()
        side = MARKER_BITS + 2
        return [
            (
                np.asarray(corners[0, :2], np.float64),
                np.asarray(cv2.aruco.generateImageMarker(dictionary, int(number), side), np.uint8),
            )
            for corners, number in zip(np.asarray(board.getObjPoints()), board.getIds().ravel(), strict=True)
        ]

    def picture(self, pixels_per_square: int, margin_squares: float) -> Bytes:
        """The board as uint8 (H, W), a white margin around it; as `cv2.aruco` draws it."""
        margin = round(margin_squares * pixels_per_square)
        size = (self.columns * pixels_per_square + 2 * margin, self.rows * pixels_per_square + 2 * margin)
        return np.asarray(self._drawn().generateImage(size, marginSize=margin, borderBits=1), np.uint8)

    def _drawn(self) -> Any:
        dictionary = cv2.aruco.getPredefinedDictionary(DICTIONARY)
        return cv2.aruco.CharucoBoard((self.columns, self.rows), self.square_m, self.marker_m, dictionary)


@dataclass(frozen=True, slots=True)
class Sighting:
    """The corners of a board that a picture shows: `ids` (N,), `pixels` (N, 2) px, `points` (N, 3) m on the board."""

    ids: Ints
    pixels: Floats
    points: Floats

    def only(self, kept: Any) -> Sighting:
        """The corners that the mask or indices `kept` name."""
        return Sighting(self.ids[kept], self.pixels[kept], self.points[kept])

    @property
    def is_flat(self) -> bool:
        """Whether the corners lie on one line of the board, where they say nothing of how it is turned."""
        spread = np.linalg.svd(self.points[:, :2] - self.points[:, :2].mean(axis=0), compute_uv=False)
        return bool(spread[1] < FLAT * spread[0])


class BoardFinder:
    """Finds `board` in pictures."""

    def __init__(self, board: Board) -> None:
        parameters = cv2.aruco.CharucoParameters()
        # A marker that was missed is looked for once more where its neighbours say that it is.
        parameters.tryRefineMarkers = True
        self._board = board._drawn()
        self._detector = cv2.aruco.CharucoDetector(self._board, parameters)

    def find(self, rgb: Bytes) -> Sighting | None:
        """The corners in `rgb` uint8 (H, W, 3); None where there are too few to be of use, or all on one line."""
        grey = cv2.cvtColor(np.ascontiguousarray(rgb), cv2.COLOR_RGB2GRAY)
        large = cv2.resize(grey, None, fx=ENLARGED, fy=ENLARGED, interpolation=cv2.INTER_CUBIC)
        corners, ids, _, _ = self._detector.detectBoard(large)
        if ids is None or len(ids) < FEWEST_CORNERS:
            return None
        numbers = np.asarray(ids, np.int64).ravel()
        points = np.asarray(self._board.getChessboardCorners(), np.float64)[numbers]
        # An enlarged picture is measured from its edge, and the centre of a pixel lies half a pixel inside.
        pixels = (np.asarray(corners, np.float64).reshape(-1, 2) + 0.5) / ENLARGED - 0.5
        sighting = Sighting(numbers, pixels, points)
        return None if sighting.is_flat else sighting
