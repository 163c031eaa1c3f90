"""`rig goals import, delete, sets, imagine` and what --run says: every word, and one sentence for what will not do."""

from __future__ import annotations

import datetime
import io
from pathlib import Path

import cv2
import numpy as np
import pytest

from robot_rig.cli.goal_judging import NEVER_SEEN
from robot_rig.cli.main import main
from robot_rig.config import Config
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Bytes, Frame
from robot_rig.goal_library import GoalLibrary
from robot_rig.runs import RunFolder
from robot_rig.stages.shipping import checkpoints, load_policy
from robot_rig.vision import load_goal_picture
from tests.cli.conftest import Demo

Capture = pytest.CaptureFixture[str]
NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, tzinfo=datetime.timezone.utc)


def goals(folder: Path, *pictures: Bytes) -> GoalLibrary:
    """A library of `pictures`, called a, b, c, ..."""
    library = GoalLibrary(folder, Config())
    for number, picture in enumerate(pictures):
        library.capture("abcdef"[number], Frame(number, 0.0, picture), NOON, "/rig/camera/frame")
    return library


def noise(seed: int) -> Bytes:
    return np.random.default_rng(seed).integers(0, 256, (84, 84, 3), np.uint8)


def of_the_log(demo: Demo) -> Bytes:
    """A held-out frame of the demo's own log."""
    store = EpisodeStore(RunFolder.open(demo.folder).episodes)
    frames: Bytes = next(store.read_new((), "heldout")).frames
    return frames[10]


def photo(path: Path) -> Path:
    """1200 x 900 px, with a red square of 420 px at 300, 200."""
    picture = np.full((900, 1200, 3), 60, np.uint8)
    picture[200:620, 300:720] = (10, 10, 220)
    cv2.imwrite(str(path), picture)
    return path


def refused(capsys: Capture, words: list[str]) -> str:
    assert main(words) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    return said


def test_a_photo_becomes_a_goal_by_numbers(tmp_path: Path, capsys: Capture) -> None:
    where = ["--goals", str(tmp_path / "goals")]
    words = ["goals", "import", str(photo(tmp_path / "p.png")), "red", *where]
    window = ["--left", "300", "--top", "200", "--side", "420"]
    shown = tmp_path / "preview.png"
    assert main([*words, *window, "--preview", str(shown)]) == 0
    assert cv2.imread(str(shown)).shape == (480, 640 + 480, 3)
    assert not (tmp_path / "goals").exists()
    assert main([*words, *window]) == 0
    assert (load_goal_picture(tmp_path / "goals" / "red.png") == (220, 10, 10)).all()
    assert "420 px at 300,200" in capsys.readouterr().out
    assert "already" in refused(capsys, [*words, *window])
    assert "exists already" in refused(capsys, [*words, *window, "--preview", str(shown)])


@pytest.mark.parametrize("edge", ["--left=99999999999", "--top=-99999999999", "--side=99999999999", "--left=-1"])
def test_a_window_of_any_numbers_is_drawn_or_refused(tmp_path: Path, capsys: Capture, edge: str) -> None:
    shown = tmp_path / "preview.png"
    words = ["goals", "import", str(photo(tmp_path / "p.png")), "red", "--goals", str(tmp_path / "goals"), edge]
    assert "window of" in refused(capsys, [*words, "--preview", str(shown)])
    assert "window of" in refused(capsys, words)
    assert not shown.exists()


HOSTILE = ['"[/oops]"', '"\\e]0;owned\\a\\e[2J hello"', '"2026-01-02T12:00:00Z\\e[2J"', "2026-01-02", '""']


@pytest.mark.parametrize("taken", HOSTILE)
@pytest.mark.parametrize("key", ["taken", "calibration", "config", "sha256", '"\\e[2J"'])
def test_a_note_of_a_stranger_says_nothing_to_the_terminal(
    tmp_path: Path, capsys: Capture, key: str, taken: str
) -> None:
    goals(tmp_path, noise(0))
    note = tmp_path / "a.yaml"
    lines = [line for line in note.read_text().splitlines() if not line.startswith(f"{key}:")]
    note.write_text("\n".join([*lines, f"{key}: {taken}", ""]))
    assert main(["goals", "list", "--goals", str(tmp_path)]) == 0
    said = capsys.readouterr().out + refused(capsys, ["goals", "show", "a", "--goals", str(tmp_path)])
    assert "is no note of a goal: see" in said
    assert "\x1b" not in said
    assert "oops" not in said


def test_without_numbers_the_window_is_the_largest_in_the_middle(tmp_path: Path, capsys: Capture) -> None:
    words = ["goals", "import", str(photo(tmp_path / "p.png")), "red", "--goals", str(tmp_path)]
    assert main(words) == 0
    assert "900 px at 150,0" in capsys.readouterr().out
    assert "reaches outside" in refused(capsys, [*words[:3], "b", *words[4:], "--left", "400", "--side", "900"])
    assert "no name" in refused(capsys, [*words[:3], "../b", *words[4:]])
    assert "cannot open the photo" in refused(capsys, ["goals", "import", str(tmp_path / "none.jpg"), "c"])


