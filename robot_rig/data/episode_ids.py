"""Which episodes of a log there have been, in as much room as the log has gaps and not as it has episodes.

Called by `stages.follow`, which remembers for ever what it has learnt from. Numbers rise with the log, so that months
of practice are one pair of numbers.
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Iterable

Run = tuple[str, int, int]
"""How ids begin, and the first and last number of some without a gap."""


class EpisodeIds:
    """A set of ids as `data.store` makes them: <stage>-<number of six digits or more>.

    It may be asked and added to in any order. `runs`: what another one's `runs` said.
    """

    def __init__(self, runs: Iterable[Run] = ()) -> None:
        self._spans: dict[str, list[tuple[int, int]]] = {}
        for head, first, last in runs:
            self._spans.setdefault(head, []).append((first, last))

    def add(self, id: str) -> None:
        """Put `id` in. Raises ValueError when it ends with no number."""
        head, number = _parts(id)
        spans = self._spans.setdefault(head, [])
        end = bisect_right(spans, (number, math.inf))
        begin, first, last = end, number, number
        if end > 0 and spans[end - 1][1] >= number - 1:
            begin, first, last = end - 1, spans[end - 1][0], max(number, spans[end - 1][1])
        if end < len(spans) and spans[end][0] == last + 1:
            end, last = end + 1, spans[end][1]
        spans[begin:end] = [(first, last)]

    def __contains__(self, id: object) -> bool:
        head, number = _parts(str(id))
        spans = self._spans.get(head, ())
        at = bisect_right(spans, (number, math.inf))
        return at > 0 and number <= spans[at - 1][1]

    def __len__(self) -> int:
        return sum(last - first + 1 for spans in self._spans.values() for first, last in spans)

    @property
    def runs(self) -> list[Run]:
        """All of it, in no order that means anything: to be kept as JSON."""
        return [(head, first, last) for head, spans in self._spans.items() for first, last in spans]


def _parts(id: str) -> tuple[str, int]:
    """How `id` begins, and its number; together they are the id again, also where it has too many zeros in front."""
    number = int(id.rpartition("-")[2])
    return id.removesuffix(f"{number:06d}"), number
