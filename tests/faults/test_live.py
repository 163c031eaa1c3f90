"""The whole harness once: a live graph, a fault, and a verdict from the witness's log, held to the row's bars alone.

A machine that was away makes the attempt void, which is no failure here; that the arm really stopped is still asked.
"""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from robot_rig.cli.faults.attempts import Attempts
from robot_rig.cli.faults.results import Results, RowResult
from sim.faults.table import ROWS


def test_a_collision_stops_the_arm_in_a_live_graph(tmp_path: Path) -> None:
    row = ROWS[35]
    with Attempts(tmp_path, 0, Console()) as attempts:
        attempt = attempts.make(row, 35)
    assert attempt.void or attempt.complaints == (), attempt
    results = Results(tmp_path / "faults.json")
    results.rows[35] = RowResult(row.sentence, 1, [attempt])
    results.save()
    again = Results(tmp_path / "faults.json")
    assert again.rows[35].attempts[0].marks == attempt.marks
    assert again.last_line([35]).startswith("faults passed=")
