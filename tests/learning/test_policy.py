"""Policies: goals encoded once, copies frozen, nothing but pictures goes in, noise resumes (R7, R10, R17, R20)."""

from __future__ import annotations

import inspect

import numpy as np
import pytest
import torch

from robot_rig.datatypes import Frame, Goal
from robot_rig.errors import UserError
from robot_rig.interfaces import UNDER_WAY_ROWS, Policy
from robot_rig.learning.metric import METRICS, LatentSpace
from robot_rig.learning.motion import MotionNet
from robot_rig.learning.policy import LatentPolicy, NoisyPolicy, OrnsteinUhlenbeck, RandomPolicy, policy_from_tensors
from robot_rig.learning.td3 import TD3, Batch
from robot_rig.learning.vae import Vae
from robot_rig.learning.views import goal_distance
from tests.learning.blob_world import blob_pictures

torch.set_num_threads(1)
PICTURES = blob_pictures(12)


def frame(index: int) -> Frame:
    return Frame(index, index / 10, PICTURES[index])


def goal(index: int) -> Goal:
    return Goal(PICTURES[index], f"g{index}", 0.0, "", "captured")


def parts(metric: str = "whitened") -> tuple[Vae, LatentSpace, TD3, MotionNet]:
    vae = Vae(net="small", latent_dim=4, beta=1.0, learning_rate=1e-3, seed=0)
    for _ in range(5):
        vae.train_batch(PICTURES)
    means, log_variances = vae.encode(PICTURES)
    space = LatentSpace.fit(metric, means, log_variances, means[3:] - means[:-3])
    agent = TD3(
        space.feature_dim, 2, hidden=(16, 16), layer_norm=True, learning_rate=1e-2, polyak=0.01,
        target_noise=0.2, target_noise_clip=0.5, policy_delay=1, seed=0,
    )  # fmt: skip
    return vae, space, agent, MotionNet(space.feature_dim, 2)


def trained() -> LatentPolicy:
    vae, space, agent, motion = parts()
    return LatentPolicy(vae, space, agent.actor, motion)


@pytest.mark.parametrize("metric", METRICS)
def test_it_is_the_actor_on_features_of_encoded_pictures(metric: str) -> None:
    vae, space, agent, motion = parts(metric)
    policy: Policy = LatentPolicy(vae, space, agent.actor, motion)
    policy.begin(goal(3))
    action = policy.act(frame(5))
    means = [vae.encode(PICTURES[i : i + 1])[0] for i in (5, 3)]
    expected = agent.act(space.features(means[0]), space.features(means[1]))[0].numpy()
    assert action.dtype == np.float32
    assert policy.action_dim == len(action) == 2
    assert np.array_equal(action, expected)


def test_another_goal_asks_for_another_action_with_the_same_network() -> None:
    policy = trained()
    answers = []
    for index in range(4):
        policy.begin(goal(index))
        answers.append(tuple(policy.act(frame(7)).tolist()))
    assert len(set(answers)) == 4


def test_the_goal_is_encoded_once() -> None:
    policy = trained()
    calls = []
    encode = policy.encoder.encode
    policy.encoder.encode = lambda pictures: (calls.append(len(pictures)), encode(pictures))[1]  # type: ignore[method-assign]
    policy.begin(goal(0))
    assert len(calls) == 1
    for index in range(3):
        policy.act(frame(index))
    assert len(calls) == 4


def test_later_training_changes_nothing_in_a_policy() -> None:
    vae, space, agent, motion = parts()
    policy = LatentPolicy(vae, space, agent.actor, motion)
    policy.begin(goal(1))
    before, name = policy.act(frame(2)), policy.encoder.encoder_id
    vae.train_batch(PICTURES)
    n, f = 8, space.feature_dim
    agent.update(
        Batch(torch.randn(n, f), torch.rand(n, 2), torch.randn(n), torch.ones(n), torch.randn(n, f), torch.randn(n, f))
    )
    policy.begin(goal(1))
    assert np.array_equal(policy.act(frame(2)), before)
    assert policy.encoder.encoder_id == name != vae.encoder_id
    assert not np.array_equal(
        LatentPolicy(vae, space, agent.actor, motion).actor.layers[0].weight, policy.actor.layers[0].weight
    )


def test_the_distance_to_the_goal_is_nought_at_the_goal() -> None:
    policy = trained()
    policy.begin(goal(4))
    assert policy.goal_distance(frame(4)) == 0.0
    assert policy.goal_distance(frame(5)) > 0.0
    # For who watches a policy that another thread runs.
    assert goal_distance(policy, frame(4).rgb, goal(4).image) == 0.0
    assert goal_distance(policy, frame(5).rgb, goal(4).image) == pytest.approx(policy.goal_distance(frame(5)), abs=1e-5)


