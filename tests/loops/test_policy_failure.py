"""A policy that cannot answer ends its episode, with the reason, and the process serves the next goal."""

from __future__ import annotations

import dataclasses

import pytest

from robot_rig.datatypes import Float32s, Frame, Goal
from robot_rig.errors import PolicyFailedError
from robot_rig.loops.episode_state import Stand
from robot_rig.loops.live_episodes import RETRY_S
from tests.loops.test_live_episodes import Echo, asked, goal


class Failing(Echo):
    """Cannot answer from its third action on, or cannot even begin."""

    def __init__(self, begins: bool) -> None:
        super().__init__()
        self.begins, self.fails = begins, True

    def begin(self, goal: Goal) -> None:
        super().begin(goal)
        if self.fails and not self.begins:
            raise PolicyFailedError("the goal is no number")

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        if self.fails and self.acts == 3:
            raise PolicyFailedError("the picture is no number")
        return super().act(frame, under_way)


@pytest.mark.parametrize(("begins", "actions"), [(True, 3), (False, 0)])
@pytest.mark.parametrize("recording", ["off", "required"])
def test_a_policy_that_cannot_answer_ends_the_episode_and_nothing_else(
    begins: bool, actions: int, recording: str
) -> None:
    world = asked(recording=recording)
    world.policy = policy = Failing(begins)
    world.live.recast(policy, dataclasses.replace(world.live._rules))
    for _ in range(400):
        world.step()
        if recording == "required" and world.said and world.said[-1].stand is Stand.RUNNING:
            world.open_file()
    assert len(world.actions) == actions
    assert world.said[-1].stand is Stand.CUT_SHORT
    assert "is no number" in world.said[-1].reason
    assert {one.number for one in world.said} == {1}, "the same goal is not tried again"
    policy.fails = False
    world.goal = goal("plate", world.now)
    world.run(RETRY_S)
    for _ in range(400):
        world.step()
        if recording == "required" and world.said[-1].stand is Stand.RUNNING:
            world.open_file()
    assert world.said[-1].stand is Stand.COMPLETE
