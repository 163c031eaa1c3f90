"""Where the Sawyer's tool and links are, and how joint speeds move them.

Called by control (set-point servo), safety (box, table, keep-outs) and loops. The numbers are the published URDF table
(RethinkRobotics/sawyer_robot d1ef3d0); a real arm carries its own calibrated ones, so drivers may build `Kinematics`
from another table of the same form. Frame of everything: `base`. Lengths m, angles rad.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from robot_rig.compiled import NUMBER, READ_1, READ_2, READ_3, WRITE_1, WRITE_2, WRITE_3, compiled
from robot_rig.datatypes import JOINTS, Floats

JOINT_ORIGINS: tuple[tuple[tuple[float, float, float], tuple[float, float, float]], ...] = (
    ((0.0, 0.0, 0.08), (0.0, 0.0, 0.0)),
    ((0.081, 0.05, 0.237), (-np.pi / 2, np.pi / 2, 0.0)),
    ((0.0, -0.14, 0.1425), (np.pi / 2, 0.0, 0.0)),
    ((0.0, -0.042, 0.26), (-np.pi / 2, 0.0, 0.0)),
    ((0.0, -0.125, -0.1265), (np.pi / 2, 0.0, 0.0)),
    ((0.0, 0.031, 0.275), (-np.pi / 2, 0.0, 0.0)),
    ((0.0, -0.11, 0.1053), (-np.pi / 2, -0.17453, 3.1416)),
)
"""(xyz m, rpy rad) of right_j0 .. right_j6 in the parent link; every axis is z."""

HAND_ORIGIN = ((0.0, 0.0, 0.0245), (0.0, 0.0, 1.570796))
"""right_hand in right_l6."""

LOWER_LIMITS = np.array([-3.0503, -3.8095, -3.0426, -3.0439, -2.9761, -2.9761, -4.7124])
UPPER_LIMITS = np.array([3.0503, 2.2736, 3.0426, 3.0439, 2.9761, 2.9761, 4.7124])
RATED_SPEEDS = np.array([1.74, 1.328, 1.957, 1.957, 3.485, 3.485, 4.545])
RATED_EFFORTS = np.array([80.0, 80.0, 40.0, 40.0, 9.0, 9.0, 9.0])
"""The motors' limits, N·m."""

NEUTRAL = np.array([0.0, -1.18, 0.0, 2.18, 0.0, 0.57, 3.3161])
"""The vendor's neutral pose, rad."""

LINK_SPHERES: tuple[tuple[int, tuple[float, float, float], float], ...] = (
    (2, (0.0, 0.0, 0.02), 0.08),
    (2, (0.0, 0.0, 0.14), 0.08),
    (2, (0.0, 0.0, 0.26), 0.08),
    (3, (0.0, -0.01, -0.12), 0.07),
    (4, (0.0, 0.0, 0.02), 0.065),
    (4, (0.0, 0.0, 0.12), 0.065),
    (4, (0.0, 0.01, 0.26), 0.065),
    (5, (0.0, 0.0, 0.1), 0.06),
    (6, (0.0, 0.015, -0.01), 0.06),
    (6, (0.0, 0.0, 0.06), 0.05),
)
"""Chains of spheres (link, centre in the link, radius m) that enclose the published collision shapes from the elbow on.

The gripper's fingers are not among them: the tool tip has its own box.
"""


SPHERES = len(LINK_SPHERES)
POINTS = SPHERES + 1
"""The spheres' centres and the tool tip."""


def rotation_from_rpy(rpy: Sequence[float]) -> Floats:
    """(3, 3) rotation of fixed-axis roll, pitch, yaw: Rz(y) Ry(p) Rx(r)."""
    (cr, cp, cy), (sr, sp, sy) = np.cos(rpy), np.sin(rpy)
    return np.array(
        [
            [cy * cp, cy * sp * sr - sy * cr, cy * sp * cr + sy * sr],
            [sy * cp, sy * sp * sr + cy * cr, sy * sp * cr - cy * sr],
            [-sp, cp * sr, cp * cr],
        ]
    )


def _homogeneous(xyz: Sequence[float], rotation: Floats) -> Floats:
    matrix = np.eye(4)
    matrix[:3, :3] = rotation
    matrix[:3, 3] = xyz
    return matrix


@compiled(READ_1, READ_3, WRITE_3)
def _place(position: Floats, fixed: Floats, frames: Floats) -> None:
    """Fill `frames` (7, 3, 4), rotation and origin of each link in base, from joint `position` (7,) rad."""
    for i in range(JOINTS):
        cos, sin = math.cos(position[i]), math.sin(position[i])
        for r in range(3):
            x, y, z, origin = fixed[i, r, 0], fixed[i, r, 1], fixed[i, r, 2], fixed[i, r, 3]
            if i > 0:
                x, y, z, origin = 0.0, 0.0, 0.0, frames[i - 1, r, 3]
                for k in range(3):
                    share = frames[i - 1, r, k]
                    x += share * fixed[i, k, 0]
                    y += share * fixed[i, k, 1]
                    z += share * fixed[i, k, 2]
                    origin += share * fixed[i, k, 3]
            frames[i, r, 0] = cos * x + sin * y
            frames[i, r, 1] = cos * y - sin * x
            frames[i, r, 2] = z
            frames[i, r, 3] = origin