@pytest.mark.parametrize("policy", [LatentPolicy, NoisyPolicy, RandomPolicy])
def test_only_a_frame_a_goal_and_its_own_actions_can_be_given(policy: type) -> None:
    assert list(inspect.signature(policy.act).parameters) == ["self", "frame", "under_way"]
    assert list(inspect.signature(policy.begin).parameters) == ["self", "goal"]
    assert inspect.signature(policy.act).parameters["frame"].annotation == "Frame"
    assert set(Frame.__dataclass_fields__) == {"seq", "stamp", "rgb"}


def test_an_old_picture_is_moved_ahead_by_what_is_under_way() -> None:
    policy = trained()
    policy.begin(goal(3))
    motion = np.zeros((UNDER_WAY_ROWS, 3), np.float32)
    assert np.array_equal(policy.act(frame(5), motion), policy.act(frame(5)))
    motion[-1] = (1.0, 0.9, -0.9)
    with torch.no_grad():
        seen = policy.motion.ahead(policy.space.features(policy.encoder.encode(PICTURES[5:6])[0]), motion)
        aim = policy.space.features(policy.encoder.encode(PICTURES[3:4])[0])
        expected = policy.actor(seen, aim)[0].numpy()
    assert np.array_equal(policy.act(frame(5), motion), expected)
    assert not np.array_equal(expected, policy.act(frame(5)))


def test_acting_before_beginning_is_refused() -> None:
    with pytest.raises(RuntimeError, match="begin"):
        trained().act(frame(0))


@pytest.mark.parametrize("metric", METRICS)
def test_a_policy_comes_back_from_its_tensors(metric: str) -> None:
    vae, space, agent, motion = parts(metric)
    policy = LatentPolicy(vae, space, agent.actor, motion)
    again = policy_from_tensors(policy.tensors())
    for each in (policy, again):
        each.begin(goal(2))
    assert np.array_equal(policy.act(frame(9)), again.act(frame(9)))
    assert again.encoder.encoder_id == policy.encoder.encoder_id


def test_a_missing_group_is_named() -> None:
    vae, space, agent, motion = parts()
    groups = LatentPolicy(vae, space, agent.actor, motion).tensors()
    del groups["space"]
    with pytest.raises(UserError, match="no space"):
        policy_from_tensors(groups)


def test_noise_wanders_with_the_stationary_deviation_it_should_have() -> None:
    noise = OrnsteinUhlenbeck(0.15, 0.3, 2, np.random.default_rng(0))
    samples = np.stack([noise.sample() for _ in range(20_000)])
    assert samples.dtype == np.float32
    # x' = (1 - theta) x + sigma e has variance sigma^2 / (1 - (1 - theta)^2) and correlation 1 - theta.
    assert samples.std(axis=0) == pytest.approx(0.3 / np.sqrt(1 - 0.85**2), rel=0.05)
    assert np.corrcoef(samples[:-1, 0], samples[1:, 0])[0, 1] == pytest.approx(0.85, abs=0.02)


def test_random_play_stays_in_the_box_ignores_the_picture_and_resumes() -> None:
    play: Policy = RandomPolicy(0.15, 0.6, 2, seed=3)
    actions = [play.act(frame(i % 12)) for i in range(300)]
    assert np.abs(actions).max() == 1.0
    again = RandomPolicy(0.15, 0.6, 2, seed=3)
    assert np.array_equal([again.act(frame(0)) for _ in range(100)], actions[:100])
    resumed = RandomPolicy(0.15, 0.6, 2, seed=4)
    resumed.load_state(again.state())
    assert np.array_equal([resumed.act(frame(0)) for _ in range(200)], actions[100:])
    with pytest.raises(ValueError, match="2 numbers"):
        RandomPolicy(0.15, 0.6, 3, seed=4).load_state(again.state())


def test_a_noisy_policy_adds_noise_clips_and_starts_each_episode_without() -> None:
    vae, space, agent, motion = parts()
    base = LatentPolicy(vae, space, agent.actor, motion)
    noisy = NoisyPolicy(base, OrnsteinUhlenbeck(0.15, 0.3, 2, np.random.default_rng(1)))
    reference = OrnsteinUhlenbeck(0.15, 0.3, 2, np.random.default_rng(1))
    for episode in range(2):
        noisy.begin(goal(episode))
        reference.restart()
        for i in range(40):
            action = noisy.act(frame(i % 12))
            assert np.array_equal(action, np.clip(base.act(frame(i % 12)) + reference.sample(), -1, 1))
            assert action.dtype == np.float32
