"""The benches sum up in one line and fail below their bars."""

from __future__ import annotations

import importlib
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from benchmarks.attempts import Attempts
from robot_rig.cli.main import main
from robot_rig.evaluation import summarise
from tests.tiny_run import content, words

# Not by dotted names: the package `benchmarks` imports `sim`, which then goes by `benchmarks.sim` too.
sim_bench = importlib.import_module("benchmarks.sim")
seeds_bench = importlib.import_module("benchmarks.seeds")
Capture = pytest.CaptureFixture[str]


def last_line(capsys: Capture) -> str:
    return capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]


@pytest.mark.parametrize(("bar", "code"), [(0.0, 0), (1e9, 1)])
def test_bench_sim_ends_with_its_one_line_and_fails_below_its_bar(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, bar: float, code: int
) -> None:
    monkeypatch.setattr(sim_bench, "STEPS_A_ROUND", 5)
    monkeypatch.setattr(sim_bench, "WARM_UP_STEPS", 1)
    assert sim_bench.LEAST_RATIO == 0.5
    monkeypatch.setattr(sim_bench, "LEAST_RATIO", bar)
    assert main(["bench", "sim", "--rounds", "1"]) == code
    match = re.fullmatch(r"bench sim steps_per_s=(\d+) ratio=(\d+\.\d\d)", last_line(capsys))
    assert match
    assert float(match[1]) > 0


def outcome(*distances_cm: float, steps: int = 2500) -> tuple[object, ...]:
    return seeds_bench.Outcome(7, 99, summarise(np.array(distances_cm) / 100, 0.03), steps)


def test_every_bar_of_the_demo_is_held_against_every_run() -> None:
    good = outcome(*[1.0] * 18, 3.0, 4.0)
    assert seeds_bench.missed([good] * 3, 0) == []
    named = {
        "median": outcome(*[1.31] * 20),
        "p90": outcome(*[1.0] * 17, *[3.1] * 3),
        "worst 10 %": outcome(*[1.0] * 18, 3.0, 6.1),
        "environment steps": outcome(1.0, steps=2501),
    }
    for name, bad in named.items():
        (line,) = seeds_bench.missed([*[good] * 5, bad], 0)
        assert name in line
        assert "seed 7, goal seed 99" in line
    (line,) = seeds_bench.missed([outcome(1.2), outcome(1.1)], 0)
    assert line == "mean of the medians 1.15 cm"
    (line,) = seeds_bench.missed([], 2)
    assert "2 refused" in line


def bench_seeds(run: Path, *sets: str) -> list[str]:
    return ["bench", "seeds", *words("", run, *sets)[1:], "--seeds", "0", "--goal-seeds", "12345"]


@pytest.mark.proof
@pytest.mark.usefixtures("undrawn")
def test_bench_seeds_fails_on_a_run_that_has_learnt_nothing(
    copied: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    content(monkeypatch)
    copied.rename(copied.with_name("seed-0"))
    assert main(bench_seeds(copied.parent)) == 1
    assert re.fullmatch(
        r"bench seeds runs=1 refused=0 mean_median_cm=(\d+\.\d\d) worst_median_cm=\1", last_line(capsys)
    )


def test_a_refused_vae_leaves_no_mean_to_boast_of(tmp_path: Path, capsys: Capture) -> None:
    assert main(bench_seeds(tmp_path, "vae.updates=1")) == 1
    assert last_line(capsys) == "bench seeds runs=0 refused=1 mean_median_cm=none worst_median_cm=none"


class Steady:
    """A heart without gaps, or with the next of `gaps` (s) in each round."""

    scheduling = "as a test has it"

    def __init__(self, *gaps: float) -> None:
        self.gaps = list(gaps)

    def __enter__(self) -> Steady:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def worst_gap(self, since: float, until: float) -> float:
        assert since <= until
        return self.gaps.pop(0) if self.gaps else 0.0


@pytest.fixture
def quick_tick(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    bench = importlib.import_module("benchmarks.tick")
    for name, value in {"TICKS_A_ROUND": 5, "WARM_UP_TICKS": 1, "PACE_S": 0.0}.items():
        monkeypatch.setattr(bench, name, value)
    monkeypatch.setattr(bench, "Heartbeat", lambda _: Steady())
    return bench


@pytest.mark.parametrize(("bar", "code"), [(0.0, 0), (1e9, 1)])
def test_bench_tick_ends_with_its_one_line_and_fails_below_its_bar(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, quick_tick: ModuleType, bar: float, code: int
) -> None:
    assert quick_tick.LEAST_RATIO == 3.0
    monkeypatch.setattr(quick_tick, "LEAST_RATIO", bar)
    assert main(["bench", "tick", "--rounds", "2"]) == code
    printed = capsys.readouterr().out.rstrip("\n")
    assert "torch eager" in printed
    last = printed.rpartition("\n")[2]
    match = re.fullmatch(
        r"bench tick p99_ratio=(\d+\.\d\d) p99_us=(\d+) runtime=\w+ rounds=([\d.,]+) voids=0 attempts=2", last
    )
    assert match, last
    assert float(match[1]) > 0
    assert match[3].count(",") == 1


def test_a_round_in_which_the_machine_was_away_is_told_and_repeated() -> None:
    bench = importlib.import_module("benchmarks.tick")
    results = iter([{"a": np.array([float(number)])} for number in range(10)])
    told: list[str] = []
    attempts = Attempts(4)
    measured = bench.valid_rounds(lambda: next(results), Steady(0.0, 0.021, 0.02), attempts, told.append)
    assert [float(times["a"][0]) for times in measured] == [0.0, 2.0, 3.0, 4.0]
    assert told == ["void, repeated: round 2: the machine was away for 21 ms"]
    assert not attempts.failed


def test_too_many_void_rounds_fail_whatever_was_measured(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, quick_tick: ModuleType
) -> None:
    monkeypatch.setattr(quick_tick, "LEAST_RATIO", 0.0)
    for gaps, last in (
        ((0.5,), "bench tick p99_ratio=none voids=1 attempts=1"),
        ((0.0, 0.5), r"bench tick p99_ratio=\d.* voids=1 attempts=2"),
    ):
        monkeypatch.setattr(quick_tick, "Heartbeat", lambda _, gaps=gaps: Steady(*gaps))
        assert main(["bench", "tick", "--rounds", "2"]) == 1
        assert re.fullmatch(last, last_line(capsys))
