"""Goal-conditioned behaviour cloning: do what was done when this picture came later. Called by the trainer.

    minimise || pi(z, z_g) - a ||^2,   z_g a later frame of the same episode

No reward, no critic: what it learns is as good as those it imitates. It is fed the steps of people (demonstrations, and
their interventions while it acted itself) where there are any, else every step: in free space each move that was made
is a valid answer to the picture that it led to.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from robot_rig.learning.number_format import computing_in
from robot_rig.learning.td3 import Actor, Batch
from robot_rig.learning.training_state import adam_tensors, load_adam, load_module, prefixed, under


class Gcbc:
    """The agent in training; implements `agent.Agent`.

    feature_dim F, action_dim A; hidden: units per layer; learning_rate: Adam's; polyak: how far the running average
    follows in one update; seed: of the weights; number_format: of the gradients, see `number_format`.
    """

    def __init__(
        self,
        feature_dim: int,
        action_dim: int,
        *,
        hidden: Sequence[int],
        learning_rate: float,
        polyak: float,
        seed: int,
        number_format: str = "float32",
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.actor = Actor(feature_dim, action_dim, hidden)
        self.target_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self._adam = torch.optim.Adam(self.actor.parameters(), learning_rate, fused=True)
        self._polyak = polyak
        self._format = number_format
        self.updates = 0

    def update(self, batch: Batch) -> dict[str, float]:
        """One gradient step on the squared error of the action; reward and discount are not looked at."""
        self.updates += 1
        with computing_in(self._format):
            actions = self.actor(batch.obs, batch.goal)
        loss: Tensor = (actions - batch.action).square().mean()
        self._adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        with torch.no_grad():
            followers: list[Tensor] = list(self.target_actor.parameters())
            torch._foreach_lerp_(followers, list(self.actor.parameters()), self._polyak)
        return {"imitation_loss": loss.item()}

    def state_dict(self) -> dict[str, Tensor]:
        """Both networks, the optimiser and the counter, all as tensors."""
        return {
            **prefixed("actor", self.actor.state_dict()),
            **prefixed("target_actor", self.target_actor.state_dict()),
            **prefixed("adam", adam_tensors(self._adam)),
            "updates": torch.tensor(self.updates),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict()` bit for bit. Raises UserError when it is of networks of another size."""
        load_module(self.actor, under("actor", state), "actor")
        load_module(self.target_actor, under("target_actor", state), "target actor")
        load_adam(self._adam, under("adam", state))
        self.updates = int(state["updates"])
