"""Everything the arm may not cross, as rows of one small table. Called by the gate once a tick.

Row k says: `rows[k] @ velocity` is the speed of approach to barrier k and `distance[k]` is how far it is, both in rad
for a joint's limit and in m for the tool's box, the table and the keep-outs.

A speed of approach v is allowed when the arm can stop in time: v tau + v^2 / 2a <= d, with tau the identified delay
plus the age of the measured position. The gate brakes by shrinking the whole velocity evenly, so that any speed v
ends after the same time T = max_i |u_i| / a_i and v^2 / 2a = v T / 2: the law is linear, v (tau + T / 2) <= d.
Shrinking keeps every row's law at once, which no braking along one barrier could promise.

With v tau the law takes what is still under way to be what v would send; while the arm brakes it is more. So the motion
already sent within the delay is also taken off the distance: v T / 2 <= d - (what it approaches by). And joints that
turn evenly move the tool on an arc: what its bend adds towards a barrier until the arm stands is taken off as well.
"""

from __future__ import annotations

import numpy as np

from robot_rig.datatypes import JOINTS, Floats
from robot_rig.kinematics import LINK_SPHERES, ArmPose
from robot_rig.safety.limits import Limits

SPHERES = len(LINK_SPHERES)
JOINT_ROWS = slice(0, 2 * JOINTS)
BOX_ROWS = slice(14, 20)
TABLE_ROWS = slice(20, 20 + SPHERES)
KEEP_OUT_ROWS = slice(20 + SPHERES, None)

TIP_RADIUS_M = 0.02
"""The fingers around the tool tip, as far as keep-out boxes are concerned."""

RETURN_SHARE = 0.2
"""How much of a motion beyond a barrier must lead back, as a share of the fastest approach of that joint speed."""

SPACE_SLACK_M = 0.004
JOINT_SLACK_RAD = 0.02
"""By how much a predicted stop may overshoot before it is a fault and not rounding."""


