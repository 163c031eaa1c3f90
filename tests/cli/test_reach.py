"""`rig reach`: a picture is reached or refused in one line, and nothing half-written is left."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest

from robot_rig.cli.main import main
from tests.cli.conftest import Demo


def examined_picture(demo: Demo) -> Path:
    return sorted(demo.folder.glob("evaluation/goals-*/pictures/*.png"))[0]


def test_a_picture_of_the_exam_makes_a_film(demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    film = tmp_path / "reach.gif"
    goal = examined_picture(demo)
    assert main(["reach", "--run", str(demo.folder), "--goal", str(goal), "--film", str(film)]) == 0
    assert film.read_bytes().startswith(b"GIF8")
    assert "latent distance" in capsys.readouterr().out


def _bad_pictures(folder: Path) -> dict[str, Path]:
    rng = np.random.default_rng(0)
    made = {
        "wide.png": rng.integers(0, 255, (84, 100, 3), np.uint8),
        "grey.png": rng.integers(0, 255, (84, 84), np.uint8),
        "deep.png": rng.integers(0, 65535, (84, 84, 3), np.uint16),
        "alpha.png": rng.integers(0, 255, (84, 84, 4), np.uint8),
    }
    for name, picture in made.items():
        cv2.imwrite(str(folder / name), picture)
    whole = (folder / "wide.png").read_bytes()
    (folder / "cut.png").write_bytes(whole[: len(whole) // 2])
    (folder / "text.png").write_text("no picture at all")
    (folder / "empty.png").touch()
    return {path.name: path for path in sorted(folder.iterdir())} | {
        "folder": folder,
        "missing.png": folder / "missing.png",
    }


def test_every_bad_picture_is_one_line_and_no_film(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    film = tmp_path / "reach.gif"
    for name, path in _bad_pictures(folder).items():
        assert main(["reach", "--run", str(demo.folder), "--goal", str(path), "--film", str(film)]) == 2, name
        said = capsys.readouterr().err
        assert said.count("\n") == 1, name
        assert said.startswith("rig: "), name
        assert not film.exists(), name


def test_a_run_without_a_checkpoint_and_a_film_of_no_kind_are_refused_first(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    goal = str(examined_picture(demo))
    assert main(["reach", "--run", str(tmp_path / "none"), "--goal", goal]) == 2
    assert "there is no run" in capsys.readouterr().err
    assert main(["reach", "--run", str(demo.folder), "--goal", goal, "--film", str(tmp_path / "film.avi")]) == 2
    assert ".gif, .mp4" in capsys.readouterr().err
