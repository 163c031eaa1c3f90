"""How late one signal is against another, to milliseconds. What latency and servo lag share.

A motion that is seen late is the same motion: what moved between two looks at time a and b moved between a - delay and
b - delay. So no signal is resampled or filtered; only the earlier one is read between its samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from robot_rig.datatypes import Floats

GRID_S = 0.005
STRIDE_S = 0.3
"""Motion is compared over this long: over less a sensor's noise outweighs it, over more its drift does."""

RIVAL = 0.9
"""A second delay that explains this share of what the best one does is a rival: a pure swing has many."""

APART_S = 0.08
"""Nearer than this a second peak is the first one's shoulder."""


class Delay(NamedTuple):
    """`seconds` that a signal is late, its `match` (absolute correlation, 0 to 1), and that of the `rival` delay.

    `at_edge`: it is the last one that was sought, so that the true one may well lie beyond it.
    """

    seconds: float
    match: float
    rival: float
    at_edge: bool

    @property
    def is_ambiguous(self) -> bool:
        """Whether another delay explains it nearly as well."""
        return self.rival > RIVAL * self.match


def delay_between(
    times: Floats, positions: Floats, seen_at: Floats, seen: Floats, within: tuple[float, float]
) -> Delay:
    """How much later `seen` (N,) at `seen_at` (N,) s shows the motion of `positions` (M,) at `times` (M,) s.

    Both are places along some line, in any unit and sign; times rise. `within`: least and greatest delay, s. Raises
    ValueError when nothing moves or hardly anything overlaps.
    """

    stride = max(1, round(STRIDE_S / float(np.median(np.diff(seen_at))))) if len(seen_at) > 1 else 1

    def match(delay: float) -> float:
        then = seen_at - delay
        inside = (then >= times[0]) & (then <= times[-1])
        both = inside[stride:] & inside[:-stride]
        if both.sum() < max(2, len(both) // 2):
            return 0.0
        place = np.interp(then, times, positions)
        moved, shown = (place[stride:] - place[:-stride])[both], (seen[stride:] - seen[:-stride])[both]
        # Less its mean: a signal that merely drifts is none that follows.
        moved, shown = moved - moved.mean(), shown - shown.mean()
        size = float(np.sqrt((moved**2).sum() * (shown**2).sum()))
        return abs(float(moved @ shown)) / size if size > 0 else 0.0

    grid = np.arange(within[0], within[1] + GRID_S / 2, GRID_S)
    matches = np.array([match(delay) for delay in grid.tolist()])
    best = int(np.argmax(matches))
    if not matches[best] > 0:
        raise ValueError("nothing moves, or the two signals do not overlap")
    found = minimize_scalar(
        lambda delay: -match(float(delay)), bounds=(grid[best] - GRID_S, grid[best] + GRID_S), method="bounded",
        options={"xatol": 1e-5},
    )  # fmt: skip
    peaks = [
        float(matches[i])
        for i in range(1, len(grid) - 1)
        if abs(grid[i] - grid[best]) > APART_S and matches[i] >= max(matches[i - 1], matches[i + 1])
    ]
    return Delay(float(found.x), float(-found.fun), max(peaks, default=0.0), best in (0, len(grid) - 1))
