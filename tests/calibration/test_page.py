"""docs/calibration.md names the words, sentences and keys that there are."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from calibration.check import check_camera
from calibration.records import KINDS, Record
from calibration.results import Results
from robot_rig.cli.dispatch import GROUPS
from robot_rig.config import CameraConfig
from robot_rig.errors import UserError
from tests.calibration.results_made import kept_eye
from tests.calibration.test_check import SCENE, moved_by, textured
from tests.house import ROOT

PAGE = (ROOT / "docs/calibration.md").read_text()


def test_every_word_is_explained_and_no_other() -> None:
    table = PAGE.partition("## 1.")[0]
    explained = set(re.findall(r"^\| `rig calibrate ([a-z]+)`", table, re.MULTILINE))
    assert explained | {"capture"} == set(GROUPS["calibrate"])
    assert set(re.findall(r"rig calibrate ([a-z]+)", PAGE)) <= set(GROUPS["calibrate"])


def test_every_key_of_every_result_is_named_and_no_other() -> None:
    files = PAGE.partition("## 9.")[2]
    common = set(Record.model_fields) | {"kind"}
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", files, re.MULTILINE))
    assert rows.keys() == KINDS.keys()
    for kind, record in KINDS.items():
        assert set(re.findall(r"`(\w+)`", rows[kind])) == set(record.model_fields) - common, kind
    for key in common:
        assert f"`{key}`" in files.partition("|")[0], key


def test_what_a_start_says_is_what_it_would_say(tmp_path: Path) -> None:
    said = re.findall(r"^\| .*\? .*\| `(.*)` \|$", PAGE.partition("## 3.")[0], re.MULTILINE)
    results, camera = Results(tmp_path / "calibrations"), CameraConfig()
    kept_eye(results.folder, SCENE)
    large = np.zeros((720, 1280, 3), np.uint8)
    asked = [
        (Results(tmp_path / "nowhere"), "", SCENE, camera),
        (results, "42", SCENE, camera),
        (results, "", large, camera),
        (results, "", SCENE, CameraConfig(crop_left_px=100)),
        (results, "", SCENE[:, :, ::-1], camera),
        (results, "", moved_by(SCENE, 8.0), camera),
        (results, "", SCENE // 3, camera),
        (results, "", textured(5), camera),
    ]
    assert len(said) == len(asked)
    for sentence, question in zip(said, asked, strict=True):
        with pytest.raises(UserError) as refused:
            check_camera(*question)
        problem = refused.value.problem.replace(str(tmp_path / "nowhere"), "calibrations")
        assert problem.startswith(sentence)
