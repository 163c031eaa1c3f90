"""The guard's stages as small functions: each returns a velocity (or nothing) and its reasons. Called by `gate` only.

Velocities are joint velocities (7,) rad/s. An empty tuple of reasons means that the stage changed nothing. The stages:
1 mode and lease, 2 form, 3 age, 4 joint limits, 5 space, 6 speed, 7 slew, 8 every bound once more.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from robot_rig.compiled import NUMBER, READ_1, READ_2, compiled
from robot_rig.datatypes import Action, ArmState, Floats, Mode
from robot_rig.kinematics import ArmPose, settle
from robot_rig.safety.barriers import BOX_ROWS, JOINT_ROWS, KEEP_OUT_ROWS, TABLE_ROWS, Barriers
from robot_rig.safety.limits import SLOW_CONDITION, STOP_CONDITION, Limits

Codes = tuple[str, ...]
Shaped = tuple[Floats, Codes]

CLOCK_SLACK_S = 0.02
"""How far ahead a mapped stamp may lie by jitter alone."""

IMPOSSIBLE_RAD_S = 100.0
"""A wish beyond this is a broken controller, not haste."""

SMALLEST_NORMAL = float(np.finfo(np.float32).tiny)
PROJECTION_DAMPING = 1e-6
ROUNDS = 6
PUSH = 1e-5
"""A projection aims this far (m/s, rad/s) inside, so that correcting one row does not leave a trace on another."""

ROUNDING = 1e-9

_CLOSED: dict[Mode, Codes] = {Mode.DISABLED: ("disabled",), Mode.HOLD: ("hold",), Mode.FAULT: ("fault",)}


def refuse_mode(mode: Mode) -> Codes:
    """Stage 1: only ACTIVE and HOMING move."""
    return _CLOSED.get(mode, ())


def refuse_form(action: Action, action_dim: int, newest: tuple[int, float]) -> Codes:
    """Stage 2: plain numbers in [-1, 1], the right length, and not older than the `newest` (seq, stamp).

    NaN, infinite, huge and denormal values are refused, never clipped: they say that the sender is broken.
    """
    values = action.value.tolist()
    if len(values) != action_dim or not all(
        abs(x) <= 1.0 + 1e-6 and (x == 0.0 or abs(x) >= SMALLEST_NORMAL) for x in values
    ):
        return ("action_garbled",)
    seq, stamp = newest
    repeated = action.seq == seq and action.stamp == stamp
    return () if repeated or action.seq > seq else ("out_of_order",)


def refuse_age(now: float, stamp: float, limit: float, stale: str) -> Codes:
    """Stage 3: a stamp within `limit` s of `now` passes; an older one is `stale`, a future one `clock_ahead`."""
    age = now - stamp
    if -CLOCK_SLACK_S <= age <= limit:
        return ()
    return ("clock_ahead",) if age < 0.0 else (stale,)


def state_is_finite(state: ArmState) -> bool:
    """Stage 2 for the arm's report: positions and velocities that are numbers."""
    return math.isfinite(sum(state.position.tolist())) and math.isfinite(sum(state.velocity.tolist()))


def wish_is_sane(wish: Floats) -> bool:
    """Stage 2 for the controller's answer: shape (7,), finite and physically conceivable."""
    if wish.shape != (7,):
        return False
    speeds = wish.tolist()
    # The sum first: the greatest of numbers with a NaN among them says nothing.
    return math.isfinite(sum(speeds)) and max(map(abs, speeds)) <= IMPOSSIBLE_RAD_S


@compiled(READ_2, READ_2, returns=NUMBER)
def _distance(one: Floats, other: Floats) -> float:
    """The Frobenius norm of the difference of two matrices."""
    square = 0.0
    for i in range(one.shape[0]):
        for j in range(one.shape[1]):
            square += (one[i, j] - other[i, j]) ** 2
    return math.sqrt(square)


def _extreme_singular_values(jacobian: Floats) -> tuple[float, float]:
    smallest, *_, largest = np.linalg.eigvalsh(jacobian.dot(jacobian.T)).tolist()
    return math.sqrt(max(smallest, 0.0)), math.sqrt(largest)


