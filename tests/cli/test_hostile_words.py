"""`rig calibrate`, `goals` and `teleop` with files that the system keeps from them, and names that nothing can show."""

from __future__ import annotations

import io
import os
import re
import sys
from pathlib import Path

import numpy as np
import pytest

from calibration.results import Results
from robot_rig.cli.main import main
from robot_rig.vision import save_picture
from tests.calibration.results_made import SERIAL, lens_record

Capture = pytest.CaptureFixture[str]
LONG = "x" * 300
"""No disk takes it as a name."""

UNSHOWN = os.fsdecode(b"caf\xe9")
"""A name that is no UTF-8, as from an older system or a broken archive."""


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    picture = np.kron(np.random.default_rng(0).integers(0, 256, (60, 80, 3)), np.ones((8, 8, 1))).astype(np.uint8)
    save_picture(tmp_path / "home.png", picture)
    (tmp_path / "file").write_text("no folder")
    return tmp_path


def refused(capsys: Capture, *words: str) -> str:
    capsys.readouterr()
    assert main(list(words)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("rig: ")
    return line


CROP = ("calibrate", "crop", "home.png", "--serial", SERIAL)
IMPORT = ("goals", "import", "home.png", "a")


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("calibrate", "intrinsics", LONG, "--serial", SERIAL), "cannot use x.*: File name too long"),
        (("calibrate", "settings", "--serial", SERIAL, "--calibrations", LONG), "cannot use x.*: File name too long"),
        ((*CROP, "--calibrations", LONG), "cannot use x.*: File name too long"),
        ((*CROP, "--calibrations", "file"), "file is not a folder"),
        (("calibrate", "board", "--out", "file/board.pdf"), "cannot write file/.*: a part of that path is no folder"),
        (("calibrate", "board", "--out", f"{LONG}.pdf"), "cannot write x.*: File name too long"),
        (("calibrate", "crop", "/proc/self/mem", "--serial", SERIAL), "cannot read the picture /proc/self/mem"),
        (("goals", "list", "--goals", LONG), "cannot use x.*: File name too long"),
        (("goals", "list", "--goals", "file"), "file is not a folder"),
        ((*IMPORT, "--goals", "file/goals"), "cannot write file/goals: a part of that path is no folder"),
        ((*IMPORT, "--preview", "home.png"), "home.png exists already.* choose another name"),
        (("teleop", "--config", "a:=b"), "there is no preset 'a:=b'"),
        (("teleop", "--set", "guard.slow_speed_m_s=nan"), "not a plain decimal number"),
        ((*IMPORT, "--left", "600"), "a window of 40 px .* further from the photo's edge"),
    ],
)
def test_what_the_system_keeps_from_us_is_one_sentence(words: tuple[str, ...], says: str, capsys: Capture) -> None:
    line = refused(capsys, *words)
    assert re.search(says, line), line


def test_what_is_a_bug_of_ours_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> int:
        raise FileNotFoundError(2, "No such file or directory", "ours")

    monkeypatch.setattr("robot_rig.cli.dispatch.dispatch", broken)
    with pytest.raises(FileNotFoundError):
        main(["config"])


def test_a_name_that_no_terminal_shows_ends_nothing(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding="utf-8"))
    assert main([*CROP, "--calibrations", UNSHOWN]) == 0
    assert main(["calibrate", "settings", "--serial", SERIAL, "--calibrations", UNSHOWN]) == 0
    assert main([*IMPORT, "--goals", UNSHOWN]) == 0
    assert main(["goals", "list", "--goals", UNSHOWN]) == 0
    sys.stdout.flush()
    assert b"caf\\udce9" in written.getvalue()
    assert [path.name for path in (place / UNSHOWN).glob("*.png")] == ["a.png"]


def test_a_description_of_the_arm_that_is_none_is_named_where_it_lies(place: Path, capsys: Capture) -> None:
    Results(place / "calibrations").keep(lens_record(SERIAL))
    (place / "hand").mkdir()
    save_picture(place / "hand" / "view-000.png", np.zeros((480, 640, 3), np.uint8))
    (place / "hand" / "arm.urdf").write_text("<robot>")
    said = refused(capsys, "calibrate", "handeye", "hand", "--serial", SERIAL)
    assert "hand/arm.urdf is not what the arm has told" in said


def test_a_goal_that_cannot_be_deleted_says_so(place: Path, capsys: Capture) -> None:
    (place / "goals" / "a.yaml").mkdir(parents=True)
    assert "cannot delete goals/a.yaml: Is a directory. Remove it by hand" in refused(capsys, "goals", "delete", "a")
