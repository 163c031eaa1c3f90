"""Homing by the arm loop: from anywhere, by way of poses, and never for ever."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import Floats, Mode
from robot_rig.errors import UserError
from tests.integrated_arm import PERIOD, report
from tests.loops.arm_story import CONTROL, HOME, KINEMATICS, Story


def far_corner() -> Floats:
    return solve_position(KINEMATICS, np.array([0.56, -0.18, 0.06]), TOOL_DOWN, HOME)


@pytest.mark.parametrize("plant", [(0, 0.0), (8, 0.0), (2, 0.05)])
def test_homing_out_of_active_goes_on_and_out_of_hold_holds(plant: tuple[int, float]) -> None:
    for hold_first in (False, True):
        story = Story(far_corner(), *plant)
        story.tick(None)
        assert not story.loop.at_home
        if hold_first:
            story.loop.hold()
        story.loop.home([HOME])
        fastest = 0.0
        for _ in range(1500):
            _, status = story.tick(None)
            fastest = max(fastest, math.sqrt(status.tool_velocity[:3] @ status.tool_velocity[:3]))
            if story.loop.mode is not Mode.HOMING:
                break
        assert story.loop.mode is (Mode.HOLD if hold_first else Mode.ACTIVE)
        assert story.loop.at_home
        assert story.tool == pytest.approx(CONTROL.home_tool_m, abs=0.005)
        assert 0.05 < fastest <= 0.10 + 1e-6
        command, _ = story.act(1.0, 0.0)
        assert command.command.velocity.any() != hold_first


@pytest.mark.parametrize(
    "start",
    [
        (0.0, -1.18, 0.0, 2.18, 0.0, 0.57, 3.3161),
        (0.1526, 0.9144, -2.0259, 1.6648, -2.4172, 1.1500, -2.4770),
        (0.6, -0.9, 0.3, 1.5, 0.4, 0.9, 3.6),
        (-0.9, -1.2, 0.0, 2.0, 0.0, 0.6, 3.0),
        (-0.3, -1.3, 0.1, 1.9, -0.1, 0.9, 3.1),
    ],
)
def test_homing_reaches_home_from_outside_the_box(start: tuple[float, ...]) -> None:
    story = Story(np.array(start))
    tool = story.tool
    story.loop.home([HOME])
    for _ in range(4000):
        story.tick(None)
        if story.loop.mode is not Mode.HOMING:
            break
    assert story.loop.at_home, (tool, story.tool, story.loop.why, story.reasons)


def test_homing_that_cannot_arrive_ends_in_hold() -> None:
    story = Story()
    beyond = solve_position(KINEMATICS, np.array([0.65, 0.30, 0.06]), TOOL_DOWN, HOME)
    story.loop.home([beyond])
    for _ in range(6100):
        story.tick(None)
    assert story.loop.mode is Mode.HOLD
    assert story.loop.why == ("homing_late",)
    assert story.tool[1] <= 0.2 + 1e-3


def test_homing_again_or_without_data_is_bounded() -> None:
    story = Story(far_corner())
    story.loop.home([HOME])
    for _ in range(20):
        story.tick(None)
    story.loop.home([HOME])
    old = report(story.arm.position, story.now)
    for _ in range(560):
        story.now += PERIOD
        story.loop.tick(story.now, old, None)
    assert story.loop.mode is Mode.HOLD
    assert story.loop.why == ("lapsed", "state_stale")


@pytest.mark.parametrize("poses", [[], [np.zeros(6)], [np.full(7, np.nan)]])
def test_poses_that_are_none_are_refused(poses: list[Floats]) -> None:
    with pytest.raises(UserError, match="pose"):
        Story().loop.home(poses)
    with pytest.raises(UserError, match="disabled"):
        Story(enabled=False).loop.home([HOME])
