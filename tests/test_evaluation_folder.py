"""An exam of one checkpoint: its numbers by hand, its folder as written, and nothing taken for what it is not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from robot_rig.datatypes import IMAGE_SHAPE, Outcome
from robot_rig.errors import UserError
from robot_rig.evaluation_attempts import (
    LATENT,
    OUTCOMES,
    PIXEL,
    TOOL,
    Attempt,
    Question,
    digest,
    finals,
    pixel_distances,
    require_unlike,
    score,
)
from robot_rig.evaluation_folder import CHECKPOINT, CONFIG, PAPER, QUESTIONS, RESULTS, ExamFolder, Paper
from robot_rig.evaluation_rivals import compare

STEPS = 4
HELD, SCALED, LATCHED = (OUTCOMES.index(one) for one in (Outcome.HELD, Outcome.SCALED, Outcome.LATCHED))


def questions(n: int = 3, *, places: str = "known") -> list[Question]:
    rng = np.random.default_rng(5)
    images = rng.integers(0, 256, (n, *IMAGE_SHAPE), dtype=np.uint8)
    return [
        Question(f"goal-{i}", image, np.array([0.6, 0.01 * i]) if places == "known" else None)
        for i, image in enumerate(images)
    ]


def attempt(*tool_m: float, outcomes: Sequence[int] = (0,) * STEPS) -> Attempt:
    away = np.array(tool_m)
    return Attempt(np.array(outcomes, np.uint8), {TOOL: away, LATENT: 10 * away, PIXEL: 100 * away})


def bare(*pixel: float) -> Attempt:
    away = np.array(pixel)
    return Attempt(np.zeros(STEPS, np.uint8), {LATENT: away, PIXEL: away})


def frames(seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (STEPS + 1, *IMAGE_SHAPE), dtype=np.uint8)


def paper(asked: Sequence[Question]) -> Paper:
    return Paper(
        checkpoint="run/practice-000050",
        manifest="a" * 64,
        encoder="e" * 16,
        trained_under="1" * 16,
        config="2" * 16,
        goals="seed 12345",
        n=len(asked),
        questions=digest(asked),
        arm_seed=0,
        steps=STEPS,
        rate_hz=10.0,
        success_m=0.03,
        versions={"numpy": "2.0"},
    )


def begun(path: Path, asked: Sequence[Question] | None = None) -> ExamFolder:
    asked = questions() if asked is None else asked
    return ExamFolder.begin(path, paper(asked), asked, "seed: 0\n")


def finished(path: Path, ended: Sequence[float], asked: Sequence[Question] | None = None, **other: object) -> Path:
    """A finished exam on disk in which the checkpoint ended that many metres away."""
    asked = questions(len(ended)) if asked is None else asked
    made = ExamFolder.begin(path, replace(paper(asked), **other), asked, "seed: 0\n")  # type: ignore[arg-type]
    for number, away in enumerate(ended):
        known = asked[0].xy_m is not None
        made.save(CHECKPOINT, number, frames(), (attempt if known else bare)(0.2, 0.1, 0.1, 0.1, away))
    made.finish({"wall_s": 1.0})
    return path


# --- numbers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("away_cm", "steps"),
    [
        ((9, 5, 3, 1, 1), 2),
        ((9, 2, 5, 1, 1), 3),  # It came by, and was there for good only later.
        ((1, 1, 1, 1, 1), 0),
        ((9, 5, 4, 4, 3), 4),
        ((9, 1, 1, 1, 5), None),
        ((9, 9, 9, 9, 9), None),
    ],
)
def test_a_goal_is_reached_when_the_arm_is_there_for_good(away_cm: tuple[int, ...], steps: int | None) -> None:
    assert attempt(*(cm / 100 for cm in away_cm)).steps_to(0.03) == steps


def test_a_score_by_hand() -> None:
    tries = [
        attempt(0.20, 0.05, 0.03, 0.02, 0.01, outcomes=(HELD, 0, 0, SCALED)),
        attempt(0.10, 0.09, 0.09, 0.02, 0.02, outcomes=(LATCHED, SCALED, SCALED, 0)),
        attempt(0.30, 0.20, 0.01, 0.01, 0.06),
    ]
    found = score(tries, 0.03)
    tool = found.spreads[TOOL]
    assert (tool.start, tool.median, tool.worst) == (0.20, 0.02, 0.06)
    assert tool.mean == pytest.approx(0.03)
    assert tool.p90 == pytest.approx(0.052)
    assert tool.worst_decile == 0.06
    assert found.success is not None
    assert found.success.reached == 2
    assert (found.success.steps_median, found.success.steps_p90) == (2.5, pytest.approx(2.9))
    # Wilson's interval for 2 of 3.
    assert (found.success.low, found.success.high) == (pytest.approx(0.2077, abs=1e-4), pytest.approx(0.9385, abs=1e-4))
    assert (found.steps, found.held, found.scaled) == (12, 2, 3)
    assert found.spreads[PIXEL].median == pytest.approx(2.0)


def test_bare_pictures_have_no_success_and_no_centimetres() -> None:
    found = score([bare(5, 4, 3, 2, 1)], 0.03)
    assert found.success is None
    assert list(found.spreads) == [LATENT, PIXEL]


def test_no_success_takes_no_steps() -> None:
    found = score([attempt(0.5, 0.5, 0.5, 0.5, 0.5)], 0.03)
    assert found.success is not None
    assert (found.success.reached, found.success.steps_median) == (0, None)


def test_pixels_differ_by_grey_levels_either_way() -> None:
    goal = np.full(IMAGE_SHAPE, 100, np.uint8)
    pictures = np.stack([goal, goal - 100, goal + 155])
    assert pixel_distances(pictures, goal).tolist() == [0.0, 100.0, 155.0]


@pytest.mark.parametrize(
    "change",
    [
        {"outcomes": np.full(STEPS, 4, np.uint8)},
        {"outcomes": np.zeros(STEPS + 1, np.uint8)},
        {"distances": {TOOL: np.full(STEPS + 1, np.nan)}},
        {"distances": {TOOL: np.full(STEPS + 1, -0.1)}},
        {"distances": {"feet": np.zeros(STEPS + 1)}},
        {"distances": {TOOL: np.zeros(STEPS)}},
    ],
)
def test_an_attempt_that_contradicts_itself_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="Attempt"):
        replace(attempt(0.1, 0.1, 0.1, 0.1, 0.1), **change)  # type: ignore[arg-type]


def test_the_digest_is_of_ids_pictures_places_and_order() -> None:
    asked = questions()
    unlike = [
        asked[::-1],
        asked[:2],
        [replace(asked[0], id="other"), *asked[1:]],
        [replace(asked[0], image=asked[1].image), *asked[1:]],
        [replace(asked[0], xy_m=np.array([0.6, 0.5])), *asked[1:]],
        questions(places="unknown"),
    ]
    assert digest(asked) == digest(questions())
    assert len({digest(asked), *map(digest, unlike)}) == 1 + len(unlike)


def test_goals_of_one_name_and_no_goals_are_refused() -> None:
    with pytest.raises(UserError, match="called goal-0"):
        require_unlike([questions()[0], questions()[0]])
    with pytest.raises(UserError, match="no goal"):
        require_unlike([])


# --- the folder -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("places", ["known", "unknown"])
def test_an_exam_comes_back_as_it_was_written(tmp_path: Path, places: str) -> None:
    asked = questions(places=places)
    made = begun(tmp_path / "exam", asked)
    kept = attempt(0.3, 0.2, 0.1, 0.05, 0.01, outcomes=(0, 1, 2, 3))
    made.save(CHECKPOINT, 1, frames(3), kept)
    read = ExamFolder.open(tmp_path / "exam")
    assert read.paper == made.paper
    assert digest(read.questions) == digest(asked)
    again = read.load(CHECKPOINT, 1)
    assert again.outcomes.tolist() == [0, 1, 2, 3]
    for ruler, values in kept.distances.items():
        np.testing.assert_array_equal(again.distances[ruler], values)
    np.testing.assert_array_equal(read.frames(CHECKPOINT, 1), frames(3))
    assert not read.finished


def test_the_same_exam_goes_on_and_another_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "exam"
    begun(path).save(CHECKPOINT, 0, frames(), attempt(1, 1, 1, 1, 1))
    before = {one: one.read_bytes() for one in path.rglob("*") if one.is_file()}
    assert begun(path).load(CHECKPOINT, 0).outcomes.tolist() == [0] * STEPS
    other = replace(paper(questions()), steps=25, versions={"numpy": "2.1"})
    with pytest.raises(UserError, match=r"steps 4 -> 25, version of numpy 2\.0 -> 2\.1"):
        ExamFolder.begin(path, other, questions(), "seed: 0\n")
    assert {one: one.read_bytes() for one in path.rglob("*") if one.is_file()} == before


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(UserError, match=r"thesis\.tex"):
        begun(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match="cannot write"):
        begun(tmp_path / "file")


def test_a_begin_that_was_killed_before_its_mark_is_begun_again(tmp_path: Path) -> None:
    begun(tmp_path / "exam")
    (tmp_path / "exam" / PAPER).unlink()
    assert begun(tmp_path / "exam").paper == paper(questions())
    (tmp_path / "exam" / PAPER).unlink()
    (tmp_path / "exam" / CONFIG).write_text("seed: 3  # somebody's own\n")
    with pytest.raises(UserError, match="holds no exam"):
        begun(tmp_path / "exam")


@pytest.mark.parametrize(
    "change", [{"format": 2}, {"n": 4}, {"n": "3"}, {"questions": "0"}, {"versions": []}, {"extra": 1}, {"steps": 1.5}]
)
def test_a_paper_that_does_not_fit_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    begun(tmp_path)
    said = json.loads((tmp_path / PAPER).read_text())
    (tmp_path / PAPER).write_text(json.dumps(said | change))
    with pytest.raises(UserError, match="rig eval"):
        ExamFolder.open(tmp_path)


def test_damage_is_found(tmp_path: Path) -> None:
    made = begun(tmp_path)
    made.save(CHECKPOINT, 0, frames(), attempt(1, 1, 1, 1, 1))
    path = tmp_path / CHECKPOINT / "000000.npz"
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(UserError, match="damaged"):
        made.load(CHECKPOINT, 0)
    np.savez(path, frames=frames()[:2], outcomes=np.zeros(1, np.uint8), tool=np.zeros(2))
    with pytest.raises(UserError, match="damaged"):
        made.load(CHECKPOINT, 0)
    (tmp_path / QUESTIONS).write_bytes(b"no questions")
    with pytest.raises(UserError, match="damaged"):
        ExamFolder.open(tmp_path)


# --- side by side -----------------------------------------------------------------------------------------------------

AWAY = np.array([0.05, 0.06, 0.02, 0.04, 0.08, 0.05, 0.07, 0.09])


@pytest.mark.parametrize("name", ["id", "image", "xy_m", "more"])
def test_questions_of_another_form_are_refused_before_they_are_read(tmp_path: Path, name: str) -> None:
    """Their checksum, which would take a pass over all that is declared, is wrong, and nobody asks for it."""
    folder = begun(tmp_path)
    with np.load(folder.path / QUESTIONS) as held:
        arrays = dict(held) | {name: np.zeros(2**20, np.uint8)}
    np.savez_compressed(folder.path / QUESTIONS, **arrays)
    content = bytearray((folder.path / QUESTIONS).read_bytes())
    # In the file's directory, where an entry has its checksum 30 bytes before its name.
    content[content.rindex(f"{name}.npy".encode()) - 30] ^= 1
    (folder.path / QUESTIONS).write_bytes(content)
    with pytest.raises(UserError, match="its questions"):
        ExamFolder.open(folder.path)


def test_an_attempt_with_more_in_it_is_refused(tmp_path: Path) -> None:
    folder = begun(tmp_path)
    folder.save(CHECKPOINT, 0, frames(), attempt(*[0.1] * (STEPS + 1)))
    path = folder.path / CHECKPOINT / "000000.npz"
    with np.load(path) as held:
        arrays = dict(held)
    for more in ({"other": np.zeros(3)}, {TOOL: np.zeros(2**16)}):
        np.savez_compressed(path, **arrays | more)
        with pytest.raises(UserError, match=r"no attempt has|more numbers"):
            folder.load(CHECKPOINT, 0)


def test_exams_on_the_same_goals_are_compared_by_the_tool(tmp_path: Path) -> None:
    a, b = finished(tmp_path / "a", AWAY), finished(tmp_path / "b", AWAY - 0.015, checkpoint="other/practice-000100")
    found = compare([a, b])
    (contest,) = found.contests
    assert found.ruler == TOOL
    assert (contest.letter, contest.paired.closer, contest.p) == ("B", 8, pytest.approx(2 / 2**8))
    assert contest.successes is not None
    # Only the third was within 3 cm; the fourth is too now, at 2.5: one goal differs, which decides nothing.
    assert (contest.successes.both, contest.successes.only_b, contest.successes.p) == (1, 1, 1.0)
    assert contest.said.startswith("B is closer on 8 of 8 goals than A; median difference -1.50 cm")
    assert found.notes == ()


def test_several_exams_are_judged_more_strictly_and_their_conditions_named(tmp_path: Path) -> None:
    a, b = finished(tmp_path / "a", AWAY), finished(tmp_path / "b", AWAY - 0.01)
    c = finished(tmp_path / "c", AWAY, config="3" * 16, versions={"numpy": "2.1"})
    found = compare([a, b, c])
    assert [contest.letter for contest in found.contests] == ["B", "C"]
    assert found.contests[0].p == pytest.approx(2 * 2 / 2**8)
    assert len(found.notes) == 2
    assert "3" * 16 in found.notes[0]
    assert "version of numpy 2.0 -> 2.1" in found.notes[1]


def test_bare_pictures_are_compared_by_pixels_and_never_in_cm(tmp_path: Path) -> None:
    asked = questions(8, places="unknown")
    a, b = finished(tmp_path / "a", AWAY * 100, asked), finished(tmp_path / "b", AWAY * 90, asked)
    found = compare([a, b])
    assert found.ruler == PIXEL
    assert found.contests[0].successes is None
    assert "grey levels" in found.contests[0].said
    assert " cm" not in found.contests[0].said
    assert "nobody knows" in found.notes[0]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"goals": "seed 99"}, "goals seed 12345 and seed 99"),
        ({"steps": STEPS, "success_m": 0.02}, "success_m 0.03 and 0.02"),
        ({"arm_seed": 1}, "same --seed"),
    ],
)
def test_exams_of_unlike_conditions_are_refused_by_what_differs(
    tmp_path: Path, change: dict[str, object], named: str
) -> None:
    a, b = finished(tmp_path / "a", AWAY), finished(tmp_path / "b", AWAY, **change)
    with pytest.raises(UserError, match=named):
        compare([a, b])


def test_exams_of_other_pictures_are_refused(tmp_path: Path) -> None:
    a, b = finished(tmp_path / "a", AWAY), finished(tmp_path / "b", AWAY, questions(9)[1:])
    with pytest.raises(UserError, match="not exams on the same goals: questions"):
        compare([a, b])


def test_what_is_no_two_finished_exams_is_refused(tmp_path: Path) -> None:
    a = finished(tmp_path / "a", AWAY)
    b = finished(tmp_path / "b", AWAY)
    (b / RESULTS).unlink()
    for folders, said in (([a], "two or more"), ([a, a], "named twice"), ([a, b], "not finished")):
        with pytest.raises(UserError, match=said):
            compare(folders)
    with pytest.raises(UserError, match="no exam"):
        compare([a, tmp_path / "nowhere"])


def test_finals_are_the_last_distances() -> None:
    assert finals([attempt(0.5, 0.4, 0.3, 0.2, 0.1)], TOOL).tolist() == [0.1]
