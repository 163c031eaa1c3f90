"""How late one signal is against another, to milliseconds. What latency and servo lag share.

A motion that is seen late is the same motion: what moved between two looks at time a and b moved between a - delay and
b - delay. So no signal is resampled or filtered; only the earlier one is read between its samples.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.optimize import minimize_scalar

from robot_rig.datatypes import Bools, Floats

GRID_S = 0.005
STRIDE_S = 0.3
"""Motion is compared over this long: over less a sensor's noise outweighs it, over more its drift does."""

RIVAL = 0.9
"""A second delay that explains this share of what the best one does is a rival: a pure swing has many."""

APART_S = 0.08
"""Nearer than this a second peak is the first one's shoulder."""

BLOCKS, SLOPE_S = 10, 0.02
"""How sure a delay is, is asked by leaving out one stretch of so many. What the motion does around it is taken over
`SLOPE_S` to each side, for the noise of single samples makes dents in the match between any two of them."""


class Delay(NamedTuple):
    """`seconds` that a signal is late, its `match` (absolute correlation, 0 to 1), and that of the `rival` delay.

    `deviation_s`: the standard deviation of `seconds`, by the jackknife over `BLOCKS` stretches of the signal.
    `at_edge`: it is the last one that was sought, so that the true one may well lie beyond it.
    """

    seconds: float
    deviation_s: float
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
    signals = _Signals(times, positions, seen_at, seen)
    grid = np.arange(within[0], within[1] + GRID_S / 2, GRID_S)
    matches = np.array([signals.match(delay) for delay in grid.tolist()])
    best = int(np.argmax(matches))
    if not matches[best] > 0:
        raise ValueError("nothing moves, or the two signals do not overlap")
    seconds = signals.best_near(float(grid[best]))
    peaks = [
        float(matches[i])
        for i in range(1, len(grid) - 1)
        if abs(grid[i] - grid[best]) > APART_S and matches[i] >= max(matches[i - 1], matches[i + 1])
    ]
    deviation, match = signals.deviation(seconds), signals.match(seconds)
    return Delay(seconds, deviation, match, max(peaks, default=0.0), best in (0, len(grid) - 1))


class _Signals:
    """The two signals of `delay_between`, and how well a delay makes one of the other."""

    def __init__(self, times: Floats, positions: Floats, seen_at: Floats, seen: Floats) -> None:
        self._times, self._positions, self._seen_at = times, positions, seen_at
        stride = max(1, round(STRIDE_S / float(np.median(np.diff(seen_at))))) if len(seen_at) > 1 else 1
        self._stride, self._shown = stride, seen[stride:] - seen[:-stride]

    def _inside(self, delay: float) -> Bools:
        """Which of the (N - stride,) motions that are seen happened, `delay` s before, while positions are known."""
        then = self._seen_at - delay
        inside = (then >= self._times[0]) & (then <= self._times[-1])
        return np.asarray(inside[self._stride :] & inside[: -self._stride])

    def _moved(self, delay: float) -> Floats:
        """(N - stride,): by how much the positions moved meanwhile."""
        place = np.interp(self._seen_at - delay, self._times, self._positions)
        return np.asarray(place[self._stride :] - place[: -self._stride])

    def match(self, delay: float) -> float:
        """Absolute correlation, 0 to 1, at `delay` s; 0 where too little overlaps."""
        inside = self._inside(delay)
        if inside.sum() < max(2, len(inside) // 2):
            return 0.0
        moved, shown = self._moved(delay)[inside], self._shown[inside]
        # Less its mean: a signal that merely drifts is none that follows.
        moved, shown = moved - moved.mean(), shown - shown.mean()
        size = float(np.sqrt((moved**2).sum() * (shown**2).sum()))
        return abs(float(moved @ shown)) / size if size > 0 else 0.0

    def best_near(self, delay: float) -> float:
        """The delay that matches best, within a step of the grid around `delay`."""
        found = minimize_scalar(
            lambda near: -self.match(float(near)), bounds=(delay - GRID_S, delay + GRID_S), method="bounded",
            options={"xatol": 1e-5},
        )  # fmt: skip
        return float(found.x)

    def deviation(self, delay: float) -> float:
        """The standard deviation (s) of the `delay` that was found, from how it shifts without one stretch or another.

        Neighbours share their pictures and the drift between them, so what is left out is one long stretch at a time.
        """
        inside = self._inside(delay)
        slope = (self._moved(delay + SLOPE_S) - self._moved(delay - SLOPE_S)) / (2 * SLOPE_S)
        known = np.stack([self._moved(delay), slope, np.ones_like(slope)], axis=1)[inside]
        shown = self._shown[inside]
        stretch = np.arange(len(shown)) * BLOCKS // len(shown)
        shifts = []
        for left_out in np.unique(stretch).tolist():
            kept = stretch != left_out
            scale, shifted, _ = np.linalg.lstsq(known[kept], shown[kept], rcond=None)[0].tolist()
            shifts.append(shifted / scale)
        return float(np.sqrt((len(shifts) - 1) * np.var(shifts)))
