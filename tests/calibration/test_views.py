"""Views come back as they were kept, and what is none is refused by name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from calibration.views import description, keep_description, keep_view, read_joints, read_picture, view_names
from robot_rig.config import CameraConfig
from robot_rig.errors import UserError
from robot_rig.vision import save_picture

PICTURE = np.random.default_rng(0).integers(0, 256, (480, 640, 3), np.uint8)
JOINTS = np.array([0.1, -1.18, 0.0, 2.18, -1e-5, 0.57, 3.3161])


def test_a_view_comes_back_as_it_was_kept(tmp_path: Path) -> None:
    folder = tmp_path / "views"
    first, second = keep_view(folder, PICTURE, JOINTS), keep_view(folder, PICTURE[::-1].copy(), None)
    assert view_names(folder) == ["view-000.png", "view-001.png"]
    assert (read_picture(first, CameraConfig()) == PICTURE).all()
    assert np.allclose(read_joints(first), JOINTS, atol=1e-6)
    assert (read_picture(second, CameraConfig()) == PICTURE[::-1]).all()
    with pytest.raises(UserError, match=r"view-001\.yaml"):
        read_joints(second)


def test_numbers_go_on_behind_what_is_there(tmp_path: Path) -> None:
    keep_view(tmp_path, PICTURE, None)
    for name in ("view-007.png", "view-9².png"):
        (tmp_path / name).write_bytes((tmp_path / "view-000.png").read_bytes())
    assert keep_view(tmp_path, PICTURE, None).name == "view-008.png"
    # A note of which the picture was thrown away, or never came, is no other picture's.
    keep_view(tmp_path, PICTURE, JOINTS).unlink()
    kept = keep_view(tmp_path, PICTURE, None)
    assert kept.name == "view-010.png"
    with pytest.raises(UserError, match=r"view-010\.yaml"):
        read_joints(kept)


@pytest.mark.parametrize(
    "note",
    [
        "joints_rad: [0, 0, 0]",
        "joints_rad: [0, 0, 0, 0, 0, 0, x]",
        "joints_rad: [true, 0, 0, 0, 0, 0, 0]",
        "joints_rad: [0, 0, 0, 0, 0, 0, 190]",
        "joints: [0, 0, 0, 0, 0, 0, 0]",
        "- 1",
        "joints_rad: [0, 0, 0, 0, 0, 0, .nan]",
    ],
)
def test_a_note_without_seven_joints_is_refused(note: str, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(note + "\n")
    with pytest.raises(UserError, match=r"a\.yaml"):
        read_joints(tmp_path / "a.png")


def test_a_folder_without_pictures_and_a_picture_of_another_size_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="holds 0 pictures"):
        view_names(tmp_path)
    with pytest.raises(UserError, match="is not a folder"):
        view_names(tmp_path / "nowhere")
    save_picture(tmp_path / "small.png", np.ascontiguousarray(PICTURE[:240]))
    with pytest.raises(UserError, match=r"640x240 px, and only 640x480.*camera\.width_px"):
        read_picture(tmp_path / "small.png", CameraConfig())


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for keep in (lambda folder: keep_view(folder, PICTURE, None), lambda folder: keep_description(folder, "<robot/>")):
        with pytest.raises(UserError, match="a part of that path is no folder"):
            keep(tmp_path / "file" / "views")


def test_views_of_two_arms_do_not_go_into_one_folder(tmp_path: Path) -> None:
    assert description(tmp_path) == ""
    keep_description(tmp_path / "views", "<robot/>")
    keep_description(tmp_path / "views", "<robot/>")
    assert description(tmp_path / "views") == "<robot/>"
    with pytest.raises(UserError, match="views of another arm"):
        keep_description(tmp_path / "views", "<robot name='b'/>")
    (tmp_path / "views" / "arm.urdf").write_bytes(b"\xff\xfe")
    with pytest.raises(UserError, match="not UTF-8"):
        description(tmp_path / "views")
