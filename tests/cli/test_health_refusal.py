"""A VAE that failed its check is practised on by nobody, and nothing moves."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot_rig.cli.main import main
from tests.tiny_run import words

UNFIT = "vae.updates=1"


@pytest.fixture(scope="module")
def unfit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("unfit") / "run"
    assert main(words("collect", folder, UNFIT)) == 0
    assert main(words("train", folder, UNFIT)) == 1
    return folder


def test_train_says_why_and_fails(unfit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words("train", unfit, UNFIT)) == 1
    printed = " ".join(capsys.readouterr().out.split())
    assert "NOT fit to practise on" in printed
    assert "vae.updates" in printed or "collect.steps" in printed


def test_practice_refuses_in_one_line_and_moves_nothing(unfit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(path.name for path in unfit.rglob("*") if "tfevents" not in path.name)
    assert main(words("practice", unfit, UNFIT)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "failed its check" in line
    assert "`rig train`" in line
    assert sorted(path.name for path in unfit.rglob("*") if "tfevents" not in path.name) == before


def test_the_demo_stops_there_too(unfit: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words("demo", unfit, UNFIT, resume=True)) == 1
    assert "median_cm" not in capsys.readouterr().out
    assert not list((unfit / "episodes").glob("practice-*"))
