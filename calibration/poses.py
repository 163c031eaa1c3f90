"""Where to hold the board for hand-eye calibration: poses inside the box and the joints' limits that turn it enough.

Pure: it plans and moves nothing. What it gives is a wish like any other, for the guard to pass or refuse. Called by
`tour` and `rig calibrate poses`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.board import Board
from calibration.lens import Lens
from calibration.rigid import inverse, rigid, rotation_vector
from robot_rig.config import Config
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics, rotation_from_rpy
from robot_rig.safety.limits import SLOW_CONDITION, Limits
from robot_rig.safety.ways import Ways

FEWEST_POSES = 8
TILT_RAD, ROLL_RAD = np.radians(28.0), np.radians(40.0)
CANDIDATES = 12
"""Tried for each pose that is wanted."""

SPARE = 5
"""For poses that no straight way leads to."""

BOX_MARGIN_M = 0.02
PLANNED_MARGIN_M = 0.012
"""Kept on planned ways; more than the guard asks for, so that it has no reason to refuse one."""

LEVEL_M = 0.001
PATH_STEP_RAD = 0.05
PAPER_M = 0.03
"""By how much a board's plate may be larger than its squares."""

PICTURE_MARGIN = 0.02
"""Share of the picture's width that a board keeps from its edge."""

MOST_SLANTED = np.cos(np.radians(60.0))

Sees = Callable[[Floats], bool]
"""Whether the camera sees the board well with the joints at (7,) rad."""


@dataclass(frozen=True, slots=True)
class RoughView:
    """What is known of camera and board before they are calibrated: a tape measure's accuracy is enough."""

    lens: Lens
    base_from_camera: Floats
    hand_from_board: Floats
    board: Board

    def sees(self, kinematics: Kinematics, position: Floats) -> bool:
        """Whether the whole board is in the picture and not too slanted with the joints at `position` (7,) rad."""
        camera_from_board = inverse(self.base_from_camera) @ kinematics.hand(position) @ self.hand_from_board
        width, height = self.board.size_m
        corners = np.array([[0, 0, 0], [width, 0, 0], [0, height, 0], [width, height, 0]], np.float64)
        places = corners @ camera_from_board[:3, :3].T + camera_from_board[:3, 3]
        if places[:, 2].min() <= 0.1:
            return False
        pixels, size = self.lens.project(corners, camera_from_board), np.array(self.lens.size)
        margin = PICTURE_MARGIN * size[0]
        centre = places.mean(axis=0)
        facing = float(camera_from_board[:3, 2] @ centre / np.linalg.norm(centre))
        return bool((pixels > margin).all() and (pixels < size - margin).all() and facing > MOST_SLANTED)


def upright_camera(place: Floats, target: Floats) -> Floats:
    """`base_from_camera` (4, 4) of a camera at `place` (3,) m that looks at `target` (3,) m, its picture upright."""
    forwards = (target - place) / np.linalg.norm(target - place)
    up = np.array([0.0, 0.0, 1.0]) if abs(forwards[2]) < 0.999 else np.array([1.0, 0.0, 0.0])
    right = np.cross(forwards, up)
    right /= np.linalg.norm(right)
    return rigid(np.column_stack([right, np.cross(forwards, right), forwards]), place)


def hangs_below(hand_from_board: Floats, board: Board, tool_offset_m: float) -> float:
    """How far a board's plate hangs below the tool tip at most, m, in all turns that are planned; 0 or more."""
    width, height = board.size_m
    corners = np.array(
        [[x, y, 0.0] for x in (-PAPER_M, width + PAPER_M) for y in (-PAPER_M, height + PAPER_M)], np.float64
    )
    from_tip = corners @ hand_from_board[:3, :3].T + hand_from_board[:3, 3] - [0.0, 0.0, tool_offset_m]
    tilts = np.linspace(-TILT_RAD, TILT_RAD, 5)
    heights = [(TOOL_DOWN @ rotation_from_rpy([a, b, 0.0]) @ from_tip.T)[2].min() for a in tilts for b in tilts]
    return max(0.0, -float(min(heights)))


