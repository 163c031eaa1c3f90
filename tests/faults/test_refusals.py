"""Strangers' files are refused at once, in little memory, in one sentence, and run no code: rows of `sim.strangers`.

Each attack is forged by a seed and read by a process that is watched; see `sim.strangers`.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from robot_rig.cli.main import main
from sim.strangers import ROWS, attack, attacks
from sim.strangers.attack import _faults, _watched
from sim.strangers.forgery import Forgery
from tests.house import ROOT

FEW, MANY = 3, 400


def refused(row: int, count: int) -> None:
    failed = [finding for finding in attacks(row, count) if not finding.passed]
    assert not failed, "\n".join(map(str, failed[:5]))


@pytest.mark.parametrize("row", ROWS)
def test_a_strangers_file_is_refused(row: int) -> None:
    refused(row, FEW)


@pytest.mark.proof
@pytest.mark.parametrize("row", ROWS)
def test_hundreds_of_strangers_files_are_refused(row: int) -> None:
    refused(row, MANY)


@pytest.mark.parametrize("seed", [82, 248])
def test_a_name_longer_than_anybody_reads_is_refused_in_one_sentence(seed: int) -> None:
    finding = attack(47, seed)
    assert finding.attack == "no file"
    assert finding.passed, finding.message
    assert "x...x" in finding.message


def test_rig_faults_counts_them_among_its_rows(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "faults.json"
    assert main(["faults", "--rows", "46,50", "--repeat", "2", "--json", str(out)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "faults passed=2 of=2 worst_stop_ms=none void=0"
    kept = json.loads(out.read_text())["rows"]["50"]["attempts"]
    assert [attempt["complaints"] for attempt in kept] == [[], []]
    assert 0.0 < kept[0]["figures"]["answer ms"] < 1000.0


def test_a_seed_decides_the_attack() -> None:
    names = [attack(row, 3).attack for row in (46, 50)]
    assert names == [attack(row, 3).attack for row in (46, 50)]
    assert len({attack(50, seed).attack for seed in range(6)}) > 2


def test_a_reader_that_looks_elsewhere_is_seen(tmp_path: Path) -> None:
    """The watch is not blind: a path outside the folder is refused as a picture, and noticed all the same."""
    forgery = Forgery("elsewhere", "picture", "/etc/hostname")
    answer = _watched().read(forgery, tmp_path)
    assert any("/etc/hostname" in event for event in answer["did"])
    assert list(_faults(forgery, answer))


SOUND: dict[str, Any] = {
    "outcome": "refused",
    "message": "No. Try again.",
    "seconds": 0.1,
    "rss_growth_mib": 1.0,
    "did": [],
}


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"outcome": "accepted"}, "should be refused"),
        ({"outcome": "escaped"}, "should be refused"),
        ({"outcome": "hung"}, "should be refused"),
        ({"message": "two\nlines"}, "one plain sentence"),
        ({"message": "No. [no next step]"}, "one plain sentence"),
        ({"seconds": 1.01}, "took 1.01 s"),
        ({"rss_growth_mib": 65.0}, "took 65 MiB"),
        ({"did": ["pickle.find_class"]}, "pickle.find_class"),
    ],
)
def test_every_fault_is_counted(change: dict[str, Any], named: str) -> None:
    forgery = Forgery("x", "picture", "x")
    assert list(_faults(forgery, SOUND)) == []
    (fault,) = _faults(forgery, {**SOUND, **change})
    assert named in fault


def test_a_refusal_must_name_what_differs() -> None:
    forgery = Forgery("x", "checkpoint", "x", names=("No", "17"))
    assert list(_faults(forgery, SOUND)) == ["the refusal does not name 17"]
    assert list(_faults(forgery, {**SOUND, "message": "No 17. Try again."})) == []


WATCHED_PICKLE = """
import os, pickle, sys
from sim.strangers.forgery import CANARY, pickle_bomb
from sim.strangers.reader import _Watch
watch = _Watch()
watch.folder = os.getcwd()
pickle.loads(pickle_bomb())
watch.folder = None
assert os.path.isdir(CANARY)
print(*watch.seen)
"""


@pytest.mark.proof
def test_the_hostile_pickle_works_and_the_watch_hears_it(tmp_path: Path) -> None:
    """Where somebody does open it, the forged pickle runs its code, and the reader's ears notice."""
    command = [sys.executable, "-c", WATCHED_PICKLE]
    ran = subprocess.run(
        command,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "MUJOCO_GL": "disable"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "pickle.find_class" in ran.stdout
    assert "os.mkdir" in ran.stdout
