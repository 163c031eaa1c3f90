"""What came of the attempts so far, in a JSON file that grows over runs, and the last line. Called by `attempts`."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from robot_rig.disk import write_atomically
from robot_rig.errors import UserError

VOID_SHARE = 0.20
"""More void attempts than this share, and the row has failed."""


VOIDS = 5
"""So many are tried again even where few attempts are wanted."""


@dataclass(frozen=True)
class Attempt:
    """One attempt at a row: void for a reason, else passed or complained of; `figures` by name and unit.

    `revision` is the code's, as git tells it, so that results that grew over days say what they were measured on.
    """

    seed: int
    void: str
    complaints: Sequence[str]
    figures: dict[str, float]
    marks: dict[str, float]
    revision: str = "unknown"

    @property
    def passed(self) -> bool:
        """Whether it counts, and for the product."""
        return not self.void and not self.complaints


@dataclass
class RowResult:
    """All attempts at a row, `wanted` valid ones."""

    sentence: str
    wanted: int
    attempts: list[Attempt] = field(default_factory=list)

    @property
    def voids(self) -> int:
        """Attempts that prove nothing."""
        return sum(bool(attempt.void) for attempt in self.attempts)

    @property
    def valid(self) -> int:
        """Attempts that count."""
        return len(self.attempts) - self.voids

    @property
    def successes(self) -> int:
        """Attempts that the product has passed."""
        return sum(attempt.passed for attempt in self.attempts)

    @property
    def too_many_voids(self) -> bool:
        """Whether more than a fifth are void."""
        return self.voids > VOID_SHARE * len(self.attempts)

    @property
    def wanting(self) -> bool:
        """Whether valid attempts are still to be made, and this machine is not hopeless."""
        return self.valid < self.wanted and self.voids < max(VOIDS, self.wanted)

    @property
    def passed(self) -> bool:
        """All of the wanted attempts, every one passed."""
        return self.valid >= self.wanted and self.successes == self.valid and not self.too_many_voids

    def worst(self, figure: str) -> float:
        """The largest of a figure over valid attempts, ms; minus infinity without one."""
        return max(
            (a.figures[figure] for a in self.attempts if not a.void and figure in a.figures), default=-float("inf")
        )


class Results:
    """The rows' results; `save` writes them to `path` in one step."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.rows: dict[int, RowResult] = {}
        if path is not None and path.exists():
            self._load(path)

    def _load(self, path: Path) -> None:
        try:
            stored = json.loads(path.read_text())["rows"]
            for number, row in stored.items():
                attempts = [Attempt(**attempt) for attempt in row["attempts"]]
                self.rows[int(number)] = RowResult(row["sentence"], row["wanted"], attempts)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path} holds no results of `rig faults`: {error}", next_step="name another file"
            ) from error

    def save(self) -> None:
        """Write everything; a crash leaves the file of before."""
        if self._path is None:
            return
        rows = {str(number): {**asdict(row), "passed": row.passed} for number, row in sorted(self.rows.items())}
        write_atomically(self._path, json.dumps({"rows": rows}, indent=1).encode())

    def revisions(self, numbers: Iterable[int]) -> str:
        """How many valid attempts at rows `numbers` were made at which revision of the code, in words."""
        valid = [a for number in numbers if number in self.rows for a in self.rows[number].attempts if not a.void]
        counted = Counter(attempt.revision for attempt in valid)
        return "valid attempts by revision: " + ", ".join(f"{name} {count}" for name, count in counted.most_common())

    def last_line(self, numbers: Iterable[int]) -> str:
        """Names and numbers that a program can read; of rows `numbers`."""
        rows = [self.rows[number] for number in numbers if number in self.rows]
        worst = max((row.worst("stop ms") for row in rows), default=-float("inf"))
        return (
            f"faults passed={sum(row.passed for row in rows)} of={len(rows)}"
            f" worst_stop_ms={'none' if worst == -float('inf') else f'{worst:.0f}'}"
            f" void={sum(row.voids for row in rows)}"
        )
