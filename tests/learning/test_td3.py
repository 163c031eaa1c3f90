"""TD3 against arithmetic by hand: targets, delay, Polyak, the twin product, and a resume to the bit (R1, R15)."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
import torch.nn.functional as F

from robot_rig.errors import UserError
from robot_rig.learning.td3 import TD3, Batch, TwinCritics, actor_from_weights

torch.set_num_threads(1)


def agent(**changes: Any) -> TD3:
    settings: dict[str, Any] = {
        "hidden": (16, 12),
        "layer_norm": True,
        "learning_rate": 1e-3,
        "polyak": 0.01,
        "target_noise": 0.2,
        "target_noise_clip": 0.5,
        "policy_delay": 2,
        "seed": 0,
    }
    return TD3(3, 2, **{**settings, **changes})


def batch(n: int = 32, seed: int = 0) -> Batch:
    g = torch.Generator().manual_seed(seed)
    action = torch.rand(n, 2, generator=g) * 2 - 1
    obs, following, goal = torch.randn(3, n, 3, generator=g)
    return Batch(obs, action, -torch.rand(n, generator=g), torch.full((n,), 0.98), following, goal)


def tiny() -> TD3:
    """One hidden unit, one feature, one action; every weight a number one can multiply by hand."""
    made = TD3(
        1, 1, hidden=(1,), layer_norm=False, learning_rate=1e-3, polyak=0.01,
        target_noise=0.9, target_noise_clip=0.5, policy_delay=2, seed=3,
    )  # fmt: skip
    actor, critics = made.target_actor, made.target_critics
    actor.layers[0].weight.copy_(torch.tensor([[0.7, -0.4]]))
    actor.layers[0].bias.fill_(0.1)
    actor.layers[1].weight.fill_(1.5)
    actor.layers[1].bias.fill_(-0.2)
    critics.weights[0].copy_(torch.tensor([[[0.5], [-0.3], [0.8]], [[-0.6], [0.9], [0.4]]]))
    critics.biases[0].copy_(torch.tensor([[[0.2]], [[0.3]]]))
    critics.weights[1].copy_(torch.tensor([[[1.1]], [[-0.7]]]))
    critics.biases[1].copy_(torch.tensor([[[-0.5]], [[0.05]]]))
    return made


def test_targets_equal_a_hand_computation() -> None:
    made = tiny()
    noise = torch.randn(6, 1, generator=torch.Generator().manual_seed(3))
    following, goal = [0.5, -1.0, 2.0, 3.0, 0.0, -2.0], [0.2, 0.4, -0.3, -2.0, 1.0, -1.0]
    reward, discount = [-1.0, -0.5, 0.0, -2.0, -0.1, -3.0], [0.98, 0.9, 0.5, 1.0, 0.99, 0.98]
    expected, clipped_noise, clipped_action, chosen = [], 0, 0, set()
    for z, g, r, gamma, draw in zip(following, goal, reward, discount, noise[:, 0].tolist(), strict=True):
        smoothing = max(-0.5, min(0.5, 0.9 * draw))
        clipped_noise += abs(0.9 * draw) > 0.5
        wish = math.tanh(1.5 * max(0.0, 0.7 * z - 0.4 * g + 0.1) - 0.2) + smoothing
        clipped_action += abs(wish) > 1.0
        a = max(-1.0, min(1.0, wish))
        q1 = 1.1 * max(0.0, 0.5 * z - 0.3 * g + 0.8 * a + 0.2) - 0.5
        q2 = -0.7 * max(0.0, -0.6 * z + 0.9 * g + 0.4 * a + 0.3) + 0.05
        chosen.add(q1 < q2)
        expected.append(r + gamma * min(q1, q2))
    assert clipped_noise
    assert clipped_action
    assert chosen == {True, False}

    def column(values: list[float]) -> torch.Tensor:
        return torch.tensor(values)[:, None]

    targets = made.targets(
        Batch(torch.zeros(6, 1), torch.zeros(6, 1), torch.tensor(reward), torch.tensor(discount),
              column(following), column(goal))
    )  # fmt: skip
    assert targets.tolist() == pytest.approx(expected, abs=1e-6)
    assert not targets.requires_grad


def test_no_gradient_reaches_targets_and_the_actor_leaves_the_critics_alone() -> None:
    made = agent(policy_delay=1)
    made.update(batch())
    for module in (made.target_actor, made.target_critics):
        assert all(p.grad is None and not p.requires_grad for p in module.parameters())
    made.critics.zero_grad()
    data = batch()
    (-made.critics.first(data.obs, made.actor(data.obs, data.goal), data.goal).mean()).backward()
    assert all(p.grad is None for p in made.critics.parameters())
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in made.actor.parameters())


@pytest.mark.parametrize("layer_norm", [True, False])
def test_the_batched_pair_is_two_ordinary_networks(layer_norm: bool) -> None:
    critics = TwinCritics(3, 2, (16, 12), layer_norm)
    for parameter in critics.parameters():
        torch.nn.init.normal_(parameter, generator=torch.Generator().manual_seed(parameter.numel()))
    data = batch()
    values = critics(data.obs, data.action, data.goal)
    assert values.shape == (2, 32)
    for k in range(2):
        x = torch.cat([data.obs, data.goal, data.action], dim=1)
        for i in range(2):
            x = F.linear(x, critics.weights[i][k].T, critics.biases[i][k, 0])
            if layer_norm:
                x = F.layer_norm(x, x.shape[1:], critics.gains[i][k, 0], critics.offsets[i][k, 0])
            x = F.relu(x)
        alone = F.linear(x, critics.weights[2][k].T, critics.biases[2][k, 0])[:, 0]
        assert torch.allclose(values[k], alone, rtol=1e-4, atol=1e-5)
    assert torch.allclose(values[0], critics.first(data.obs, data.action, data.goal), rtol=1e-5, atol=1e-5)


def test_the_twins_start_apart() -> None:
    data = batch()
    first, second = agent().critics(data.obs, data.action, data.goal)
    assert (first - second).abs().min() > 0


@pytest.mark.parametrize("delay", [1, 2, 3])
def test_actor_and_targets_move_every_policy_delay_updates(delay: int) -> None:
    made = agent(policy_delay=delay)

    def snapshot() -> list[torch.Tensor]:
        modules = (made.actor, made.target_actor, made.target_critics)
        return [parameter.clone() for module in modules for parameter in module.parameters()]

    for update in range(1, 7):
        before, critics = snapshot(), [p.clone() for p in made.critics.parameters()]
        made.update(batch(seed=update))
        moved = [not torch.equal(a, b) for a, b in zip(before, snapshot(), strict=True)]
        assert all(moved) if update % delay == 0 else not any(moved)
        assert any(not torch.equal(a, b) for a, b in zip(critics, made.critics.parameters(), strict=True))


def test_targets_follow_by_polyak() -> None:
    made = agent(polyak=0.1, policy_delay=1)
    before = [p.clone() for p in made.target_critics.parameters()]
    made.update(batch())
    leaders, followers = made.critics.parameters(), made.target_critics.parameters()
    for old, leader, new in zip(before, leaders, followers, strict=True):
        assert torch.allclose(new, 0.9 * old + 0.1 * leader, atol=1e-7)


def test_the_critics_descend_the_squared_bellman_error_of_both() -> None:
    made, data = agent(), batch()
    twin = agent()
    targets = twin.targets(data)
    expected = sum(F.mse_loss(q, targets).item() for q in twin.critics(data.obs, data.action, data.goal))
    assert made.update(data)["critic_loss"] == pytest.approx(expected, rel=1e-6)


def test_the_value_converges_to_the_reward_where_the_future_counts_nothing() -> None:
    data = batch(64)._replace(discount=torch.zeros(64))
    made = agent(hidden=(64, 64), learning_rate=3e-3)
    for _ in range(400):
        made.update(data)
    values = made.critics(data.obs, data.action, data.goal)
    assert (values - data.reward).abs().mean() < 0.05


def test_actions_depend_on_the_goal_and_stay_inside_the_box() -> None:
    made = agent()
    obs, goals = torch.randn(50, 3) * 100, torch.randn(2, 50, 3) * 100
    one, other = made.act(obs, goals[0]), made.act(obs, goals[1])
    assert not torch.equal(one, other)
    assert one.shape == (50, 2)
    assert one.abs().max() <= 1.0
    assert not one.requires_grad


def test_it_resumes_bit_for_bit() -> None:
    straight = agent()
    losses = [straight.update(batch(seed=i)) for i in range(9)]
    interrupted = agent()
    for i in range(5):
        interrupted.update(batch(seed=i))
    resumed = agent(seed=77)
    resumed.load_state_dict(interrupted.state_dict())
    assert resumed.updates == 5
    assert [resumed.update(batch(seed=i)) for i in range(5, 9)] == losses[5:]
    for name, value in straight.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_a_saved_state_is_a_copy_made_of_tensors() -> None:
    made = agent()
    made.update(batch())
    made.update(batch())
    state = made.state_dict()
    before = {name: value.clone() for name, value in state.items()}
    made.update(batch())
    made.update(batch())
    assert all(torch.equal(value, before[name]) for name, value in state.items())


def test_another_size_is_refused() -> None:
    with pytest.raises(UserError, match="does not fit"):
        agent(hidden=(16, 13)).load_state_dict(agent().state_dict())


def test_an_actor_is_rebuilt_from_its_weights_alone() -> None:
    made, data = agent(), batch()
    again = actor_from_weights(made.actor.state_dict())
    assert again.action_dim == 2
    assert torch.equal(again(data.obs, data.goal), made.actor(data.obs, data.goal))


def test_one_network_serves_many_goals_in_a_line_world() -> None:
    """Off-policy from random moves alone: after training it steps towards whichever goal it is given (R1, R16)."""
    g = torch.Generator().manual_seed(0)
    made = TD3(
        1, 1, hidden=(64, 64), layer_norm=True, learning_rate=3e-3, polyak=0.02,
        target_noise=0.2, target_noise_clip=0.5, policy_delay=2, seed=0,
    )  # fmt: skip
    for _ in range(600):
        obs, goal = torch.rand(2, 64, 1, generator=g) * 2 - 1
        action = torch.rand(64, 1, generator=g) * 2 - 1
        following = (obs + 0.2 * action).clamp(-1, 1)
        made.update(Batch(obs, action, -(following - goal).abs()[:, 0], torch.full((64,), 0.8), following, goal))
    position, goal = torch.linspace(-0.9, 0.9, 40)[:, None], torch.linspace(0.8, -0.8, 40)[:, None]
    for _ in range(20):
        position = (position + 0.2 * made.act(position, goal)).clamp(-1, 1)
    assert (position - goal).abs().mean() < 0.1
