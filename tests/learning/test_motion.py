"""The motion model: no motion is no change, what it learns is the arm's own doing, and it resumes bit for bit."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robot_rig.datatypes import Float32s
from robot_rig.interfaces import UNDER_WAY_ROWS
from robot_rig.learning.motion import MotionModel, MotionNet, motion_from_weights
from robot_rig.learning.td3 import Batch

torch.set_num_threads(1)
TURN = torch.tensor([[0.0, 1.0], [-1.0, 0.0], [0.5, 0.5]])


def batch(generator: torch.Generator, n: int = 64) -> Batch:
    """Features (3,) that an action (2,) moves by a fixed matrix, more where the first feature is large."""
    obs = torch.randn(n, 3, generator=generator)
    action = torch.rand(n, 2, generator=generator) * 2 - 1
    change = 0.3 * (action @ TURN.T) * (1.0 + 0.2 * torch.tanh(obs[:, :1]))
    return Batch(obs, action, torch.zeros(n), torch.zeros(n), obs + change, torch.randn(n, 3, generator=generator))


def under_way(*rows: tuple[float, float, float]) -> Float32s:
    motion = np.zeros((UNDER_WAY_ROWS, 3), np.float32)
    motion[UNDER_WAY_ROWS - len(rows) :] = rows
    return motion


def trained(updates: int) -> MotionModel:
    model, generator = MotionModel(3, 2, seed=0), torch.Generator().manual_seed(1)
    for _ in range(updates):
        model.update(batch(generator))
    return model


def test_no_motion_is_no_change() -> None:
    net = MotionNet(3, 2)
    features = torch.randn(5, 3)
    assert torch.allclose(net(features, torch.zeros(5, 2)), torch.zeros(5, 3), atol=1e-6)
    assert torch.allclose(net.ahead(features[:1], under_way((1.0, 0.0, 0.0), (0.3, 0.0, 0.0))), features[:1], atol=1e-6)


def test_it_learns_what_actions_do() -> None:
    model, fresh = trained(1500), batch(torch.Generator().manual_seed(2), 500)
    with torch.no_grad():
        error = (fresh.obs + model.net(fresh.obs, fresh.action) - fresh.next_obs).square().mean()
        nothing = (fresh.obs - fresh.next_obs).square().mean()
    assert error < 0.02 * nothing


def test_motion_under_way_is_taken_in_order_and_by_its_share() -> None:
    net, features = trained(50).net, torch.randn(1, 3)
    first, second = torch.tensor([[0.5, -1.0]]), torch.tensor([[1.0, 0.2]])
    with torch.no_grad():
        between = features + 0.4 * net(features, first)
        expected = between + 1.0 * net(between, second)
        ahead = net.ahead(features, under_way((0.4, 0.5, -1.0), (1.0, 1.0, 0.2)))
        swapped = net.ahead(features, under_way((1.0, 1.0, 0.2), (0.4, 0.5, -1.0)))
    assert torch.allclose(ahead, expected, atol=1e-6)
    assert not torch.allclose(swapped, expected, atol=1e-6)


def test_it_resumes_bit_for_bit() -> None:
    whole, halves = trained(20), trained(10)
    again, generator = MotionModel(3, 2, seed=5), torch.Generator().manual_seed(1)
    again.load_state_dict(halves.state_dict())
    for step in range(20):
        drawn = batch(generator)
        if step >= 10:
            again.update(drawn)
    assert all(torch.equal(a, b) for a, b in zip(whole.net.parameters(), again.net.parameters(), strict=True))


@pytest.mark.parametrize(("features", "actions"), [(3, 2), (8, 3)])
def test_its_sizes_are_read_off_the_weights(features: int, actions: int) -> None:
    net = MotionNet(features, actions)
    x, a = torch.randn(4, features), torch.randn(4, actions)
    assert torch.equal(motion_from_weights(net.state_dict())(x, a), net(x, a))
