"""`rig bench sim` measures both loops in one process and sums up in one line."""

from __future__ import annotations

import importlib
import re

import pytest

from robot_rig.cli.main import main


def test_bench_sim_ends_with_its_one_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    # Not by a dotted name: the package `benchmarks` imports `sim`, which then goes by `benchmarks.sim` too.
    bench = importlib.import_module("benchmarks.sim")
    monkeypatch.setattr(bench, "STEPS_A_ROUND", 5)
    monkeypatch.setattr(bench, "WARM_UP_STEPS", 1)
    assert main(["bench", "sim", "--rounds", "1"]) == 0
    last = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
    match = re.fullmatch(r"bench sim steps_per_s=(\d+) ratio=(\d+\.\d\d)", last)
    assert match, last
    assert float(match[1]) > 0
