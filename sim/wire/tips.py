"""The frames that the robot reports and solves for: hand, gripper tip and hand camera. Called by `sim.wire`.

`Kinematics` knows one tool on the hand; a tip here may be fixed in any link, because the camera sits before the last
joint.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from robot_rig.config import Config
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.kinematics import HAND_ORIGIN, Kinematics, rotation_from_rpy
from sim.model import CAMERA_LINK, CAMERA_ORIGIN, HAND_CAMERA

HAND, CAMERA, GRIPPER_TIP = "right_hand", HAND_CAMERA, "right_gripper_tip"


class TipPose(NamedTuple):
    """position (3,) m and rotation (3, 3) in base; jacobian (6, 7), rows vx vy vz wx wy wz."""

    position: Floats
    rotation: Floats
    jacobian: Floats


@dataclass(frozen=True, slots=True)
class Tip:
    """A frame fixed in link right_l<link>; `placement` (4, 4) is its pose there."""

    name: str
    link: int
    placement: Floats

    def pose(self, links: Floats) -> TipPose:
        """Where it is, given the poses `links` (7, 4, 4) of all links in base."""
        frame = links[self.link] @ self.placement
        jacobian = np.zeros((6, JOINTS))
        moving = slice(0, self.link + 1)
        axes, levers = links[moving, :3, 2], frame[:3, 3] - links[moving, :3, 3]
        jacobian[:3, moving] = np.cross(axes, levers).T
        jacobian[3:, moving] = axes.T
        return TipPose(frame[:3, 3], frame[:3, :3], jacobian)


def _placed(xyz: tuple[float, float, float], rpy: tuple[float, float, float]) -> Floats:
    placement = np.eye(4)
    placement[:3, :3], placement[:3, 3] = rotation_from_rpy(rpy), xyz
    return placement


class TipFrames:
    """All tips of the robot that `config` describes. `active` is the one that endpoint_state reports."""

    def __init__(self, config: Config) -> None:
        self._kinematics = Kinematics(config.control.tool_offset_m)
        hand = _placed(*HAND_ORIGIN)
        last = JOINTS - 1
        tips = [Tip(HAND, last, hand), Tip(CAMERA, CAMERA_LINK, _placed(*CAMERA_ORIGIN))]
        self.active = HAND
        if config.tool.kind != "none":
            self.active = GRIPPER_TIP
            offset = _placed((0.0, 0.0, config.control.tool_offset_m), (0.0, 0.0, 0.0))
            tips.append(Tip(GRIPPER_TIP, last, hand @ offset))
        self.tips: Mapping[str, Tip] = {tip.name: tip for tip in tips}

    def pose(self, name: str, position: Floats) -> TipPose:
        """Tip `name` at joint `position` (7,) rad. Raises KeyError for a tip that the robot does not have."""
        return self.tips[name].pose(self._kinematics.links(position))

    def poses(self, position: Floats) -> dict[str, TipPose]:
        """Every tip at joint `position` (7,) rad."""
        links = self._kinematics.links(position)
        return {name: tip.pose(links) for name, tip in self.tips.items()}


def rotation_vector(rotation: Floats) -> Floats:
    """(3,) axis times angle in [0, pi] of `rotation` (3, 3); right at half a turn too."""
    w, *xyz = quaternion(rotation)
    sine = float(np.linalg.norm(xyz))
    if sine < 1e-12:
        return np.zeros(3)
    return np.array(xyz) * (2.0 * math.atan2(sine, w) / sine)


def quaternion(rotation: Floats) -> tuple[float, float, float, float]:
    """(w, x, y, z) of `rotation` (3, 3), with w >= 0."""
    # The largest of the four squares is divided by, so nothing is ever divided by a small number.
    (xx, xy, xz), (yx, yy, yz), (zx, zy, zz) = rotation.tolist()
    candidates = (
        (1 + xx + yy + zz, zy - yz, xz - zx, yx - xy),
        (zy - yz, 1 + xx - yy - zz, xy + yx, xz + zx),
        (xz - zx, xy + yx, 1 - xx + yy - zz, yz + zy),
        (yx - xy, xz + zx, yz + zy, 1 - xx - yy + zz),
    )
    best = max(range(4), key=lambda index: candidates[index][index])
    scale = math.copysign(1.0 / math.hypot(*candidates[best]), candidates[best][0])
    w, x, y, z = (value * scale for value in candidates[best])
    return w, x, y, z


def rotation_of(w: float, x: float, y: float, z: float) -> Floats:
    """(3, 3) rotation of a quaternion of any length but zero. Raises ValueError for zero or NaN."""
    length = math.hypot(w, x, y, z)
    if not (math.isfinite(length) and length > 1e-9):
        raise ValueError("a quaternion of length zero turns nothing")
    w, x, y, z = w / length, x / length, y / length, z / length
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
            [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
            [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
        ]
    )
