"""Does something grow while a program runs for hours? A slope with its interval, and whether a count has gone up.

Pure. Called by `rig soak` with the memory and the file descriptors of each process. A process that was started again is
a series of its own: it begins at another level, and the step between the two is no growth.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import stats

BLOCK_S = 60.0
"""Samples of one minute are put into one mean first: those of neighbouring seconds say the same thing twice."""

LEAST_BLOCKS = 5
"""A series with fewer minutes says nothing of a slope."""

LEAST_THIRD = 3
"""A count with fewer samples in a third of its time says nothing of growth."""

MOST_ALIKE = 0.9
"""The largest correlation of neighbouring blocks that is allowed for; beyond it nothing could be said at all."""

HOUR_S = 3600.0
LEVEL = 0.95


class Series(NamedTuple):
    """Values (N,) that were sampled at rising times (N,) s."""

    times: NDArray[np.float64]
    values: NDArray[np.float64]


class Slope(NamedTuple):
    """Growth per hour in the values' own unit, with bounds at 95 %, from so many blocks over `seconds` in all."""

    per_hour: float
    low: float
    high: float
    blocks: int
    seconds: float


def slope(series: Sequence[Series]) -> Slope | None:
    """The one slope that all `series` share, each at a level of its own; None where there are too few minutes.

    Least squares on means of a minute. Memory wanders: what it does in one minute it goes on with in the next, so the
    bounds are widened by the correlation of neighbouring residuals. That shows too small in short series, because each
    has lost its level and all their slope; the usual first-order correction (2 + 4r) / n makes up for it.
    """
    parts = [part for part in map(_blocks, series) if len(part.times) >= LEAST_BLOCKS]
    if not parts:
        return None
    centred = [Series(part.times - part.times.mean(), part.values - part.values.mean()) for part in parts]
    across = sum(float(one.times @ one.times) for one in centred)
    rise = sum(float(one.times @ one.values) for one in centred) / across
    rests = [one.values - rise * one.times for one in centred]
    blocks = sum(len(rest) for rest in rests)
    freedom = blocks - len(parts) - 1
    alike = _alikeness(rests)
    fewer = (1.0 + alike) / (1.0 - alike)
    error = np.sqrt(sum(float(rest @ rest) for rest in rests) / freedom / across * fewer)
    half = float(stats.t.ppf(0.5 + LEVEL / 2, max(1.0, freedom / fewer)) * error)
    seconds = sum(float(part.times[-1] - part.times[0]) + BLOCK_S for part in parts)
    return Slope(HOUR_S * rise, HOUR_S * (rise - half), HOUR_S * (rise + half), blocks, seconds)


def _blocks(series: Series) -> Series:
    """Means of each minute of `series` that has samples."""
    times, values = (np.asarray(one, np.float64) for one in series)
    if not len(times):
        return Series(times, values)
    numbers = np.floor((times - times[0]) / BLOCK_S).astype(int)
    counts = np.bincount(numbers)
    full = counts > 0
    means = (np.bincount(numbers, one)[full] / counts[full] for one in (times, values))
    return Series(*means)


def _alikeness(rests: Sequence[NDArray[np.float64]]) -> float:
    """The correlation of neighbouring residuals, from 0 to `MOST_ALIKE`."""
    total = sum(float(rest @ rest) for rest in rests)
    if total == 0.0:
        return 0.0
    shown = sum(float(rest[1:] @ rest[:-1]) for rest in rests) / total
    lost = 2.0 * len(rests) / sum(map(len, rests))
    return float(np.clip((shown + lost) / (1.0 - 2.0 * lost), 0.0, MOST_ALIKE)) if lost < 0.5 else MOST_ALIKE


def has_grown(series: Series) -> bool:
    """Whether a count has gone up for good: its least value in the last third is above its largest in the first.

    What comes and goes, as a file that is open for a moment, is no growth. False for fewer than nine samples.
    """
    third = len(series.values) // 3
    if third < LEAST_THIRD:
        return False
    return bool(np.min(series.values[-third:]) > np.max(series.values[:third]))
