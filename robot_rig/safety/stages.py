"""The guard's stages as small functions: each returns a velocity (or nothing) and its reasons. Called by `gate` only.

Velocities are joint velocities (7,) rad/s. An empty tuple of reasons means that the stage changed nothing. The stages:
1 mode and lease, 2 form, 3 age, 4 joint limits, 5 space, 6 speed, 7 slew, 8 every bound once more.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from robot_rig.datatypes import Action, ArmState, Floats, Mode
from robot_rig.kinematics import ArmPose, settle
from robot_rig.safety import arithmetic
from robot_rig.safety.arithmetic import ROUNDING
from robot_rig.safety.barriers import BOX_ROWS, JOINT_ROWS, SPHERES, TABLE_ROWS, Barriers
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

_CLOSED: dict[Mode, Codes] = {Mode.DISABLED: ("disabled",), Mode.HOLD: ("hold",), Mode.FAULT: ("fault",)}
_FAST: tuple[Codes, ...] = ((), ("joint_speed",), ("tool_speed",), ("joint_speed", "tool_speed"))
_SPACE = ("joint_limit",) * JOINT_ROWS.stop + ("box",) * (TABLE_ROWS.start - BOX_ROWS.start) + ("table",) * SPHERES
"""Of each row of the barriers; what comes behind is a keep-out."""

_BOUNDS = ("bound_joint_speed", "bound_slew", "bound_tool_speed", "bound_finite")


def refuse_mode(mode: Mode) -> Codes:
    """Stage 1: only ACTIVE and HOMING move."""
    return _CLOSED.get(mode, ())


def refuse_form(action: Action, action_dim: int, newest: tuple[int, float]) -> Codes:
    """Stage 2: plain numbers in [-1, 1], the right length, and not older than the `newest` (seq, stamp).

    NaN, infinite, huge and denormal values are refused, never clipped: they say that the sender is broken.
    """
    values = action.value.tolist()
    if len(values) != action_dim:
        return ("action_garbled",)
    for value in values:
        size = abs(value)
        if not (size == 0.0 or SMALLEST_NORMAL <= size <= 1.0 + 1e-6):
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
    return bool(arithmetic.finite(state.position, state.velocity))


def wish_is_sane(wish: Floats) -> bool:
    """Stage 2 for the controller's answer: shape (7,), finite and physically conceivable."""
    if wish.shape != (7,):
        return False
    speeds = wish.tolist()
    # The sum first: the greatest of numbers with a NaN among them says nothing.
    return math.isfinite(sum(speeds)) and max(map(abs, speeds)) <= IMPOSSIBLE_RAD_S


def condition(jacobian: Floats) -> float:
    """The condition number of `jacobian` (6, 7), or `SLOW_CONDITION` where it is provably at most that."""
    if arithmetic.conditioned(jacobian, SLOW_CONDITION):
        return SLOW_CONDITION
    smallest, *_, largest = np.linalg.eigvalsh(jacobian.dot(jacobian.T)).tolist()
    least = math.sqrt(max(smallest, 0.0))
    return math.sqrt(largest) / least if least > 1e-6 else math.inf


def brake_joints(velocity: Floats, allowed: Floats) -> Shaped:
    """Stage 4: no joint approaches its limit faster than `allowed` (M,)."""
    braked: Floats = np.empty(7)
    return (braked, ("joint_limit",)) if arithmetic.brake(velocity, allowed, braked) else (velocity, ())


def keep_inside(velocity: Floats, pose: ArmPose, barriers: Barriers, allowed: Floats) -> Shaped:
    """Stage 5: remove what approaches a barrier faster than `allowed` (M,), and as little else as can be.

    At a face of the tool's box exactly the outward component of the tool's velocity goes, its orientation untouched; at
    the other barriers the smallest change of joint velocity that settles all of them together. What neither settles
    shrinks the whole velocity.
    """
    over: Floats = np.empty(len(allowed))
    if not arithmetic.surplus(barriers.rows, velocity, allowed, over):
        return velocity, ()
    reasons = _space_codes(over > ROUNDING)
    wanted = pose.jacobian.dot(velocity)
    if arithmetic.turn_back(over[BOX_ROWS], PUSH, wanted):
        velocity = velocity.copy()
        settle(pose.jacobian, wanted, PROJECTION_DAMPING, velocity)
    start, near = velocity, np.zeros(len(over), dtype=bool)
    for _ in range(ROUNDS):
        if not arithmetic.surplus(barriers.rows, velocity, allowed, over):
            return velocity, reasons
        near |= over > ROUNDING
        rows = barriers.rows[near]
        square = rows @ rows.T
        square.flat[:: len(rows) + 1] += PROJECTION_DAMPING
        velocity = start - rows.T @ np.linalg.solve(square, rows @ start - allowed[near] + PUSH)
    return velocity * _share_within(barriers.rows @ velocity, allowed), reasons


def _space_codes(late: NDArray[np.bool_]) -> Codes:
    rows = np.flatnonzero(late).tolist()
    return tuple(dict.fromkeys(_SPACE[row] if row < len(_SPACE) else "keep_out" for row in rows))


def _share_within(approach: Floats, allowed: Floats) -> float:
    """The greatest share of a velocity that respects `allowed`, given its `approach` (M,) to each barrier."""
    fast = approach > allowed
    return min(1.0, max(0.0, float((allowed[fast] / approach[fast]).min()))) if fast.any() else 1.0


def limit_speed(velocity: Floats, jacobian: Floats, limits: Limits, cap: float) -> Shaped:
    """Stage 6: scale the whole vector, so that the path does not bend: joints in rating, tool tip within `cap` m/s."""
    scaled: Floats = np.empty(7)
    fast = arithmetic.scale(velocity, jacobian, limits.joint_speed, cap, scaled)
    return (scaled, _FAST[fast]) if fast else (velocity, ())


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
    slewed: Floats = np.empty(7)
    return (slewed, ("slew",)) if arithmetic.slew_towards(last, target, step, slewed) else (target, ())


def full_brake(last: Floats, step: Floats) -> Floats:
    """The last velocity shrunk evenly as far as `step` (7,) rad/s permits: the fallback that every barrier respects."""
    return last * (1.0 - arithmetic.slew_share(last, step))


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
    fast, slow = arithmetic.tool_speed(jacobian, velocity), arithmetic.tool_speed(jacobian, brake)
    if fast > cap + ROUNDING:
        share = max(share, (fast - cap) / max(fast - slow, 1e-300))
    if share == 0.0:
        return velocity, ()
    share = min(share, 1.0)
    return velocity + share * (brake - velocity), ("brake",)


def broken_bounds(velocity: Floats, last: Floats, step: Floats, limits: Limits, jacobian: Floats, cap: float) -> Codes:
    """Stage 8 without space: finite, joint speed, slew and tool speed, each asserted on what is about to be sent."""
    broken = arithmetic.breaks(velocity, last, step, limits.joint_speed, jacobian, cap)
    return tuple(code for bit, code in enumerate(_BOUNDS) if broken >> bit & 1) if broken else ()
