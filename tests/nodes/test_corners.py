"""Corners become a box once there are two, each further one widens it, and somebody else's box is never touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.errors import UserError
from robot_rig.nodes.corners import Corners

CORNERS = [np.array(corner) for corner in ([0.56, 0.15, 0.06], [0.74, -0.18, 0.06], [0.60, -0.19, 0.06])]
YESTERDAY = "# the box that was measured yesterday\nguard:\n  box_low_m: [0.6, -0.1, 0.03]\n"


def test_the_second_corner_makes_a_box_and_the_third_widens_it(tmp_path: Path) -> None:
    path = tmp_path / "box.yaml"
    corners = Corners(Config(), path)
    assert "no box yet" in corners.mark(CORNERS[0])
    assert not path.exists()
    for corner in CORNERS[1:]:
        assert str(path) in corners.mark(corner)
        assert corners.box is not None
        assert load_config([path], []).guard.box_low_m == corners.box.box_low_m
    assert corners.box.box_low_m[1] == pytest.approx(-0.19, abs=0.001)


def test_a_box_that_was_there_before_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "box.yaml"
    path.write_text(YESTERDAY)
    corners = Corners(Config(), path)
    for corner in CORNERS:
        assert "exists already and stays" in corners.mark(corner)
    assert path.read_text() == YESTERDAY
    assert corners.box is None
    # Once it has been moved away, the corners count that were marked meanwhile.
    path.rename(tmp_path / "old.yaml")
    assert "exists" not in corners.mark(CORNERS[0])
    assert path.is_file()


def test_who_begins_to_mark_is_told_before_the_first_corner(tmp_path: Path) -> None:
    from robot_rig.cli.orders import mark_box

    path = tmp_path / "box.yaml"
    path.write_text(YESTERDAY)
    with pytest.raises(UserError, match=r"box\.yaml exists already and stays"):
        mark_box(Config(), path, Console(), ["", "", "q"])
    assert path.read_text() == YESTERDAY
