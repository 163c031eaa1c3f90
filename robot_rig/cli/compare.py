"""`rig compare`: which of several finished exams on the same goals ended closer? Called by `exam_commands`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from robot_rig.cli.checkpoint_exam import EXAMS
from robot_rig.cli.exam_tables import print_table
from robot_rig.disk import unwritable, write_atomically
from robot_rig.errors import UserError
from robot_rig.evaluation_attempts import RULERS, TOOL
from robot_rig.evaluation_compare import LEVEL, Unit
from robot_rig.evaluation_rivals import Comparison, Contest, compare
from robot_rig.report_compare import PAIR_COLUMNS, SUCCESS_PAIR_COLUMNS, pair_cells, render_comparison


def run_compare(folders: Sequence[Path], report: Path | None, console: Console) -> int:
    """Compare the exams in `folders`, print the table and the sentences, and write the page to `report`.

    Without a name it gets the first free one under runs/exams. Returns the exit code 0. Raises UserError when they
    cannot be compared, or `report` is there already.
    """
    if report is not None and report.exists():
        raise UserError(f"{report} is there already", next_step="choose another --report")
    found = compare(folders)
    path = report if report is not None else _free_name()
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise unwritable(path, error) from error
    with console.status("report"):
        write_atomically(path, render_comparison(found).encode())
    unit = RULERS[found.ruler]
    for rival in found.rivals:
        console.print(rival.label, highlight=False, markup=False, soft_wrap=True)
    cells = {name: rest for name, *rest in (pair_cells(contest, unit) for contest in found.contests)}
    # Apart, because the columns of both are more than a terminal has room for.
    last = len(PAIR_COLUMNS) - 1
    title = f"at the same {len(found.ids)} goals"
    print_table(f"Final distance {title}", PAIR_COLUMNS, {name: rest[:last] for name, rest in cells.items()}, console)
    if found.ruler == TOOL:
        columns = (PAIR_COLUMNS[0], *SUCCESS_PAIR_COLUMNS)
        print_table(f"Success {title}", columns, {name: rest[last:] for name, rest in cells.items()}, console)
    for said in (*found.notes, *(contest.said for contest in found.contests)):
        console.print(said, highlight=False, markup=False, soft_wrap=True)
    console.print(f"report: {path}", highlight=False, markup=False, soft_wrap=True)
    print(line(found, path))
    return 0


def line(found: Comparison, path: Path) -> str:
    """The last line: names and numbers that a program can read, those of each pair behind its letter."""
    unit = RULERS[found.ruler]
    parts = [f"compare n={len(found.ids)} unit={unit.name.replace(' ', '_')}"]
    parts += [_pair_words(contest, unit) for contest in found.contests]
    return " ".join([*parts, f"report={path}"])


def _pair_words(contest: Contest, unit: Unit) -> str:
    paired, letter = contest.paired, contest.letter.lower()
    low, high = ("none" if bound is None else unit.show(bound) for bound in (paired.low, paired.high))
    better = "none"
    if contest.p < LEVEL and paired.median * paired.leaning > 0:
        better = letter if paired.median < 0 else "a"
    said = (
        f"{letter}_closer={paired.closer} {letter}_median_difference={unit.show(paired.median)} {letter}_low={low} "
        f"{letter}_high={high} {letter}_p={contest.p:.4f} {letter}_better={better}"
    )
    return said if contest.successes is None else f"{said} {letter}_mcnemar_p={contest.successes.p:.4f}"


def _free_name() -> Path:
    number = 1
    while (path := EXAMS / f"compare-{number}.html").exists():
        number += 1
    return path
