"""Training curves for a report, however long the run: the log of metrics is read as a stream, and thinned evenly.

Called by `stages.reporting`. Practice that goes on for weeks logs several rows a second, and no page shows millions of
them. Every row is still in the file; what is read here is a choice of them that depends on the file alone.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from robot_rig.stranger_files import open_regular, parse_object

MOST_POINTS = 5000
"""Of a curve: what is more than that is thinned. A demo has some hundreds; an hour of practice some thousands."""

LONGEST_ROW = 64 * 1024
"""Bytes; what is longer is no row of ours and is passed over."""

Curves = dict[str, list[tuple[int, float]]]
"""By name of a metric, its (step, value) by rising step."""


class Thinned:
    """Rows of one stage, at most `most` and the newest: of each stretch of equally many steps that with the lowest.

    Of rows with the same step the last counts. The stretches get twice as long whenever there are too many, so the
    choice depends on what was added, never on when it was looked at.
    """

    def __init__(self, most: int) -> None:
        self._most, self._stretch = most, 1
        self._rows: dict[int, tuple[int, Mapping[str, Any]]] = {}
        self._newest: tuple[int, Mapping[str, Any]] | None = None

    def add(self, step: int, row: Mapping[str, Any]) -> None:
        """Take in the `row` of `step`."""
        if self._newest is None or step >= self._newest[0]:
            self._newest = step, row
        self._put(step, row)
        while len(self._rows) > self._most:
            self._stretch *= 2
            rows, self._rows = self._rows.values(), {}
            for kept in rows:
                self._put(*kept)

    def rows(self) -> list[tuple[int, Mapping[str, Any]]]:
        """What is left, by rising step."""
        ends = {} if self._newest is None else dict([self._newest])
        return sorted((dict(self._rows.values()) | ends).items(), key=lambda item: item[0])

    def _put(self, step: int, row: Mapping[str, Any]) -> None:
        place = step // self._stretch
        before = self._rows.get(place)
        if before is None or step <= before[0]:
            self._rows[place] = step, row


def read_curves(folder: Path, stages: Collection[str], most: int = MOST_POINTS) -> dict[str, Curves]:
    """The curves of each of the `stages` in the metrics of `folder`, of `most` steps each and the newest one.

    What is no row of ours, such as a line that a kill has torn, is left out. Memory goes with `most`, not with the
    file. Raises UserError as `open_regular` does.
    """
    found = {stage: Thinned(most) for stage in stages}
    path = folder / "metrics.jsonl"
    if path.exists():
        with open_regular(path, "metrics log") as file:
            for line in _lines(file):
                _take(line, found)
    return {stage: _curves(thinned) for stage, thinned in found.items()}


def _take(line: bytes, found: Mapping[str, Thinned]) -> None:
    try:
        row = parse_object(line)
    except ValueError:
        return
    stage, step = row.get("stage"), row.get("step")
    if isinstance(stage, str) and stage in found and type(step) is int:
        found[stage].add(step, row)


def _lines(file: BinaryIO) -> Iterator[bytes]:
    """The lines of `file` that are not too long."""
    whole = True
    while line := file.readline(LONGEST_ROW):
        ends = line.endswith(b"\n")
        if whole and (ends or len(line) < LONGEST_ROW):
            yield line
        whole = ends


def _curves(thinned: Thinned) -> Curves:
    curves: Curves = {}
    for step, row in thinned.rows():
        for name, value in row.items():
            if name not in ("stage", "step") and isinstance(value, int | float):
                curves.setdefault(name, []).append((step, float(value)))
    return curves
