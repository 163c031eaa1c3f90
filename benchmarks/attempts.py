"""Attempts at a timed check on a shared machine: which are void, how many there may be. Called by what times anything.

The rule: an attempt during which a heartbeat (`benchmarks.heartbeat`) stopped for more than 20 ms is void and repeated;
voids are told, and more than a fifth of them fail the check.
"""

from __future__ import annotations

GAP_LIMIT_S = 0.020
VOID_SHARE = 0.20


class Gap(float):
    """The length of a gap, s; it knows its `core`, and that core's steal time in all of the time asked for, s.

    A number, so that whoever wants no more than that needs to know no more.
    """

    core: int | None
    stolen_s: float

    def __new__(cls, seconds: float, core: int | None, stolen_s: float) -> Gap:
        """A float of `seconds`."""
        gap = super().__new__(cls, seconds)
        gap.core, gap.stolen_s = core, stolen_s
        return gap


def void_reason(worst_gap_s: float) -> str:
    """Why an attempt with that gap is void, or nothing; names the core of a `Gap`."""
    if worst_gap_s <= GAP_LIMIT_S:
        return ""
    length = f"{1e3 * worst_gap_s:.0f} ms"
    if not isinstance(worst_gap_s, Gap) or worst_gap_s.core is None:
        return f"the machine was away for {length}"
    stolen = f"steal time of the attempt: {1e3 * worst_gap_s.stolen_s:.0f} ms"
    return f"core {worst_gap_s.core} of the machine was away for {length} ({stolen})"


class Attempts:
    """Counts attempts and voids on the way to `wanted` valid ones."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self.made = 0
        self.voids: list[str] = []

    def add(self, name: str, reason: str) -> bool:
        """Count the attempt `name`, void for `reason` unless that is empty; returns whether it is valid."""
        self.made += 1
        if reason:
            self.voids.append(f"{name}: {reason}")
        return not reason

    @property
    def failed(self) -> bool:
        """Whether more than a fifth are void, even if every attempt that is still wanted were valid."""
        return len(self.voids) > VOID_SHARE * (self._wanted + len(self.voids))

    @property
    def wanting(self) -> bool:
        """Whether valid attempts are still wanted."""
        return self.made - len(self.voids) < self._wanted

    def __str__(self) -> str:
        return f"{len(self.voids)} of {self.made} attempts void"
