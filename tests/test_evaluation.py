"""The exam's numbers are the textbook's, and what is saved is what is loaded."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.datatypes import IMAGE_SHAPE, Floats, Frame, Goal
from robot_rig.errors import UserError
from robot_rig.evaluation import DoNothing, Evaluation, GoalCase, Rollout, evaluate, in_cm, summarise
from robot_rig.evaluation_files import load_evaluation, save_evaluation
from robot_rig.interfaces import Policy
from sim.strangers.bombs import long_array


class PaperExam:
    """An exam on paper: the tool is a point that moves by the action in cm and leaves a dot in the picture."""

    def __init__(self, goals: Sequence[GoalCase]) -> None:
        self.goals = goals

    def run(self, policy: Policy, case: GoalCase, steps: int) -> Rollout:
        tool = np.zeros(2)
        frames, distance = [_dot(tool)], [_distance(tool, case.xy_m)]
        policy.begin(Goal(case.image, case.id, 0.0, "paper", "evaluation"))
        for seq in range(steps):
            tool = tool + 0.01 * policy.act(Frame(seq, 0.1 * seq, frames[-1]))
            frames.append(_dot(tool))
            distance.append(_distance(tool, case.xy_m))
        return Rollout(case.image, np.stack(frames), np.array(distance), case.xy_m, tool)


class Eastward(DoNothing):
    """One centimetre along x a step, whatever the goal."""

    def act(self, frame: Frame, under_way: np.ndarray | None = None) -> np.ndarray:
        return np.array([1.0, 0.0], np.float32)


def _distance(tool: Floats, goal: Floats) -> float:
    return float(np.hypot(*(tool - goal)))


def _dot(xy: Floats) -> np.ndarray:
    picture = np.full(IMAGE_SHAPE, 200, np.uint8)
    row, column = np.clip((42 + 200 * xy).astype(int), 2, 80)
    picture[row - 2 : row + 2, column - 2 : column + 2] = (30, 90, 160)
    return picture


def _cases(*goals: tuple[float, float]) -> list[GoalCase]:
    return [GoalCase(f"g{i}", _dot(np.array(xy)), np.array(xy)) for i, xy in enumerate(goals)]


def _exam() -> PaperExam:
    return PaperExam(_cases((0.10, 0.0), (0.0, 0.05), (-0.03, 0.04)))


def test_distances_of_the_exam_by_hand() -> None:
    # 10 steps east end at (0.10, 0): on the first goal, hypot(.10, .05) and hypot(.13, .04) from the others.
    evaluation = evaluate(Eastward(2), _exam(), steps=10)
    assert evaluation.ids == ("g0", "g1", "g2")
    assert evaluation.steps == 10
    assert evaluation.distance_m.shape == (3, 11)
    np.testing.assert_allclose(evaluation.final_m, [0.0, 0.0125**0.5, 0.0185**0.5], atol=1e-8)
    np.testing.assert_allclose(evaluation.distance_m[:, 0], [0.10, 0.05, 0.05], atol=1e-12)


def test_doing_nothing_stays_where_it_is() -> None:
    evaluation = evaluate(DoNothing(2), _exam(), steps=4)
    np.testing.assert_array_equal(evaluation.distance_m, evaluation.distance_m[:, :1].repeat(5, axis=1))
    assert evaluation.final_m.min() > 0


def test_progress_counts_every_goal_once() -> None:
    seen: list[tuple[int, int]] = []
    evaluate(DoNothing(2), _exam(), 2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_an_exam_that_runs_another_number_of_steps_is_caught() -> None:
    class Short(PaperExam):
        def run(self, policy: Policy, case: GoalCase, steps: int) -> Rollout:
            return super().run(policy, case, steps - 1)

    with pytest.raises(ValueError, match="asked for 5 steps, the exam ran 4"):
        evaluate(DoNothing(2), Short(_exam().goals), 5)
    with pytest.raises(UserError, match="0 steps"):
        evaluate(DoNothing(2), _exam(), 0)


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0000, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_of_newcombe_1998_table_one(successes: int, n: int, low: float, high: float) -> None:
    distances = np.where(np.arange(n) < successes, 0.01, 0.5)
    summary = summarise(distances, success_m=0.03)
    assert (summary.successes, summary.n) == (successes, n)
    assert summary.wilson_low == pytest.approx(low, abs=5e-5)
    assert summary.wilson_high == pytest.approx(high, abs=5e-5)


def test_summary_of_thirteen_distances_by_hand() -> None:
    # 1..13 cm: median 7, mean 7, p90 at rank 10.8 of 0..12 -> 11.8, worst ceil(1.3) = 2 of them -> (12 + 13) / 2.
    summary = summarise(np.arange(13, 0, -1) / 100, success_m=0.03)
    assert summary.median_m == pytest.approx(0.07)
    assert summary.mean_m == pytest.approx(0.07)
    assert summary.p90_m == pytest.approx(0.118)
    assert summary.worst_decile_m == pytest.approx(0.125)
    assert summary.worst_m == pytest.approx(0.13)
    assert summary.successes == 3, "3 cm is within 3 cm"


@pytest.mark.parametrize(("n", "worst"), [(1, 1), (9, 1), (10, 1), (11, 2), (20, 2), (50, 5)])
def test_worst_decile_is_the_mean_of_the_worst_tenth_rounded_up(n: int, worst: int) -> None:
    distances = np.arange(n) / 100
    assert summarise(distances, 0.03).worst_decile_m == pytest.approx(distances[-worst:].mean())


@given(st.lists(st.floats(0, 1), min_size=1, max_size=60), st.randoms())
def test_summary_is_ordered_and_blind_to_the_order_of_goals(distances: list[float], random) -> None:
    summary = summarise(distances, success_m=0.03)
    low, high = min(distances) - 1e-12, max(distances) + 1e-12
    assert low <= summary.median_m <= summary.p90_m + 1e-12 <= summary.worst_m + 2e-12 <= high + 2e-12
    assert summary.mean_m <= summary.worst_decile_m + 1e-12 <= summary.worst_m + 2e-12
    assert 0 <= summary.wilson_low <= summary.successes / summary.n <= summary.wilson_high <= 1
    random.shuffle(distances)
    shuffled = summarise(distances, success_m=0.03)
    assert shuffled.successes == summary.successes
    assert shuffled.worst_decile_m == pytest.approx(summary.worst_decile_m)


@pytest.mark.parametrize("distances", [[], [0.1, float("nan")], [float("inf")], [-0.01, 0.1]])
def test_what_is_not_a_distance_is_refused(distances: list[float]) -> None:
    with pytest.raises(UserError):
        summarise(distances, success_m=0.03)


@pytest.mark.parametrize("success_m", [0.0, -1.0, float("nan"), float("inf")])
def test_a_senseless_success_radius_is_refused(success_m: float) -> None:
    with pytest.raises(UserError, match="success"):
        summarise([0.1], success_m)


def test_centimetres() -> None:
    assert in_cm(0.01234) == "1.23"
    text = str(summarise([0.01] * 45 + [0.20] * 5, success_m=0.03))
    assert "median 1.00 cm" in text
    assert "worst decile 20.00" in text
    assert "within 3 cm: 45/50 (95 % Wilson interval 79% to 96%)" in text


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"distance_m": np.array([0.1, np.nan, 0.1])}, "finite"),
        ({"distance_m": np.array([0.1, -0.1, 0.1])}, "negative"),
        ({"distance_m": np.array([0.1, 0.1])}, "shape"),
        ({"distance_m": np.array([0.1, 0.1, 0.2])}, "lie"),
        ({"goal": np.zeros((84, 84, 3))}, "uint8"),
        ({"frames": np.zeros((3, 84, 84), np.uint8)}, "shape"),
        ({"tool_xy_m": np.array([np.inf, 0.0])}, "finite"),
    ],
)
def test_a_rollout_that_contradicts_itself_is_refused(change: dict[str, np.ndarray], problem: str) -> None:
    frames = np.zeros((3, *IMAGE_SHAPE), np.uint8)
    rollout = Rollout(frames[0], frames, np.full(3, 0.1), np.array([0.1, 0.0]), np.zeros(2))
    with pytest.raises(ValueError, match=problem):
        replace(rollout, **change)


def test_an_evaluation_is_saved_and_loaded_whole(tmp_path: Path) -> None:
    evaluation = evaluate(Eastward(2), _exam(), steps=6)
    save_evaluation(tmp_path / "after", evaluation)
    loaded = load_evaluation(tmp_path / "after")
    assert loaded.ids == evaluation.ids
    for was, now in zip(evaluation.rollouts, loaded.rollouts, strict=True):
        for name in ("goal", "frames", "distance_m", "goal_xy_m", "tool_xy_m"):
            np.testing.assert_array_equal(getattr(now, name), getattr(was, name))
            assert getattr(now, name).dtype == getattr(was, name).dtype
    assert sorted(path.name for path in (tmp_path / "after").iterdir()) == ["evaluation.json", "evaluation.npz"]


def test_noise_survives_the_packing(tmp_path: Path) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (9, *IMAGE_SHAPE), dtype=np.uint8)
    rollout = Rollout(frames[3], frames, np.full(9, 0.1), np.array([0.1, 0.0]), np.zeros(2))
    save_evaluation(tmp_path, Evaluation(("noise",), (rollout,)))
    np.testing.assert_array_equal(load_evaluation(tmp_path).rollouts[0].frames, frames)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_evaluation(tmp_path, evaluate(DoNothing(2), _exam(), steps=2))
    return tmp_path


def test_a_missing_evaluation_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="rig eval"):
        load_evaluation(tmp_path / "nowhere")


def test_one_flipped_bit_is_found(saved: Path) -> None:
    content = bytearray((saved / "evaluation.npz").read_bytes())
    content[len(content) // 2] ^= 1
    (saved / "evaluation.npz").write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        load_evaluation(saved)


def test_arrays_of_another_form_are_refused_before_they_are_read(saved: Path) -> None:
    """Neither the digest nor a checksum, a pass over everything each, is needed to see what they are not."""
    with zipfile.ZipFile(saved / "evaluation.npz") as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    (saved / "evaluation.npz").write_bytes(long_array(members, "goal.npy", mebibytes=2))
    with pytest.raises(UserError, match="should have 3 rows, and goal has"):
        load_evaluation(saved)
    with (saved / "evaluation.npz").open("wb") as file:
        file.truncate(4 << 30)
    with pytest.raises(UserError, match="no npz file"):
        load_evaluation(saved)


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"ids": ["g0"]}, {"ids": ["g0", "g0", "g1"]}, {"ids": 3}, {"sha256": None}]
)
def test_an_index_that_does_not_fit_is_refused(saved: Path, change: dict[str, object]) -> None:
    index = json.loads((saved / "evaluation.json").read_text())
    (saved / "evaluation.json").write_text(json.dumps(index | change))
    with pytest.raises(UserError, match="rig eval"):
        load_evaluation(saved)


@pytest.mark.parametrize("text", ["", "[]", "{", "\xff"])
def test_an_index_that_is_no_index_is_refused(saved: Path, text: str) -> None:
    (saved / "evaluation.json").write_text(text, encoding="latin-1")
    with pytest.raises(UserError, match="rig eval"):
        load_evaluation(saved)


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        save_evaluation(tmp_path / "file", evaluate(DoNothing(2), _exam(), steps=1))