class Barriers:
    """The table for one arm; `rows` (M, 7) and `distance` (M,) are overwritten by each `measure`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._boxes = limits.keep_outs
        count = 20 + SPHERES + len(self._boxes) * (SPHERES + 1)
        self.rows: Floats = np.zeros((count, JOINTS))
        self.rows[:JOINTS] = np.eye(JOINTS)
        self.rows[JOINTS : 2 * JOINTS] = -np.eye(JOINTS)
        self.distance: Floats = np.zeros(count)
        self.slack: Floats = np.full(count, SPACE_SLACK_M)
        self.slack[JOINT_ROWS] = JOINT_SLACK_RAD
        self._ramp = np.tile(limits.joint_speed / max(limits.soft_width, 1e-6), 2)
        self._make_room(count)

    def _make_room(self, count: int) -> None:
        """Buffers and the views of every part of the table, made once: a new view costs as much as a small product."""
        rows, distance = self.rows, self.distance
        self._faces_up, self._faces_down, self._falls = rows[14:17], rows[17:20], rows[TABLE_ROWS]
        self._joints_up, self._joints_down = distance[:7], distance[7:14]
        self._below_top, self._above_bottom, self._height = distance[14:17], distance[17:20], distance[TABLE_ROWS]
        self._floor: Floats = np.empty(SPHERES)
        self._radii: Floats | None = None
        self._bend: Floats = np.zeros(count)
        self._room: Floats = np.zeros(count)
        self._left: Floats = np.zeros(count)
        self._reduced: Floats = np.zeros(count)
        self._joint_room = self._room[JOINT_ROWS]
        self._run_out: Floats = np.zeros(count)

    def measure(self, pose: ArmPose, velocity: Floats) -> None:
        """Take rows and distances from the measured `pose`.

        The change of the approaches in one period under the last sent `velocity` (7,) rad/s is the bend: by the period
        in m/s^2.
        """
        limits, bend = self._limits, self._bend
        before = self.rows.dot(velocity)
        np.subtract(limits.upper, pose.position, out=self._joints_up)
        np.subtract(pose.position, limits.lower, out=self._joints_down)
        linear = pose.jacobian[:3]
        self._faces_up[:] = linear
        np.negative(linear, out=self._faces_down)
        np.subtract(limits.box_high, pose.tool, out=self._below_top)
        np.subtract(pose.tool, limits.box_low, out=self._above_bottom)
        np.negative(pose.sphere_jacobians[:, 2], out=self._falls)
        if pose.radii is not self._radii:
            self._radii = pose.radii
            np.add(pose.radii, limits.floor, out=self._floor)
        np.subtract(pose.spheres[:, 2], self._floor, out=self._height)
        if len(self._boxes):
            self._measure_keep_outs(pose)
        np.subtract(self.rows.dot(velocity), before, out=bend)
        np.maximum(bend, 0.0, out=bend)

    def _measure_keep_outs(self, pose: ArmPose) -> None:
        """Distance of each sphere and the tip to each box along the shortest way; inside, out of the nearest face."""
        centres = np.vstack([pose.spheres, pose.tool])
        moves = np.concatenate([pose.sphere_jacobians, pose.jacobian[None, :3]])
        radii = np.append(pose.radii, TIP_RADIUS_M)
        for k, (low, high) in enumerate(self._boxes):
            away = centres - np.minimum(np.maximum(centres, low), high)
            gap = np.sqrt((away * away).sum(axis=1))
            faces = np.concatenate([centres - low, high - centres], axis=1)
            nearest = faces.argmin(axis=1)
            face_normals = np.eye(3)[nearest % 3] * np.where(nearest < 3, -1.0, 1.0)[:, None]
            inside = gap == 0.0
            normals = np.where(inside[:, None], face_normals, away / np.where(inside, 1.0, gap)[:, None])
            first = KEEP_OUT_ROWS.start + k * (SPHERES + 1)
            here = slice(first, first + SPHERES + 1)
            self.rows[here] = -np.einsum("ki,kij->kj", normals, moves)
            self.distance[here] = np.where(inside, -faces.min(axis=1), gap) - radii

    def allowed(self, delay: float, stop_time: float, under_way: Floats, wish: Floats) -> Floats:
        """(M,) greatest speed of approach to each barrier; negative beyond it, where motion must lessen the violation.

        `delay` s is tau with the age of the measured position, `stop_time` s the T of the fastest velocity considered,
        `under_way` (7,) rad the motion sent within `delay`. Inside the soft ring a joint also slows in proportion to
        what is left of the ring. The way back that is asked for is never more than a share of the motion that
        `wish` (7,) rad/s wants anyway: a barrier does not move an arm that shall stand.
        """
        horizon, half = delay + stop_time, 0.5 * stop_time
        distance, room, left = self._reduced, self._room, self._left
        np.multiply(self._bend, 0.5 * horizon * horizon / self._limits.period, out=distance)
        np.subtract(self.distance, distance, out=distance)
        np.maximum(distance, 0.0, out=room)
        self.rows.dot(under_way, left)
        np.maximum(left, 0.0, out=left)
        np.subtract(room, left, out=left)
        np.maximum(left, 0.0, out=left)
        left /= self._limits.period + half
        allowed: Floats = room / (delay + half)
        np.minimum(allowed, left, out=allowed)
        joints, joint_room = allowed[JOINT_ROWS], self._joint_room
        joint_room *= self._ramp
        np.minimum(joints, joint_room, out=joints)
        beyond = distance < 0.0
        if np.count_nonzero(beyond):
            rows = self.rows[beyond]
            most = RETURN_SHARE * np.sqrt((rows * rows).sum(axis=1) * (wish @ wish))
            allowed[beyond] = -np.minimum(-distance[beyond] / (delay + half), most)
        return allowed

    def overshoots(self, velocity: Floats, delay: float, stop_time: float) -> bool:
        """Whether an even stop from `velocity` (7,) rad/s would end beyond a barrier by more than its slack."""
        run_out, room = self._run_out, self._room
        self.rows.dot(velocity, run_out)
        run_out *= delay + 0.5 * stop_time
        np.maximum(self.distance, 0.0, out=room)
        room += self.slack
        return bool(np.count_nonzero(run_out > room))
