"""What an exam over the live graph tells beside distances: it comes back from disk, adds up, is said as what it is."""

from __future__ import annotations

import json
import random
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.datatypes import Bytes
from robot_rig.errors import UserError
from robot_rig.evaluation import wilson
from robot_rig.evaluation_attempts import Attempt, score
from robot_rig.evaluation_folder import CHECKPOINT, IN_PROCESS, LIVE, POLICIES, ROBOT, ExamFolder
from robot_rig.evaluation_live import Sighting, live_score, read_sighting, verdict_sentence, write_sighting
from robot_rig.evaluation_rivals import compare
from robot_rig.report_exam import render_exam
from robot_rig.stages.appraise import told
from tests.test_evaluation_folder import STEPS, attempt, bare, frames, paper, questions

SEEN = Sighting(5.1, "", STEPS, 0, 0, 0, 9.5, None)
sightings = st.builds(
    Sighting,
    seconds=st.floats(0.0, 1e4),
    reason=st.text(max_size=20),
    steps=st.integers(0, 100),
    missed=st.integers(0, 100),
    blind=st.integers(0, 100),
    timer_missed=st.integers(0, 100),
    slowest_ms=st.floats(-1.0, 1e4),
    reached=st.none() | st.booleans(),
    repeats=st.lists(st.text(max_size=9), max_size=3).map(tuple),
)


@given(sightings)
def test_a_sighting_comes_back_as_it_was_written(tmp_path_factory: pytest.TempPathFactory, seen: Sighting) -> None:
    path = tmp_path_factory.mktemp("seen") / "000001.json"
    write_sighting(path, seen)
    assert read_sighting(path) == seen


@pytest.mark.parametrize(
    "change", [{"reached": "yes"}, {"steps": 1.5}, {"repeats": None}, {"more": 1}, {"seconds": "x"}]
)
def test_a_sighting_that_is_none_is_refused(tmp_path: Path, change: dict[str, object]) -> None:
    (tmp_path / "x.json").write_text(json.dumps(asdict(SEEN) | change))
    with pytest.raises(UserError, match="damaged"):
        read_sighting(tmp_path / "x.json")


@given(st.lists(sightings, min_size=1, max_size=30), st.randoms())
def test_the_sum_depends_on_no_order_and_counts_only_who_was_asked(seen: list[Sighting], order: random.Random) -> None:
    total = live_score(seen)
    order.shuffle(seen)
    assert live_score(seen) == pytest.approx(total)
    assert total.asked == sum(one.reached is not None for one in seen)
    assert 0 <= total.low <= total.reached / max(1, total.asked) <= total.high <= 1 or not total.asked
    assert total.complete + sum(bool(one.reason) for one in seen) == total.n == len(seen)


def test_the_interval_is_wilsons() -> None:
    # 8 of 10: (p + z²/2n ± z sqrt(p(1-p)/n + z²/4n²)) / (1 + z²/n)
    z, n, p = 1.959964, 10, 0.8
    middle, half = p + z * z / 2 / n, z * (p * (1 - p) / n + z * z / 4 / n / n) ** 0.5
    expected = ((middle - half) / (1 + z * z / n), (middle + half) / (1 + z * z / n))
    assert wilson(8, 10) == pytest.approx(expected, abs=1e-6)
    asked = [replace(SEEN, reached=i < 8) for i in range(10)]
    said = verdict_sentence(live_score([*asked, SEEN]))
    assert "of 8 of 10 goals" in said
    assert "49% to 94%" in said
    assert "no measurement" in said


def held(path: Path, where: str, tries: list[Attempt], seen: list[Sighting] | None) -> ExamFolder:
    asked = questions(places="unknown" if where == ROBOT else "known")
    folder = ExamFolder.begin(path, replace(paper(asked), held=where), asked, "seed: 0\n")
    for name in folder.policies:
        for number, one in enumerate(tries):
            folder.save(name, number, frames(number), one, None if seen is None else seen[number])
    folder.finish({"scores": told({name: score(folder.attempts(name), 0.03) for name in folder.policies})})
    return folder


