"""The examiner is fair: the same questions for the same seed, and the truth is where the tool is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from robot_rig.config import Config, EvalConfig, SimConfig
from robot_rig.datatypes import Frame, Outcome
from robot_rig.errors import UserError
from robot_rig.evaluation import DoNothing, GoalCase, evaluate
from robot_rig.evaluation_attempts import OUTCOMES, Question
from robot_rig.learning.policy import RandomPolicy
from sim.exam import SimExam

GOALS = 6


def config(goal_seed: int, goals: int = GOALS) -> Config:
    return Config(evaluation=EvalConfig(goals=goals, goal_seed=goal_seed, episode_steps=5))


@pytest.fixture(scope="module")
def exam() -> Iterator[SimExam]:
    made = SimExam(config(7), seed=0)
    yield made
    made.close()


def questions(cases: Sequence[GoalCase]) -> list[tuple[str, bytes, bytes]]:
    return [(case.id, case.image.tobytes(), case.xy_m.tobytes()) for case in cases]


def test_a_scene_whose_aim_is_not_the_tool_has_no_exam() -> None:
    with pytest.raises(UserError, match=r"no exam for sim\.scene push.*Valid: reach"):
        SimExam(Config(sim=SimConfig(scene="push")), seed=0)


def test_same_goal_seed_same_questions_and_another_seed_others(exam: SimExam) -> None:
    again, other = SimExam(config(7), seed=0), SimExam(config(8), seed=0)
    assert questions(again.goals) == questions(exam.goals)
    theirs, ours = questions(other.goals), questions(exam.goals)
    assert not {place for _, _, place in theirs} & {place for _, _, place in ours}
    assert not {picture for _, picture, _ in theirs} & {picture for _, picture, _ in ours}
    again.close()
    other.close()


def test_a_longer_exam_begins_with_the_same_questions(exam: SimExam) -> None:
    short = SimExam(config(7, goals=2), seed=0)
    assert questions(short.goals) == questions(exam.goals)[:2]
    short.close()


def test_questions_do_not_depend_on_what_was_answered_before(exam: SimExam) -> None:
    asked_first = SimExam(config(7), seed=0)
    case = exam.goals[0]
    asked_first.run(RandomPolicy(0.15, 2.0, 2, 3), case, 5)
    assert questions(asked_first.goals) == questions(exam.goals)
    asked_first.close()


def test_goals_are_spread_over_the_box_at_the_task_height(exam: SimExam) -> None:
    places = np.stack([case.xy_m for case in exam.goals])
    low, high = np.array(Config().guard.box_low_m[:2]), np.array(Config().guard.box_high_m[:2])
    assert (places > low - 0.002).all()
    assert (places < high + 0.002).all()
    assert (np.ptp(places, axis=0) > 0.4 * (high - low)).all()


def test_truth_is_where_the_tool_is_when_the_picture_is_taken(exam: SimExam) -> None:
    """The same picture, taken again with the tool driven there by other means, comes from the same place."""
    rig = exam._rig
    for case in exam.goals[:3]:
        rig.load_state(exam._start)
        photo = exam._photograph("again", case.xy_m)
        tool = rig.world.tool_position()
        assert photo.xy_m.tolist() == tool[:2].tolist()
        assert abs(tool[2] - Config().control.tool_height_m) < 0.002
        assert np.linalg.norm(photo.xy_m - case.xy_m) < 0.002


def test_doing_nothing_ends_as_far_away_as_home_is(exam: SimExam) -> None:
    home = np.array(Config().control.home_tool_m[:2])
    result = evaluate(DoNothing(2), exam, steps=5)
    expected = [np.linalg.norm(case.xy_m - home) for case in exam.goals]
    np.testing.assert_allclose(result.final_m, expected, atol=0.002)
    np.testing.assert_allclose(result.distance_m, result.distance_m[:, :1].repeat(6, axis=1), atol=5e-4)
    assert result.final_m.min() > 0.005


def test_a_rollout_measures_the_motion_that_was_made(exam: SimExam) -> None:
    case = exam.goals[0]
    rollout = exam.run(RandomPolicy(0.15, 2.0, 2, 3), case, 8)
    assert len(rollout.frames) == len(rollout.distance_m) == 9
    assert rollout.tool_xy_m.tolist() == exam._rig.world.tool_position()[:2].tolist()
    assert rollout.goal.tobytes() == case.image.tobytes()
    assert np.ptp(rollout.distance_m) > 0.005


def test_an_attempt_is_the_same_walk_and_knows_no_place_that_the_goal_does_not(exam: SimExam) -> None:
    case = exam.goals[0]
    rollout = exam.run(RandomPolicy(0.15, 2.0, 2, 3), case, 8)
    known = exam.attempt(RandomPolicy(0.15, 2.0, 2, 3), Question.of(case), 8)
    bare = exam.attempt(RandomPolicy(0.15, 2.0, 2, 3), Question(case.id, case.image), 8)
    assert known.tool_m is not None
    assert known.tool_m.tolist() == rollout.distance_m.tolist()
    assert bare.tool_m is None
    assert rollout.frames.tobytes() == known.frames.tobytes() == bare.frames.tobytes()
    assert known.outcomes.shape == (8,)


def test_what_the_guard_made_of_a_step_is_seen(exam: SimExam) -> None:
    class Outward(DoNothing):
        """Full speed away from the base, through the wall of the box."""

        def act(self, frame: Frame, under_way: np.ndarray | None = None) -> np.ndarray:
            return np.array([1.0, 0.0], np.float32)

    walk = exam.attempt(Outward(2), Question.of(exam.goals[0]), 30)
    assert (walk.outcomes > OUTCOMES.index(Outcome.PASSED)).any(), "the wall slows it"
    still = exam.attempt(DoNothing(2), Question.of(exam.goals[0]), 5)
    assert (still.outcomes == OUTCOMES.index(Outcome.PASSED)).all()


def test_every_rollout_starts_from_the_same_rest(exam: SimExam) -> None:
    wild, calm = RandomPolicy(0.15, 2.0, 2, 3), DoNothing(2)
    first = exam.run(calm, exam.goals[0], 2)
    exam.run(wild, exam.goals[1], 10)
    second = exam.run(calm, exam.goals[0], 2)
    assert first.frames.tobytes() == second.frames.tobytes()
    assert first.distance_m.tobytes() == second.distance_m.tobytes()
