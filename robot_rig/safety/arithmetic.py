"""The stages' arithmetic on joint vectors, as machine code. Called by `safety.stages` and `safety.gate`.

Velocities are joint velocities (7,) rad/s, `jacobian` (6, 7) is that of the tool tip. What a function changes it writes
to its last argument, and it answers whether, or why.
"""

from __future__ import annotations

import math

import numpy as np

from robot_rig.compiled import NATURAL, NUMBER, READ_1, READ_2, TRUTH, WRITE_1, compiled
from robot_rig.datatypes import JOINTS, Floats

ROUNDING = 1e-9
"""A bound that is passed by less is kept; and far more than the rounding of a factor's pivots, as a share of them."""


LEAST_NORM = 1e-100
"""Of a Jacobian times its transpose, squared, for a proof about it."""


@compiled(READ_1, READ_1, returns=NUMBER)
def seconds(velocity: Floats, rate: Floats) -> float:
    """The largest |velocity| / rate: the time to stop where `rate` (7,) is acceleration, the pace where it is speed."""
    longest = 0.0
    for j in range(JOINTS):
        longest = max(longest, abs(velocity[j]) / rate[j])
    return longest


@compiled(READ_1, READ_1, READ_1, NUMBER, NUMBER, returns=NUMBER)
def longest_stop(last: Floats, next_one: Floats, acceleration: Floats, room: float, most: float) -> float:
    """The time (s) to stop from `last` (7,), or from what may become of `next_one` (7,) that grows by `room`.

    The second counts up to `most` s only.
    """
    return max(seconds(last, acceleration), min(room * seconds(next_one, acceleration), most))


@compiled(READ_1, READ_1, returns=NUMBER)
def excess(values: Floats, bounds: Floats) -> float:
    """The largest |value| - bound; not positive where all of `values` keep to their `bounds`."""
    most = -math.inf
    for j in range(JOINTS):
        most = max(most, abs(values[j]) - bounds[j])
    return most


@compiled(READ_1, READ_1, returns=NUMBER)
def slew_share(values: Floats, bounds: Floats) -> float:
    """The greatest share of `values`, at most all, whose every |value| keeps to `bounds`."""
    share = 1.0
    for j in range(JOINTS):
        if abs(values[j]) > bounds[j]:
            share = min(share, bounds[j] / abs(values[j]))
    return share


@compiled(READ_2, READ_1, returns=NUMBER)
def tool_speed(jacobian: Floats, velocity: Floats) -> float:
    """Speed of the tool tip, m/s."""
    square = 0.0
    for i in range(3):
        speed = 0.0
        for j in range(JOINTS):
            speed += jacobian[i, j] * velocity[j]
        square += speed * speed
    return math.sqrt(square)


@compiled(READ_1, READ_2, READ_1, NUMBER, WRITE_1, returns=NATURAL)
def scale(velocity: Floats, jacobian: Floats, joint_speed: Floats, cap: float, scaled: Floats) -> int:
    """Fill `scaled` (7,) with `velocity` as stage 6 lets it pass; the sum says why: 1 joint speed, 2 tool speed."""
    fast = 0
    pace = seconds(velocity, joint_speed)
    for j in range(JOINTS):
        scaled[j] = velocity[j] / max(pace, 1.0)
    if pace > 1.0:
        fast += 1
    speed = tool_speed(jacobian, scaled)
    if speed > cap:
        fast += 2
        for j in range(JOINTS):
            scaled[j] *= cap / speed
    return fast


@compiled(READ_1, READ_1, READ_1, WRITE_1, returns=TRUTH)
def slew_towards(last: Floats, target: Floats, step: Floats, slewed: Floats) -> bool:
    """Fill `slewed` (7,) with what stage 7 makes of `target`; whether that is something else."""
    for j in range(JOINTS):
        slewed[j] = target[j] - last[j]
    share = slew_share(slewed, step)
    for j in range(JOINTS):
        slewed[j] = last[j] + share * slewed[j]
    return share != 1.0


