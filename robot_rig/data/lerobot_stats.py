"""The statistics that a LeRobot dataset keeps of every feature, by episode and of all. For `data.lerobot_export`.

LeRobot estimates quantiles from samples and histograms, and those of a set from those of its episodes; here they are
those of all numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from robot_rig.datatypes import Bytes, Ints

QUANTILES = (0.01, 0.10, 0.50, 0.90, 0.99)
LEVELS = 256

Stats = dict[str, list[Any]]
"""min, max, mean, std, count and the quantiles q01 ..; nested lists, as parquet and JSON take them."""


def number_stats(values: NDArray[Any]) -> Stats:
    """Of the rows of `values` (N, D) or (N,), N >= 1; each a list of D, or of one."""
    rows = np.asarray(values, np.float64).reshape(len(values), -1)
    found = {"min": rows.min(0), "max": rows.max(0), "mean": rows.mean(0), "std": rows.std(0)}
    said: Stats = {name: value.tolist() for name, value in found.items()}
    said["count"] = [len(rows)]
    return said | {_name(q): np.quantile(rows, q, axis=0).tolist() for q in QUANTILES}


def histogram(pictures: Bytes) -> Ints:
    """How often each level stands in each channel: (3, 256) of pictures uint8 (N, H, W, 3). Such counts add up."""
    counts = [np.bincount(pictures[..., channel].ravel(), minlength=LEVELS) for channel in range(3)]
    return np.array(counts, np.int64)


def picture_stats(counts: Ints, pictures: int) -> Stats:
    """Of the pixels counted in `counts` (3, 256), from so many `pictures`, on the scale 0 .. 1; lists (3, 1, 1)."""
    levels = np.arange(LEVELS) / (LEVELS - 1)
    total = counts.sum(1)
    mean = counts @ levels / total
    found = {
        "min": [levels[np.flatnonzero(row)[0]] for row in counts],
        "max": [levels[np.flatnonzero(row)[-1]] for row in counts],
        "mean": mean,
        "std": np.sqrt(np.maximum(counts @ levels**2 / total - mean**2, 0.0)),
    }
    said: Stats = {name: _by_channel(value) for name, value in found.items()}
    said["count"] = [pictures]
    up_to = counts.cumsum(1)
    for q in QUANTILES:
        said[_name(q)] = _by_channel(
            [levels[np.searchsorted(row, q * count)] for row, count in zip(up_to, total, strict=True)]
        )
    return said


def _by_channel(values: Sequence[float] | NDArray[np.float64]) -> list[Any]:
    return [[[float(value)]] for value in values]


def _name(quantile: float) -> str:
    return f"q{round(100 * quantile):02d}"
