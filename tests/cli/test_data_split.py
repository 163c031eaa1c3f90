"""`rig data split` draws whole episodes apart, both sides or neither."""

from __future__ import annotations

from pathlib import Path

import pytest

from robot_rig.cli.main import main
from robot_rig.data import set_copy
from robot_rig.data.set_copy import read_origin
from robot_rig.disk import require_free_space
from robot_rig.runs import RunFolder
from tests.cli.data_runs import Capture, begun, contents, log, refused


def test_split_draws_whole_episodes_of_each_stage(tmp_path: Path, capsys: Capture) -> None:
    run = begun(tmp_path / "run")
    for number in range(8):
        log(run, "collect" if number < 6 else "heldout", number, steps=1)
    log(run, "practice", 20, steps=1)
    sides = tmp_path / "train", tmp_path / "test"
    words = ["data", "split", str(run), "--out", *map(str, sides), "--share", "0.5", "--seed", "3"]
    assert main(words) == 0
    first, rest = (contents(side) for side in sides)
    assert {**first, **rest} == contents(run)
    assert not first.keys() & rest.keys()
    for stage, count in (("collect", 3), ("heldout", 1)):
        assert sum(name.startswith(stage) for name in first) == count
    assert "all of practice went to" in capsys.readouterr().out
    assert RunFolder.open(sides[1]).config == RunFolder.open(run).config
    note = read_origin(sides[1])
    assert note is not None
    assert note["how"] == {"word": "split", "share": 0.5, "seed": 3, "side": "rest"}
    assert main(words) == 0
    assert "leaves one side empty" in refused(capsys, "split", run, "--out", *sides, "--share", "1.5")
    assert "from other episodes" in refused(capsys, "split", run, "--out", *sides, "--share", "0.5", "--seed", "4")


def test_split_begins_neither_side_where_one_cannot_be(
    two: tuple[Path, Path], tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, taken = two
    new = tmp_path / "new"
    split = ["split", run, "--share", "0.5", "--out"]
    assert "is a run already" in refused(capsys, *split, new, taken)
    assert not new.exists()
    total = sum(map(len, contents(run).values()))
    real = require_free_space

    def nearly_full(place: Path, needed: int) -> None:
        real(place, needed if needed < total else 1 << 60)

    monkeypatch.setattr(set_copy, "require_free_space", nearly_full)
    assert "are needed" in refused(capsys, *split, new, tmp_path / "rest")
    assert not new.exists()
