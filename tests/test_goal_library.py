"""A goal comes back as it was taken, under the calibration it was taken under, or not at all."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Frame
from robot_rig.errors import UserError
from robot_rig.goal_library import GoalLibrary, calibration_id

CONFIG = Config()
NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, tzinfo=datetime.timezone.utc)


def frame(seed: int = 0) -> Frame:
    return Frame(7, 0.0, np.random.default_rng(seed).integers(0, 256, (84, 84, 3), np.uint8))


@pytest.fixture
def library(tmp_path: Path) -> GoalLibrary:
    return GoalLibrary(tmp_path / "goals", CONFIG)


def taken(library: GoalLibrary, name: str = "cup") -> GoalLibrary:
    library.capture(name, frame(), NOON, "/rig/camera/frame")
    return library


def test_a_goal_comes_back_to_the_last_bit(library: GoalLibrary) -> None:
    kept = taken(library).load("cup")
    assert (kept.picture == frame().rgb).all()
    assert kept.note.taken == "2026-01-02T12:00:00.000+00:00"
    assert (kept.note.camera, kept.note.frame, kept.note.config) == ("/rig/camera/frame", 7, CONFIG.hash())
    goal = kept.goal(3.0)
    assert (goal.id, goal.stamp, goal.source, goal.calibration_id) == ("cup", 3.0, "captured", library.calibration)
    assert library.names() == ["cup"]


def test_a_name_is_taken_once(library: GoalLibrary) -> None:
    taken(library)
    with pytest.raises(UserError, match="already"):
        library.capture("cup", frame(1), NOON, "x")
    assert (library.load("cup").picture == frame().rgb).all()


def test_of_two_who_take_a_name_at_once_one_has_it_and_the_other_is_told(
    library: GoalLibrary, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Both have seen that it was free; the other was quicker.
    monkeypatch.setattr(library, "require_free", lambda _: taken(GoalLibrary(library.folder, CONFIG)))
    with pytest.raises(UserError, match="exists already"):
        library.capture("cup", frame(1), NOON, "x")
    assert (library.load("cup").picture == frame().rgb).all()
    assert sorted(path.name for path in library.folder.iterdir()) == ["cup.png", "cup.yaml"]


@pytest.mark.parametrize("name", ["", "../cup", "a/b", ".hidden", "a b", "x" * 61, "cup.png", "-x"])
def test_what_is_no_name_touches_nothing(library: GoalLibrary, name: str) -> None:
    for act in (lambda: library.capture(name, frame(), NOON, "x"), lambda: library.load(name)):
        with pytest.raises(UserError, match="no name"):
            act()
    with pytest.raises(UserError, match="no name"):
        library.delete(name)
    assert not library.folder.exists()


def test_an_unknown_goal_is_answered_with_those_there_are(library: GoalLibrary) -> None:
    with pytest.raises(UserError, match=r"'mug'.*valid: cup|Valid: cup"):
        taken(library).load("mug")


@pytest.mark.parametrize("key", ["crop_left_px=111", "crop_px=336", "width_px=800"])
def test_another_camera_is_another_calibration_and_refused(library: GoalLibrary, key: str) -> None:
    other = GoalLibrary(taken(library).folder, load_config([], [f"camera.{key}"]))
    assert other.calibration != library.calibration
    with pytest.raises(UserError, match="calibration"):
        other.load("cup")
    with pytest.raises(UserError, match="calibration"):
        other.import_picture(library.folder / "cup.png", 0.0)


def test_a_lens_that_was_calibrated_since_leaves_goals_valid(library: GoalLibrary) -> None:
    """The picture of a real camera does not depend on what is known of its lens."""
    lens = ["camera.focal_px=606.3", "camera.center_u_px=314.8", "camera.center_v_px=247.6"]
    known = GoalLibrary(taken(library).folder, load_config([], lens))
    assert (known.load("cup").picture == library.load("cup").picture).all()


def test_a_goal_that_was_stored_under_a_hash_of_its_lens_stays_valid_under_that_lens(library: GoalLibrary) -> None:
    path = taken(library).folder / "cup.yaml"
    # SHA-256 over all camera settings as JSON, as it was written before: focal_px 606.0, the rest as by default.
    path.write_text(path.read_text().replace(library.calibration, "ea4f02971936"))
    with_lens = load_config([], ["camera.focal_px=606.0"])
    assert GoalLibrary(library.folder, with_lens).load("cup").name == "cup"
    for other in ("camera.focal_px=607.0", "camera.crop_left_px=111"):
        with pytest.raises(UserError, match="calibration"):
            GoalLibrary(library.folder, load_config([], [other])).load("cup")


def test_what_is_not_the_cameras_does_not_change_the_calibration() -> None:
    changed = load_config([], ["guard.tool_speed_m_s=0.1", "seed=5"])
    assert calibration_id(changed.camera) == calibration_id(CONFIG.camera)


def test_a_picture_put_in_anothers_place_is_noticed(library: GoalLibrary) -> None:
    taken(library)
    library.capture("mug", frame(1), NOON, "x")
    (library.folder / "mug.png").replace(library.folder / "cup.png")
    with pytest.raises(UserError, match="not the picture"):
        library.load("cup")


@pytest.mark.parametrize(
    ("old", "new"),
    [("format: 1", "format: 2"), ("frame: 7", "frame: seven"), ("frame: 7", "frame: 7\nextra: 1"), ("frame: 7\n", "")],
)
def test_a_note_that_says_something_else_is_refused(library: GoalLibrary, old: str, new: str) -> None:
    path = taken(library).folder / "cup.yaml"
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=r"cup\.yaml"):
        library.load("cup")


def test_deleting_leaves_nothing_and_frees_the_name(library: GoalLibrary) -> None:
    taken(library).delete("cup")
    assert list(library.folder.iterdir()) == []
    with pytest.raises(UserError, match="no goal"):
        library.delete("cup")
    taken(library)


def test_a_strangers_picture_comes_without_a_calibration(library: GoalLibrary, tmp_path: Path) -> None:
    path = tmp_path / "from a friend.png"
    (taken(library).folder / "cup.png").rename(path)
    goal = library.import_picture(path, 2.0)
    assert (goal.calibration_id, goal.source, goal.id) == ("", "imported", "from a friend")
    assert (goal.image == frame().rgb).all()
