"""A set asks the same questions as long as it is there: what would change one is refused, or breaks it aloud."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Frame
from robot_rig.errors import UserError
from robot_rig.goal_library import IMPORTED, GoalLibrary
from robot_rig.goal_sets import GoalSets

NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, tzinfo=datetime.timezone.utc)


def picture(seed: int) -> Frame:
    return Frame(seed, 0.0, np.random.default_rng(seed).integers(0, 256, (84, 84, 3), np.uint8))


@pytest.fixture
def sets(tmp_path: Path) -> GoalSets:
    """A library of three goals, no set yet; the first bears a name that YAML would take for a number."""
    library = GoalLibrary(tmp_path / "goals", Config())
    for seed, name in enumerate(("012", "yes", "cup")):
        library.capture(name, picture(seed), NOON, "x")
    return GoalSets(library)


def test_a_set_comes_back_in_its_order(sets: GoalSets) -> None:
    sets.make("table", ["cup", "012", "yes"])
    sets.make("one", ["yes"])
    assert sets.names() == ["one", "table"]
    assert [goal.name for goal in sets.load("table")] == ["cup", "012", "yes"]
    assert (sets.load("one")[0].picture == picture(1).rgb).all()
    assert sets.library.names() == ["012", "cup", "yes"]


def test_a_set_stays_as_it_is(sets: GoalSets) -> None:
    sets.make("table", ["cup"])
    with pytest.raises(UserError, match="there is a set 'table' already"):
        sets.make("table", ["yes"])
    assert [goal.name for goal in sets.load("table")] == ["cup"]


@pytest.mark.parametrize(
    ("members", "said"),
    [([], "0 goals"), (["cup", "mug"], "no goal 'mug'"), (["cup", "yes", "cup"], "cup would be in the set twice")],
)
def test_a_set_of_nothing_or_of_no_goal_is_not_made(sets: GoalSets, members: list[str], said: str) -> None:
    with pytest.raises(UserError, match=said):
        sets.make("table", members)
    assert sets.names() == []


@pytest.mark.parametrize("name", ["", "..", "a/b", "x" * 61])
def test_what_is_no_name_touches_nothing(sets: GoalSets, name: str) -> None:
    for act in (lambda: sets.make(name, ["cup"]), lambda: sets.load(name), lambda: sets.delete(name)):
        with pytest.raises(UserError, match="no name for a set"):
            act()
    assert not sets.folder.exists()


def test_a_goal_in_a_set_is_not_deleted(sets: GoalSets) -> None:
    sets.make("table", ["cup", "yes"])
    sets.make("cups", ["cup"])
    assert sets.holding("cup") == ["cups", "table"]
    with pytest.raises(UserError, match=r"cup is in the sets cups, table.*rig goals sets cups --delete"):
        sets.delete_goal("cup")
    assert len(sets.load("table")) == 2
    sets.delete("cups")
    sets.delete("table")
    sets.delete_goal("cup")
    assert sets.library.names() == ["012", "yes"]


def test_a_set_that_cannot_be_read_lets_no_goal_be_deleted(sets: GoalSets) -> None:
    sets.make("table", ["cup"])
    (sets.folder / "table.yaml").write_text("format: 1\ngoals: [cup]\n")
    with pytest.raises(UserError, match="no set of goals"):
        sets.delete_goal("yes")
    sets.delete("table")
    sets.delete_goal("yes")


def test_a_goal_taken_anew_under_its_name_breaks_the_set_aloud(sets: GoalSets) -> None:
    sets.make("table", ["cup", "yes"])
    sets.library.delete("cup")
    with pytest.raises(UserError, match="the set 'table' is broken: there is no goal 'cup'"):
        sets.load("table")
    sets.library.capture("cup", picture(9), NOON, "x")
    with pytest.raises(UserError, match="broken: cup is another picture"):
        sets.load("table")


def test_a_set_of_another_calibration_is_refused(sets: GoalSets) -> None:
    sets.make("table", ["cup"])
    other = GoalSets(GoalLibrary(sets.library.folder, load_config([], ["camera.crop_left_px=100"])))
    with pytest.raises(UserError, match="the set 'table' is broken: the goal 'cup' was taken under calibration"):
        other.load("table")


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("format: 1", "format: 2"),
        ("format: 1", "format: '1'"),
        ("format: 1\n", ""),
        ('"cup"', '"../cup"'),
        ('"cup": "', '"cup": 7 # '),
        ("goals:\n", "goals: 3\nmore:\n"),
    ],
)
def test_a_set_that_says_something_else_is_refused(sets: GoalSets, old: str, new: str) -> None:
    sets.make("table", ["cup"])
    path = sets.folder / "table.yaml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    with pytest.raises(UserError, match=r"table\.yaml"):
        sets.load("table")


def test_links_are_not_followed(sets: GoalSets, tmp_path: Path) -> None:
    sets.make("table", ["cup"])
    (sets.folder / "table.yaml").rename(tmp_path / "elsewhere.yaml")
    (sets.folder / "table.yaml").symlink_to(tmp_path / "elsewhere.yaml")
    with pytest.raises(UserError, match="symbolic link"):
        sets.load("table")
    sets.delete("table")
    note = sets.library.folder / "cup.yaml"
    note.rename(tmp_path / "note.yaml")
    note.symlink_to(tmp_path / "note.yaml")
    with pytest.raises(UserError, match="symbolic link"):
        sets.library.load("cup")
    with pytest.raises(UserError, match="symbolic link"):
        sets.library.import_picture(sets.library.folder / "cup.png", 0.0)


def test_a_photo_is_kept_as_what_it_is(sets: GoalSets) -> None:
    kept = sets.library.keep_photo("phone", picture(5).rgb, NOON, "photo 'a.jpg', 900 px at 10,20")
    assert kept.note.camera == "photo 'a.jpg', 900 px at 10,20"
    assert (kept.note.source, kept.goal(0.0).source) == (IMPORTED, IMPORTED)
    assert kept.goal(0.0).calibration_id == sets.library.calibration
    with pytest.raises(UserError, match="already"):
        sets.library.keep_photo("phone", picture(6).rgb, NOON, "x")


@pytest.mark.parametrize("path", ["", ".", "a\0b", "x" * 5000, "http://127.0.0.1/a.png", "nowhere/cup.png"])
def test_a_path_that_is_no_picture_is_one_sentence(sets: GoalSets, path: str) -> None:
    with pytest.raises(UserError):
        sets.library.import_picture(Path(path), 0.0)


def test_a_note_speaks_for_its_own_picture_only(sets: GoalSets, tmp_path: Path) -> None:
    """cup.jpg beside cup.png and cup.yaml is somebody's picture, and not the goal cup."""
    other = GoalLibrary(tmp_path / "other", Config())
    other.capture("cup", picture(7), NOON, "x")
    beside = sets.library.folder / "cup.jpg"
    (other.folder / "cup.png").rename(beside)
    goal = sets.library.import_picture(beside, 0.0)
    assert (goal.image == picture(7).rgb).all()
    assert goal.calibration_id == ""
