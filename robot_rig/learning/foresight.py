"""What comes of an action: an ensemble that foresees the next state of hand and object. Called by `learning.planning`.

    x' = x + scale * change(x, a_before, a) * sigmoid(2 gate(x, a_before, a)),   each number with a gate of its own

The gate lets what is not touched lie still: without it an imagined object creeps by a millimetre a step, and over a
plan of 25 steps that is more than a push. The action before is asked for because a servo trails. Several networks,
drawn apart, so that a plan that only one of them believes in is a bad one (PETS, arXiv 1805.12114).
"""

from __future__ import annotations

import itertools

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_rig.datatypes import Floats
from robot_rig.learning.hand_and_object import Track
from robot_rig.learning.training_state import seeded

NETWORKS, HIDDEN = 3, (64, 64)
UPDATES, BATCH, LEARNING_RATE, MOST_GRADIENT = 2500, 256, 2e-3, 5.0
WARM_UP = 0.05
"""Share of the updates in which the rate rises; it falls for the rest."""

SHUT = -1.0
"""Of a gate before training."""

LARGE_CHANGE = 99.5
"""Percentile of the changes in a log that `change` reaches at 1."""

BEND = 0.3
"""Errors of more than that many deviations count in proportion: some frames show no object at all."""

RARE_SHARE, MOST_RARE = 0.5, 8.0
"""Share of a batch drawn by how unusual a step's change is, in deviations of its most unusual number, up to so many:
contacts are a twentieth of play."""


class Foresight(nn.Module):
    """`NETWORKS` networks side by side; state of D numbers, action of A."""

    scale: Tensor

    def __init__(self, state_dim: int, action_dim: int, scale: Tensor, seed: int) -> None:
        super().__init__()
        sizes, generator = [state_dim + 2 * action_dim, *HIDDEN, 2 * state_dim], seeded(seed)
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for wide, narrow in itertools.pairwise(sizes):
            for kept, shape in ((self.weights, (wide, narrow)), (self.biases, (1, narrow))):
                drawn = torch.rand(NETWORKS, *shape, generator=generator)
                kept.append(nn.Parameter((2.0 * drawn - 1.0) / wide**0.5))
        with torch.no_grad():
            self.biases[-1][..., state_dim:] += SHUT
        self.register_buffer("scale", scale)

    def forward(self, state: Tensor, before: Tensor, action: Tensor) -> Tensor:
        """Next states (K, B, D), one of each network, of `state` (K, B, D) under `action` after `before` (K, B, A)."""
        x = torch.cat([state, before, action], dim=2)
        for weight, bias in zip(self.weights[:-1], self.biases[:-1], strict=True):
            x = F.relu(torch.baddbmm(bias, x, weight))
        change, gate = torch.baddbmm(self.biases[-1], x, self.weights[-1]).chunk(2, dim=2)
        following: Tensor = state + self.scale * change * torch.sigmoid(2.0 * gate)
        return following

    def one(self, state: Tensor, before: Tensor, action: Tensor) -> Tensor:
        """What the networks foresee on the whole, (D,), for single `state` (D,), `before` and `action` (A,)."""
        asked = (one.expand(NETWORKS, 1, -1) for one in (state, before, action))
        foreseen: Tensor = self(*asked).mean(dim=0)[0]
        return foreseen


def fit_foresight(states: Floats, track: Track, seed: int, updates: int = UPDATES) -> Foresight:
    """Learn from the `states` (N, D) of a log; the seed draws weights and batches."""
    rows, rng = track.rows(1), np.random.default_rng(seed)
    x, action, before = (torch.from_numpy(a).float() for a in (states, track.action, track.before))
    changes = np.abs(states[rows + 1] - states[rows])
    scale = torch.from_numpy(np.percentile(changes, LARGE_CHANGE, axis=0)).float()
    net = Foresight(states.shape[1], track.action.shape[1], scale.clamp_min(torch.finfo(torch.float32).eps), seed)
    rare = np.cumsum(np.minimum((changes / np.maximum(changes.std(axis=0), 1e-12)).max(axis=1), MOST_RARE) ** 2)
    adam = torch.optim.Adam(net.parameters(), LEARNING_RATE, fused=True)
    rate = torch.optim.lr_scheduler.OneCycleLR(adam, LEARNING_RATE, total_steps=updates, pct_start=WARM_UP)
    for _ in range(updates):
        drawn = rng.integers(len(rows), size=(NETWORKS, BATCH))
        unusual = rng.random((NETWORKS, round(RARE_SHARE * BATCH))) * rare[-1]
        drawn[:, : unusual.shape[1]] = np.minimum(np.searchsorted(rare, unusual), len(rows) - 1)
        row = torch.from_numpy(rows[drawn])
        loss = F.smooth_l1_loss(net(x[row], before[row], action[row]), x[row + 1], beta=BEND)
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(net.parameters(), MOST_GRADIENT)
        adam.step()
        rate.step()
    return net.requires_grad_(False)
