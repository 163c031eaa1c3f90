"""Which live attempts count: none in which the machine was away, none that a person wants again; and what is kept."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks.attempts import Gap
from benchmarks.heartbeat import Beat
from robot_rig.cli.live.attempt import Watched
from robot_rig.cli.live.exam import LiveExaminer, Venue
from robot_rig.cli.live.person import Answer
from robot_rig.cli.live.stack import Instruments
from robot_rig.errors import UserError
from robot_rig.evaluation import DoNothing
from robot_rig.evaluation_attempts import Question, Walk
from robot_rig.evaluation_folder import LIVE, ROBOT
from robot_rig.loops.step_trace import StepTrace
from tests.tiny_run import tiny_config

STEPS, PERIOD_S = 5, 0.1
CONFIG = tiny_config()
pytestmark = pytest.mark.usefixtures("ros_master")  # where ROS is missing, none of this can be collected


@dataclass
class Graph:
    """A graph in which every goal takes 0.5 s, and whose machine is away for the next of `gaps` (s) in each."""

    gaps: Iterator[float]
    ruler_there: bool = True
    may_move: bool = True
    shown: list[str] = field(default_factory=list)
    trace: StepTrace = field(default_factory=StepTrace)

    def reach(self, question: Question, patience_s: float) -> Watched:
        begin = 10.0 + len(self.shown)
        self.shown.append(question.id)
        for i in range(STEPS):
            seq, now = 100 * len(self.shown) + i, begin + PERIOD_S * i
            self.trace.add_frame(seq, now - 0.1, now)
            self.trace.add_action(seq, seq, now - 0.1, now + 0.002, now + 0.003)
            self.trace.add_tick(seq, now + 0.004)
            self.trace.add_command(now + 0.005)
        frames = np.zeros((STEPS + 1, 84, 84, 3), np.uint8)
        places = np.tile([0.6, 0.1], (STEPS + 1, 1)) if self.ruler_there else None
        outcomes = np.zeros(STEPS, np.uint8)
        return Watched(question, frames, places, outcomes, begin, begin + 0.5, STEPS, True, "")

    def watch(self) -> Instruments:
        heart: Any = SimpleNamespace(worst_gap=lambda begin, end: Gap(next(self.gaps), 0, 0.0))
        timer: Any = SimpleNamespace(told=lambda begin, end: [Beat(begin + 0.1, PERIOD_S, 0.0)])
        ruler: Any = SimpleNamespace(worst_hole=lambda begin, end: 0.01) if self.ruler_there else None
        return Instruments(ruler, heart, timer, SimpleNamespace(trace=self.trace))  # type: ignore[arg-type]


class Judge:
    """Says what it is told to, and remembers what it was asked of."""

    def __init__(self, *answers: Answer) -> None:
        self._answers, self.asked, self.allowed = iter(answers), list[str](), list[str]()

    def allow(self, goal: str) -> None:
        self.allowed.append(goal)

    def verdict(self, goal: str) -> Answer:
        self.asked.append(goal)
        return next(self._answers)


def held(graph: Graph, judge: Judge | None, wanted: int, said: list[str]) -> LiveExaminer:
    return LiveExaminer(graph, graph.watch(), judge, CONFIG, wanted, said.append)  # type: ignore[arg-type]


def walk(examiner: LiveExaminer, name: str = "goal") -> Walk:
    question = Question(name, np.zeros((84, 84, 3), np.uint8), np.array([0.6, 0.0]))
    return examiner.attempt(DoNothing(2), question, STEPS)


def test_a_quiet_attempt_counts_with_its_true_distance_and_its_timing() -> None:
    graph, said = Graph(iter([0.001])), list[str]()
    made = walk(held(graph, None, 1, said))
    assert graph.shown == ["goal"]
    np.testing.assert_allclose(made.tool_m, [0.1] * (STEPS + 1))
    seen = made.sighting
    assert seen is not None
    assert (seen.seconds, seen.reason, seen.steps, seen.reached, seen.repeats) == (0.5, "", STEPS, None, ())
    assert (seen.missed, seen.blind, seen.timer_missed) == (0, 0, 0)
    assert seen.slowest_ms == pytest.approx(5.0)
    assert said == []


def test_a_goal_is_tried_again_where_the_machine_was_away_and_nobody_is_asked_of_that() -> None:
    graph, judge, said = Graph(iter([0.3, 0.001]), ruler_there=False), Judge(Answer.REACHED), list[str]()
    made = walk(held(graph, judge, 10, said))
    assert graph.shown == ["goal", "goal"]
    assert judge.asked == ["goal"]
    assert judge.allowed == ["goal", "goal"], "nobody has pressed a key since the attempt that does not count"
    assert made.tool_m is None
    assert made.sighting is not None
    assert made.sighting.reached is True
    assert "was away for 300 ms" in made.sighting.repeats[0]
    assert "void, repeated: goal" in said[0]


def test_a_person_may_want_it_again_and_that_is_kept() -> None:
    graph, judge = Graph(iter([0.001] * 3), ruler_there=False), Judge(Answer.AGAIN, Answer.MISSED)
    seen = walk(held(graph, judge, 10, [])).sighting
    assert seen is not None
    assert seen.reached is False
    assert seen.repeats == ("a person asked for it",)


def test_an_arm_that_is_enabled_already_sets_off_after_a_key_only() -> None:
    graph, judge = Graph(iter([0.001] * 3), ruler_there=False), Judge(*[Answer.REACHED] * 3)
    examiner = held(graph, judge, 3, [])
    walk(examiner, "first")
    walk(examiner, "second")
    assert judge.allowed == ["first"], "the verdict on the first is the key for the second"
    graph.may_move = False
    resting = held(graph, judge, 1, [])
    walk(resting, "third")
    assert judge.allowed == ["first"], "an arm that rests asks for itself"


def test_a_person_may_want_one_again_of_very_few() -> None:
    graph, judge = Graph(iter([0.001] * 3), ruler_there=False), Judge(Answer.AGAIN, Answer.AGAIN, Answer.REACHED)
    seen = walk(held(graph, judge, 1, [])).sighting
    assert seen is not None
    assert len(seen.repeats) == 2


def test_more_than_a_fifth_of_such_attempts_ends_the_sitting() -> None:
    examiner = held(Graph(iter([0.001] * 4 + [0.3] * 9)), None, 8, [])
    for number in range(4):
        walk(examiner, f"goal-{number}")
    with pytest.raises(UserError, match="more than a fifth"):
        walk(examiner, "goal-4")


def test_where_it_is_held_follows_from_the_graph_and_the_ruler() -> None:
    ruler: Any = object()
    assert (Venue(None, None).held, Venue("http://a:1", ruler).held, Venue("http://a:1", None).held) == (
        LIVE,
        LIVE,
        ROBOT,
    )
    assert "a graph of its own, around a simulated Sawyer" in str(Venue(None, None))
    assert "nobody measures" in str(Venue("http://a:1", None))
