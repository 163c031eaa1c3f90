"""`rig eval --checkpoint`, `rig compare`: a checkpoint on any goals, kept, continued, compared, refused in a line."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from robot_rig.cli.main import main
from robot_rig.evaluation_attempts import LATENT, PIXEL, TOOL
from robot_rig.evaluation_files import load_evaluation
from robot_rig.evaluation_folder import CHECKPOINT, DO_NOTHING, RANDOM, ExamFolder
from robot_rig.stages.retention import KEPT
from sim.exam import SimExam
from tests.cli.conftest import Demo
from tests.test_report import Page

Capture = pytest.CaptureFixture[str]
SHIPPED = "checkpoints/practice-000050"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Exams go to runs/exams of the present folder."""
    monkeypatch.chdir(tmp_path)


def said(capsys: Capture, *arguments: str) -> dict[str, str]:
    """The last line of `rig` with `arguments`, by key."""
    capsys.readouterr()
    assert main([*arguments]) == 0
    word, *pairs = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2].split()
    assert word == arguments[0]
    return dict(pair.split("=", 1) for pair in pairs)


def refused(capsys: Capture, *arguments: str) -> str:
    capsys.readouterr()
    assert main([*arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("rig: ")
    assert error.count("\n") == 1
    return error


def self_contained(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    loaded = re.findall(r"""(?:src|href|poster)\s*=\s*["']([^"']*)""", text) + re.findall(r"url\(([^)]*)\)", text)
    assert [address[:60] for address in loaded if not address.strip("\"'").startswith(("data:", "#"))] == []
    assert "<script" not in text
    page = Page(text)
    assert page.open == []
    return text


def test_a_checkpoint_on_seeded_goals_is_judged_as_its_run_judges_it(demo: Demo, capsys: Capture) -> None:
    line = said(capsys, "eval", "--checkpoint", str(demo.folder / SHIPPED))
    folder = ExamFolder.open(Path(line["out"]))
    (before,) = demo.folder.glob("evaluation/goals-12345-3x5")
    for name, ours in (("practice-000050", CHECKPOINT), ("do-nothing", DO_NOTHING)):
        known = load_evaluation(before / name)
        for number, rollout in enumerate(known.rollouts):
            attempt = folder.load(ours, number)
            np.testing.assert_array_equal(attempt.distances[TOOL], rollout.distance_m)
            np.testing.assert_array_equal(folder.frames(ours, number), rollout.frames)
            assert set(attempt.distances) == {TOOL, LATENT, PIXEL}
    ended = [folder.load(CHECKPOINT, number).distances[TOOL][-1] for number in range(3)]
    assert float(line["median_cm"]) == pytest.approx(100 * np.median(ended), abs=0.006)
    assert (line["goals"], line["n"]) == ("seed-12345", "3")
    assert int(line["success"]) == sum(away <= 0.03 for away in ended)
    assert {"success_low", "p90_cm", "worst_decile_cm", "donothing_cm", "random_cm", "held_steps", "wall_s"} <= set(
        line
    )
    text = self_contained(folder.path / "report.html")
    assert text.count("<video") == 3
    for words in ("In centimetres", "In latent units", "In grey levels", "95 % interval", "nothing here was measured"):
        assert words in text


@pytest.mark.usefixtures("undrawn")
def test_a_finished_exam_is_told_again_and_an_interrupted_one_comes_out_the_same(demo: Demo, capsys: Capture) -> None:
    words = ("eval", "--checkpoint", str(demo.folder / SHIPPED), "-n", "2")
    first = said(capsys, *words)
    folder = Path(first["out"])
    written = {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in folder.rglob("*") if path.is_file()}
    assert said(capsys, *words) == first
    assert {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in written} == written
    # As Ctrl-C leaves it in the midst of random play: one attempt short, no results.
    for name in ("results.json", "report.html", f"{RANDOM}/000001.npz"):
        (folder / name).unlink()
    again = said(capsys, *words)
    assert {**again, "wall_s": ""} == {**first, "wall_s": ""}
    for path, (_, content) in written.items():
        if path.suffix == ".npz":
            assert path.read_bytes() == content


@pytest.mark.usefixtures("undrawn")
def test_ctrl_c_keeps_what_was_tried(demo: Demo, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    words = ["eval", "--checkpoint", str(demo.folder / SHIPPED), "-n", "2", "--out", "mine"]
    tried, asked = SimExam.attempt, []

    def interrupted(exam: SimExam, policy: object, question: object, steps: int) -> object:
        asked.append(question)
        if len(asked) == 4:
            raise KeyboardInterrupt
        return tried(exam, policy, question, steps)  # type: ignore[arg-type]

    monkeypatch.setattr(SimExam, "attempt", interrupted)
    assert main(words) == 130
    assert "the same command" in capsys.readouterr().err
    assert main(words) == 0
    assert len(asked) == 4 + 3, "3 of 6 were kept, and one was cut short"


@pytest.mark.usefixtures("undrawn")
def test_another_exam_gets_a_folder_of_its_own(demo: Demo, capsys: Capture, tmp_path: Path) -> None:
    checkpoint = str(demo.folder / SHIPPED)
    first = said(capsys, "eval", "--checkpoint", checkpoint, "-n", "1")
    wider = ("--set", "evaluation.success_m=0.2")
    second = said(capsys, "eval", "--checkpoint", checkpoint, "-n", "1", *wider)
    assert second["out"] == f"{first['out']}-2"
    assert "success_m 0.03 -> 0.2" in refused(
        capsys, "eval", "--checkpoint", checkpoint, "-n", "1", *wider, "--out", first["out"]
    )
    other = said(capsys, "eval", "--checkpoint", checkpoint, "-n", "1", "--goal-seed", "99", "--out", "chosen")
    assert (other["goals"], other["out"]) == ("seed-99", "chosen")


@pytest.mark.usefixtures("undrawn")
def test_bare_pictures_are_told_in_latents_and_pixels_and_never_in_cm(
    demo: Demo, capsys: Capture, tmp_path: Path
) -> None:
    (examined,) = demo.folder.glob("evaluation/goals-*/pictures")
    pictures = tmp_path / "pictures"
    shutil.copytree(examined, pictures)
    (pictures / "goal-000.png").rename(pictures / "<script>.png")
    capsys.readouterr()
    assert main(["eval", "--checkpoint", str(demo.folder / SHIPPED), "--goals", str(pictures)]) == 0
    printed = capsys.readouterr().out
    last = printed.rstrip("\n").rpartition("\n")[2]
    assert "nobody knows where the tool was" in printed
    assert not re.search(r"_cm=|success", last)
    assert {"median_latent", "median_grey", "donothing_grey", "random_grey"} <= set(re.findall(r"(\w+)=", last))
    folder = ExamFolder.open(Path(last.rpartition("out=")[2]))
    assert [question.xy_m for question in folder.questions] == [None] * 3
    assert set(folder.load(CHECKPOINT, 0).distances) == {LATENT, PIXEL}
    text = self_contained(folder.path / "report.html")
    assert "bare pictures" in text
    assert "In centimetres" not in text


def test_two_checkpoints_are_compared_on_a_page_and_in_a_line(demo: Demo, capsys: Capture, tmp_path: Path) -> None:
    outs = []
    for name in ("practice-000000", "practice-000050"):
        outs.append(said(capsys, "eval", "--checkpoint", str(demo.folder / "checkpoints" / name))["out"])
    line = said(capsys, "compare", *outs)
    assert (line["n"], line["unit"], line["b_low"], line["b_better"]) == ("3", "cm", "none", "none")
    assert 0 <= int(line["b_closer"]) <= 3
    assert float(line["b_p"]) >= 0.25, "three goals tell nothing"
    text = self_contained(Path(line["report"]))
    for words in ("These 3 goals cannot tell A and B apart", "McNemar", "<svg", "practice-000000"):
        assert words in text
    assert said(capsys, "compare", *outs)["report"] != line["report"]
    assert "is there already" in refused(capsys, "compare", *outs, "--report", line["report"])
    other = said(capsys, "eval", "--checkpoint", str(demo.folder / SHIPPED), "--goal-seed", "7")["out"]
    assert "goals seed 12345 and seed 7" in refused(capsys, "compare", outs[0], other)


def test_what_cannot_be_examined_is_refused_in_a_line(demo: Demo, capsys: Capture, tmp_path: Path) -> None:
    checkpoint = demo.folder / SHIPPED
    assert "--checkpoint FOLDER" in refused(capsys, "eval")
    assert "--checkpoint" in refused(capsys, "eval", "--run", str(demo.folder), "-n", "3")
    assert "not a checkpoint folder" in refused(capsys, "eval", "--checkpoint", str(demo.folder / "run.json"))
    astray = tmp_path / "astray"
    shutil.copytree(checkpoint, astray)
    assert "--run RUN" in refused(capsys, "eval", "--checkpoint", str(astray))
    named = ("eval", "--checkpoint", str(checkpoint))
    assert "--goal-seed" in refused(capsys, *named, "--goals", str(tmp_path), "--goal-seed", "3")
    assert "no PNG" in refused(capsys, *named, "--goals", str(tmp_path))
    nowhere = str(tmp_path / "nowhere")
    assert "neither a folder of goal pictures nor a set" in refused(capsys, *named, "--goals", nowhere)
    (pictures,) = demo.folder.glob("evaluation/goals-*/pictures")
    assert "there are 3 pictures" in refused(capsys, *named, "--goals", str(pictures), "-n", "4")
    assert "goals" in refused(capsys, *named, "-n", "0")
    assert not (tmp_path / "runs").exists()


@pytest.mark.usefixtures("undrawn")
def test_a_checkpoint_that_was_carried_away_is_examined_under_a_named_run(
    demo: Demo, capsys: Capture, tmp_path: Path
) -> None:
    shutil.copytree(demo.folder / SHIPPED, tmp_path / "astray")
    there = said(capsys, "eval", "--checkpoint", str(demo.folder / SHIPPED), "-n", "1")
    assert (demo.folder / KEPT / Path(SHIPPED).name).exists(), "what was examined stays"
    here = said(capsys, "eval", "--checkpoint", "astray", "--run", str(demo.folder), "-n", "1")
    assert here["out"] != there["out"]
    assert {**here, "out": "", "wall_s": ""} == {**there, "out": "", "wall_s": ""}
