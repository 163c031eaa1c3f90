"""Where the fixed camera is that looks at the arm, and where the board is on its gripper. For `rig calibrate handeye`.

The camera is fixed in the room, the board on the gripper (eye to hand). With base, hand (right_hand), camera and board
as frames, every view i says

    base_from_camera @ camera_from_board[i]  =  base_from_hand[i] @ hand_from_board

with `base_from_hand` from the joints and `camera_from_board` from the picture; both outer ones are wanted and constant.
OpenCV's solvers are made for a camera on the hand. They give what is asked for here when each hand pose is passed the
other way round (hand_from_base as their "gripper2base"): their "cam2gripper" then is base_from_camera.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from scipy.optimize import least_squares

from calibration.board import Sighting
from calibration.lens import Lens, board_pose
from calibration.rigid import angle_between, distance_between, inverse, middle, rigid, rotation_vector
from calibration.scale import refuse_other_squares, square_scale
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError

SOLVERS: dict[str, int] = {
    "Tsai": cv2.CALIB_HAND_EYE_TSAI,
    "Park": cv2.CALIB_HAND_EYE_PARK,
    "Horaud": cv2.CALIB_HAND_EYE_HORAUD,
    "Andreff": cv2.CALIB_HAND_EYE_ANDREFF,
    "Daniilidis": cv2.CALIB_HAND_EYE_DANIILIDIS,
}
REFINED = "refined"
"""The best of the five, then all corners of all views at once."""

FEWEST_VIEWS = 6
LEAST_TURN_DEG = 15.0
"""What the hand must be turned by about a second axis: about one axis alone, the place along it stays unknown."""

OUTLYING = 3.5
FLOOR_M, FLOOR_RAD = 0.002, np.radians(0.4)
"""Residuals below these are left in, however small the median is."""

MOST_RESIDUAL_M = 0.015
"""Root mean square from which the views as a whole are wrong: an arm by the published table is millimetres off."""

MISMATCH_RAD = np.radians(1.0)
MOST_DROPPED = 0.34
HAND_M, HAND_RAD = 0.001, 0.001
"""How far off a hand pose from the joints is thought to be."""

NO_PLACE = "no solver finds a place of the camera from these views"
TURN_MORE = "take more views, the hand tilted to all sides and turned in each"
LEAST_NOISE_PX = 0.03
HEAVY = 3.0
"""Deviations from which the refinement gives a corner less weight."""


@dataclass(frozen=True, slots=True)
class HandView:
    """A view: `base_from_hand` (4, 4) from the joints, and what the picture shows of the board."""

    name: str
    base_from_hand: Floats
    sighting: Sighting


@dataclass(frozen=True, slots=True)
class Residual:
    """How far the board of one view lies from where the arm says it is."""

    name: str
    distance_m: float
    angle_rad: float


@dataclass(frozen=True, slots=True)
class Solution:
    """What one solver found: both constant motions (4, 4), and the residual of every view that counts."""

    solver: str
    base_from_camera: Floats
    hand_from_board: Floats
    residuals: tuple[Residual, ...]

    @property
    def distance_m(self) -> float:
        """Root mean square over the views, m."""
        return float(np.sqrt(np.mean([one.distance_m**2 for one in self.residuals])))

    @property
    def angle_rad(self) -> float:
        """Root mean square over the views, rad."""
        return float(np.sqrt(np.mean([one.angle_rad**2 for one in self.residuals])))


@dataclass(frozen=True, slots=True)
class HandEyeFit:
    """All solutions, the five in OpenCV's order and the refined one last; `dropped`: views left out, and why.

    `corner_rms_px` is that of the refined one, over all corners; `failed`: which of the five found nothing.
    """

    solutions: tuple[Solution, ...]
    corner_rms_px: float
    dropped: Mapping[str, str]
    failed: tuple[str, ...] = ()

    @property
    def best(self) -> Solution:
        """The refined solution."""
        return self.solutions[-1]


def solve_hand_eye(views: Sequence[HandView], lens: Lens) -> HandEyeFit:
    """Where the camera is, from `views` through `lens`.

    Raises UserError for too few views, a hand that is not turned enough, views of which too many contradict, and views
    that agree with no place of the camera, as when the squares are of another size than was said, or from which no
    solver finds any.
    """
    boards = {view.name: board_pose(lens, view.sighting).camera_from_board for view in views}
    dropped = _contradicting(views, boards)
    while True:
        kept = [view for view in views if view.name not in dropped]
        _refuse_weak(kept, len(views), dropped)
        tried = [_solved(solver, kept, boards) for solver in SOLVERS]
        solutions = [one for one in tried if one is not None]
        if not solutions:
            raise UserError(NO_PLACE, next_step=TURN_MORE)
        best = min(solutions, key=lambda one: one.distance_m)
        worst = _worst(best.residuals)
        if worst is None:
            break
        dropped[worst.name] = (
            f"{1e3 * worst.distance_m:.1f} mm and {np.degrees(worst.angle_rad):.2f} degrees from the other views"
        )
    hands, seen = [view.base_from_hand for view in kept], [boards[view.name] for view in kept]
    refuse_other_squares(square_scale(best.base_from_camera[:3, :3], hands, seen))
    if best.distance_m > MOST_RESIDUAL_M:
        raise UserError(
            f"the views lie {1e3 * best.distance_m:.0f} mm from each other at best, and {1e3 * MOST_RESIDUAL_M:.0f} "
            "are too many",
            next_step="see that a ruler agrees with --square-mm, that the joints are of these pictures, and that the "
            "lens was calibrated at this resolution",
        )
    refined, rms = _refined(best, kept, boards, lens)
    failed = tuple(solver for solver in SOLVERS if solver not in {one.solver for one in solutions})
    return HandEyeFit((*solutions, refined), rms, dropped, failed)


def _contradicting(views: Sequence[HandView], boards: Mapping[str, Floats]) -> dict[str, str]:
    """Views in which hand and board have not turned by the same angle since most others: needs no solution.

    However the camera hangs, both turn by the same angle between two views.
    """
    found: dict[str, str] = {}
    for view in views:
        gaps = [
            abs(
                angle_between(view.base_from_hand, other.base_from_hand)
                - angle_between(boards[view.name], boards[other.name])
            )
            for other in views
            if other is not view
        ]
        if gaps and (gap := float(np.median(gaps))) > MISMATCH_RAD:
            found[view.name] = f"hand and board turned by angles {np.degrees(gap):.1f} degrees apart"
    return found


def _refuse_weak(kept: Sequence[HandView], total: int, dropped: Mapping[str, str]) -> None:
    if len(dropped) > MOST_DROPPED * total:
        raise UserError(
            f"{len(dropped)} of {total} views contradict the others",
            next_step="see that the board sits firmly on the gripper, that nobody moved the camera, and that a ruler "
            "agrees with --square-mm; then take them again",
        )
    if len(kept) < FEWEST_VIEWS:
        raise UserError(
            f"useful views: {len(kept)}, and {FEWEST_VIEWS} are needed",
            next_step="take 12 or more, with the hand turned differently in each",
        )
    spread = _turns(kept)
    if spread < np.radians(LEAST_TURN_DEG):
        raise UserError(
            f"the hand was turned by {np.degrees(spread):.0f} degrees about a second axis, and "
            f"{LEAST_TURN_DEG:.0f} are needed",
            next_step="tilt the hand to the sides as well as turning it",
        )


def _turns(views: Sequence[HandView]) -> float:
    """Greatest turn of the hand, rad, about an axis at right angles to the one that it was turned about most."""
    turns = np.array(
        [rotation_vector(a.base_from_hand[:3, :3].T @ b.base_from_hand[:3, :3]) for a in views for b in views]
    )
    main = np.linalg.svd(turns, full_matrices=False)[2][0]
    return float(np.linalg.norm(turns - np.outer(turns @ main, main), axis=1).max())


def _solved(solver: str, views: Sequence[HandView], boards: Mapping[str, Floats]) -> Solution | None:
    """What `solver` finds; None where it gives up or that is no number, as from views that do not determine it."""
    hands = [inverse(view.base_from_hand) for view in views]
    seen = [boards[view.name] for view in views]
    motions = [hand[:3, :3] for hand in hands], [hand[:3, 3] for hand in hands]
    boards_seen = [board[:3, :3] for board in seen], [board[:3, 3] for board in seen]
    try:
        rotation, place = cv2.calibrateHandEye(*motions, *boards_seen, method=SOLVERS[solver])
    except cv2.error:
        return None
    if not (np.isfinite(rotation).all() and np.isfinite(place).all()):
        return None
    base_from_camera = rigid(np.asarray(rotation, np.float64), np.asarray(place, np.float64))
    hand_from_board = middle([hand @ base_from_camera @ board for hand, board in zip(hands, seen, strict=True)])
    return Solution(
        solver, base_from_camera, hand_from_board, _residuals(base_from_camera, hand_from_board, views, boards)
    )


def _residuals(
    base_from_camera: Floats, hand_from_board: Floats, views: Sequence[HandView], boards: Mapping[str, Floats]
) -> tuple[Residual, ...]:
    """Of each view: how far apart the board lies by the camera and by the arm."""
    found = []
    for view in views:
        by_camera, by_arm = base_from_camera @ boards[view.name], view.base_from_hand @ hand_from_board
        found.append(Residual(view.name, distance_between(by_camera, by_arm), angle_between(by_camera, by_arm)))
    return tuple(found)


def _worst(residuals: Sequence[Residual]) -> Residual | None:
    """The view that lies furthest outside, in units of what is allowed; None when all lie within it."""
    far = max(OUTLYING * float(np.median([one.distance_m for one in residuals])), FLOOR_M)
    turned = max(OUTLYING * float(np.median([one.angle_rad for one in residuals])), FLOOR_RAD)
    worst = max(residuals, key=lambda one: max(one.distance_m / far, one.angle_rad / turned))
    return worst if worst.distance_m > far or worst.angle_rad > turned else None


def _refined(
    start: Solution, views: Sequence[HandView], boards: Mapping[str, Floats], lens: Lens
) -> tuple[Solution, float]:
    """`start`, moved to where all corners of all `views` are likeliest; and the corners' rms there, px.

    A corner may be off by as much as in a view by itself, and each hand pose by what an arm is: without the second, an
    arm that is a millimetre off would bend the camera's place until the pixels fit.
    """
    noise = max(float(np.median([board_pose(lens, view.sighting).rms_px for view in views])), LEAST_NOISE_PX)
    allowed = np.array([HAND_RAD] * 3 + [HAND_M] * 3)

    def corners(numbers: Floats) -> Floats:
        camera_from_base, hand_from_board = _motion(numbers[:6]), _motion(numbers[6:12])
        found = []
        for view, wrong in zip(views, numbers[12:].reshape(-1, 6), strict=True):
            camera_from_board = camera_from_base @ view.base_from_hand @ _motion(wrong) @ hand_from_board
            found.append((lens.project(view.sighting.points, camera_from_board) - view.sighting.pixels).ravel())
        return np.concatenate(found)

    def unlikely(numbers: Floats) -> Floats:
        return np.concatenate([corners(numbers) / noise, (numbers[12:].reshape(-1, 6) / allowed).ravel()])

    first = [inverse(start.base_from_camera), start.hand_from_board]
    guess = np.concatenate(
        [*(np.append(rotation_vector(one[:3, :3]), one[:3, 3]) for one in first), np.zeros(6 * len(views))]
    )
    found = least_squares(
        unlikely, guess, jac_sparsity=_influences(views), x_scale="jac", loss="soft_l1", f_scale=HEAVY, max_nfev=30
    )
    if not np.isfinite(found.x).all():
        raise UserError(NO_PLACE, next_step=TURN_MORE)
    base_from_camera, hand_from_board = inverse(_motion(found.x[:6])), _motion(found.x[6:12])
    residuals = _residuals(base_from_camera, hand_from_board, views, boards)
    return (
        Solution(REFINED, base_from_camera, hand_from_board, residuals),
        float(np.sqrt(2.0 * (corners(found.x) ** 2).mean())),
    )


def _motion(numbers: Floats) -> Floats:
    return rigid(numbers[:3], numbers[3:])


def _influences(views: Sequence[HandView]) -> Floats:
    """(R, P) with 1 where a parameter of the refinement touches a residual: a hand pose only those of its own view."""
    corners = sum(2 * len(view.sighting.ids) for view in views)
    touched = np.zeros((corners + 6 * len(views), 12 + 6 * len(views)))
    touched[:corners, :12] = 1.0
    row = 0
    for number, view in enumerate(views):
        own = slice(12 + 6 * number, 18 + 6 * number)
        touched[row : (row := row + 2 * len(view.sighting.ids)), own] = 1.0
        touched[corners + 6 * number : corners + 6 * number + 6, own] = np.eye(6)
    return touched
