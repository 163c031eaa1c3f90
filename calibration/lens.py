"""A lens: how a point before the camera becomes a pixel, and where a board is that is seen through it.

Called by the solvers and by what draws over a picture. Frame of a camera: x right, y down, z forwards, m. Pixels are
OpenCV's: the centre of the upper left one is (0, 0); `robot_rig.config` counts from its edge, half a pixel more.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from calibration.board import Sighting
from calibration.rigid import rigid
from robot_rig.config import CameraConfig
from robot_rig.datatypes import Floats

EDGE_PX = 0.5
"""From a picture's edge to the centre of its first pixel."""


@dataclass(frozen=True, slots=True)
class Lens:
    """Focal lengths and principal point in px, and OpenCV's distortion k1 k2 p1 p2 k3 of a picture of `size` (W, H)."""

    size: tuple[int, int]
    focal_u: float
    focal_v: float
    center_u: float
    center_v: float
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)

    @classmethod
    def configured(cls, camera: CameraConfig) -> Lens:
        """The undistorted lens that the settings describe."""
        u, v = camera.center_u_px - EDGE_PX, camera.center_v_px - EDGE_PX
        return cls((camera.width_px, camera.height_px), camera.focal_px, camera.focal_px, u, v)

    @property
    def matrix(self) -> Floats:
        """(3, 3) camera matrix."""
        return np.array(
            [[self.focal_u, 0.0, self.center_u], [0.0, self.focal_v, self.center_v], [0.0, 0.0, 1.0]], np.float64
        )

    def project(self, points: Floats, camera_from_points: Floats) -> Floats:
        """(N, 2) px of `points` (N, 3) m in a frame that `camera_from_points` (4, 4) takes to the camera's."""
        turn, shift = cv2.Rodrigues(camera_from_points[:3, :3])[0], camera_from_points[:3, 3]
        pixels = cv2.projectPoints(
            np.ascontiguousarray(points, np.float64), turn, shift, self.matrix, np.array(self.distortion)
        )[0]
        return np.asarray(pixels, np.float64).reshape(-1, 2)

    def settings(self) -> dict[str, float | int]:
        """The keys of `robot_rig.config` that say the same, as far as they can: one focal length, no distortion."""
        return {
            "camera.width_px": self.size[0],
            "camera.height_px": self.size[1],
            "camera.focal_px": round(float(np.sqrt(self.focal_u * self.focal_v)), 2),
            "camera.center_u_px": round(self.center_u + EDGE_PX, 2),
            "camera.center_v_px": round(self.center_v + EDGE_PX, 2),
        }


@dataclass(frozen=True, slots=True)
class BoardPose:
    """Where a board is: `camera_from_board` (4, 4), and the root mean square of its corners' residuals, px."""

    camera_from_board: Floats
    rms_px: float


def board_pose(lens: Lens, sighting: Sighting) -> BoardPose:
    """The pose of the board of `sighting`, which must not be flat, seen through `lens`.

    A plane seen from afar looks nearly the same from two sides: of the two solutions the one with less residual.
    """
    matrix, distortion = lens.matrix, np.array(lens.distortion)
    _, turns, shifts, _ = cv2.solvePnPGeneric(
        sighting.points, sighting.pixels, matrix, distortion, flags=cv2.SOLVEPNP_IPPE
    )
    if not turns:
        # It gives up on corners that hardly leave a line; the general solver begins somewhere and improves.
        _, turn, shift = cv2.solvePnP(sighting.points, sighting.pixels, matrix, distortion)
        turns, shifts = [turn], [shift]
    best: BoardPose | None = None
    for turn, shift in zip(turns, shifts, strict=True):
        refined = cv2.solvePnPRefineLM(sighting.points, sighting.pixels, matrix, distortion, turn, shift)
        pose = rigid(np.asarray(refined[0], np.float64).ravel(), np.asarray(refined[1], np.float64))
        residual = lens.project(sighting.points, pose) - sighting.pixels
        rms = float(np.sqrt((residual**2).sum(axis=1).mean()))
        if best is None or rms < best.rms_px:
            best = BoardPose(pose, rms)
    assert best is not None
    return best
