"""What learns to act on features of latents: the contract of every agent. Used by the trainer, which knows no other.

`td3.TD3` is RIG's and the default; `gcbc.Gcbc` imitates. Both learn an `Actor`, so what is shipped, examined and run on
the arm is the same `policy.LatentPolicy`, whoever taught it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, NamedTuple, Protocol

from torch import Tensor

from robot_rig.learning.td3 import Actor, Batch


class Diet(NamedTuple):
    """What an agent is fed: shares of a batch whose goal is the rollout's, imagined, a later frame; and whose steps."""

    mix: tuple[float, float, float]
    whose: Literal["everybody", "people"]


class Agent(Protocol):
    """A learner of pi(z, z_g). It sees features and actions, never a picture, a joint or a place (R17)."""

    actor: Actor
    """As it is learning now; what practice explores with."""

    target_actor: Actor
    """Its running average; what is examined and shipped."""

    updates: int
    """Gradient steps so far."""

    def update(self, batch: Batch) -> dict[str, float]:
        """One gradient step; returns its losses by name."""
        ...

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that learning has changed, as named tensors."""
        ...

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict()` bit for bit. Raises UserError when it is of networks of another size."""
        ...
