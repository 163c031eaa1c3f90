"""The whole way: its last line, its report, and what it leaves on disk."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from robot_rig.cli.main import main
from robot_rig.cli.options import RunOptions
from robot_rig.cli.session import Session
from robot_rig.data.log import read_episode
from robot_rig.data.store import EpisodeStore
from robot_rig.evaluation import summarise
from robot_rig.evaluation_files import load_evaluation
from robot_rig.learning.views import reconstruct
from robot_rig.runs import RunFolder
from robot_rig.stages.reporting import count_steps, gather, load_results
from robot_rig.stages.shipping import checkpoints, load_policy
from tests.cli.conftest import Demo
from tests.tiny_run import content, tiny_config, words

NUMBER = r"\d+\.\d+"
LAST_LINE = (
    rf"demo median_cm=({NUMBER}) p90_cm=({NUMBER}) worst_decile_cm=({NUMBER}) donothing_cm=({NUMBER})"
    r" env_steps=(\d+) wall_s=(\d+) seed=(\d+) goal_seed=(\d+)"
)


def test_the_last_line_has_its_format_and_tells_what_is_on_disk(demo: Demo) -> None:
    match = re.fullmatch(LAST_LINE, demo.last_line)
    assert match, demo.last_line
    run = RunFolder.open(demo.folder)
    found = load_results(run, tiny_config())
    final, nothing = (summarise(found[name].final_m, 0.03) for name in ("practice-000050", "do-nothing"))
    said = [float(text) / 100 for text in match.groups()[:4]]
    np.testing.assert_allclose(said, [final.median_m, final.p90_m, final.worst_decile_m, nothing.median_m], atol=6e-5)
    assert match.groups()[4] == str(sum(count_steps(run).values())) == "200"
    assert match.groups()[6:] == ("0", "12345")


def test_the_run_holds_every_checkpoint_and_every_evaluation(demo: Demo) -> None:
    run = RunFolder.open(demo.folder)
    assert list(checkpoints(run)) == [0, 25, 50]
    examined = {path.parent.name for path in run.evaluation.glob("*/*/evaluation.json")}
    assert examined == {"do-nothing", "random-policy", "practice-000000", "practice-000025", "practice-000050"}


def test_the_report_is_one_self_contained_file(demo: Demo) -> None:
    text = (demo.folder / "report.html").read_text(encoding="utf-8")
    loaded = re.findall(r"""(?:src|href|poster)\s*=\s*["']([^"']*)""", text) + re.findall(r"url\(([^)]*)\)", text)
    assert len(loaded) > 5
    assert [address[:60] for address in loaded if not address.strip("\"'").startswith(("data:", "#"))] == []
    assert "@import" not in text
    assert "report.html" in demo.output


def test_goal_pictures_of_the_exam_enter_no_episode(demo: Demo) -> None:
    run = RunFolder.open(demo.folder)
    (folder,) = run.evaluation.glob("*/practice-000050")
    asked = {rollout.goal.tobytes() for rollout in load_evaluation(folder).rollouts}
    assert len(asked) == 3
    seen: set[bytes] = set()
    for path in EpisodeStore(run.episodes).paths():
        episode = read_episode(path)
        seen |= {frame.tobytes() for frame in episode.frames}
        seen |= set() if episode.goal is None else {episode.goal.tobytes()}
    assert len(seen) > 150
    assert not asked & seen


def test_a_run_that_is_there_is_not_overwritten(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = {path: path.stat().st_mtime_ns for path in copied.rglob("*")}
    assert main(words("demo", copied)) == 2
    error = capsys.readouterr().err
    assert "holds a run already" in error
    assert "--resume" in error
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*")} == before


@pytest.mark.usefixtures("undrawn")
def test_resuming_a_finished_demo_says_the_same_and_does_nothing_twice(
    demo: Demo, copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content(monkeypatch)
    logs = {path: path.stat().st_mtime_ns for path in copied.rglob("*.mcap")}
    assert main(words("demo", copied, resume=True)) == 0
    again = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
    assert again == demo.last_line
    assert (copied / "progress.json").read_bytes() == (demo.folder / "progress.json").read_bytes()
    assert {path: path.stat().st_mtime_ns for path in copied.rglob("*.mcap")} == logs


@pytest.mark.usefixtures("undrawn")
def test_logs_killed_before_their_first_step_stop_neither_count_nor_report(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content(monkeypatch)
    head = (copied / "episodes" / "practice-000003.mcap").read_bytes()[:200]
    for name in ("collect-000005", "heldout-000006", "practice-000007", "practice-000008"):
        (copied / "episodes" / f"{name}.mcap").write_bytes(head)
    (copied / "report.html").unlink()
    assert main(words("demo", copied, resume=True)) == 0
    assert (copied / "report.html").exists()
    assert sum(count_steps(RunFolder.open(copied)).values()) == 200


def test_another_goal_set_is_another_exam_beside_the_first(
    copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content(monkeypatch)
    assert main(words("eval", copied, "evaluation.goals=2", "evaluation.goal_seed=1")) == 0
    assert sorted(path.name for path in (copied / "evaluation").iterdir()) == ["goals-1-2x5", "goals-12345-3x5"]
    assert "report" not in capsys.readouterr().err


@pytest.mark.usefixtures("undrawn")
def test_a_damaged_exam_is_taken_again_and_comes_out_the_same(
    copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content(monkeypatch)
    (folder,) = copied.glob("evaluation/goals-*")
    before = load_evaluation(folder / "practice-000050")
    (folder / "practice-000050" / "evaluation.npz").write_bytes(b"damaged")
    (folder / "do-nothing" / "evaluation.json").write_text("[]")
    assert main(words("report", copied)) == 2
    assert "rig eval" in capsys.readouterr().err
    assert main(words("eval", copied)) == 0
    assert main(words("report", copied)) == 0
    after = load_evaluation(folder / "practice-000050")
    np.testing.assert_array_equal(after.distance_m, before.distance_m)


@pytest.mark.usefixtures("undrawn")
def test_wall_time_counts_imports_and_every_exam_apart(
    copied: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    content(monkeypatch)
    options = RunOptions(copied, set=("evaluation.goals=2",))
    with Session(replace(options, since_s=options.since_s - 1000.0), Console()) as session:
        assert session.wall_s()["eval"] == 0.0
        done = session.wall_s()
        session.practise()
        assert session.wall_s() == done
        session.examine()
        assert 1000.0 <= session.wall_s()["eval"] < 1100.0
        session.report()
        assert 0.0 < session.wall_s()["report"] < 100.0
    capsys.readouterr()


def test_the_report_decodes_held_out_frames_as_before_practice_tuned_on_them(demo: Demo) -> None:
    run = RunFolder.open(demo.folder)
    shown = gather(run, tiny_config(), {}).reconstructions
    assert shown is not None
    before, _, after = (reconstruct(load_policy(path).encoder, shown.frames) for path in checkpoints(run).values())
    np.testing.assert_array_equal(shown.decoded, before)
    assert (after != before).any()


def test_the_exam_costs_no_environment_step(demo: Demo) -> None:
    assert count_steps(RunFolder.open(demo.folder)) == {"random play": 100, "held-out play": 50, "practice": 50}


@pytest.mark.usefixtures("undrawn")
def test_a_bare_resume_goes_on_with_the_seeds_the_demo_was_begun_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    content(monkeypatch)
    run = tmp_path / "run"
    short = words("demo", run, "collect.steps=50", "practice.steps=25", "evaluation.goals=1")
    assert main([*short, "--seed", "7", "--goal-seed", "99"]) == 0
    first = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
    assert main(["demo", "--run", str(run), "--resume"]) == 0
    again = capsys.readouterr().out.rstrip("\n").rpartition("\n")[2]
    assert first.partition(" wall_s")[0] == again.partition(" wall_s")[0]
    assert again.endswith("seed=7 goal_seed=99")
