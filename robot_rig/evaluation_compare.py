"""Is B closer than A? Paired statistics of final distances on the same goals, and the sentence that sums them up.

Called by `rig compare`. Pure arithmetic: distances come in as arrays of one unit, goal by goal, and nothing is read or
drawn. A goal that is hard for one policy is hard for the other, so everything here is of the difference at each goal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from robot_rig.arrays import Floats
from robot_rig.errors import UserError

LEVEL = 0.05
"""A difference is called one when chance alone would make one as large in fewer cases than this."""


@dataclass(frozen=True, slots=True)
class Paired:
    """B against A on the same `n` goals; a difference is B's final distance less A's, so below 0 B ended closer.

    `low` and `high` bound the median difference at 95 % or more; None when there are too few goals for any such bound
    (fewer than 6). `p` is the two-sided Wilcoxon signed-rank test's. `leaning` is the sign of its rank sum: -1 when the
    ranks speak for B.
    """

    n: int
    closer: int
    further: int
    median: float
    low: float | None
    high: float | None
    p: float
    leaning: int

    @property
    def equal(self) -> int:
        """Goals at which both ended equally far away."""
        return self.n - self.closer - self.further


@dataclass(frozen=True, slots=True)
class Discordant:
    """Successes of A and B at the same goals. `p`: McNemar's exact test, two-sided, on the goals where they differ."""

    both: int
    only_a: int
    only_b: int
    neither: int
    p: float


@dataclass(frozen=True, slots=True)
class Unit:
    """How distances are shown: a number times `factor`, with `decimals`, in `name`."""

    name: str
    factor: float
    decimals: int

    def show(self, value: float) -> str:
        """`value` as a number of this unit, without its name and never as -0."""
        text = f"{value * self.factor:.{self.decimals}f}"
        return text.removeprefix("-") if float(text) == 0 else text


def pair(a: ArrayLike, b: ArrayLike) -> Paired:
    """B's final distances (N,) against A's, goal by goal, in one unit.

    Raises UserError when there are none, they are not equally many, or one is not a distance.
    """
    first, second = _distances(a), _distances(b)
    if len(first) != len(second):
        raise UserError(
            f"{len(first)} distances cannot be paired with {len(second)}",
            next_step="compare evaluations of one goal set",
        )
    differences = second - first
    low, high = median_interval(differences)
    moved = differences[differences != 0]
    # Differences that are all 0 leave nothing to rank: chance always makes one as large.
    p = float(stats.wilcoxon(moved).pvalue) if len(moved) else 1.0
    leaning = float((stats.rankdata(np.abs(moved)) * np.sign(moved)).sum())
    return Paired(
        n=len(differences),
        closer=int((differences < 0).sum()),
        further=int((differences > 0).sum()),
        median=float(np.median(differences)),
        low=low,
        high=high,
        p=p,
        leaning=int(np.sign(leaning)),
    )


def median_interval(values: Floats) -> tuple[float | None, float | None]:
    """Two order statistics of `values` (N,) that hold the median of their distribution between them.

    The k-th smallest and the k-th largest, k as large as a confidence of 1 - LEVEL permits: the number of values below
    the median is binomial, whatever the distribution, so this is exact, needs no seed, and errs on the wide side.
    (None, None) when even the smallest and the largest are too near to each other.
    """
    ordered = np.sort(values)
    # P(fewer than k values lie below the median), at either end.
    k = int(stats.binom.ppf(LEVEL / 2, len(ordered), 0.5))
    if k < 1:
        return None, None
    return float(ordered[k - 1]), float(ordered[-k])


def discordance(a: ArrayLike, b: ArrayLike) -> Discordant:
    """Successes, bool (N,), of A and B at the same goals. Raises UserError when they are not equally many, or none."""
    first, second = (np.asarray(value, dtype=bool).ravel() for value in (a, b))
    if len(first) != len(second) or not len(first):
        raise UserError("successes are paired goal by goal", next_step="compare evaluations of one goal set")
    only_a, only_b = int((first & ~second).sum()), int((~first & second).sum())
    p = float(stats.binomtest(only_a, only_a + only_b, 0.5).pvalue) if only_a + only_b else 1.0
    return Discordant(int((first & second).sum()), only_a, only_b, int((~first & ~second).sum()), p)


def holm(p: Sequence[float]) -> list[float]:
    """The p-values of several comparisons, each raised so that all together err in 5 % of cases (Holm 1979)."""
    order = np.argsort(p, kind="stable")
    adjusted, least = [0.0] * len(p), 0.0
    for rank, index in enumerate(order):
        least = max(least, min(1.0, (len(p) - rank) * p[index]))
        adjusted[index] = least
    return adjusted


def sentence(a: str, b: str, paired: Paired, p: float, unit: Unit) -> str:
    """What the comparison of B, called `b`, with A comes to; `p` decides, adjusted or not."""
    bounds = (
        "too few goals for a 95 % interval"
        if paired.low is None or paired.high is None
        else f"95 % interval [{unit.show(paired.low)}, {unit.show(paired.high)}]"
    )
    numbers = f"median difference {unit.show(paired.median)} {unit.name}, {bounds}, {show_p(p)}"
    if p >= LEVEL:
        return (
            f"These {paired.n} goals cannot tell {a} and {b} apart: {b} is closer on {paired.closer} of {paired.n}; "
            f"{numbers}."
        )
    if paired.median * paired.leaning <= 0:
        return (
            f"{a} and {b} differ, but not one way: {b} is closer on {paired.closer} of {paired.n} goals, and the "
            f"median does not follow the larger differences; {numbers}."
        )
    word, count = ("closer", paired.closer) if paired.median < 0 else ("further away", paired.further)
    return f"{b} is {word} on {count} of {paired.n} goals than {a}; {numbers}."


def show_p(p: float) -> str:
    """A p-value for people: two digits, and nothing finer than a thousandth."""
    if p < 0.001:
        return "p < 0.001"
    return f"p = {p:.2f}" if p >= 0.1 else f"p = {p:.{1 - math.floor(math.log10(p))}f}"


def _distances(values: ArrayLike) -> Floats:
    distances: Floats = np.asarray(values, dtype=np.float64).ravel()
    if not len(distances) or not np.isfinite(distances).all() or (distances < 0).any():
        raise UserError("there are no distances to compare, or one is none", next_step="look for the fault in the exam")
    return distances
