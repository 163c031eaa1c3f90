"""How far an arm's motion trails the actions that it is sent, from what has been logged. Called by `rig data lag`.

The number belongs into `control.lag_s`: a policy that answers an old picture must know what that does not show yet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from robot_rig.datatypes import Floats, Step
from robot_rig.errors import UserError

FEWEST = 200
"""Moves; two a step where actions have two axes."""

LEAST_EXPLAINED = 0.8
UNEVEN = 0.2
"""Share of a policy period by which two actions may be further apart than one."""

BRAKED = frozenset({"joint_limit", "box", "table", "keep_out", "singular", "brake"})
"""Reasons of the guard at walls, where the motion within a period is not even."""


class LagFit(NamedTuple):
    """`lag_s`, from how many `moves`, and which share of their variance it `explained`."""

    lag_s: float
    moves: int
    explained: float


def arm_lag(episodes: Iterable[Sequence[Step]], tool: Callable[[Floats], Floats], period_s: float) -> LagFit:
    """The lag of the arm that made `episodes`, up to a period; `tool` gives the place (A,) m of joints (7,) rad along
    the axes of the actions.

    While action k is followed the tool moves by what was executed in that period, shifted by the lag: a share of k and
    the rest of the one before. Raises UserError for too little motion, or one that this does not explain.
    """
    rows: list[Floats] = []
    moves: list[Floats] = []
    for steps in episodes:
        stamps = np.array([step.action.stamp for step in steps])
        places = np.array([tool(step.executed.position) for step in steps])
        if not np.isfinite(places).all():
            continue  # imported from a bag that says nothing of joints
        even = np.abs(np.diff(stamps) - period_s) <= UNEVEN * period_s
        free = [not BRAKED & set(step.executed.reasons) for step in steps]
        for k in range(1, len(steps) - 1):
            if free[k] and free[k - 1] and even[k] and even[k - 1]:
                rows += [np.stack([steps[k].executed.value, steps[k - 1].executed.value], axis=1)]
                moves += [places[k] - places[k - 1]]
    if sum(map(len, moves)) < FEWEST:
        raise UserError(
            f"{sum(map(len, moves))} moves away from walls are too few", next_step="log a few minutes of play"
        )
    past, made = np.concatenate(rows).astype(np.float64), np.concatenate(moves)
    (now, before), *_ = np.linalg.lstsq(past, made, rcond=None)
    explained = 1.0 - float(((made - past @ np.array([now, before])) ** 2).mean() / max(float(made.var()), 1e-12))
    share = before / (now + before) if now + before > 0 else -1.0
    if explained < LEAST_EXPLAINED or not 0.0 <= share <= 1.0:
        raise UserError(
            f"actions of this period and the one before explain {max(explained, 0):.0%} of the motion",
            next_step="play on an idle machine; an arm slower than a policy period cannot be measured so",
        )
    return LagFit(float(share * period_s), len(made), explained)