def plan_poses(room: Room, count: int, sees: Sees, seed: int) -> list[Floats]:
    """`count` joint positions (7,) rad in `room`, turned differently, from each of which a straight way leads on.

    The first is the nearest to home; the way there is not judged, for home may lie lower than a board may go, and then
    `Room.lifted` comes first. `sees` is asked of each. Raises UserError when the box has no room for so many that turn
    the board enough.
    """
    random = np.random.default_rng(seed)
    found = [position for _ in range(CANDIDATES * count) if (position := room.candidate(random)) is not None]
    found = [position for position in found if sees(position)]
    chosen = _most_different(room, found, count + SPARE)
    ordered = room.in_order(room.home, chosen)[:count]
    if len(ordered) < max(FEWEST_POSES, count // 2):
        raise UserError(
            f"{len(ordered)} poses of {count} fit into the box with the board on the gripper and seen by the camera",
            next_step="make the guard's box higher for the calibration (0.3 m over the table), or the board smaller",
        )
    return ordered


class Room:
    """Where the arm of `kinematics` may be with `below_m` of board hanging below its tool tip.

    The tool tip is in the guard's box and so high that the board clears the table, no joint in its soft ring, no link
    near table or keep-outs, and the arm not near a singularity. Raises UserError for a board that is too large.
    """

    def __init__(self, config: Config, below_m: float, kinematics: Kinematics) -> None:
        limits = Limits.from_config(config.guard, config.control)
        self.kinematics, self.home = kinematics, np.array(config.control.home_posture_rad)
        low = limits.box_low.copy()
        low[2] = max(low[2], limits.floor + below_m)
        if not (low + 2 * BOX_MARGIN_M < limits.box_high).all():
            raise UserError(
                f"{below_m:.3g} m of board do not fit between the table and the upper face of the guard's box",
                next_step="raise guard.box_high_m along z for the calibration, or take a smaller board",
            )
        self._low, self._high = low + BOX_MARGIN_M, limits.box_high - BOX_MARGIN_M
        self._ways = Ways(dataclasses.replace(limits, box_low=low), kinematics, PLANNED_MARGIN_M)

    def candidate(self, random: np.random.Generator) -> Floats | None:
        """A pose anywhere in the box, the tool tilted and rolled by chance; None where the arm cannot do that."""
        tilt = random.uniform(-TILT_RAD, TILT_RAD, 2)
        rotation = TOOL_DOWN @ rotation_from_rpy([tilt[0], tilt[1], random.uniform(-ROLL_RAD, ROLL_RAD)])
        try:
            position = solve_position(self.kinematics, random.uniform(self._low, self._high), rotation, self.home)
        except UserError:
            return None
        return position if self.leads(position, position) else None

    def leads(self, start: Floats, end: Floats) -> bool:
        """Whether the straight way through joint space from `start` to `end`, each (7,) rad, is allowed all along."""
        if self._ways.refuse(start, end):
            return False
        places = np.linspace(0.0, 1.0, int(np.ceil(np.abs(end - start).max() / PATH_STEP_RAD)) + 1)
        jacobians = [self.kinematics.pose(start + share * (end - start)).jacobian for share in places]
        return all(np.linalg.cond(jacobian) < SLOW_CONDITION for jacobian in jacobians)

    def lifted(self, position: Floats) -> Floats | None:
        """The posture straight above `position` (7,) rad in which the board clears the table; None where it does there.

        Raises UserError where the arm cannot be lifted so.
        """
        pose = self.kinematics.pose(position)
        if pose.tool[2] >= self._low[2] - LEVEL_M:
            return None
        return solve_position(self.kinematics, np.append(pose.tool[:2], self._low[2]), pose.rotation, position)

    def nearest(self, here: Floats, poses: Sequence[Floats]) -> int | None:
        """Which of `poses` is the nearest that a straight way leads to from `here` (7,) rad; None where none does."""
        order = sorted(range(len(poses)), key=lambda number: float(np.abs(poses[number] - here).max()))
        return next((number for number in order if self.leads(here, poses[number])), None)

    def in_order(self, start: Floats, poses: Sequence[Floats]) -> list[Floats]:
        """`poses`, each the nearest to the one before it that a straight way leads to; those without one left out.

        The way from `start` to the first is not judged.
        """
        left = sorted(poses, key=lambda pose: float(np.abs(pose - start).max()))
        ordered, left = left[:1], left[1:]
        while left and (number := self.nearest(ordered[-1], left)) is not None:
            ordered.append(left.pop(number))
        return ordered


def _most_different(room: Room, poses: Sequence[Floats], count: int) -> list[Floats]:
    """`count` of `poses`, each next one the one whose hand is turned furthest from all that were taken before it."""
    if not poses:
        return []
    turns = [room.kinematics.hand(position)[:3, :3] for position in poses]
    chosen = [0]
    nearest = np.full(len(poses), np.inf)
    while len(chosen) < min(count, len(poses)):
        last = turns[chosen[-1]]
        nearest = np.minimum(nearest, [float(np.linalg.norm(rotation_vector(last.T @ turn))) for turn in turns])
        chosen.append(int(np.argmax(nearest)))
    return [poses[i] for i in chosen]
