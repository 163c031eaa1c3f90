"""How far an arm's joints trail the path that they are sent on, and which servo of the simulator does the same.

Called by `rig calibrate latency`. Pure: two recorded signals in, a time and how well it explains them out.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from calibration.alignment import Delay, delay_between
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError

SOUGHT_S = (-0.02, 0.3)
"""Between these a trail is sought."""

LEAST_MATCH = 0.8
STILL_RAD, STILL = 0.005, 0.3
"""A joint that was sent less far than this, or than this share of what the widest one was, says nothing."""

SIM_LAGS_S, SIM_TRAILS_S = (0.0, 0.02, 0.05, 0.1), (0.006, 0.021, 0.047, 0.096)
"""By how much the simulated arm trails a wiggle with each `flaws.servo_lag_s`: its speed servo has a lag of its own,
and a filter of 0.1 s delays what is faster by less. tests/calibration/test_servo_lag.py measures it."""


class Trail(NamedTuple):
    """`seconds` that the joints trail their path, the least `match` (0 to 1), and the seconds of each joint used."""

    seconds: float
    match: float
    joints: dict[int, float]


def identify_trail(commanded_at: Floats, commanded: Floats, reported_at: Floats, position: Floats) -> Trail:
    """How far the joints trail: their `position` (M, 7) rad at `reported_at` (M,) s against the path of the commands.

    `commanded` (N, 7) rad/s is sent at `commanded_at` (N,) s and lasts until the next. Times rise. Joints count by how
    far they went. Raises UserError when none of them moved, or not as commanded, or one so late that it cannot be told.
    """
    steps = np.diff(commanded_at)[:, None] * commanded[:-1]
    path = np.concatenate([np.zeros((1, commanded.shape[1])), np.cumsum(steps, axis=0)])
    found: dict[int, Delay] = {}
    weights, reach = path.var(axis=0), np.ptp(path, axis=0)
    for joint in np.flatnonzero(reach > max(STILL_RAD, STILL * float(reach.max()))).tolist():
        try:
            found[joint] = delay_between(commanded_at, path[:, joint], reported_at, position[:, joint], SOUGHT_S)
        except ValueError:
            continue
    good = {joint: one for joint, one in found.items() if one.match >= LEAST_MATCH}
    if not good:
        best = max((one.match for one in found.values()), default=0.0)
        raise UserError(
            f"the joints do not move as they were commanded (they agree by {best:.0%})" if found else "no joint moved",
            next_step="record while the arm wiggles under `rig teleop`, away from walls, the command topic with it",
        )
    if late := [f"j{joint}" for joint, one in good.items() if one.at_edge]:
        raise UserError(
            f"{', '.join(late)} trails its path by more than {SOUGHT_S[1]:g} s, or is ahead of it",
            next_step="record reports and commands on this machine, with the arm process running on it",
        )
    share = np.array([weights[joint] for joint in good])
    seconds = float(np.average([one.seconds for one in good.values()], weights=share))
    return Trail(seconds, min(one.match for one in good.values()), {joint: one.seconds for joint, one in good.items()})


def simulated_lag(trail_s: float) -> float:
    """`flaws.servo_lag_s` with which the simulated arm trails by `trail_s`, as far as it can."""
    return float(np.interp(trail_s, SIM_TRAILS_S, SIM_LAGS_S))
