"""bfloat16 against float32: the bar, the speeds, what the processor says of itself, and the whole way once."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks import precision
from benchmarks.precision import MOST_WORSE_M, Outcome, Speed, bfloat16_units, mean_worse_m, run
from robot_rig.cli.options import RunOptions
from robot_rig.evaluation import Summary, summarise
from robot_rig.runs import RunFolder
from robot_rig.stages.shipping import checkpoint_path, load_checkpoint
from tests.tiny_run import content, settings


def ended(median_m: float) -> Summary:
    return summarise(np.full(5, median_m), 0.03)


def outcome(full_m: float, short_m: float) -> Outcome:
    rates = {"float32": 10.0, "bfloat16": 20.0}
    return Outcome(0, {"float32": ended(full_m), "bfloat16": ended(short_m)}, ended(0.1), Speed(rates, rates))


def test_the_bar_is_the_mean_of_the_medians() -> None:
    assert mean_worse_m([outcome(0.010, 0.013), outcome(0.010, 0.009)]) == pytest.approx(0.001)
    assert mean_worse_m([outcome(0.010, 0.013)]) > MOST_WORSE_M


def test_units_are_named_by_the_processor(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("flags : fpu avx512f avx512_bf16 amx_bf16\nflags : fpu avx512f avx512_bf16 amx_bf16\n")
    assert bfloat16_units(info) == ["amx_bf16", "avx512_bf16"]
    info.write_text("flags : fpu sse2\n")
    assert bfloat16_units(info) == []
    assert bfloat16_units(tmp_path / "absent") == []


@pytest.mark.proof
def test_the_bench_goes_all_the_way_in_both_formats(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content(monkeypatch)
    for name, count in (("ROUNDS", 1), ("VAE_UPDATES", 2), ("AGENT_UPDATES", 4)):
        monkeypatch.setattr(precision, name, count)
    short = ("evaluation.goals=1", "evaluation.episode_steps=2")
    options = RunOptions(tmp_path, set=settings("practice.steps=0", *short))
    assert run(options, (0,)) in (0, 1)
    said = capsys.readouterr().out
    last = said.rstrip("\n").rpartition("\n")[2]
    number = r"-?\d+\.\d\d"
    wanted = rf"bench precision seeds=1 refused=0 bf16_worse_cm={number} vae_ratio={number} agent_ratio={number}"
    assert re.fullmatch(wanted, last)
    place = tmp_path / "seed-0"
    logs = {name: sorted(path.name for path in (place / name / "episodes").iterdir()) for name in ("play", "float32")}
    assert logs["play"] == logs["float32"] != []
    for name in ("float32", "bfloat16"):
        shipment = load_checkpoint(checkpoint_path(RunFolder.open(place / name), 0))
        assert shipment.number_format == name
