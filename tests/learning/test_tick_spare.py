"""An engine without memory is tried once more and then left; nobody waits, and nothing goes back by itself."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.datatypes import IMAGE_SHAPE, Float32s, Frame, Goal
from robot_rig.learning.tick_spare import SparedPolicy

GOAL = Goal(np.zeros(IMAGE_SHAPE, np.uint8), "g", 0.0, "", "captured")
FRAME = Frame(1, 0.0, np.zeros(IMAGE_SHAPE, np.uint8))


class FullError(RuntimeError):
    """No memory."""


class Engine:
    """Answers with its name's number, unless it is to fail `failures` times first."""

    action_dim = 2

    def __init__(self, answer: float, failures: int = 0) -> None:
        self.answer, self.failures = answer, failures
        self.asked: list[str] = []

    def _ask(self, what: str) -> None:
        self.asked.append(what)
        if self.failures:
            self.failures -= 1
            raise FullError

    def begin(self, goal: Goal) -> None:
        self._ask(f"begin {goal.id}")

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        self._ask("act")
        return np.full(2, self.answer, np.float32)


def both(failures: int = 0) -> tuple[SparedPolicy, Engine, Engine, list[str]]:
    freed: list[str] = []
    first, spare = Engine(1.0), Engine(2.0)
    policy = SparedPolicy(first, spare, FullError, lambda: freed.append("free"))
    policy.begin(GOAL)
    first.failures = failures
    return policy, first, spare, freed


def test_while_there_is_memory_the_spare_only_knows_the_goal() -> None:
    policy, first, spare, freed = both()
    assert policy.action_dim == 2
    assert policy.act(FRAME).tolist() == [1.0, 1.0]
    assert (first.asked, spare.asked, freed) == (["begin g", "act"], ["begin g"], [])


def test_one_failure_is_made_good_with_what_was_freed() -> None:
    policy, first, spare, freed = both(failures=1)
    assert policy.act(FRAME).tolist() == [1.0, 1.0]
    assert not policy.spared
    assert (first.asked[1:], spare.asked, freed) == (["act", "act"], ["begin g"], ["free"])


def test_after_two_the_spare_answers_at_once_and_from_then_on() -> None:
    policy, first, spare, freed = both(failures=2)
    assert policy.act(FRAME).tolist() == [2.0, 2.0]
    assert policy.spared
    assert policy.act(FRAME).tolist() == [2.0, 2.0]
    policy.begin(GOAL)
    assert (len(first.asked), spare.asked[1:], len(freed)) == (3, ["act", "act", "begin g", "begin g"], 2)


def test_a_goal_that_finds_no_memory_is_the_spares() -> None:
    first, spare = Engine(1.0, failures=2), Engine(2.0)
    policy = SparedPolicy(first, spare, FullError, lambda: None)
    policy.begin(GOAL)
    assert policy.act(FRAME).tolist() == [2.0, 2.0]


def test_any_other_error_is_not_hidden() -> None:
    policy, first, _, _ = both()
    first.begin = None  # type: ignore[assignment, method-assign]
    with pytest.raises(TypeError):
        policy.begin(GOAL)
