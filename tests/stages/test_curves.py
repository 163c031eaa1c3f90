"""Curves of a run of weeks: the same as before while it is short, few and even points when it is long."""

from __future__ import annotations

import json
import os
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.errors import UserError
from robot_rig.metrics import MetricsLog
from robot_rig.stages.curves import LONGEST_ROW, MOST_POINTS, Thinned, read_curves

STAGES = ("vae", "td3")


def line(stage: str, step: int, value: float) -> str:
    return json.dumps({"stage": stage, "step": step, "critic_loss": value}) + "\n"


def written(folder: Path, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    (folder / "metrics.jsonl").write_text(text)
    return folder


def test_a_log_of_weeks_is_read_in_little_memory(tmp_path: Path) -> None:
    """Longer than what is read at once, in rows that are padded so that this takes a second and not a minute."""
    rows, pad = 4000, " " * 17_000
    with (tmp_path / "metrics.jsonl").open("w") as file:
        for number in range(rows):
            stage = STAGES[number % 2]
            file.write(json.dumps({"stage": stage, "step": 10 * number, "kl": float(number)}) + pad + "\n")
        file.write('{"stage": "td3", "step": 999999, "kl"')
    assert (tmp_path / "metrics.jsonl").stat().st_size > 64 << 20
    tracemalloc.start()
    curves = read_curves(tmp_path, STAGES, most=100)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 2 << 20
    for stage, ends in (("vae", (0, 10 * (rows - 2))), ("td3", (10, 10 * (rows - 1)))):
        steps = [step for step, _ in curves[stage]["kl"]]
        assert 50 <= len(steps) <= 101
        assert (steps[0], steps[-1]) == ends
        gaps = [after - before for before, after in pairwise(steps[:-1])]
        assert max(gaps) <= min(gaps) + 20, "evenly"
        assert all(value == step / 10 for step, value in curves[stage]["kl"]), "each is a row of the file"


def test_a_run_that_goes_on_behind_a_torn_line_loses_that_line_only(tmp_path: Path) -> None:
    whole = line("td3", 10, 1.0) + line("td3", 20, 2.0)
    for end in range(len(line("td3", 10, 1.0)), len(whole) - 1):
        folder = written(tmp_path / "torn", whole[:end])
        assert read_curves(folder, ["td3"])["td3"] == {"critic_loss": [(10, 1.0)]}
    log = MetricsLog(tmp_path / "torn")
    log.add("td3", 20, {"critic_loss": 7.0})
    log.close()
    assert read_curves(tmp_path / "torn", ["td3"])["td3"] == {"critic_loss": [(10, 1.0), (20, 7.0)]}


def test_what_is_no_row_is_passed_over(tmp_path: Path) -> None:
    good = line("td3", 10, 1.0)
    endless = '{"stage": "td3", "step": 5, "critic_loss": 5.0' + " " * (3 * LONGEST_ROW) + "}\n"
    wrong = '[]\n\n{"stage": ["td3"], "step": 1}\n{"stage": "td3", "step": true, "critic_loss": 1}\n\x00\n{"stage": 1}'
    folder = written(tmp_path / "run", endless + wrong + "\n" + good + endless + line("td3", 20, 2.0))
    assert read_curves(folder, ["td3"])["td3"] == {"critic_loss": [(10, 1.0), (20, 2.0)]}


def test_only_a_regular_file_is_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "metrics.jsonl")
    with pytest.raises(UserError, match="is not a regular file"):
        read_curves(tmp_path, STAGES)


@given(
    st.lists(st.tuples(st.integers(0, 3000), st.integers(0, 9)), max_size=300), st.integers(1, 40), st.integers(0, 300)
)
def test_the_choice_depends_on_the_rows_alone(rows: list[tuple[int, int]], most: int, looked_at: int) -> None:
    """Whatever the order of the steps, of each step the last row counts, and looking changes nothing."""
    thinned = Thinned(most)
    for number, (step, value) in enumerate(rows):
        thinned.add(step, {"v": value})
        if number == looked_at:
            thinned.rows()
    last = dict(rows)
    kept = thinned.rows()
    assert len(kept) <= most + 1
    stretch = 1
    while len({step // stretch for step in last}) > most:
        stretch *= 2
    expected = {min(step for step in last if step // stretch == place) for place in {step // stretch for step in last}}
    assert [step for step, _ in kept] == sorted(expected | {*([max(last)] if last else [])})
    assert all(row == {"v": last[step]} for step, row in kept)


def test_no_run_that_a_person_waits_for_is_thinned() -> None:
    thinned = Thinned(MOST_POINTS)
    for step in range(MOST_POINTS):
        thinned.add(step, {})
    assert len(thinned.rows()) == MOST_POINTS
