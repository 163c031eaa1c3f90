"""A box shown with the arm is the least one around its corners, and is judged as the arm process would judge it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.errors import UserError
from robot_rig.safety.limits import Limits
from robot_rig.safety.workspace import box_around, box_overlay, nearest_wall

PLANE = Config()
SPACE = load_config([], ["control.axes=[x, y, z]"])


def at(*corners: tuple[float, float, float]) -> list[np.ndarray]:
    return [np.array(corner) for corner in corners]


def test_a_box_in_the_plane_keeps_the_configured_height() -> None:
    guard = box_around(at((0.6, 0.1, 0.0), (0.7, -0.15, 9.0)), PLANE)
    assert guard.box_low_m == (0.6, -0.15, PLANE.guard.box_low_m[2])
    assert guard.box_high_m == (0.7, 0.1, PLANE.guard.box_high_m[2])


def test_where_actions_move_the_height_the_corners_give_it_too() -> None:
    guard = box_around(at((0.6, 0.1, 0.04), (0.7, -0.15, 0.21)), SPACE)
    assert (guard.box_low_m[2], guard.box_high_m[2]) == (0.04, 0.21)


inside = st.tuples(st.floats(0.56, 0.74), st.floats(-0.19, 0.19), st.floats(0.04, 0.29))


@given(st.lists(inside, min_size=0, max_size=5))
def test_the_box_is_the_least_one_that_holds_every_corner(more: list[tuple[float, float, float]]) -> None:
    corners = at((0.6, -0.1, 0.04), (0.72, 0.12, 0.2), *more)
    guard = box_around(corners, SPACE)
    low, high = np.array(guard.box_low_m), np.array(guard.box_high_m)
    assert np.abs(low - np.min(corners, axis=0)).max() <= 0.0005 + 1e-9
    assert np.abs(high - np.max(corners, axis=0)).max() <= 0.0005 + 1e-9


def test_a_corner_counts_to_the_millimetre() -> None:
    guard = box_around(at((0.60049, 0.10051, 0.06), (0.70051, -0.15049, 0.06)), PLANE)
    assert (guard.box_low_m[:2], guard.box_high_m[:2]) == ((0.6, -0.15), (0.701, 0.101))


@pytest.mark.parametrize(
    ("corners", "says"),
    [
        (at((0.6, 0.1, 0.1)), "1 corner so far"),
        ([], "0 corners so far"),
        (at((0.6, 0.0, 0.06), (0.64, 0.2, 0.06)), "at least 0.05"),
        (at((0.6, -0.1, 0.06), (1.2, 0.2, 0.06)), "out of the arm's reach"),
        (at((0.7, -0.1, 0.06), (0.8, 0.1, 0.06)), "control.home_tool_m"),
    ],
)
def test_a_box_that_the_arm_process_would_refuse_is_refused_here(corners: list[np.ndarray], says: str) -> None:
    with pytest.raises(UserError, match=says):
        box_around(corners, PLANE)


def test_the_refusal_is_the_very_sentence_of_the_limits() -> None:
    narrow = load_config([], ["guard.box_low_m=[0.63, -0.2, 0.03]", "guard.box_high_m=[0.66, 0.2, 0.3]"])
    with pytest.raises(UserError) as expected:
        Limits.from_config(narrow.guard, narrow.control)
    with pytest.raises(UserError) as refused:
        box_around(at((0.63, -0.2, 0.06), (0.66, 0.2, 0.06)), PLANE)
    assert str(refused.value) == str(expected.value)


def test_the_overlay_reads_back_as_the_same_box(tmp_path: Path) -> None:
    guard = box_around(at((0.6, 0.1, 0.06), (0.7, -0.15, 0.06)), PLANE)
    path = tmp_path / "box.yaml"
    path.write_text(box_overlay(guard))
    assert load_config([path], []).guard == guard


WALLS = np.array([[0.55, -0.2, 0.03], [0.75, 0.2, 0.3]])


@pytest.mark.parametrize(
    ("tool", "axes", "wall", "room"),
    [
        ((0.65, 0.15, 0.06), "xy", "+y", 0.05),
        ((0.65, 0.15, 0.06), "xyz", "-z", 0.03),
        ((0.56, 0.0, 0.06), "xy", "-x", 0.01),
        ((0.77, 0.0, 0.06), "xy", "+x", -0.02),
        ((0.77, 0.0, 0.06), "y", "-y", 0.2),
    ],
)
def test_the_nearest_wall_is_named_as_it_lies_in_base(
    tool: tuple[float, float, float], axes: str, wall: str, room: float
) -> None:
    assert nearest_wall(np.array(tool), WALLS, tuple(axes)) == (wall, pytest.approx(room))


inside = st.tuples(*(st.floats(low, high) for low, high in WALLS.T.tolist()))


@given(inside)
def test_the_room_is_what_may_be_gone_in_any_direction(tool: tuple[float, float, float]) -> None:
    wall, room = nearest_wall(np.array(tool), WALLS, ("x", "y", "z"))
    assert room >= 0.0
    step = np.zeros(3)
    step["xyz".index(wall[1])] = (1.0 if wall[0] == "+" else -1.0) * (room + 1e-9)
    assert ((np.array(tool) + step < WALLS[0]) | (np.array(tool) + step > WALLS[1])).any(), "a little more is outside"
