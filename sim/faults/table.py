"""All rows that `rig faults` can cause, by number. Called by `cli.faults`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from robot_rig.errors import UserError
from sim.faults import (
    rows_alone,
    rows_camera,
    rows_commanders,
    rows_contact,
    rows_files,
    rows_motion,
    rows_processes,
    rows_recording,
    rows_refused,
    rows_robot,
)
from sim.faults.rows import Row
from sim.faults.rows_alone import AloneRow
from sim.faults.rows_files import FileRow

TABLES = (
    rows_camera,
    rows_refused,
    rows_motion,
    rows_processes,
    rows_recording,
    rows_robot,
    rows_commanders,
    rows_contact,
)
AnyRow = Row | FileRow | AloneRow
ROWS: Mapping[int, Row] = {row.number: row for table in TABLES for row in table.ROWS}
FILE_ROWS: Mapping[int, FileRow] = {row.number: row for row in rows_files.ROWS}
ALONE_ROWS: Mapping[int, AloneRow] = {row.number: row for row in rows_alone.ROWS}
_ALL: Mapping[int, AnyRow] = {**ROWS, **FILE_ROWS, **ALONE_ROWS}
EVERY: Mapping[int, AnyRow] = {number: _ALL[number] for number in sorted(_ALL)}


def chosen(words: str) -> Sequence[AnyRow]:
    """The rows that `words` names, as in 1-3,12; all when empty. Raises UserError for a row that there is not."""
    if not words:
        return list(EVERY.values())
    numbers = []
    for word in words.split(","):
        first, _, last = word.strip().partition("-")
        if not re.fullmatch(r"\d+(-\d+)?", word.strip()):
            raise UserError(f"--rows {words!r} names no rows", next_step="give numbers, as in --rows 1-3,12")
        span = range(int(first), int(last or first) + 1)
        numbers += [number for number in span if number in EVERY or not last]
    missing = [str(number) for number in numbers if number not in EVERY]
    if missing or not numbers:
        raise UserError(f"there is no row {', '.join(missing) or words}", choices=map(str, EVERY))
    return [EVERY[number] for number in dict.fromkeys(numbers)]