class ConditionWatch:
    """The condition number where it matters to stage 6, and a bound on it where it provably does not.

    No singular value changes by more than the Frobenius norm of the matrix's change (Weyl), so the values computed last
    vouch for a Jacobian near by; only when they no longer can, they are computed anew.
    """

    def __init__(self) -> None:
        self._jacobian: Floats = np.zeros((6, 7))
        self._smallest, self._largest = 0.0, math.inf

    def condition(self, jacobian: Floats) -> float:
        """The condition number of `jacobian` (6, 7), or `SLOW_CONDITION` where it is known to be at most that."""
        moved = _distance(jacobian, self._jacobian) + ROUNDING
        if self._largest + moved <= SLOW_CONDITION * (self._smallest - moved):
            return SLOW_CONDITION
        self._jacobian = jacobian.copy()
        self._smallest, self._largest = _extreme_singular_values(jacobian)
        return self._largest / self._smallest if self._smallest > 1e-6 else math.inf


def brake_joints(velocity: Floats, allowed: Floats) -> Shaped:
    """Stage 4: no joint approaches its limit faster than `allowed` (M,)."""
    up, down = allowed[:7], allowed[7:14]
    braked = np.minimum(np.maximum(velocity, -down), up)
    return (velocity, ()) if not np.count_nonzero(braked != velocity) else (braked, ("joint_limit",))


def keep_inside(velocity: Floats, pose: ArmPose, barriers: Barriers, allowed: Floats) -> Shaped:
    """Stage 5: remove what approaches a barrier faster than `allowed` (M,), and as little else as can be.

    At a face of the tool's box exactly the outward component of the tool's velocity goes, its orientation untouched; at
    the other barriers the smallest change of joint velocity that settles all of them together. What neither settles
    shrinks the whole velocity.
    """
    over = barriers.rows.dot(velocity) - allowed
    if not np.count_nonzero(over > ROUNDING):
        return velocity, ()
    reasons = _space_codes(over > ROUNDING)
    faces = np.maximum(over[BOX_ROWS], 0.0)
    outward = faces[:3] - faces[3:]
    if np.count_nonzero(outward):
        outward += PUSH * np.sign(outward)
        wanted, velocity = pose.jacobian.dot(velocity), velocity.copy()
        wanted[:3] -= outward
        settle(pose.jacobian, wanted, PROJECTION_DAMPING, velocity)
    start, near = velocity, np.zeros(len(over), dtype=bool)
    for _ in range(ROUNDS):
        over = barriers.rows.dot(velocity) - allowed
        late = over > ROUNDING
        if not np.count_nonzero(late):
            return velocity, reasons
        near |= late
        rows = barriers.rows[near]
        square = rows @ rows.T
        square.flat[:: len(rows) + 1] += PROJECTION_DAMPING
        velocity = start - rows.T @ np.linalg.solve(square, rows @ start - allowed[near] + PUSH)
    return velocity * _share_within(barriers.rows @ velocity, allowed), reasons


def _space_codes(over: NDArray[np.bool_]) -> Codes:
    rows = (("joint_limit", JOINT_ROWS), ("box", BOX_ROWS), ("table", TABLE_ROWS), ("keep_out", KEEP_OUT_ROWS))
    return tuple(code for code, here in rows if over[here].any())


def _share_within(approach: Floats, allowed: Floats) -> float:
    """The greatest share of a velocity that respects `allowed`, given its `approach` (M,) to each barrier."""
    fast = approach > allowed
    return min(1.0, max(0.0, float((allowed[fast] / approach[fast]).min()))) if fast.any() else 1.0


def limit_speed(velocity: Floats, jacobian: Floats, limits: Limits, cap: float) -> Shaped:
    """Stage 6: scale the whole vector, so that the path does not bend: joints in rating, tool tip within `cap` m/s."""
    reasons: Codes = ()
    pace = seconds(velocity, limits.joint_speed)
    if pace > 1.0:
        velocity, reasons = velocity / pace, ("joint_speed",)
    speed = tool_speed(jacobian, velocity)
    if speed > cap:
        velocity, reasons = velocity * (cap / speed), (*reasons, "tool_speed")
    return velocity, reasons


