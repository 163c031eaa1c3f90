"""The agent on a task that others solve too: Pendulum-v1, with a goal that never changes (R15)."""

from __future__ import annotations

import gymnasium
import numpy as np
import pytest
import torch

from robot_rig.learning.td3 import TD3, Batch

STEPS, RANDOM_STEPS, EPISODE, TORQUE = 20_000, 1_000, 200, 2.0
SCALE = torch.tensor([1.0, 1.0, 0.125])


class Memory:
    def __init__(self) -> None:
        self.obs, self.next_obs = torch.zeros(STEPS, 3), torch.zeros(STEPS, 3)
        self.action, self.reward = torch.zeros(STEPS, 1), torch.zeros(STEPS)
        self.size = 0

    def add(self, obs: np.ndarray, action: float, reward: float, next_obs: np.ndarray) -> None:
        i = self.size
        self.obs[i], self.next_obs[i] = torch.from_numpy(obs) * SCALE, torch.from_numpy(next_obs) * SCALE
        self.action[i], self.reward[i] = action, reward
        self.size += 1

    def sample(self, rng: np.random.Generator, n: int) -> Batch:
        i = torch.from_numpy(rng.integers(self.size, size=n))
        discount = torch.full((n,), 0.98)
        return Batch(self.obs[i], self.action[i], self.reward[i], discount, self.next_obs[i], torch.zeros(n, 3))


def act(agent: TD3, obs: np.ndarray) -> float:
    return agent.act((torch.from_numpy(obs) * SCALE)[None], torch.zeros(1, 3)).item()


def mean_return(agent: TD3, episodes: int) -> float:
    env = gymnasium.make("Pendulum-v1")
    total = 0.0
    for seed in range(episodes):
        obs, _ = env.reset(seed=10_000 + seed)
        for _ in range(EPISODE):
            obs, reward, *_ = env.step(np.array([TORQUE * act(agent, obs)], np.float32))
            total += float(reward)
    return total / episodes


@pytest.mark.proof
def test_it_solves_the_pendulum_in_20_000_steps() -> None:
    torch.set_num_threads(1)
    rng = np.random.default_rng(0)
    agent = TD3(
        3, 1, hidden=(256, 256), layer_norm=True, learning_rate=1e-3, polyak=0.01,
        target_noise=0.2, target_noise_clip=0.5, policy_delay=2, seed=0,
    )  # fmt: skip
    env, memory = gymnasium.make("Pendulum-v1"), Memory()
    obs, _ = env.reset(seed=0)
    for step in range(STEPS):
        action = rng.uniform(-1, 1) if step < RANDOM_STEPS else np.clip(act(agent, obs) + 0.1 * rng.normal(), -1, 1)
        next_obs, reward, _, truncated, _ = env.step(np.array([TORQUE * action], np.float32))
        memory.add(obs, float(action), float(reward), next_obs)
        obs = env.reset()[0] if truncated else next_obs
        if step >= RANDOM_STEPS:
            agent.update(memory.sample(rng, 128))
    assert mean_return(agent, 20) >= -200.0
