"""What the arm's own motion does to the features of a picture, so that an old picture can be answered.

A colour frame is 100 to 140 ms old when it arrives, more than a whole policy step. A policy that answers it as if it
were new corrects what is already being corrected, and hunts around its goal. `MotionNet` learns from the logged steps
how an executed action changes the features; the policy moves what it sees ahead by its own actions since the exposure
and answers that. It is given nothing that it did not do itself: no joints, no positions (R17).

Trained by the trainer beside TD3, used by `policy` and, compiled, by `runtime`.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from robot_rig.datatypes import Float32s
from robot_rig.learning.td3 import Batch
from robot_rig.learning.training_state import adam_tensors, load_adam, load_module, prefixed, require_fit, under

HIDDEN = (64, 64)
LEARNING_RATE = 1e-3


class MotionNet(nn.Module):
    """A change of features for an action: n(f, a) - n(f, 0), so that no motion is no change."""

    def __init__(self, feature_dim: int, action_dim: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Linear(feature_dim + action_dim, HIDDEN[0]),
                nn.Linear(HIDDEN[0], HIDDEN[1]),
                nn.Linear(HIDDEN[1], feature_dim),
            ]
        )

    def forward(self, features: Tensor, action: Tensor) -> Tensor:
        """The change (B, F) of `features` (B, F) over one policy period of executed `action` (B, A)."""
        moving = torch.cat([features, action], dim=1)
        still = torch.cat([features, torch.zeros_like(action)], dim=1)
        x = torch.cat([moving, still])
        for layer in self.layers[:-1]:
            x = torch.tanh(layer(x))
        x = self.layers[-1](x)
        moved, rested = x.chunk(2)
        change: Tensor = moved - rested
        return change

    def ahead(self, features: Tensor, under_way: Float32s) -> Tensor:
        """`features` (1, F) of an old picture brought up to now by the motion `under_way` (see `interfaces.Policy`)."""
        for share, *action in under_way.tolist():
            if share:
                features = features + share * self(features, torch.tensor([action]))
        return features


class MotionModel:
    """A `MotionNet` in training. `seed` draws its first weights."""

    def __init__(self, feature_dim: int, action_dim: int, seed: int) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.net = MotionNet(feature_dim, action_dim)
        self._adam = torch.optim.Adam(self.net.parameters(), LEARNING_RATE, fused=True)

    def update(self, batch: Batch) -> float:
        """One gradient step on the squared error of the change, whatever the goals; returns the loss."""
        change = self.net(batch.obs, batch.action)
        loss: Tensor = (change - (batch.next_obs - batch.obs)).square().mean()
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        return loss.item()

    def state_dict(self) -> dict[str, Tensor]:
        """Weights and optimiser as tensors."""
        return prefixed("net", self.net.state_dict()) | prefixed("adam", adam_tensors(self._adam))

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict()` bit for bit. Raises UserError when it is of a net of another size."""
        load_module(self.net, under("net", state), "motion model")
        load_adam(self._adam, under("adam", state))


def motion_from_weights(weights: Mapping[str, Tensor]) -> MotionNet:
    """The net whose `state_dict()` these are; its sizes are read off them."""
    feature_dim = weights["layers.2.bias"].shape[0]
    action_dim = weights["layers.0.weight"].shape[1] - feature_dim
    require_fit(lambda: MotionNet(feature_dim, action_dim), weights, "motion model")
    net = MotionNet(feature_dim, action_dim)
    load_module(net, weights, "motion model")
    return net