def test_a_goal_is_deleted_by_its_exact_name_only(
    tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    goals(tmp_path, noise(0), noise(1))
    words = ["goals", "delete", "a", "--goals", str(tmp_path)]
    assert "no goal 'A'" in refused(capsys, ["goals", "delete", "A", "--goals", str(tmp_path)])
    for typed, code in (("yes\n", 1), ("\n", 1), ("b\n", 1), ("a\n", 0)):
        answer = io.StringIO(typed)
        monkeypatch.setattr(answer, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", answer)
        assert main(words) == code, typed
        assert (tmp_path / "a.png").exists() is bool(code)
    assert (tmp_path / "b.png").exists()


def test_sets_are_made_listed_kept_whole_and_deleted(tmp_path: Path, capsys: Capture) -> None:
    goals(tmp_path, noise(0), noise(1), noise(2))
    where = ["--goals", str(tmp_path)]
    assert main(["goals", "sets", *where]) == 0
    assert "no sets" in capsys.readouterr().out
    assert main(["goals", "sets", "corners", "--of", "c", "a", *where]) == 0
    capsys.readouterr()
    assert main(["goals", "sets", "corners", *where]) == 0
    assert [line[0] for line in capsys.readouterr().out.splitlines()] == ["c", "a"]
    assert "in the set corners" in refused(capsys, ["goals", "delete", "a", *where])
    assert (tmp_path / "a.png").exists()
    assert main(["goals", "list", *where]) == 0
    assert "corners" in capsys.readouterr().out
    assert "calibration" in refused(capsys, ["goals", "sets", "corners", *where, "--set", "camera.crop_px=336"])
    assert "not said which set" in refused(capsys, ["goals", "sets", "--of", "a", *where])
    assert "not said which set" in refused(capsys, ["goals", "sets", "corners", "--of", "a", "--delete", *where])
    assert main(["goals", "sets", "corners", "--delete", *where]) == 0
    assert main(["goals", "delete", "a", *where]) == 0
    assert "no set 'corners'" in refused(capsys, ["goals", "sets", "corners", *where])


def test_an_exam_asks_a_set_in_its_order(
    demo: Demo, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    goals(tmp_path / "goals", noise(0), of_the_log(demo), noise(2))
    assert main(["goals", "sets", "corners", "--of", "c", "b"]) == 0
    checkpoint = list(checkpoints(RunFolder.open(demo.folder)).values())[-1]
    exam = ["eval", "--checkpoint", str(checkpoint)]
    capsys.readouterr()
    assert main([*exam, "--goals", "corners"]) == 0
    last = capsys.readouterr().out.splitlines()[-1]
    assert " n=2 " in last
    assert "pictures-corners" in last
    assert main([*exam, "--goals", "goals/corners", "-n", "1"]) == 0
    assert " n=1 " in capsys.readouterr().out.splitlines()[-1]
    assert "neither a folder of goal pictures nor a set" in refused(capsys, [*exam, "--goals", "edges"])
    assert "there are 2 goals in the set" in refused(capsys, [*exam, "--goals", "corners", "-n", "3"])
    (tmp_path / "goals" / "c.png").unlink()
    assert "the set 'corners' is broken" in refused(capsys, [*exam, "--goals", "corners"])


def test_what_the_robot_has_never_seen_is_said_and_shown(demo: Demo, tmp_path: Path, capsys: Capture) -> None:
    goals(tmp_path, of_the_log(demo), noise(1))
    words = ["goals", "show", "--goals", str(tmp_path), "--run", str(demo.folder)]
    assert main([*words, "a"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "1. a: novelty" in said
    assert "most like collect-" in said
    assert NEVER_SEEN not in said
    assert main([*words, "b"]) == 0
    assert f"b: {NEVER_SEEN}" in " ".join(capsys.readouterr().out.split())
    for name in "ab":
        assert cv2.imread(str(tmp_path / "sheets" / f"{name}.png")).shape[1] > 3 * 84
    other = ["--set", "camera.crop_left_px=100"]
    words = ["goals", "import", str(photo(tmp_path / "p.png")), "c", *words[2:], *other]
    assert "learnt under calibration" in refused(capsys, words)
    assert not (tmp_path / "c.png").exists()


def test_dreams_are_decoded_prior_samples(copied: Path, tmp_path: Path, capsys: Capture) -> None:
    sheets = []
    for seed in ("0", "0", "1"):
        path = tmp_path / f"dreams-{len(sheets)}.png"
        words = ["goals", "imagine", "--run", str(copied), "-n", "5", "--seed", seed, "--out", str(path)]
        assert main(words) == 0
        sheets.append(path.read_bytes())
    assert sheets[0] == sheets[1] != sheets[2]
    # Three in a row, enlarged three times, a gap between.
    height, width = cv2.imread(str(path)).shape[:2]
    assert 2 * 252 <= height < 2 * 252 + 20
    assert 3 * 252 <= width < 3 * 252 + 30
    encoder = load_policy(list(checkpoints(RunFolder.open(copied)).values())[-1]).encoder
    capsys.readouterr()
    for _ in range(2):
        assert main(["goals", "imagine", "--run", str(copied), "-n", "2"]) == 0
        assert encoder.encoder_id in capsys.readouterr().out
    assert "exists already" in refused(capsys, words)
    assert "no number of pictures" in refused(capsys, [*words[:4], "-n", "0"])
    for seed in ("-1", str(2**63)):
        assert f"--seed {seed} is none" in refused(capsys, [*words[:4], "--seed", seed])
    assert "there is no run" in refused(capsys, ["goals", "imagine", "--run", str(tmp_path / "none")])
