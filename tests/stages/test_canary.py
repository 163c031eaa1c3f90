"""A policy that does not come near its goals, or less near than the one before it, is not shipped."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from robot_rig.cli.follow import tried_on
from robot_rig.datatypes import IMAGE_SHAPE, Float32s, Frame, Goal
from robot_rig.errors import UserError
from robot_rig.evaluation import DoNothing
from robot_rig.evaluation_attempts import Question, Walk
from robot_rig.interfaces import Policy
from robot_rig.learning.policy import LatentPolicy
from robot_rig.runs import RunFolder
from robot_rig.stages.canary import Canary
from robot_rig.stages.follow import Following
from robot_rig.stages.shipping import checkpoints
from tests.stages.test_follow import CONFIG, Teller, whole_log
from tests.tiny_run import content, tiny_config

BLACK = np.zeros(IMAGE_SHAPE, np.uint8)
QUESTIONS = [Question(f"goal-{number}", BLACK, np.zeros(2)) for number in range(3)]


class Known:
    """A policy of which the examiner knows where it ends."""

    action_dim = 2

    def __init__(self, *ends_m: float) -> None:
        self.ends_m = iter(ends_m)

    def begin(self, goal: Goal) -> None: ...

    def act(self, frame: Frame, under_way: object = None) -> Float32s:
        raise AssertionError("nobody asks")


class Examiner:
    """Begins 10 cm away; a negative end is a guard that ends motion."""

    def attempt(self, policy: Policy, question: Question, steps: int) -> Walk:
        assert isinstance(policy, Known)
        end = next(policy.ends_m)
        if end < 0:
            raise UserError("the guard went to hold")
        return Walk(np.stack([BLACK] * 2), np.zeros(1, np.uint8), np.array([0.1, end]))


def objection(ends: Sequence[float], before: Sequence[float] | None = None) -> str:
    canary = Canary(Examiner(), QUESTIONS, 1)
    return canary.objection(Known(*ends), None if before is None else Known(*before))


def test_half_of_the_way_is_the_least() -> None:
    assert objection([0.0, 0.05, 0.3]) == ""
    assert objection([0.0, 0.06, 0.3]) == (
        "its canary ended 6.0 cm from its goals in the median of 3, having begun 10.0 cm away"
    )


def test_a_policy_that_the_guard_stops_has_reached_nothing() -> None:
    assert objection([0.0, -1.0, 0.01]) == ""
    assert "inf cm" in objection([-1.0, -1.0, 0.0])
    assert "inf cm" in objection([-1.0, -1.0, -1.0])


def test_a_step_back_is_refused_and_a_small_one_is_not() -> None:
    assert objection([0.03] * 3, [0.005] * 3) == ""
    assert objection([0.04] * 3, [0.005] * 3).endswith("median of 3, the policy before it 0.5 cm")


def test_a_canary_needs_goals_whose_places_are_known() -> None:
    with pytest.raises(ValueError, match="no goal"):
        Canary(Examiner(), [], 1)


def test_what_is_refused_is_not_shipped_and_the_learner_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    content(monkeypatch)
    asked: list[str | None] = []

    def against_every_second(policy: LatentPolicy, before: Path | None) -> str:
        asked.append(None if before is None else before.name)
        return "it is bad" if len(asked) % 2 else ""

    teller = Teller()
    with RunFolder.claim(tmp_path / "learnt", CONFIG) as run:
        following = Following(run, CONFIG, whole_log(tmp_path / "log"), teller.reports, against_every_second)
        while following.advance():
            pass
        assert list(checkpoints(run)) == [50, 100]
    assert asked == [None, None, "practice-000050", "practice-000050", "practice-000100"]
    assert sum("no checkpoint after" in said and "it is bad" in said for said in teller.said) == 3
    assert following.counts.shipped == 125


def test_the_simulator_refuses_who_does_nothing() -> None:
    with tried_on(3, tiny_config("evaluation.episode_steps=3")) as real:
        assert "having begun" in real(DoNothing(2), None)  # type: ignore[arg-type]
    with tried_on(0, CONFIG) as nobody:
        assert nobody(DoNothing(2), None) == ""  # type: ignore[arg-type]
