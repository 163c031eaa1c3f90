"""Where the Sawyer's tool and links are, and how joint speeds move them: numpy only.

Called by control (set-point servo), safety (box, table, keep-outs) and loops. The numbers are the published URDF table
(RethinkRobotics/sawyer_robot d1ef3d0); a real arm carries its own calibrated ones, so drivers may build `Kinematics`
from another table of the same form. Frame of everything: `base`. Lengths m, angles rad.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

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


POINTS = len(LINK_SPHERES) + 1
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


_CROSS = np.zeros((3, 3, 3))
for _i, _c, _b in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
    _CROSS[_i, _c, _b], _CROSS[_i, _b, _c] = 1.0, -1.0
_CROSSES = np.vstack([_CROSS.reshape(9, 3), -_CROSS.reshape(9, 3)])
"""(18, 3): `_CROSSES @ a` is row 3 i + c of the matrix of a x p for coordinate i of p, and then its negative."""


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
    """Forward kinematics and geometric Jacobian of the seven-joint arm with a tool along the hand's z.

    Works in buffers of its own: one thread at a time.
    """

    def __init__(
        self,
        tool_offset_m: float,
        origins: Sequence[tuple[Sequence[float], Sequence[float]]] = JOINT_ORIGINS,
        hand: tuple[Sequence[float], Sequence[float]] = HAND_ORIGIN,
    ) -> None:
        fixed = np.stack([_homogeneous(xyz, rotation_from_rpy(rpy)) for xyz, rpy in origins])
        # fixed_i Rz(q) = constant + cos(q) even + sin(q) odd: all local frames are one product with (1, cos q, sin q).
        basis = np.zeros((JOINTS, 3, 4, 4))
        basis[:, 0, :, 2:] = fixed[:, :, 2:]
        basis[:, 1, :, :2] = fixed[:, :, :2]
        basis[:, 2, :, 0] = fixed[:, :, 1]
        basis[:, 2, :, 1] = -fixed[:, :, 0]
        # Frames are kept transposed, one below the other: whatever is linear in them is then one product.
        self._basis = np.ascontiguousarray(basis.transpose(0, 1, 3, 2)).reshape(JOINTS, 3, 16)
        hand_in_link = _homogeneous(hand[0], rotation_from_rpy(hand[1]))
        tool = hand_in_link @ np.array([0.0, 0.0, tool_offset_m, 1.0])
        # The tool tip is one more point that the joints move, fixed in the last link like a sphere's centre.
        links = np.array([*(link for link, _, _ in LINK_SPHERES), JOINTS - 1])
        points = np.vstack([[[*centre, 1.0] for _, centre, _ in LINK_SPHERES], tool])
        gather = np.zeros((POINTS + 4, JOINTS, 4))
        gather[range(POINTS), links] = points
        gather[POINTS:, JOINTS - 1] = hand_in_link.T
        self._gather = gather.reshape(POINTS + 4, -1)
        self._radii = np.array([radius for _, _, radius in LINK_SPHERES])
        # A joint moves a point only when it lies at or before the point's link; the last block is the axes.
        self._moves = np.ones((POINTS + 1, 3, JOINTS))
        self._moves[:POINTS] = (np.arange(JOINTS)[None, :] <= links[:, None])[:, None, :]
        self._make_room()

    def _make_room(self) -> None:
        """Buffers and every view of them, made once: in the tick a new view costs as much as a small product."""
        self._terms = np.ones((JOINTS, 1, 3))
        self._cos, self._sin = self._terms[:, 0, 1], self._terms[:, 0, 2]
        self._local = np.empty((JOINTS, 1, 16))
        local = self._local.reshape(JOINTS, 4, 4)
        self._frames = np.empty((4 * JOINTS, 4))
        self._links = self._frames.reshape(JOINTS, 4, 4)
        self._first, self._first_local = self._links[0], local[0]
        self._chain = [(local[i], self._links[i - 1], self._links[i]) for i in range(1, JOINTS)]
        self._axes = self._links[:, 2, :3].T
        self._origins = self._links[:, 3, :3].T[:, None, :]
        self._lever = np.empty((18, JOINTS))
        lever = self._lever.reshape(6, 3, JOINTS)
        self._moments, self._moment_terms = lever[3:], (lever[3], lever[4], lever[5])
        self._twists = lever[:4].reshape(4, 3 * JOINTS)

    def _place(self, position: Floats) -> None:
        """Fill `_links` with the transposed poses of the links at joint `position` (7,) rad."""
        np.cos(position, out=self._cos)
        np.sin(position, out=self._sin)
        np.matmul(self._terms, self._basis, out=self._local)
        self._first[:] = self._first_local
        for local, parent, link in self._chain:
            np.dot(local, parent, link)

    def links(self, position: Floats) -> Floats:
        """(7, 4, 4) poses of right_l0 .. right_l6 in base at joint `position` (7,) rad."""
        self._place(position)
        links: Floats = self._links.transpose(0, 2, 1).copy()
        return links

    def hand(self, position: Floats) -> Floats:
        """(4, 4) pose of right_hand in base."""
        self._place(position)
        hand: Floats = self._gather.dot(self._frames)[POINTS:].T
        return hand

    def pose(self, position: Floats) -> ArmPose:
        """Everything the tick needs at joint `position` (7,) rad."""
        self._place(position)
        points = self._gather.dot(self._frames)
        # a x (p - o) is linear in (p, 1): three matrices a x, and the moments -(a x o), which the second half holds.
        np.dot(_CROSSES, self._axes, out=self._lever)
        np.multiply(self._moments, self._origins, out=self._moments)
        moment, second, third = self._moment_terms
        moment += second
        moment += third
        moves = np.empty((POINTS + 1, 3, JOINTS))
        np.dot(points[:POINTS], self._twists, moves[:POINTS].reshape(POINTS, -1))
        moves[POINTS] = self._axes
        moves *= self._moves
        return ArmPose(
            position,
            points[POINTS - 1, :3],
            points[POINTS : POINTS + 3, :3].T,
            moves[POINTS - 1 :].reshape(6, JOINTS),
            points[: POINTS - 1, :3],
            moves[: POINTS - 1],
            self._radii,
        )
