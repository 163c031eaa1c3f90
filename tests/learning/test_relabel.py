"""Relabelling: every goal from where it should come, every reward recomputed (R6, R8, R9)."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robot_rig.datatypes import Transitions
from robot_rig.learning.goals import GOALS, GoalSampler
from robot_rig.learning.metric import METRICS, LatentSpace
from robot_rig.learning.relabel import goal_latents, relabel

ROLLOUT, IMAGINED, FUTURE = 0, 1, 2
ROWS = 60


def latents() -> torch.Tensor:
    return torch.randn(ROWS, 4, generator=torch.Generator().manual_seed(0))


def transitions(batch: int = 128) -> Transitions:
    rng = np.random.default_rng(0)
    kind = rng.integers(3, size=batch)
    frame = rng.integers(ROWS - 10, size=batch)
    goal = np.where(kind == ROLLOUT, ROWS - 1, np.where(kind == IMAGINED, -1, frame + 1 + rng.integers(9, size=batch)))
    return Transitions(frame, frame + 1, goal, kind, rng.uniform(-1, 1, (batch, 2)).astype(np.float32))


def sampler(kind: str, seed: int = 4) -> GoalSampler:
    made = GoalSampler(kind, seed, lambda n, generator: torch.randn(n, 4, generator=generator))
    made.observe(latents() + 10.0)
    return made


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", GOALS)
def test_every_reward_is_minus_the_distance_to_the_goal_of_its_row(metric: str, kind: str) -> None:
    table, drawn = latents(), transitions()
    log_variances = -torch.rand(ROWS, 4, generator=torch.Generator().manual_seed(1))
    space = LatentSpace.fit(metric, table, log_variances, table[3:] - table[:-3])
    goals = goal_latents(drawn, table, sampler(kind))
    batch = relabel(drawn, table, sampler(kind), space, discount=0.9)
    assert set(np.unique(drawn.kind)) == {ROLLOUT, IMAGINED, FUTURE}
    for row in range(len(drawn.frame)):
        following = table[int(drawn.next_frame[row])][None]
        # Batched and single rows may round the last bit of a sum differently.
        assert batch.reward[row].item() == pytest.approx(-space.distance(following, goals[row][None]).item(), rel=1e-6)
    assert torch.equal(batch.goal, space.features(goals))
    assert (batch.reward < 0).any()


def test_goals_come_from_the_rows_that_are_named_and_from_the_sampler_where_none_is() -> None:
    table, drawn = latents(), transitions()
    goals = goal_latents(drawn, table, sampler("achieved"))
    seen = {tuple(row) for row in (table + 10.0).tolist()}
    for row, kind in enumerate(drawn.kind):
        if kind == IMAGINED:
            assert tuple(goals[row].tolist()) in seen
        else:
            assert torch.equal(goals[row], table[int(drawn.goal[row])])
    assert len({tuple(row) for row in goals[torch.from_numpy(drawn.kind == IMAGINED)].tolist()}) > 10


def test_the_rest_of_the_batch_is_looked_up_and_nothing_terminates() -> None:
    table, drawn = latents(), transitions()
    space = LatentSpace.fit("identity", table, table)
    batch = relabel(drawn, table, sampler("prior"), space, discount=0.98)
    assert torch.equal(batch.obs, table[torch.from_numpy(drawn.frame)])
    assert torch.equal(batch.next_obs, table[torch.from_numpy(drawn.next_frame)])
    assert np.array_equal(batch.action.numpy(), drawn.action)
    assert torch.equal(batch.discount, torch.full((128,), 0.98))


def test_an_own_next_frame_as_goal_costs_nothing() -> None:
    table = latents()
    frame = np.arange(5)
    drawn = Transitions(frame, frame + 1, frame + 1, np.full(5, FUTURE), np.zeros((5, 2), np.float32))
    space = LatentSpace.fit("whitened", table, table)
    assert torch.equal(relabel(drawn, table, sampler("prior"), space, 0.98).reward, torch.zeros(5))


def test_the_latent_table_is_not_written_to() -> None:
    table = latents()
    before = table.clone()
    relabel(transitions(), table, sampler("prior"), LatentSpace.fit("identity", table, table), 0.98)
    assert torch.equal(table, before)


@pytest.mark.parametrize(("kind", "goal"), [(IMAGINED, 3), (ROLLOUT, -1), (FUTURE, -1)])
def test_kind_and_goal_that_contradict_each_other_are_refused(kind: int, goal: int) -> None:
    one = np.array([0])
    drawn = Transitions(one, one + 1, np.array([goal]), np.array([kind]), np.zeros((1, 2), np.float32))
    with pytest.raises(ValueError, match="imagined"):
        goal_latents(drawn, latents(), sampler("prior"))
