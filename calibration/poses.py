"""Where to hold the board for hand-eye calibration: poses inside the box and the joints' limits that turn it enough.

Pure: it plans and moves nothing. What it gives is a wish like any other, for the guard to pass or refuse. Called by
whatever collects the views.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from calibration.board import Board
from calibration.lens import Lens
from calibration.rigid import inverse, rotation_vector
from robot_rig.config import Config
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS, Kinematics, rotation_from_rpy
from robot_rig.safety.limits import SLOW_CONDITION, Limits

FEWEST_POSES = 8
TILT_RAD, ROLL_RAD = np.radians(28.0), np.radians(40.0)
CANDIDATES = 12
"""Tried for each pose that is wanted."""

SPARE = 5
"""For poses that no straight way leads to."""

BOX_MARGIN_M = 0.01
PATH_STEP_RAD = 0.05
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


def plan_poses(config: Config, count: int, below_m: float, sees: Sees, seed: int) -> list[Floats]:
    """`count` joint positions (7,) rad, the nearest to home first, from each of which the next lies straight ahead.

    In each, and on the ways between, the tool tip is in the guard's box, `below_m` of board fit between it and the
    table, no joint is in its soft ring, no link near table or keep-outs, and the arm not near a singularity. `sees` is
    asked of each. The way to the first is not judged, for home may lie lower than a board may go: lift the tool first.
    Raises UserError when the box has no room for so many that turn the board enough.
    """
    room = _Room(config, below_m)
    random = np.random.default_rng(seed)
    home = np.array(config.control.home_posture_rad)
    found = [position for _ in range(CANDIDATES * count) if (position := room.candidate(random, home)) is not None]
    found = [position for position in found if sees(position)]
    chosen = _most_different(room, found, count + SPARE)
    ordered = room.in_order(home, chosen)[:count]
    if len(ordered) < max(FEWEST_POSES, count // 2):
        raise UserError(
            f"{len(ordered)} poses of {count} fit into the box with the board on the gripper and seen by the camera",
            next_step="make the guard's box higher for the calibration (0.3 m over the table), or the board smaller",
        )
    return ordered


class _Room:
    """Where the arm may be."""

    def __init__(self, config: Config, below_m: float) -> None:
        limits = Limits.from_config(config.guard, config.control)
        self.kinematics = Kinematics(config.control.tool_offset_m)
        self._low, self._high = limits.box_low + BOX_MARGIN_M, limits.box_high - BOX_MARGIN_M
        self._low[2] = max(self._low[2], limits.floor + below_m)
        if not (self._low < self._high).all():
            raise UserError(
                f"{below_m:g} m of board do not fit between the table and the upper face of the guard's box",
                next_step="raise guard.box_high_m along z for the calibration, or take a smaller board",
            )
        self._floor, self._keep_outs = limits.floor, limits.keep_outs
        self._lowest = LOWER_LIMITS + config.guard.soft_ring_rad
        self._highest = UPPER_LIMITS - config.guard.soft_ring_rad

    def candidate(self, random: np.random.Generator, near: Floats) -> Floats | None:
        """A pose anywhere in the box, the tool tilted and rolled by chance; None where the arm cannot do that."""
        tilt = random.uniform(-TILT_RAD, TILT_RAD, 2)
        rotation = TOOL_DOWN @ rotation_from_rpy([tilt[0], tilt[1], random.uniform(-ROLL_RAD, ROLL_RAD)])
        try:
            position = solve_position(self.kinematics, random.uniform(self._low, self._high), rotation, near)
        except UserError:
            return None
        return position if self.allows(position) else None

    def allows(self, position: Floats) -> bool:
        """Whether the arm may be at `position` (7,) rad."""
        if (position < self._lowest).any() or (position > self._highest).any():
            return False
        pose = self.kinematics.pose(position)
        if (pose.tool < self._low - BOX_MARGIN_M / 2).any() or (pose.tool > self._high + BOX_MARGIN_M / 2).any():
            return False
        if (pose.spheres[:, 2] < pose.radii + self._floor).any():
            return False
        for low, high in self._keep_outs:
            outside = np.maximum(np.maximum(low - pose.spheres, pose.spheres - high), 0.0)
            if (np.linalg.norm(outside, axis=1) < pose.radii).any():
                return False
        return bool(np.linalg.cond(pose.jacobian) < SLOW_CONDITION)

    def leads(self, start: Floats, end: Floats) -> bool:
        """Whether the straight way through joint space from `start` to `end` is allowed all along."""
        steps = int(np.ceil(np.abs(end - start).max() / PATH_STEP_RAD)) + 1
        return all(self.allows(start + share * (end - start)) for share in np.linspace(0.0, 1.0, steps + 1)[1:])

    def in_order(self, start: Floats, poses: Sequence[Floats]) -> list[Floats]:
        """`poses`, each the nearest to the one before it that a straight way leads to; those without one left out.

        The way from `start` to the first is not judged.
        """
        left, ordered, here = list(poses), [], start
        while left:
            left.sort(key=lambda pose: float(np.abs(pose - here).max()))
            reachable = next((i for i, pose in enumerate(left) if not ordered or self.leads(here, pose)), None)
            if reachable is None:
                break
            here = left.pop(reachable)
            ordered.append(here)
        return ordered


def _most_different(room: _Room, poses: Sequence[Floats], count: int) -> list[Floats]:
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
