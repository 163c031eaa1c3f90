"""Goals that the robot sets itself (R3, R8)."""

from __future__ import annotations

import pytest
import torch

from robot_rig.errors import UserError
from robot_rig.learning.goals import GOALS, GoalSampler


def latents() -> torch.Tensor:
    return torch.randn(300, 3, generator=torch.Generator().manual_seed(0)) * torch.tensor([0.2, 1.0, 3.0]) + 5.0


def standard(n: int, generator: torch.Generator) -> torch.Tensor:
    return torch.randn(n, 3, generator=generator)


def sampler(kind: str, seed: int = 1) -> GoalSampler:
    made = GoalSampler(kind, seed, standard)
    made.observe(latents())
    return made


def test_prior_goals_are_standard_normal() -> None:
    goals = sampler("prior").sample(5000)
    assert goals.mean(dim=0).abs().max() < 0.06
    assert (goals.std(dim=0) - 1).abs().max() < 0.04


def test_prior_goals_are_the_encoders_own() -> None:
    made = GoalSampler("prior", 1, lambda n, generator: torch.full((n, 3), 7.0))
    made.observe(latents())
    assert torch.equal(made.sample(4), torch.full((4, 3), 7.0))


def test_aggregate_goals_have_the_moments_of_the_data() -> None:
    goals, data = sampler("aggregate").sample(20_000), latents()
    assert torch.allclose(goals.mean(dim=0), data.mean(dim=0), atol=0.08)
    assert torch.allclose(goals.std(dim=0), data.std(dim=0), rtol=0.03)


def test_achieved_goals_are_latents_that_were_seen_all_of_them() -> None:
    goals, data = sampler("achieved").sample(6000), latents()
    rows = {tuple(row) for row in data.tolist()}
    drawn = {tuple(row) for row in goals.tolist()}
    assert drawn <= rows
    assert len(drawn) == len(rows)


def test_new_latents_replace_old_ones() -> None:
    made = sampler("achieved")
    made.observe(torch.zeros(5, 3))
    assert torch.equal(made.sample(4), torch.zeros(4, 3))


@pytest.mark.parametrize("kind", GOALS)
def test_draws_resume_where_they_stopped(kind: str) -> None:
    made = sampler(kind)
    made.sample(7)
    state = made.state_dict()
    expected = made.sample(5)
    other = sampler(kind, seed=99)
    other.load_state_dict(state)
    assert torch.equal(other.sample(5), expected)


def test_drawing_before_observing_and_unknown_kinds_are_refused() -> None:
    with pytest.raises(RuntimeError, match="observe"):
        GoalSampler("prior", 0, standard).sample(1)
    with pytest.raises(UserError, match="prior, aggregate, achieved"):
        GoalSampler("novel", 0, standard)


@pytest.mark.parametrize("kind", GOALS)
def test_a_supply_is_drawn_alike_and_moves_nothing(kind: str) -> None:
    made, undisturbed = sampler(kind), sampler(kind)
    supply = made.supply(4000, seed=7)
    assert torch.equal(made.sample(5), undisturbed.sample(5))
    assert torch.equal(supply, made.supply(4000, seed=7))
    assert not torch.equal(supply, made.supply(4000, seed=8))
    drawn = undisturbed.sample(4000)
    assert torch.allclose(supply.mean(dim=0), drawn.mean(dim=0), atol=0.3)
    assert torch.allclose(supply.std(dim=0), drawn.std(dim=0), rtol=0.1)