@compiled(READ_3, READ_1, READ_2, WRITE_2, WRITE_3)
def _move(frames: Floats, links: Floats, centres: Floats, points: Floats, moves: Floats) -> None:
    """Fill `points` (P, 3), the `centres` (P, 3) fixed in `links` (P,) seen from base, and how joints move them.

    `moves` (P + 1, 3, 7): the linear Jacobian of each point, a x (p - o) for the joints at or before its link; the last
    block is the joints' axes a.
    """
    for p in range(points.shape[0]):
        link = int(links[p])
        for r in range(3):
            here = frames[link, r, 3]
            for k in range(3):
                here += frames[link, r, k] * centres[p, k]
            points[p, r] = here
        for j in range(JOINTS):
            reach = 1.0 if j <= link else 0.0
            for r in range(3):
                c, b = (r + 1) % 3, (r + 2) % 3
                lever_b, lever_c = points[p, b] - frames[j, b, 3], points[p, c] - frames[j, c, 3]
                moves[p, r, j] = reach * (frames[j, c, 2] * lever_b - frames[j, b, 2] * lever_c)
    for j in range(JOINTS):
        for r in range(3):
            moves[points.shape[0], r, j] = frames[j, r, 2]


@compiled(READ_1, READ_3, READ_1, READ_2, READ_2, WRITE_2, WRITE_3, WRITE_2)
def _pose(
    position: Floats,
    fixed: Floats,
    links: Floats,
    centres: Floats,
    hand: Floats,
    points: Floats,
    moves: Floats,
    rotation: Floats,
) -> None:
    """Fill `points` and `moves` as `_move` does, and `rotation` (3, 3) of the `hand`, (3, 3) in the last link."""
    frames = np.empty((JOINTS, 3, 4))
    _place(position, fixed, frames)
    _move(frames, links, centres, points, moves)
    for r in range(3):
        for c in range(3):
            turned = 0.0
            for k in range(3):
                turned += frames[JOINTS - 1, r, k] * hand[k, c]
            rotation[r, c] = turned


@compiled(READ_2, READ_1, NUMBER, WRITE_1)
def settle(jacobian: Floats, twist: Floats, damping: float, velocity: Floats) -> None:
    """Add to `velocity` (7,) the least change that brings it to `twist` (6,): a damped 6x6 Cholesky solve.

    Without damping a singular arm would give infinities; `damping` (lambda^2) > 0 keeps the factor regular.
    """
    factor, rest = np.empty((6, 6)), np.empty(6)
    for i in range(6):
        rest[i] = twist[i]
        for j in range(JOINTS):
            rest[i] -= jacobian[i, j] * velocity[j]
        for k in range(i + 1):
            product = damping if i == k else 0.0
            for j in range(JOINTS):
                product += jacobian[i, j] * jacobian[k, j]
            for m in range(k):
                product -= factor[i, m] * factor[k, m]
            factor[i, k] = math.sqrt(product) if i == k else product / factor[k, k]
    for i in range(6):
        for m in range(i):
            rest[i] -= factor[i, m] * rest[m]
        rest[i] /= factor[i, i]
    for i in range(5, -1, -1):
        for m in range(i + 1, 6):
            rest[i] -= factor[m, i] * rest[m]
        rest[i] /= factor[i, i]
        for j in range(JOINTS):
            velocity[j] += jacobian[i, j] * rest[i]


class ArmPose(NamedTuple):
    """The arm at one joint position, computed once a tick and shared by control and guard.

    position (7,) rad; tool (3,) m; rotation (3, 3) of right_hand; jacobian (6, 7), rows vx vy vz wx wy wz of the tool
    tip; spheres (K, 3) m and sphere_jacobians (K, 3, 7) of `LINK_SPHERES`; radii (K,) m.
    """

    position: Floats
    tool: Floats
    rotation: Floats
    jacobian: Floats
    spheres: Floats
    sphere_jacobians: Floats
    radii: Floats


class Kinematics:
    """Forward kinematics and geometric Jacobian of the seven-joint arm with a tool along the hand's z."""

    def __init__(
        self,
        tool_offset_m: float,
        origins: Sequence[tuple[Sequence[float], Sequence[float]]] = JOINT_ORIGINS,
        hand: tuple[Sequence[float], Sequence[float]] = HAND_ORIGIN,
    ) -> None:
        self._fixed = np.stack([_homogeneous(xyz, rotation_from_rpy(rpy)) for xyz, rpy in origins])
        self._hand = _homogeneous(hand[0], rotation_from_rpy(hand[1]))
        tool = self._hand @ np.array([0.0, 0.0, tool_offset_m, 1.0])
        # The tool tip is one more point that the joints move, fixed in the last link like a sphere's centre.
        self._links = np.array([*(link for link, _, _ in LINK_SPHERES), JOINTS - 1], dtype=np.float64)
        self._centres = np.array([*(centre for _, centre, _ in LINK_SPHERES), tool[:3]])
        self._turn = np.ascontiguousarray(self._hand[:3, :3])
        self._radii = np.array([radius for _, _, radius in LINK_SPHERES])

    def links(self, position: Floats) -> Floats:
        """(7, 4, 4) poses of right_l0 .. right_l6 in base at joint `position` (7,) rad."""
        frames: Floats = np.empty((JOINTS, 3, 4))
        _place(position, self._fixed, frames)
        links = np.tile(np.eye(4), (JOINTS, 1, 1))
        links[:, :3] = frames
        return links

    def hand(self, position: Floats) -> Floats:
        """(4, 4) pose of right_hand in base."""
        hand: Floats = self.links(position)[-1] @ self._hand
        return hand

    def pose(self, position: Floats) -> ArmPose:
        """Everything the tick needs at joint `position` (7,) rad."""
        points, moves, rotation = np.empty((POINTS, 3)), np.empty((POINTS + 1, 3, JOINTS)), np.empty((3, 3))
        _pose(position, self._fixed, self._links, self._centres, self._turn, points, moves, rotation)
        return ArmPose(
            position,
            points[SPHERES],
            rotation,
            moves[SPHERES:].reshape(6, JOINTS),
            points[:SPHERES],
            moves[:SPHERES],
            self._radii,
        )
