"""The policy's tick answers each fresh frame once, and every doubt ends in silence."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.datatypes import IMAGE_SHAPE, Float32s, Frame, Goal, Source
from robot_rig.loops.policy_loop import PolicyLoop

AGE_LIMIT_S, PERIOD_S = 0.25, 0.1


class Echo:
    """Acts with the frame's number, and counts what it was asked."""

    action_dim = 2

    def __init__(self) -> None:
        self.goals: list[str] = []
        self.seen: list[int] = []

    def begin(self, goal: Goal) -> None:
        self.goals.append(goal.id)

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        self.seen.append(frame.seq)
        return np.array([frame.seq, 0.5], np.float32)


def frame(seq: int, stamp: float = 0.0) -> Frame:
    return Frame(seq, stamp, np.zeros(IMAGE_SHAPE, np.uint8))


def goal(name: str) -> Goal:
    return Goal(np.zeros(IMAGE_SHAPE, np.uint8), name, 0.0, "", "imagined")


def begun(policy: Echo, source: Source = Source.POLICY) -> PolicyLoop:
    loop = PolicyLoop(AGE_LIMIT_S, PERIOD_S, 0.0)
    loop.begin(policy, goal("a"), source)
    return loop


def test_an_action_names_the_frame_it_answers() -> None:
    policy = Echo()
    loop = begun(policy, Source.RANDOM)
    action = loop.tick(7.1, frame(41, stamp=7.0))
    assert action is not None
    assert (action.frame_seq, action.frame_stamp, action.stamp, action.source) == (41, 7.0, 7.1, Source.RANDOM)
    assert action.value.tolist() == [41.0, 0.5]
    later = loop.tick(7.2, frame(42, stamp=7.15))
    assert later is not None
    assert later.seq == action.seq + 1


def test_a_frame_is_answered_once_and_the_policy_is_not_even_asked_again() -> None:
    policy = Echo()
    loop = begun(policy)
    assert loop.tick(0.0, frame(1)) is not None
    assert loop.tick(0.01, frame(1)) is None
    assert loop.tick(0.02, frame(2)) is not None
    assert policy.seen == [1, 2]


@pytest.mark.parametrize(
    ("age", "answers"), [(0.0, True), (AGE_LIMIT_S, True), (AGE_LIMIT_S + 1e-6, False), (9, False)]
)
def test_a_picture_older_than_the_limit_moves_nothing(age: float, answers: bool) -> None:
    policy = Echo()
    action = begun(policy).tick(age, frame(1, stamp=0.0))
    assert (action is not None) is answers
    assert policy.seen == ([1] if answers else [])


def test_a_frame_refused_for_its_age_is_not_remembered_as_answered() -> None:
    loop = begun(Echo())
    assert loop.tick(5.0, frame(1, stamp=0.0)) is None
    assert loop.tick(0.1, frame(1, stamp=0.0)) is not None


def test_no_episode_no_action() -> None:
    loop = PolicyLoop(AGE_LIMIT_S, PERIOD_S, 0.0)
    assert not loop.running
    assert loop.tick(0.0, frame(1)) is None
    loop.begin(Echo(), goal("a"), Source.POLICY)
    assert loop.running
    loop.end()
    loop.end()
    assert not loop.running
    assert loop.tick(0.0, frame(1)) is None


def test_a_policy_is_swapped_only_between_episodes() -> None:
    first, second = Echo(), Echo()
    loop = begun(first)
    with pytest.raises(RuntimeError, match="between episodes"):
        loop.begin(second, goal("b"), Source.POLICY)
    assert second.goals == []
    loop.tick(0.0, frame(1))
    loop.end()
    loop.begin(second, goal("b"), Source.POLICY)
    # A new episode may begin on the frame that ended the last one.
    assert loop.tick(0.0, frame(1)) is not None
    assert (first.seen, second.seen, second.goals) == ([1], [1], ["b"])


def test_goalless_play_is_not_given_a_goal() -> None:
    policy = Echo()
    loop = PolicyLoop(AGE_LIMIT_S, PERIOD_S, 0.0)
    loop.begin(policy, None, Source.RANDOM)
    assert policy.goals == []
    assert loop.tick(0.0, frame(1)) is not None


def test_actions_are_numbered_through_all_episodes() -> None:
    loop = PolicyLoop(AGE_LIMIT_S, PERIOD_S, 0.0)
    numbers = []
    for episode in range(3):
        loop.begin(Echo(), None, Source.RANDOM)
        for seq in (1, 2):
            action = loop.tick(0.0, frame(10 * episode + seq))
            assert action is not None
            numbers.append(action.seq)
        loop.end()
    assert numbers == list(range(numbers[0], numbers[0] + 6))
