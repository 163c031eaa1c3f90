"""Whether the arm may go straight through joint space to a posture that a program asks for. Pure.

Asked by `loops.arm_loop` before the arm sets off, and by `calibration.poses`, who plans such postures. The gate keeps
every motion off the walls too, but by bending and braking it: what is judged here keeps clear of them, and is seen in
advance. The arm may set off as far from the way's beginning as it counts as having arrived at one.

A way is looked at in places so close together that between two of them no point of the arm goes further than `STEP_M`,
and in each place every point keeps the margin. So all of it keeps the margin less half a step, not only those places.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from robot_rig.arrays import read_only
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import LINK_SPHERES, ArmPose, Kinematics
from robot_rig.safety.barriers import TIP_RADIUS_M
from robot_rig.safety.limits import Limits

STEP_M = 0.01
MARGIN_M = STEP_M / 2
"""What every point keeps from box, table and keep-outs at the places that are looked at; nothing is left between."""

FREE: tuple[str, ...] = ()
TINY = 1e-12

SENTENCES = {
    "joint_limit": "a joint would come near its limit",
    "box": "the tool would leave its box, or come close to a wall of it",
    "table": "a link would come close to the table",
    "keep_out": "a link or the tool would come close to a keep-out box",
}


@dataclass(frozen=True, slots=True)
class Way:
    """From joint position `start` straight to `goal`, each (7,) rad, all of it looked at."""

    start: Floats
    goal: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", read_only("Way.start", self.start, (JOINTS,), np.float64))
        object.__setattr__(self, "goal", read_only("Way.goal", self.goal, (JOINTS,), np.float64))


class Ways:
    """Judges ways of one arm under `limits`, in whose places all points keep `margin_m` m from what is forbidden."""

    def __init__(self, limits: Limits, kinematics: Kinematics, margin_m: float = MARGIN_M) -> None:
        self._limits, self._kinematics, self._margin = limits, kinematics, margin_m
        self._reach = _reach(kinematics)

    def straight(self, start: Floats, goal: Floats) -> Way:
        """The way from `start` to `goal`, each (7,) rad. Raises UserError where the arm may not go it."""
        if refused := self.refuse(start, goal):
            raise UserError(
                f"the straight way to that posture is not free: {SENTENCES[refused[0]]}",
                next_step="ask for another posture, or bring the arm to where a free way begins",
            )
        return Way(start, goal)

    def refuse(self, start: Floats, goal: Floats) -> tuple[str, ...]:
        """The code of what forbids the straight way from `start` to `goal`, each (7,) rad; empty where it is free.

        The goal lies outside the joints' soft rings and the start inside the limits, so that all between is in them.
        A NaN is refused.
        """
        limits = self._limits
        low, high = limits.lower + limits.soft_width, limits.upper - limits.soft_width
        if not ((start >= limits.lower) & (start <= limits.upper) & (goal >= low) & (goal <= high)).all():
            return ("joint_limit",)
        furthest = float(np.abs(goal - start) @ self._reach)
        for share in np.linspace(1.0, 0.0, math.ceil(furthest / STEP_M) + 2):
            if refused := self.refuse_place(start + share * (goal - start)):
                return refused
        return FREE

    def slowly(self, velocity: Floats, pose: ArmPose) -> Floats:
        """`velocity` (7,) rad/s so slowed at `pose` that no sphere of a link is faster than the slow tool.

        A way that hardly moves the tool may swing the elbow, and the gate's limit is the tool's.
        """
        fastest = float(np.linalg.norm(pose.sphere_jacobians @ velocity, axis=1).max())
        return velocity * min(1.0, self._limits.slow_speed / max(fastest, TINY))

    def refuse_place(self, position: Floats) -> tuple[str, ...]:
        """The code of what the arm is too close to with the joints at `position` (7,) rad; empty where it is not."""
        limits, margin = self._limits, self._margin
        pose = self._kinematics.pose(position)
        # Each written so that a NaN is refused.
        if not min((pose.tool - limits.box_low).min(), (limits.box_high - pose.tool).min()) >= margin:
            return ("box",)
        if not (pose.spheres[:, 2] - pose.radii).min() - limits.floor >= margin:
            return ("table",)
        for box in limits.keep_outs:
            if not _room_before(pose, box) >= margin:
                return ("keep_out",)
        return FREE


def _room_before(pose: ArmPose, box: Floats) -> float:
    """How far the nearest sphere or the tool tip is from the keep-out `box` (2, 3) m, at most; negative inside."""
    points = np.vstack([pose.spheres, pose.tool])
    outside = np.maximum(np.maximum(box[0] - points, points - box[1]), 0.0)
    return float((np.linalg.norm(outside, axis=1) - np.append(pose.radii, TIP_RADIUS_M)).min())


def _reach(kinematics: Kinematics) -> Floats:
    """(7,) m: no sphere's centre nor the tool tip is ever further than this from the origin of each joint it hangs on.

    Distances along the chain do not change with the joints, so their sum is a bound in every position.
    """
    still = np.zeros(JOINTS)
    origins, pose = kinematics.links(still)[:, :3, 3], kinematics.pose(still)
    along = np.append(0.0, np.cumsum(np.linalg.norm(np.diff(origins, axis=0), axis=1)))
    reach: Floats = np.zeros(JOINTS)
    links = [*(link for link, _, _ in LINK_SPHERES), JOINTS - 1]
    for link, point in zip(links, np.vstack([pose.spheres, pose.tool]), strict=True):
        beyond = along[link] + float(np.linalg.norm(point - origins[link]))
        reach[: link + 1] = np.maximum(reach[: link + 1], beyond - along[: link + 1])
    return reach
