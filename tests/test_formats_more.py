"""The other files that people have: sets of goals, exams, origins of runs, calibrations, and what a follower keeps.

As in `tests/test_formats.py`; those of tests/fixtures/formats/v1-more were made once, by `tests.format_fixtures`.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from calibration.records import EyeRecord, HandEyeRecord, LatencyRecord, LensRecord
from calibration.results import Results
from robot_rig.config import Config
from robot_rig.data.set_copy import read_origin
from robot_rig.errors import UserError
from robot_rig.evaluation_folder import CHECKPOINT, ExamFolder, Paper
from robot_rig.evaluation_live import Sighting
from robot_rig.goal_library import GoalLibrary
from robot_rig.goal_sets import GoalSets
from tests import format_fixtures as made
from tests.calibration.results_made import SERIAL, hand_eye_record, latency_record, lens_record
from tests.house import ROOT
from tests.test_formats import PAGE, names, part

MORE = ROOT / "tests/fixtures/formats/v1-more"
MOST_BYTES = 60_000


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    shutil.copytree(MORE, tmp_path / "more")
    return tmp_path / "more"


def test_the_files_are_still_the_first_ones() -> None:
    digest = hashlib.sha256()
    paths = sorted(path for path in MORE.rglob("*") if path.is_file())
    for path in paths:
        digest.update(f"{path.relative_to(MORE)} {hashlib.sha256(path.read_bytes()).hexdigest()}\n".encode())
    assert digest.hexdigest() == "be3515d38e72feef571b6d92611a74aa526c0c0f29001eaf0518fd370d7ccd01"
    assert sum(path.stat().st_size for path in paths) < MOST_BYTES


def test_a_set_of_before_is_the_same_goals() -> None:
    (goal,) = GoalSets(GoalLibrary(MORE / "goals", Config())).load("cups")
    assert goal.name == "red-cup_2"
    np.testing.assert_array_equal(goal.picture, made.picture(5))


def test_an_exam_of_before_is_read_value_for_value() -> None:
    exam = ExamFolder.open(MORE / "exam")
    assert exam.paper == made.paper()
    assert exam.finished
    assert exam.results() == made.RESULTS
    (asked,), (wanted,) = exam.questions, made.questions()
    assert (asked.id, asked.xy_m.tolist()) == (wanted.id, wanted.xy_m.tolist())  # type: ignore[union-attr]
    np.testing.assert_array_equal(asked.image, wanted.image)
    (attempt,) = exam.attempts(CHECKPOINT)
    assert attempt.outcomes.tolist() == made.attempt().outcomes.tolist()
    assert {ruler: away.tolist() for ruler, away in attempt.distances.items()} == {
        ruler: away.tolist() for ruler, away in made.attempt().distances.items()
    }
    assert exam.sightings() == [made.sighting()]
    np.testing.assert_array_equal(exam.frames(CHECKPOINT, 0), np.stack([made.picture(number) for number in range(3)]))


def test_a_paper_of_before_there_was_a_choice_was_written_in_process(copied: Path) -> None:
    path = copied / "exam" / "paper.json"
    said = json.loads(path.read_text())
    del said["held"]
    path.write_text(json.dumps(said))
    assert ExamFolder.open(copied / "exam").paper.held == "in process"


def test_an_origin_of_before_is_read() -> None:
    note = read_origin(MORE)
    assert note is not None
    assert names(part("6. Origin of a run")) == set(note)
    assert note["episodes"][0]["was"] == "runs/a/episodes/x-000004.mcap"


def test_calibrations_of_before_are_read_value_for_value() -> None:
    results = Results(MORE / "calibrations")
    assert results.newest(SERIAL, LensRecord) == lens_record()
    assert results.newest(SERIAL, HandEyeRecord) == hand_eye_record(made.PLACE)
    assert results.newest(SERIAL, LatencyRecord) == latency_record()
    eye = results.newest(SERIAL, EyeRecord)
    assert eye is not None
    np.testing.assert_array_equal(results.reference(eye), made.picture(7))


def raised(path: Path) -> None:
    """The version in the file, raised by one."""
    text = path.read_text()
    assert len(re.findall(r'^ ?"?format"?: 1\b', text, re.M)) == 1, path
    path.write_text(re.sub(r'^( ?"?format"?): 1\b', r"\1: 2", text, flags=re.M))


@pytest.mark.parametrize(
    ("file", "read", "sentence"),
    [
        (
            "goals/sets/cups.yaml",
            lambda at: GoalSets(GoalLibrary(at / "goals", Config())).load("cups"),
            "has format 2, and this is 1",
        ),
        ("exam/paper.json", lambda at: ExamFolder.open(at / "exam"), "has an exam of format 2, not 1"),
        ("origin.json", read_origin, "has format 2, and this is 1"),
        (
            f"calibrations/{SERIAL}/latency-20260131T120000Z.yaml",
            lambda at: Results(at / "calibrations").newest(SERIAL, LatencyRecord),
            "has format 2, and this is 1",
        ),
    ],
)
def test_another_version_is_refused_by_name(
    file: str, read: Callable[[Path], object], sentence: str, copied: Path
) -> None:
    raised(copied / file)
    with pytest.raises(UserError, match=sentence):
        read(copied)


def test_the_page_names_every_field_of_an_exam() -> None:
    arrays = {name for path in ("questions", "checkpoint/000000") for name in np.load(MORE / "exam" / f"{path}.npz")}
    fields = {field.name for kind in (Paper, Sighting) for field in dataclasses.fields(kind)}
    page = part("8. Exam of a checkpoint")
    assert names(page) == fields | arrays
    assert all(f"`{key}`" in page for key in made.RESULTS)
    assert "has an exam of format 2, not 1" in PAGE


def test_the_page_of_calibrations_names_every_key() -> None:
    page = (ROOT / "docs/calibration.md").read_text().partition("## 9. The files")[2].partition("\n## ")[0]
    for kind in (EyeRecord, LensRecord, HandEyeRecord, LatencyRecord):
        assert all(f"`{key}`" in page for key in kind.model_fields), kind
