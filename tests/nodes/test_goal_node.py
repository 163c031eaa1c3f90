"""The goal node's picture waits for whoever comes later; one of another camera never gets out."""

from __future__ import annotations

import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rospy

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import IMAGE_SHAPE, Frame, Goal
from robot_rig.errors import UserError
from robot_rig.goal_library import GoalLibrary
from robot_rig.nodes.goal_node import GoalNodeOptions, wire
from robot_rig.ros.convert import read_goal
from robot_rig.ros.master import Master, master_uri
from robot_rig.ros.node import Node
from robot_rig.ros.stamps import Refused
from robot_rig.ros.topics import GOAL
from tests.ros_graph import eventually

RGB = np.random.default_rng(4).integers(0, 256, IMAGE_SHAPE, np.uint8)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    noon = datetime.datetime(2026, 1, 2, 12, tzinfo=datetime.timezone.utc)
    return GoalLibrary(tmp_path, Config()).capture("cup", Frame(1, 0.0, RGB), noon, "x").path


def wired(options: GoalNodeOptions) -> tuple[Node, list[Any]]:
    ends: list[Any] = []
    node = Node(rospy.get_name(), Master(master_uri()).state())
    node.closing = ends.append  # type: ignore[method-assign]
    wire(options, node)
    return node, ends


@pytest.mark.parametrize("with_note", [True, False])
def test_a_late_listener_gets_the_goal(ros_node: str, kept: Path, with_note: bool) -> None:
    if not with_note:
        kept.with_suffix(".yaml").unlink()
    _, ends = wired(GoalNodeOptions(kept))
    arrived: list[Goal | Refused] = []
    subscriber = rospy.Subscriber(GOAL.name, GOAL.message, lambda message: arrived.append(read_goal(message, 1.0)))
    try:
        assert eventually(lambda: arrived)
    finally:
        subscriber.unregister()
        for end in ends:
            end()
    assert isinstance(goal := arrived[0], Goal)
    assert (goal.image == RGB).all()
    assert (goal.id, goal.source) == ("cup", "captured" if with_note else "imported")
    assert bool(goal.calibration_id) is with_note


def test_a_goal_of_another_camera_is_refused_before_anything_is_said(ros_node: str, kept: Path) -> None:
    changed = "camera.crop_left_px=111"
    assert load_config([], [changed]) != Config()
    with pytest.raises(UserError, match="calibration"):
        wired(GoalNodeOptions(kept, set=(changed,)))