def slow_near_singularity(velocity: Floats, condition: float) -> Shaped:
    """Stage 6, ACTIVE only: full speed up to condition 17, none from 30 on."""
    if condition <= SLOW_CONDITION:
        return velocity, ()
    if condition >= STOP_CONDITION:
        return np.zeros_like(velocity), ("singular",)
    return velocity * ((STOP_CONDITION - condition) / (STOP_CONDITION - SLOW_CONDITION)), ("near_singular",)


def slew(last: Floats, target: Floats, step: Floats) -> Shaped:
    """Stage 7: from the last sent velocity towards `target`, no joint by more than `step` (7,) rad/s.

    The whole change is scaled, so the result lies between two velocities that respect convex bounds, and so does it.
    """
    change = target - last
    share = slew_share(change, step)
    return (target, ()) if share == 1.0 else (last + share * change, ("slew",))


def full_brake(last: Floats, step: Floats) -> Floats:
    """The last velocity shrunk evenly as far as `step` (7,) rad/s permits: the fallback that every barrier respects."""
    return last * (1.0 - slew_share(last, step))


def brake_if_needed(
    velocity: Floats, brake: Floats, barriers: Barriers, allowed: Floats, jacobian: Floats, cap: float
) -> Shaped:
    """Stage 7, second half: where slewing is too slow for a barrier or the cap, mix in as much `brake` as it takes."""
    approach, braked = barriers.rows @ velocity, barriers.rows @ brake
    # Beyond a barrier the way back must first be slewed to; until then it is enough not to go deeper.
    over = approach - np.maximum(allowed, 0.0)
    share = 0.0
    late = over > ROUNDING
    if late.any():
        gain = np.maximum(approach[late] - braked[late], 1e-300)
        share = float((over[late] / gain).max())
    fast, slow = tool_speed(jacobian, velocity), tool_speed(jacobian, brake)
    if fast > cap + ROUNDING:
        share = max(share, (fast - cap) / max(fast - slow, 1e-300))
    if share == 0.0:
        return velocity, ()
    share = min(share, 1.0)
    return velocity + share * (brake - velocity), ("brake",)


@compiled(READ_1, READ_1, returns=NUMBER)
def seconds(velocity: Floats, rate: Floats) -> float:
    """The largest |velocity| / rate: the time to stop where `rate` (7,) is acceleration, the pace where it is speed."""
    longest = 0.0
    for j in range(velocity.shape[0]):
        longest = max(longest, abs(velocity[j]) / rate[j])
    return longest


@compiled(READ_1, READ_1, returns=NUMBER)
def excess(values: Floats, bounds: Floats) -> float:
    """The largest |value| - bound; not positive where all of `values` keep to their `bounds`."""
    most = -math.inf
    for j in range(values.shape[0]):
        most = max(most, abs(values[j]) - bounds[j])
    return most


@compiled(READ_1, READ_1, returns=NUMBER)
def slew_share(values: Floats, bounds: Floats) -> float:
    """The greatest share of `values`, at most all, whose every |value| keeps to `bounds`."""
    share = 1.0
    for j in range(values.shape[0]):
        if abs(values[j]) > bounds[j]:
            share = min(share, bounds[j] / abs(values[j]))
    return share


@compiled(READ_2, READ_1, returns=NUMBER)
def tool_speed(jacobian: Floats, velocity: Floats) -> float:
    """Speed of the tool tip, m/s."""
    square = 0.0
    for i in range(3):
        speed = 0.0
        for j in range(velocity.shape[0]):
            speed += jacobian[i, j] * velocity[j]
        square += speed * speed
    return math.sqrt(square)


def broken_bounds(velocity: Floats, last: Floats, step: Floats, limits: Limits, jacobian: Floats, cap: float) -> Codes:
    """Stage 8 without space: finite, joint speed, slew and tool speed, each asserted on what is about to be sent."""
    if not math.isfinite(sum(velocity.tolist())):
        return ("bound_finite",)
    codes = []
    if excess(velocity, limits.joint_speed) > ROUNDING:
        codes.append("bound_joint_speed")
    if excess(velocity - last, step) > ROUNDING:
        codes.append("bound_slew")
    if tool_speed(jacobian, velocity) > cap + 1e-6:
        codes.append("bound_tool_speed")
    return tuple(codes)
