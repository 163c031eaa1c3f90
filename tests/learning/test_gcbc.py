"""Behaviour cloning answers as its teachers did, of their steps only, and goes on bit for bit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from robot_rig.data.replay import FUTURE, Replay
from robot_rig.datatypes import Episode, Frame, Goal
from robot_rig.learning.agent import Agent
from robot_rig.learning.gcbc import Gcbc
from robot_rig.learning.policy import policy_from_tensors
from robot_rig.learning.td3 import TD3, Batch
from robot_rig.trainer import Trainer
from tests.learning.blob_world import play
from tests.tiny_run import tiny_config

FEATURES = 2


def made(seed: int = 0) -> Gcbc:
    return Gcbc(FEATURES, 2, hidden=(64, 64), learning_rate=3e-3, polyak=0.05, seed=seed)


def towards(seed: int, batch: int = 64) -> Batch:
    """A teacher who goes to the goal, and rests there; reward and discount are such that nobody could use them."""
    generator = torch.Generator().manual_seed(seed)
    obs, goal = torch.rand(2, batch, FEATURES, generator=generator) * 2 - 1
    action = torch.clamp(3.0 * (goal - obs), -0.6, 0.6)
    useless = torch.full((batch,), float("nan"))
    return Batch(obs, action, useless, useless, obs + 0.1 * action, goal)


def state_bytes(agent: Agent) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in agent.state_dict().items()}


def test_it_does_what_its_teacher_did() -> None:
    agent, losses = made(), []
    for update in range(600):
        losses.append(agent.update(towards(update))["imitation_loss"])
    assert np.mean(losses[-50:]) < 0.05 * np.mean(losses[:10])
    asked = towards(9999, 500)
    with torch.no_grad():
        for actor in (agent.actor, agent.target_actor):
            error = (actor(asked.obs, asked.goal) - asked.action).abs().mean()
            assert error < 0.06


def test_what_is_shipped_is_the_running_average() -> None:
    agent = made()
    before = [value.clone() for value in agent.target_actor.parameters()]
    agent.update(towards(0))
    for old, new, lead in zip(before, agent.target_actor.parameters(), agent.actor.parameters(), strict=True):
        torch.testing.assert_close(new, old + 0.05 * (lead - old))


def test_it_goes_on_bit_for_bit() -> None:
    straight, restored = made(seed=1), made(seed=2)
    for update in range(5):
        straight.update(towards(update))
    restored.load_state_dict({name: torch.from_numpy(v.numpy().copy()) for name, v in straight.state_dict().items()})
    for update in range(5, 9):
        assert straight.update(towards(update)) == restored.update(towards(update))
    assert state_bytes(straight) == state_bytes(restored)
    assert restored.updates == 9


def test_both_agents_keep_the_one_protocol() -> None:
    """That each is an `Agent` the type checker sees; here, what the Protocol's words mean."""
    td3 = TD3(
        FEATURES, 2, hidden=(32,), layer_norm=True, learning_rate=1e-3, polyak=0.01, target_noise=0.05,
        target_noise_clip=0.1, policy_delay=1, seed=0,
    )  # fmt: skip
    agents: list[Agent] = [made(), td3]
    for agent in agents:
        batch = towards(0)._replace(reward=torch.zeros(64), discount=torch.full((64,), 0.9))
        before = state_bytes(agent)
        losses: Mapping[str, float] = agent.update(batch)
        assert all(np.isfinite(loss) for loss in losses.values())
        assert agent.updates == 1
        assert state_bytes(agent) != before
        assert agent.actor.action_dim == agent.target_actor.action_dim == 2


# --- in the trainer ---------------------------------------------------------------------------------------------------


def shown(episode: Episode, *steps: int) -> Episode:
    """`episode` as one in which a person commanded `steps`."""
    human = np.zeros(len(episode), np.bool_)
    human[list(steps)] = True
    return replace(episode, human=human)


def trained(episodes: list[Episode], kind: str = "gcbc") -> Trainer:
    trainer = Trainer(tiny_config(f"agent.kind={kind}"), Replay(400, 2, None))
    for episode in episodes:
        trainer.ingest(episode)
    trainer.train_vae(3)
    trainer.begin_practice()
    trainer.update(20)
    return trainer


