"""Results accumulate, voids never count as passes, and more than a fifth of them fail the row."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot_rig.cli.faults.results import Attempt, Results, RowResult
from robot_rig.errors import UserError


def attempt(void: str = "", complaints: tuple[str, ...] = (), stop: float = 10.0, revision: str = "one") -> Attempt:
    return Attempt(0, void, list(complaints), {"stop ms": stop}, {"fault": 1.0}, revision)


def test_a_row_passes_only_with_all_of_its_attempts() -> None:
    assert RowResult("x", 3, [attempt()] * 3).passed
    assert not RowResult("x", 3, [attempt()] * 2).passed
    assert not RowResult("x", 3, [*[attempt()] * 3, attempt(complaints=("late",))]).passed
    assert not RowResult("x", 1, []).passed


def test_voids_are_repeated_and_too_many_fail() -> None:
    void = attempt(void="the machine was away")
    assert RowResult("x", 4, [*[attempt()] * 4, void]).passed
    assert not RowResult("x", 3, [*[attempt()] * 3, void]).passed
    assert RowResult("x", 20, [void] * 5).wanting
    assert not RowResult("x", 2, [void] * 5).wanting
    assert not RowResult("x", 1, [void]).passed


def test_a_void_attempts_figures_do_not_count() -> None:
    row = RowResult("x", 1, [attempt(stop=30.0), attempt(void="away", stop=900.0)])
    assert row.worst("stop ms") == 30.0


def test_results_go_on_where_the_file_ends(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    first = Results(path)
    first.rows[12] = RowResult("policy killed", 2, [attempt(), attempt(void="away")])
    first.save()
    second = Results(path)
    second.rows[1] = RowResult("unplugged", 1, [attempt(stop=44.4)])
    second.save()
    third = Results(path)
    assert third.rows[12].attempts == [attempt(), attempt(void="away")]
    assert third.last_line([1, 12]) == "faults passed=1 of=2 worst_stop_ms=44 void=1"


def test_results_say_which_code_they_were_measured_on(tmp_path: Path) -> None:
    results = Results(tmp_path / "out.json")
    results.rows[1] = RowResult("x", 3, [attempt(), attempt(revision="two"), attempt(revision="two")])
    results.rows[2] = RowResult("y", 1, [attempt(void="away", revision="three"), attempt()])
    results.rows[3] = RowResult("z", 1, [attempt(revision="four")])
    results.save()
    assert Results(tmp_path / "out.json").revisions([1, 2, 9]) == "valid attempts by revision: one 2, two 2"


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.json").write_text('{"rows": {"1": 5}}')
    with pytest.raises(UserError, match="no results"):
        Results(tmp_path / "x.json")
