"""Curves on disk survive what happens to a run: kills, resumes and values that are not numbers."""

from __future__ import annotations

import json
import math
from pathlib import Path

from robot_rig.metrics import MetricsLog
from robot_rig.stages.curves import read_curves


def write(folder: Path, *rows: tuple[str, int, dict[str, float]]) -> None:
    log = MetricsLog(folder)
    for stage, step, values in rows:
        log.add(stage, step, values)
    log.close()


def test_what_was_written_is_read_stage_by_stage_by_rising_step(tmp_path: Path) -> None:
    write(tmp_path, ("vae", 20, {"kl": 2.5}), ("vae", 10, {"kl": 1.5, "loss": 4.0}), ("td3", 10, {"kl": 9.0}))
    assert read_curves(tmp_path, ["vae"])["vae"] == {"kl": [(10, 1.5), (20, 2.5)], "loss": [(10, 4.0)]}
    assert read_curves(tmp_path, ["td3"])["td3"] == {"kl": [(10, 9.0)]}
    assert read_curves(tmp_path, ["other"])["other"] == {}


def test_no_file_is_no_curve(tmp_path: Path) -> None:
    assert read_curves(tmp_path / "nowhere", ["vae"])["vae"] == {}


def test_torn_last_line_of_a_killed_run_costs_that_line_only(tmp_path: Path) -> None:
    write(tmp_path, ("vae", 10, {"kl": 1.0}), ("vae", 20, {"kl": 2.0}))
    path = tmp_path / "metrics.jsonl"
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for end in range(first, len(whole) - 1):
        path.write_bytes(whole[:end])
        assert read_curves(tmp_path, ["vae"])["vae"] == {"kl": [(10, 1.0)]}, whole[:end]
    path.write_bytes(whole)
    assert read_curves(tmp_path, ["vae"])["vae"] == {"kl": [(10, 1.0), (20, 2.0)]}


def test_a_resumed_run_appends_after_a_torn_line_and_its_rows_are_read(tmp_path: Path) -> None:
    write(tmp_path, ("vae", 10, {"kl": 1.0}), ("vae", 20, {"kl": 2.0}))
    path = tmp_path / "metrics.jsonl"
    path.write_bytes(path.read_bytes()[:-9])
    write(tmp_path, ("vae", 20, {"kl": 3.0}), ("vae", 30, {"kl": 4.0}))
    assert read_curves(tmp_path, ["vae"])["vae"] == {"kl": [(10, 1.0), (20, 3.0), (30, 4.0)]}


def test_a_row_is_on_disk_as_soon_as_it_is_added(tmp_path: Path) -> None:
    """A killed process flushes nothing."""
    log = MetricsLog(tmp_path)
    log.add("vae", 10, {"kl": 1.0})
    assert read_curves(tmp_path, ["vae"])["vae"] == {"kl": [(10, 1.0)]}
    log.close()


def test_the_last_row_of_a_step_counts(tmp_path: Path) -> None:
    write(tmp_path, ("vae", 10, {"kl": 1.0}))
    write(tmp_path, ("vae", 10, {"kl": 7.0}))
    assert read_curves(tmp_path, ["vae"])["vae"] == {"kl": [(10, 7.0)]}


def test_what_is_no_number_is_written_as_null_and_left_out_of_the_curve(tmp_path: Path) -> None:
    write(tmp_path, ("vae", 10, {"kl": math.nan, "loss": math.inf, "fine": 1.0}))
    text = (tmp_path / "metrics.jsonl").read_text()
    assert json.loads(text, parse_constant=lambda name: f"not JSON: {name}") == {
        "stage": "vae",
        "step": 10,
        "kl": None,
        "loss": None,
        "fine": 1.0,
    }
    assert read_curves(tmp_path, ["vae"])["vae"] == {"fine": [(10, 1.0)]}


def test_tensorboard_finds_its_file_too(tmp_path: Path) -> None:
    write(tmp_path, ("vae", 10, {"kl": 1.0}))
    (events,) = tmp_path.glob("events.out.tfevents.*")
    assert b"vae/kl" in events.read_bytes()