def weights(trainer: Trainer) -> Mapping[str, Tensor]:
    return trainer.averaged_policy().tensors()["actor"]


def same(a: Mapping[str, Tensor], b: Mapping[str, Tensor]) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def test_only_the_steps_of_people_are_imitated() -> None:
    """What anybody else did may change and the policy does not; what a person did may not."""
    a, b = play(episodes=2, steps=20, seed=5, name="a")
    told = [shown(a, *range(5, 15)), b]
    policy = weights(trained(told))
    other = a.executed_action.copy()
    other[:5], other[15:] = 0.9, -0.9
    beside = replace(b, executed_action=-b.executed_action)
    assert same(policy, weights(trained([replace(told[0], executed_action=other), beside])))
    other[7] = 0.5
    assert not same(policy, weights(trained([replace(told[0], executed_action=other), beside])))


def test_without_people_everybody_is_imitated() -> None:
    a, b = play(episodes=2, steps=20, seed=5, name="a")
    assert not same(weights(trained([a, b])), weights(trained([a, replace(b, executed_action=-b.executed_action)])))


@pytest.mark.parametrize("kind", ["gcbc", "rig"])
def test_an_intervention_is_learnt_from_when_it_comes(kind: str) -> None:
    a, b = play(episodes=2, steps=20, seed=5, name="a")
    after = []
    for taken_over in (b, replace(b, executed_action=-b.executed_action)):
        trainer = trained([shown(a, *range(20))], kind)
        trainer.ingest(shown(taken_over, 8, 9, 10))
        trainer.update(10)
        after.append(weights(trainer))
    assert not same(*after)


def test_what_it_ships_is_the_same_kind_of_policy() -> None:
    a, b = play(episodes=2, steps=20, seed=5, name="a")
    policy = trained([shown(a, *range(20)), b]).averaged_policy()
    again = policy_from_tensors(policy.tensors())
    frame, goal = Frame(0, 0.0, a.frames[3]), Goal(a.frames[9], "g", 0.0, "", "achieved")
    for one in (policy, again):
        one.begin(goal)
    np.testing.assert_array_equal(policy.act(frame), again.act(frame))


# --- what it is fed ---------------------------------------------------------------------------------------------------


def test_the_sampler_of_peoples_steps_draws_each_of_them_and_no_other() -> None:
    episodes = play(episodes=3, steps=12, seed=1, name="e")
    marked = [shown(episodes[0], 0, 5, 11), episodes[1], shown(episodes[2], 2, 3)]
    for lag in (0, 3):
        replay = Replay(100, 2, None)
        for episode in marked:
            replay.add(episode)
        assert replay.human_steps == 5
        drawn = replay.transitions(np.random.default_rng(0), 600, (0.0, 0.0, 1.0), lag, "people")
        # Rows are 13 an episode; an action shows `lag` frames later, and the last `lag` show nowhere.
        wanted = {
            13 * e + step + lag for e, steps in ((0, (0, 5, 11)), (2, (2, 3))) for step in steps if step < 12 - lag
        }
        assert set(drawn.frame.tolist()) == wanted
        counts = np.bincount(drawn.frame)[sorted(wanted)]
        assert counts.min() > 600 / len(wanted) * 0.7
        assert (drawn.kind == FUTURE).all()
        assert (drawn.goal > drawn.frame).all()
        for row, action in zip(drawn.frame.tolist(), drawn.action, strict=True):
            episode, step = divmod(row, 13)
            np.testing.assert_array_equal(action, episodes[episode].executed_action[step - lag])


def test_what_everybody_did_is_drawn_as_before() -> None:
    """Marks change nothing for who does not ask for them: RIG learns the same, bit for bit."""
    episodes = play(episodes=2, steps=12, seed=1, name="e")
    drawn = []
    for marked in (episodes, [shown(episodes[0], 1), episodes[1]]):
        replay = Replay(100, 2, None)
        for episode in marked:
            replay.add(episode)
        drawn.append(replay.transitions(np.random.default_rng(3), 50, (0.2, 0.5, 0.3)))
    np.testing.assert_array_equal(drawn[0].frame, drawn[1].frame)
    np.testing.assert_array_equal(drawn[0].goal, drawn[1].goal)
