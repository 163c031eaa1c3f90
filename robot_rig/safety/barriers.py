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

import math

import numpy as np

from robot_rig.compiled import NUMBER, READ_1, READ_2, READ_3, TRUTH, WRITE_1, WRITE_2, compiled
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


@compiled(READ_2, READ_1, WRITE_1)
def _approach(rows: Floats, velocity: Floats, speeds: Floats) -> None:
    """Fill `speeds` (M,) with the speed of approach to each barrier under `velocity` (7,)."""
    for k in range(rows.shape[0]):
        speed = 0.0
        for j in range(JOINTS):
            speed += rows[k, j] * velocity[j]
        speeds[k] = speed


@compiled(READ_1, READ_1, READ_2, READ_2, READ_2, WRITE_2, WRITE_1)
def _measure_limits(
    position: Floats, tool: Floats, jacobian: Floats, joints: Floats, box: Floats, rows: Floats, distance: Floats
) -> None:
    """The limits `joints` (2, 7), whose rows never change, and the faces of the tool's `box` (2, 3)."""
    for j in range(JOINTS):
        distance[j] = joints[1, j] - position[j]
        distance[JOINTS + j] = position[j] - joints[0, j]
    for i in range(3):
        distance[14 + i] = box[1, i] - tool[i]
        distance[17 + i] = tool[i] - box[0, i]
        for j in range(JOINTS):
            rows[14 + i, j] = jacobian[i, j]
            rows[17 + i, j] = -jacobian[i, j]


@compiled(READ_2, READ_3, READ_1, NUMBER, WRITE_2, WRITE_1)
def _measure_table(spheres: Floats, moves: Floats, radii: Floats, floor: float, rows: Floats, distance: Floats) -> None:
    """The height of each sphere over the table."""
    for k in range(spheres.shape[0]):
        distance[20 + k] = spheres[k, 2] - (radii[k] + floor)
        for j in range(JOINTS):
            rows[20 + k, j] = -moves[k, 2, j]


@compiled(READ_1, READ_1, READ_1, READ_2, READ_2, READ_3, READ_1, READ_2, READ_2, NUMBER, WRITE_2, WRITE_1, WRITE_1)
def _measure(
    sent: Floats,
    position: Floats,
    tool: Floats,
    jacobian: Floats,
    spheres: Floats,
    moves: Floats,
    radii: Floats,
    joints: Floats,
    box: Floats,
    floor: float,
    rows: Floats,
    distance: Floats,
    before: Floats,
) -> None:
    """Every row but the keep-outs'; `before` (M,) is the approach of `sent` (7,) to the rows as they were."""
    _approach(rows, sent, before)
    _measure_limits(position, tool, jacobian, joints, box, rows, distance)
    _measure_table(spheres, moves, radii, floor, rows, distance)


@compiled(READ_2, READ_3, READ_1, READ_2, WRITE_2, WRITE_1)
def _measure_keep_out(
    points: Floats, moves: Floats, radii: Floats, box: Floats, rows: Floats, distance: Floats
) -> None:
    """Distance of each point (K, 3) to `box` (2, 3) along the shortest way; inside, out of the nearest face."""
    normal = np.empty(3)
    for k in range(points.shape[0]):
        gap, depth, nearest = 0.0, math.inf, 0
        for i in range(3):
            normal[i] = points[k, i] - min(max(points[k, i], box[0, i]), box[1, i])
            gap += normal[i] * normal[i]
            for side in range(2):
                face = abs(points[k, i] - box[side, i])
                if face < depth:
                    depth, nearest = face, 3 * side + i
        gap = math.sqrt(gap)
        distance[k] = (gap if gap > 0.0 else -depth) - radii[k]
        for i in range(3):
            if gap > 0.0:
                normal[i] /= gap
            else:
                normal[i] = 0.0 if i != nearest % 3 else -1.0 if nearest < 3 else 1.0
        for j in range(JOINTS):
            speed = 0.0
            for i in range(3):
                speed += normal[i] * moves[k, i, j]
            rows[k, j] = -speed


@compiled(READ_2, READ_1, READ_1, returns=TRUTH)
def _exceeds(rows: Floats, velocity: Floats, most: Floats) -> bool:
    """Whether `velocity` (7,) approaches any barrier faster than `most` (M,); a NaN does."""
    for k in range(rows.shape[0]):
        speed = 0.0
        for j in range(JOINTS):
            speed += rows[k, j] * velocity[j]
        if not speed <= most[k]:
            return True
    return False


