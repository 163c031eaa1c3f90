"""Where the Sawyer's tool and links are, and how joint speeds move them: numpy only.

Called by control (set-point servo), safety (box, table, keep-outs) and loops. The numbers are the published URDF table
(RethinkRobotics/sawyer_robot d1ef3d0); a real arm carries its own calibrated ones, so drivers may build `Kinematics`
from another table of the same form. Frame of everything: `base`. Lengths m, angles rad.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from robot_rig.datatypes import JOINTS, Floats, Ints

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


_CROSS = np.array(
    [[0, 0, 0, 0, 0, -1, 0, 1, 0], [0, 0, 1, 0, 0, 0, -1, 0, 0], [0, -1, 0, 1, 0, 0, 0, 0, 0]], dtype=float
)
"""(3, 9): `a @ _CROSS` is the matrix of the cross product a x, flattened; one product serves all joints and points."""


@dataclass(frozen=True, slots=True)
class ArmPose:
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
        fixed = np.stack([_homogeneous(xyz, rotation_from_rpy(rpy)) for xyz, rpy in origins])
        # fixed_i Rz(q) = constant + cos(q) even + sin(q) odd: all local frames are one product with (1, cos q, sin q).
        basis = np.zeros((JOINTS, 3, 4, 4))
        basis[:, 0, :, 2:] = fixed[:, :, 2:]
        basis[:, 1, :, :2] = fixed[:, :, :2]
        basis[:, 2, :, 0] = fixed[:, :, 1]
        basis[:, 2, :, 1] = -fixed[:, :, 0]
        self._basis = basis.reshape(JOINTS, 3, 16)
        self._hand = _homogeneous(hand[0], rotation_from_rpy(hand[1]))
        tool = self._hand @ np.array([0.0, 0.0, tool_offset_m, 1.0])
        # The tool tip is one more point that the joints move, fixed in the last link like a sphere's centre.
        self._point_links: Ints = np.array([*(link for link, _, _ in LINK_SPHERES), JOINTS - 1])
        self._points = np.vstack([[[*centre, 1.0] for _, centre, _ in LINK_SPHERES], tool])[:, :, None]
        self._radii = np.array([radius for _, _, radius in LINK_SPHERES])
        # A joint moves a point only when it lies at or before the point's link.
        self._moves = (np.arange(JOINTS)[None, :] <= self._point_links[:, None])[:, :, None].astype(float)

    def links(self, position: Floats) -> Floats:
        """(7, 4, 4) poses of right_l0 .. right_l6 in base at joint `position` (7,) rad."""
        terms = np.ones((JOINTS, 1, 3))
        np.cos(position, out=terms[:, 0, 1])
        np.sin(position, out=terms[:, 0, 2])
        links: Floats = np.matmul(terms, self._basis).reshape(JOINTS, 4, 4)
        for parent, link in pairwise(links):
            link[:] = parent.dot(link)
        return links

    def hand(self, position: Floats) -> Floats:
        """(4, 4) pose of right_hand in base."""
        hand: Floats = self.links(position)[-1] @ self._hand
        return hand

    def pose(self, position: Floats) -> ArmPose:
        """Everything the tick needs at joint `position` (7,) rad."""
        links = self.links(position)
        origins, axes = links[:, :3, 3], links[:, :3, 2]
        points = np.matmul(links[self._point_links, :3], self._points)[:, :, 0]
        cross = (axes @ _CROSS).reshape(JOINTS, 3, 3)
        arms = (points @ cross.reshape(-1, 3).T).reshape(-1, JOINTS, 3)
        arms -= np.matmul(cross, origins[:, :, None])[:, :, 0]
        arms *= self._moves
        jacobian = np.empty((6, JOINTS))
        jacobian[:3] = arms[-1].T
        jacobian[3:] = axes.T
        return ArmPose(
            position=position,
            tool=points[-1],
            rotation=links[-1, :3, :3] @ self._hand[:3, :3],
            jacobian=jacobian,
            spheres=points[:-1],
            sphere_jacobians=arms[:-1].transpose(0, 2, 1),
            radii=self._radii,
        )
