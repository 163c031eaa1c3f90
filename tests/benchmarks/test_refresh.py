"""The curve across tunings of the encoder: what counts as a loss, when the bar is missed, and the whole way once."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.refresh import refreshes, run, wandering
from robot_rig.cli.main import main
from robot_rig.cli.options import RunOptions
from robot_rig.evaluation import Summary, summarise
from robot_rig.report_data import EncoderStretch
from tests.tiny_run import content, settings

Capture = pytest.CaptureFixture[str]


def reached(count: int, of: int = 50) -> Summary:
    return summarise(np.where(np.arange(of) < count, 0.01, 0.2), 0.03)


CURVE = (
    EncoderStretch("a" * 16, ((0, reached(20)), (100, reached(30)))),
    EncoderStretch("b" * 16, ((100, reached(24)), (150, reached(40)), (200, reached(38)))),
    EncoderStretch("c" * 16, ((200, reached(39)),)),
)


def test_a_refresh_is_judged_by_right_before_and_right_after() -> None:
    first, second = refreshes(CURVE)
    assert (first.steps, first.encoders) == (100, ("a" * 16, "b" * 16))
    assert first.change_points == pytest.approx(-12.0)
    assert first.later is not None
    assert (first.later[0], first.later[1].successes) == (50, 40)
    assert second.change_points == pytest.approx(2.0)
    assert second.later is None
    assert list(wandering(CURVE)) == pytest.approx([20.0, 32.0, -4.0])


@pytest.mark.proof
@pytest.mark.usefixtures("undrawn")
def test_the_bench_goes_all_the_way_and_its_report_shows_the_curve(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    content(monkeypatch)
    short = ("practice.steps=75", "evaluation.goals=1", "evaluation.episode_steps=2")
    options = RunOptions(tmp_path, set=settings(*short))
    # A policy that has learnt nothing reaches nothing, and so loses nothing by a tuning.
    assert run(options, (0,)) in (0, 1)
    said = capsys.readouterr().out
    last = said.rstrip("\n").rpartition("\n")[2]
    assert re.fullmatch(
        r"bench refresh seeds=1 refused=0 refreshes=2 worst_change_points=[+-]\d+ worst_change_without_points=[+-]\d+",
        last,
    )
    assert max(map(len, said.splitlines()[:8])) <= 80
    page = (tmp_path / "seed-0" / "report.html").read_text()
    assert "Across tunings of the encoder" in page
    for number in (1, 2, 3):
        assert f"<td>{number}: " in page


def test_the_bar_is_missed_without_refreshes_and_by_a_refused_vae(tmp_path: Path, capsys: Capture) -> None:
    words = [word for setting in settings("vae.updates=1") for word in ("--set", setting)]
    assert main(["bench", "refresh", "--run", str(tmp_path), "--seeds", "0", *words]) == 1
    assert "bar: a refresh costs at most 10 points of success: MISSED" in capsys.readouterr().out
    assert main(["bench", "refresh", "--run", str(tmp_path), "--seeds"]) == 2
