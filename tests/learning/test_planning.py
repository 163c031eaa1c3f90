"""Plans find their way where what comes of an action is known, and the policy that makes them keeps its contract."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from robot_rig.datatypes import Bytes, Floats, Frame, Goal
from robot_rig.errors import PolicyFailedError
from robot_rig.learning.foresight import UPDATES, Foresight, fit_foresight
from robot_rig.learning.hand_and_object import HandAndObject, Track
from robot_rig.learning.planning import PLANS, STEPS, Plan, PlanningPolicy
from tests.learning.pushing import DISC, OTHERS, moved, played


def away(goal: Floats, begin: Floats, plans: Floats) -> Floats:
    """The summed distance (N,) from `goal` (2,) on the way, where each action is a step of .1."""
    places = begin + 0.1 * np.cumsum(plans, axis=1)
    cost: Floats = np.linalg.norm(places - goal, axis=2).sum(axis=1)
    return cost


@pytest.mark.parametrize("goal", [(0.8, 0.3), (-0.5, 0.5), (0.0, -1.0)])
def test_a_plan_goes_where_it_is_told(goal: tuple[float, float]) -> None:
    plan, here, there = Plan(2, seed=0), np.zeros(2), np.array(goal)
    for _ in range(20):
        here = here + 0.1 * plan.improve(lambda plans, here=here: away(there, here, plans))  # type: ignore[misc]
    assert np.linalg.norm(here - there) < 0.05


def test_plans_are_within_reach_and_the_seed_decides() -> None:
    asked: list[Floats] = []

    def cost(plans: Floats) -> Floats:
        asked.append(plans)
        return away(np.array([0.5, 0.5]), np.zeros(2), plans)

    first = Plan(2, seed=1).improve(cost)
    assert all(plans.shape == (PLANS, STEPS, 2) and np.abs(plans).max() <= 1.0 for plans in asked)
    assert (Plan(2, seed=1).improve(cost) == first).all()
    assert (Plan(2, seed=2).improve(cost) != first).any()


def test_a_better_plan_of_before_is_never_lost() -> None:
    """The plan goes on from the last one, so a cost that only it meets is met in the next round too."""
    plan, target = Plan(2, seed=0), np.full((STEPS, 2), 0.25)
    first, *rest = [
        float(np.square(plan.improve(lambda plans: np.square(plans - target).sum(axis=(1, 2))) - 0.25).sum())
        for _ in range(12)
    ]
    assert min(rest[-3:]) < max(0.01, first)


class Places:
    """An encoder for tests whose pictures hold their latents in the first row, a level a number."""

    def encode(self, pictures: Bytes) -> tuple[Tensor, Tensor]:
        mean = torch.from_numpy(pictures[:, 0, :4, 0].astype(np.float32)) / 100.0 - 1.0
        return mean, torch.zeros_like(mean)


def pictured(places: Floats) -> Bytes:
    """The picture of `places` (4,) in [-1, 1]."""
    rgb = np.zeros((84, 84, 3), np.uint8)
    rgb[0, :4, 0] = np.round(100.0 * (places + 1.0))
    return rgb


def learnt(episodes: int, updates: int) -> tuple[HandAndObject, Foresight]:
    """From pictures of the true places, so that what is judged is the planning."""
    true, track = played(0, episodes)
    seen = Track(true.astype(np.float32), track.action, track.before, track.episode)
    space = HandAndObject.fit(seen, 0)
    states = space.states(torch.from_numpy(seen.latents)).double().numpy()
    return space, fit_foresight(states, seen, seed=0, updates=updates)


@pytest.fixture(scope="module")
def toy() -> tuple[HandAndObject, Foresight]:
    return learnt(episodes=5, updates=50)


def frame(places: Floats) -> Frame:
    return Frame(0, 0.0, pictured(places))


@pytest.mark.proof
def test_it_pushes_the_disc_nearer_to_where_the_picture_shows_it() -> None:
    policy = PlanningPolicy(Places(), *learnt(episodes=40, updates=UPDATES), seed=0)  # type: ignore[arg-type]
    begin, ends, starts = np.array([-0.5, 0.0, 0.0, 0.0]), [], []
    for y in (-0.15, 0.0, 0.15):
        goal = np.array([0.45 - DISC, y, 0.45, y])
        policy.begin(Goal(pictured(goal), "goal", 0.0, "", "test"))
        here, before = begin, np.zeros(2)
        for _ in range(40):
            action = policy.act(frame(here))
            here, before = moved(here[None], before[None], action[None].astype(float))[0], action
        starts.append(np.linalg.norm((begin - goal)[2:]))
        ends.append(np.linalg.norm((here - goal)[2:]))
    assert np.mean(ends) < 0.6 * np.mean(starts)


def test_what_is_no_number_is_said_and_a_new_episode_owes_nothing_to_the_last(
    toy: tuple[HandAndObject, Foresight],
) -> None:
    policy = PlanningPolicy(Places(), *toy, seed=0)  # type: ignore[arg-type]
    goal = Goal(pictured(np.array([0.2, 0.0, 0.5, 0.0])), "goal", 0.0, "", "test")
    begin = frame(np.array([-0.5, 0.0, 0.0, 0.0]))

    def run() -> list[list[float]]:
        policy.begin(goal)
        return [policy.act(begin).tolist() for _ in range(3)]

    assert run() == run()
    under_way = np.array([[0.5, 1.0, 0.0], [0.0, 0.0, 0.0]], np.float32)
    policy.begin(goal)
    assert np.isfinite(policy.act(begin, under_way)).all()
    space, _ = toy
    broken = Foresight(4, 2, torch.full((4,), torch.nan), seed=0)
    policy = PlanningPolicy(Places(), space, broken, seed=0)  # type: ignore[arg-type]
    policy.begin(goal)
    with pytest.raises(PolicyFailedError, match="not a number"):
        policy.act(begin)


def test_a_latent_has_places_behind_other_numbers() -> None:
    """Whatever those others say, the state is that of the places."""
    true, track = played(1)
    space = HandAndObject.fit(track, OTHERS)
    latents = torch.from_numpy(track.latents[:5].copy())
    before = space.states(latents)
    latents[:, :OTHERS] += 7.0
    assert torch.equal(space.states(latents), before)
    assert len(true) == len(track.latents)
