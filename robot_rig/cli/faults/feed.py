"""The witness's log while it grows. Called by `stage`, which waits for what it says, and by `attempts`."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any, TypeVar

from sim.faults.evidence import Evidence, Report, gather, read_line

T = TypeVar("T")
KEPT = 200_000
"""Facts: some minutes."""


class Feed:
    """Reads what has been added to `path`; a line that is not finished yet waits for its rest."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("r")
        self._rest = ""
        self._facts: deque[Any] = deque(maxlen=KEPT)
        self._newest: dict[type[Any], Any] = {}

    def read(self) -> None:
        """Take in what is new."""
        *lines, self._rest = (self._rest + self._file.read()).split("\n")
        for line in lines:
            fact = read_line(line)
            self._facts.append(fact)
            self._newest[type(fact)] = fact

    def newest(self, kind: type[T]) -> T | None:
        """The last fact of its kind."""
        self.read()
        return self._newest.get(kind)

    def told(self, since: float, codes: Collection[str]) -> bool:
        """Whether some node's diagnostics gave one of `codes` after `since` (monotonic s)."""
        self.read()
        reports = (fact for fact in self._facts if isinstance(fact, Report) and fact.t > since)
        return any(set(codes) & set(report.codes) for report in reports)

    def evidence(self, begin: float, end: float, marks: Mapping[str, float]) -> Evidence:
        """What was seen between `begin` and `end` (monotonic s)."""
        return gather(self._facts, begin, end, marks)

    def close(self) -> None:
        """Read no more."""
        self._file.close()