@compiled(READ_2, READ_1, READ_1, READ_1, READ_1, READ_1, READ_1, NUMBER, NUMBER, NUMBER, WRITE_1, returns=TRUTH)
def _allow(
    rows: Floats,
    distance: Floats,
    before: Floats,
    sent: Floats,
    ramp: Floats,
    under_way: Floats,
    wish: Floats,
    delay: float,
    stop_time: float,
    period: float,
    allowed: Floats,
) -> bool:
    """`Barriers.allowed` row by row; `before` (M,) m/s as `_measure` left it, `ramp` (7,) 1/s."""
    half, horizon = 0.5 * stop_time, delay + stop_time
    wanted = 0.0
    for j in range(JOINTS):
        wanted += wish[j] * wish[j]
    for k in range(rows.shape[0]):
        coming, size, approach = 0.0, 0.0, 0.0
        for j in range(JOINTS):
            coming += rows[k, j] * under_way[j]
            size += rows[k, j] * rows[k, j]
            approach += rows[k, j] * sent[j]
        room = distance[k] - max(approach - before[k], 0.0) * 0.5 * horizon * horizon / period
        if room < 0.0:
            allowed[k] = -min(-room / (delay + half), RETURN_SHARE * math.sqrt(size * wanted))
            continue
        left = max(room - max(coming, 0.0), 0.0)
        allowed[k] = min(room / (delay + half), left / (period + half))
        if k < 2 * JOINTS:
            allowed[k] = min(allowed[k], room * ramp[k % JOINTS])
    return _exceeds(rows, wish, allowed)


@compiled(READ_2, READ_1, READ_1, NUMBER, returns=TRUTH)
def _overshoots(rows: Floats, distance: Floats, velocity: Floats, seconds: float) -> bool:
    """Whether `seconds` of `velocity` (7,) lead beyond a barrier by more than its slack."""
    for k in range(rows.shape[0]):
        speed = 0.0
        for j in range(JOINTS):
            speed += rows[k, j] * velocity[j]
        slack = JOINT_SLACK_RAD if k < 2 * JOINTS else SPACE_SLACK_M
        if speed * seconds > max(distance[k], 0.0) + slack:
            return True
    return False


class Barriers:
    """The table for one arm; `rows` (M, 7) and `distance` (M,) are overwritten by each `measure`."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._joints = np.stack([limits.lower, limits.upper])
        self._box = np.stack([limits.box_low, limits.box_high])
        count = 20 + SPHERES + len(limits.keep_outs) * (SPHERES + 1)
        self.rows: Floats = np.zeros((count, JOINTS))
        self.rows[:JOINTS] = np.eye(JOINTS)
        self.rows[JOINTS : 2 * JOINTS] = -np.eye(JOINTS)
        self.distance: Floats = np.zeros(count)
        self._ramp = limits.joint_speed / max(limits.soft_width, 1e-6)
        self._before: Floats = np.zeros(count)
        self._sent: Floats = np.zeros(JOINTS)

    def measure(self, pose: ArmPose, velocity: Floats) -> None:
        """Take rows and distances from the measured `pose`.

        The change of the approaches in one period under the last sent `velocity` (7,) rad/s is the bend: by the period
        in m/s^2.
        """
        self._sent = velocity
        _measure(
            velocity,
            pose.position,
            pose.tool,
            pose.jacobian,
            pose.spheres,
            pose.sphere_jacobians,
            pose.radii,
            self._joints,
            self._box,
            self._limits.floor,
            self.rows,
            self.distance,
            self._before,
        )
        if len(self._limits.keep_outs):
            self._measure_keep_outs(pose)

    def _measure_keep_outs(self, pose: ArmPose) -> None:
        points = np.vstack([pose.spheres, pose.tool])
        moves = np.concatenate([pose.sphere_jacobians, pose.jacobian[None, :3]])
        radii = np.append(pose.radii, TIP_RADIUS_M)
        for k, box in enumerate(self._limits.keep_outs):
            first = KEEP_OUT_ROWS.start + k * (SPHERES + 1)
            here = slice(first, first + SPHERES + 1)
            _measure_keep_out(points, moves, radii, box, self.rows[here], self.distance[here])

    def allowed(self, delay: float, stop_time: float, under_way: Floats, wish: Floats) -> tuple[Floats, bool]:
        """(M,) greatest speed of approach to each barrier; negative beyond it, where motion must lessen the violation.

        `delay` s is tau with the age of the measured position, `stop_time` s the T of the fastest velocity considered,
        `under_way` (7,) rad the motion sent within `delay`. Inside the soft ring a joint also slows in proportion to
        what is left of the ring. The way back that is asked for is never more than a share of the motion that
        `wish` (7,) rad/s wants anyway: a barrier does not move an arm that shall stand. Second, whether `wish` is
        faster somewhere; a NaN is.
        """
        allowed: Floats = np.empty(len(self.distance))
        exceeded = _allow(
            self.rows,
            self.distance,
            self._before,
            self._sent,
            self._ramp,
            under_way,
            wish,
            delay,
            stop_time,
            self._limits.period,
            allowed,
        )
        return allowed, exceeded

    def overshoots(self, velocity: Floats, delay: float, stop_time: float) -> bool:
        """Whether an even stop from `velocity` (7,) rad/s would end beyond a barrier by more than its slack."""
        return bool(_overshoots(self.rows, self.distance, velocity, delay + 0.5 * stop_time))
