"""The lens from pictures of a ChArUco board: focal length, centre, distortion. For `rig calibrate intrinsics`.

Pure: corners in, lens and residuals out. What does not help is left out, and each view says why.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from calibration.board import FEWEST_CORNERS, Sighting
from calibration.lens import Lens, board_pose
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError

FEWEST_VIEWS = 8
SAME_VIEW_PX = 4.0
"""Two views whose common corners are nearer to each other than this show the same."""

OUTLYING = 3.0
"""Times the median residual from which a corner or a view is left out."""

CORNER_FLOOR_PX, VIEW_FLOOR_PX = 0.5, 0.4
"""Residuals below these are left in, however small the median is."""

CELLS = (6, 4)
"""Columns and rows that the picture is parted into to see how much of it the views cover."""

LEAST_COVERAGE = 0.5
LEAST_TILT_DEG = 15.0
MOST_RESIDUAL_PX = 1.0
"""Root mean square over all corners from which the lens is none. A flat board and a true lens leave 0.1 to 0.3 px; a
pixel is 1.4 mm at 0.85 m, most of the 2 mm within which hand-eye is to find the camera."""

MOST_UNCERTAIN = 0.01
"""Share of the focal length that its deviation may be."""

ROUNDS = 5
FLAGS = cv2.CALIB_FIX_K3
"""The third radial term needs corners in the very edges, and bends the picture wildly without them."""


@dataclass(frozen=True, slots=True)
class View:
    """One picture: corners used and left out, residual, how far the board is turned from facing the camera.

    `dropped`: why the view does not count; empty when it does.
    """

    name: str
    corners: int
    stray: int
    rms_px: float
    tilt_deg: float
    dropped: str


@dataclass(frozen=True, slots=True)
class LensFit:
    """A lens and how well it is known: `deviation_px` of focal u, v and centre u, v; `coverage` of the picture."""

    lens: Lens
    rms_px: float
    deviation_px: tuple[float, float, float, float]
    coverage: float
    views: tuple[View, ...]

    @property
    def used(self) -> list[View]:
        """The views that count."""
        return [view for view in self.views if not view.dropped]


def solve_intrinsics(sightings: Mapping[str, Sighting | None], size: tuple[int, int]) -> LensFit:
    """The lens of a camera with pictures of `size` (W, H) px from what they show of a board; None: no board found.

    Raises UserError for too few views, too little of the picture, a board that always faces the camera, and a focal
    length that stays uncertain.
    """
    dropped = {name: "the board was not found" for name, seen in sightings.items() if seen is None}
    kept = {name: seen for name, seen in sightings.items() if seen is not None}
    dropped |= _repeated(kept)
    kept = {name: seen for name, seen in kept.items() if name not in dropped}
    total = {name: len(seen.ids) for name, seen in sightings.items() if seen is not None}
    lens, deviations = _fitted(kept, size, dropped)
    for _ in range(ROUNDS):
        cleaner = _without_strays(lens, kept)
        worst = _outlying(lens, cleaner)
        dropped |= worst
        cleaner = {name: seen for name, seen in cleaner.items() if name not in worst}
        settled = cleaner.keys() == kept.keys() and all(len(cleaner[name].ids) == len(kept[name].ids) for name in kept)
        kept = cleaner
        if settled:
            break
        lens, deviations = _fitted(kept, size, dropped)
    views = tuple(_view(name, lens, kept.get(name), total.get(name, 0), dropped.get(name, "")) for name in sightings)
    fit = LensFit(
        lens, _rms([_residuals(lens, seen) for seen in kept.values()]), deviations, _coverage(kept, size), views
    )
    _refuse_weak(fit)
    return fit


def _fitted(
    kept: Mapping[str, Sighting], size: tuple[int, int], dropped: Mapping[str, str]
) -> tuple[Lens, tuple[float, float, float, float]]:
    if len(kept) < FEWEST_VIEWS:
        reasons = ", ".join(f"{name}: {why}" for name, why in list(dropped.items())[:3])
        raise UserError(
            f"useful views of the board: {len(kept)}, and {FEWEST_VIEWS} are needed"
            + (f" ({reasons})" if reasons else ""),
            next_step="take 15 or more sharp pictures with the board turned and in every part of the picture",
        )
    points = [seen.points.astype(np.float32) for seen in kept.values()]
    pixels = [seen.pixels.astype(np.float32) for seen in kept.values()]
    try:
        _, matrix, distortion, _, _, deviations, _, _ = cv2.calibrateCameraExtended(
            points, pixels, size, np.eye(3), np.zeros(5), flags=FLAGS
        )
    except cv2.error as error:
        raise UserError(
            "these views do not determine a lens: the board faces the camera in all of them",
            next_step="turn the board by 20 to 45 degrees, to each side in turn",
        ) from error
    k = np.asarray(distortion, np.float64).ravel()
    if not (np.isfinite(matrix).all() and np.isfinite(distortion).all()):
        raise UserError("these views do not determine a lens", next_step="take sharper ones, the board turned in each")
    lens = Lens(
        size, float(matrix[0, 0]), float(matrix[1, 1]), float(matrix[0, 2]), float(matrix[1, 2]),
        (float(k[0]), float(k[1]), float(k[2]), float(k[3]), float(k[4])),
    )  # fmt: skip
    spread = np.asarray(deviations, np.float64).ravel()
    return lens, (float(spread[0]), float(spread[1]), float(spread[2]), float(spread[3]))


def _repeated(sightings: Mapping[str, Sighting]) -> dict[str, str]:
    """Views that show nothing that an earlier one does not: they would only give it more weight."""
    found: dict[str, str] = {}
    kept: dict[str, Sighting] = {}
    for name, seen in sightings.items():
        twin = next((other for other, earlier in kept.items() if _apart(seen, earlier) < SAME_VIEW_PX), None)
        if twin is None:
            kept[name] = seen
        else:
            found[name] = f"shows the same as {twin}"
    return found


def _apart(a: Sighting, b: Sighting) -> float:
    """Mean distance of the corners that both show, px; infinite when they have hardly any in common."""
    common, in_a, in_b = np.intersect1d(a.ids, b.ids, return_indices=True)
    if len(common) < FEWEST_CORNERS:
        return float("inf")
    return float(np.linalg.norm(a.pixels[in_a] - b.pixels[in_b], axis=1).mean())


def _residuals(lens: Lens, seen: Sighting) -> Floats:
    """(N,) px between each corner and where the lens puts it, the board in its best pose."""
    predicted = lens.project(seen.points, board_pose(lens, seen).camera_from_board)
    residuals: Floats = np.linalg.norm(predicted - seen.pixels, axis=1)
    return residuals


def _rms(residuals: Sequence[Floats]) -> float:
    return float(np.sqrt((np.concatenate(residuals) ** 2).mean()))


def _without_strays(lens: Lens, sightings: Mapping[str, Sighting]) -> dict[str, Sighting]:
    """The same without corners that lie far off, as beside something that covers a part of the board."""
    residuals = {name: _residuals(lens, seen) for name, seen in sightings.items()}
    limit = max(OUTLYING * float(np.median(np.concatenate(list(residuals.values())))), CORNER_FLOOR_PX)
    cleaned = {}
    for name, seen in sightings.items():
        fewer = seen.only(residuals[name] <= limit)
        # A view that would be left with nothing of use stays whole, for its own residual to be judged.
        cleaned[name] = seen if len(fewer.ids) < FEWEST_CORNERS or fewer.is_flat else fewer
    return cleaned


def _outlying(lens: Lens, sightings: Mapping[str, Sighting]) -> dict[str, str]:
    rms = {name: _rms([_residuals(lens, seen)]) for name, seen in sightings.items()}
    limit = max(OUTLYING * float(np.median(list(rms.values()))), VIEW_FLOOR_PX)
    return {name: f"residual {one:.2f} px, limit {limit:.2f}" for name, one in rms.items() if one > limit}


def _coverage(sightings: Mapping[str, Sighting], size: tuple[int, int]) -> float:
    """Share of the cells of a coarse grid over the picture in which any corner lies."""
    pixels = np.concatenate([seen.pixels for seen in sightings.values()])
    filled = {tuple(cell) for cell in (pixels / np.array(size) * CELLS).astype(int).tolist()}
    return len(filled) / (CELLS[0] * CELLS[1])


def _view(name: str, lens: Lens, seen: Sighting | None, total: int, why: str) -> View:
    if seen is None:
        return View(name, 0, total, float("nan"), float("nan"), why)
    pose = board_pose(lens, seen)
    centre = (pose.camera_from_board @ np.append(seen.points.mean(axis=0), 1.0))[:3]
    facing = pose.camera_from_board[:3, 2] @ centre / np.linalg.norm(centre)
    tilt = float(np.degrees(np.arccos(np.clip(abs(facing), 0.0, 1.0))))
    return View(name, len(seen.ids), total - len(seen.ids), pose.rms_px, tilt, why)


def _refuse_weak(fit: LensFit) -> None:
    # Written so that what came out as no number is refused too, here and below.
    if not fit.rms_px <= MOST_RESIDUAL_PX:
        raise UserError(
            f"the corners lie {fit.rms_px:.2f} px from where any lens would put them, and {MOST_RESIDUAL_PX:g} px are "
            "too many",
            next_step="glue the board onto something flat, keep it still while a picture is taken, and see that the "
            "camera's focus is fixed",
        )
    if fit.coverage < LEAST_COVERAGE:
        raise UserError(
            f"the board was seen in {fit.coverage:.0%} of the picture, and {LEAST_COVERAGE:.0%} are needed",
            next_step="add views with the board in the corners and along the edges",
        )
    tilted = sum(view.tilt_deg > LEAST_TILT_DEG for view in fit.used)
    if 3 * tilted < len(fit.used):
        raise UserError(
            f"the board faces the camera in all but {tilted} of {len(fit.used)} views: the focal length stays open",
            next_step="add views with the board turned by 20 to 45 degrees, to each side in turn",
        )
    share = max(fit.deviation_px[0] / fit.lens.focal_u, fit.deviation_px[1] / fit.lens.focal_v)
    if not share <= MOST_UNCERTAIN:
        raise UserError(
            f"the focal length is uncertain by {share:.1%}", next_step="add sharp views, nearer and more turned"
        )