@compiled(READ_1, READ_1, READ_1, READ_1, READ_2, NUMBER, returns=NATURAL)
def breaks(velocity: Floats, last: Floats, step: Floats, joint_speed: Floats, jacobian: Floats, cap: float) -> int:
    """Which bounds `velocity` (7,) breaks, as a sum: 1 joint speed, 2 slew, 4 tool speed; 8 alone: no number."""
    total, change = 0.0, -math.inf
    for j in range(JOINTS):
        total += velocity[j]
        change = max(change, abs(velocity[j] - last[j]) - step[j])
    if not math.isfinite(total):
        return 8
    broken = 1 if excess(velocity, joint_speed) > ROUNDING else 0
    if change > ROUNDING:
        broken += 2
    if tool_speed(jacobian, velocity) > cap + 1e-6:
        broken += 4
    return broken


@compiled(READ_1, READ_1, returns=TRUTH)
def finite(position: Floats, velocity: Floats) -> bool:
    """Whether both (7,) are numbers throughout."""
    total = 0.0
    for j in range(JOINTS):
        total += position[j] + velocity[j]
    return math.isfinite(total)


@compiled(READ_1, READ_1, WRITE_1, returns=TRUTH)
def brake(velocity: Floats, allowed: Floats, braked: Floats) -> bool:
    """Fill `braked` (7,) with `velocity` that approaches no joint limit faster than `allowed` (M,); whether it differs.

    The rows of `allowed` are the upper limits' and then the lower limits'.
    """
    changed = False
    for j in range(JOINTS):
        low, high = -allowed[JOINTS + j], allowed[j]
        # A bound that is no number becomes the velocity, which stage 8 then refuses.
        braked[j] = velocity[j] if velocity[j] >= low else low
        if not (braked[j] <= high or math.isnan(braked[j])):
            braked[j] = high
        changed = changed or braked[j] != velocity[j]
    return changed


@compiled(READ_2, READ_1, READ_1, WRITE_1, returns=TRUTH)
def surplus(rows: Floats, velocity: Floats, allowed: Floats, over: Floats) -> bool:
    """Fill `over` (M,) with how much faster than `allowed` (M,) `velocity` approaches each of `rows` (M, 7).

    Whether it does somewhere.
    """
    late = False
    for k in range(rows.shape[0]):
        speed = 0.0
        for j in range(JOINTS):
            speed += rows[k, j] * velocity[j]
        over[k] = speed - allowed[k]
        late = late or over[k] > ROUNDING
    return late


@compiled(READ_1, NUMBER, WRITE_1, returns=TRUTH)
def turn_back(over: Floats, push: float, twist: Floats) -> bool:
    """Take from `twist` (6,) by how much it is `over` (6,) m/s at the high and the low faces of the box, and `push`.

    Whether there was something to take.
    """
    turned = False
    for i in range(3):
        outward = max(over[i], 0.0) - max(over[3 + i], 0.0)
        if outward != 0.0:
            twist[i] -= outward + math.copysign(push, outward)
            turned = True
    return turned


@compiled(READ_2, NUMBER, returns=TRUTH)
def conditioned(jacobian: Floats, limit: float) -> bool:
    """Whether the condition number of `jacobian` is at most `limit`, proven without computing it.

    With A = J J^T no eigenvalue exceeds the Frobenius norm f of A, and where A - (f / limit^2) I has a Cholesky factor
    none is below f / limit^2; the condition number is the square root of their ratio. Near the limit it proves nothing.
    """
    square, norm = np.empty((6, 6)), 0.0
    for i in range(6):
        for k in range(6):
            product = 0.0
            for j in range(JOINTS):
                product += jacobian[i, j] * jacobian[k, j]
            square[i, k] = product
            norm += product * product
    # An arm's axes are unit vectors, so its norm is above 1; below this, products vanish instead of rounding.
    if not norm > LEAST_NORM:
        return False
    shift = math.sqrt(norm) * (1.0 / (limit * limit) + ROUNDING)
    for i in range(6):
        for k in range(i + 1):
            rest = square[i, k] - (shift if i == k else 0.0)
            for m in range(k):
                rest -= square[i, m] * square[k, m]
            if i > k:
                square[i, k] = rest / square[k, k]
            elif rest > 0.0:
                square[i, i] = math.sqrt(rest)
            else:
                return False
    return True