def page_of(folder: ExamFolder) -> str:
    def decode(pictures: Bytes) -> Bytes:
        return pictures

    scores = {name: score(folder.attempts(name), folder.paper.success_m) for name in folder.policies}
    return render_exam(folder, scores, decode, "seed: 0\n")


@pytest.mark.usefixtures("undrawn")
def test_a_robots_exam_says_that_nobody_measured_and_who_judged(tmp_path: Path) -> None:
    seen = [replace(SEEN, reached=True), replace(SEEN, reached=False, reason="<b>held"), replace(SEEN, reached=True)]
    seen[2] = replace(seen[2], repeats=("a person asked for it",), missed=3)
    folder = held(tmp_path / "exam", ROBOT, [bare(5.0, 4.0, 3.0, 2.0, 1.0)] * 3, seen)
    assert folder.policies == (CHECKPOINT,)
    assert ExamFolder.open(folder.path).sightings() == seen
    text = page_of(folder)
    for words in (
        "Nobody measures where this robot", "of 2 of 3 goals", "made again: 1", "Policy periods missed: 3",
        "what a person said who watched", "2 of 3 episodes were complete", "In latent units", "In grey levels",
        "a robot ·",
    ):  # fmt: skip
        assert words in text, words
    for words in (
        "In centimetres",
        "nothing here was measured on a robot",
        "arm of seed",
        "<b>held",
        "ended within 3 cm",
    ):
        assert words not in text, words


@pytest.mark.usefixtures("undrawn")
def test_a_live_exam_with_a_ruler_has_true_distances_and_no_judge(tmp_path: Path) -> None:
    folder = held(tmp_path / "exam", LIVE, [attempt(0.3, 0.2, 0.1, 0.05, 0.01)] * 3, [SEEN] * 3)
    text = page_of(folder)
    for words in ("3 of 3 goals ended within 3 cm", "In centimetres", "nothing here was measured", "arm of seed 0"):
        assert words in text, words
    assert "A person who watched" not in text


@pytest.mark.usefixtures("undrawn")
def test_an_exam_in_process_is_as_it_was(tmp_path: Path) -> None:
    folder = held(tmp_path / "exam", IN_PROCESS, [attempt(0.3, 0.2, 0.1, 0.05, 0.01)] * 3, None)
    assert folder.policies == POLICIES
    assert folder.sightings() == []
    assert "Over the live graph" not in page_of(folder)


def test_a_paper_from_before_there_was_a_choice_is_read(tmp_path: Path) -> None:
    folder = held(tmp_path / "exam", IN_PROCESS, [attempt(0.1, 0.1, 0.1, 0.1, 0.1)] * 3, None)
    said = json.loads((folder.path / "paper.json").read_text())
    del said["held"]
    (folder.path / "paper.json").write_text(json.dumps(said))
    assert ExamFolder.open(folder.path).paper == folder.paper


def test_exams_of_one_goal_set_are_paired_wherever_they_were_held_and_the_note_says_so(tmp_path: Path) -> None:
    here = held(tmp_path / "a", IN_PROCESS, [attempt(0.3, 0.2, 0.1, 0.05, 0.02)] * 3, None)
    live = held(tmp_path / "b", LIVE, [attempt(0.3, 0.2, 0.1, 0.05, 0.01)] * 3, [SEEN] * 3)
    found = compare([here.path, live.path])
    np.testing.assert_array_equal(found.rivals[1].finals, [0.01] * 3)
    assert any("A was examined in process and B live" in note for note in found.notes)


def test_without_what_was_seen_a_live_exam_is_not_whole(tmp_path: Path) -> None:
    folder = held(tmp_path / "exam", LIVE, [attempt(0.1, 0.1, 0.1, 0.1, 0.1)] * 3, [SEEN] * 3)
    (folder.path / CHECKPOINT / "000001.json").unlink()
    with pytest.raises(UserError):
        folder.sightings()
    with pytest.raises(UserError):
        folder.load(CHECKPOINT, 1)  # so that the same command makes it again
    folder.load(CHECKPOINT, 0)
