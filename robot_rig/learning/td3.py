"""Goal-conditioned TD3 on features of latents (R1, R15, R16). Called by the trainer.

    y = r + gamma min_i Q'_i(z', a', z_g),   a' = clip(pi'(z', z_g) + clip(noise, -c, c), -1, 1)
    critics: minimise (Q_i(z, a, z_g) - y)^2;  actor, every `policy_delay` updates: maximise Q_1(z, pi(z, z_g), z_g)

Off-policy: any transition serves any goal, so logs are reused over tasks and policies (R16).
"""

from __future__ import annotations

import copy
import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from robot_rig.learning.number_format import computing_in, in_full
from robot_rig.learning.training_state import adam_tensors, load_adam, load_module, prefixed, require_fit, seeded, under


class Batch(NamedTuple):
    """Float32 tensors: obs, next_obs, goal (B, F); action (B, A) in [-1, 1]; reward, discount (B,)."""

    obs: Tensor
    action: Tensor
    reward: Tensor
    discount: Tensor
    next_obs: Tensor
    goal: Tensor


class Actor(nn.Module):
    """pi(z, z_g): an MLP with ReLU and a tanh at its end."""

    def __init__(self, feature_dim: int, action_dim: int, hidden: Sequence[int]) -> None:
        super().__init__()
        sizes = [2 * feature_dim, *hidden, action_dim]
        self.action_dim = action_dim
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in itertools.pairwise(sizes))

    def forward(self, obs: Tensor, goal: Tensor) -> Tensor:
        """Actions (B, A) in [-1, 1] for obs and goal (B, F)."""
        x = torch.cat([obs, goal], dim=1)
        for layer in self.layers[:-1]:
            x = F.relu(layer(x))
        with in_full():
            return torch.tanh(self.layers[-1](x.float()))


class TwinCritics(nn.Module):
    """Q_1 and Q_2 over (z, a, z_g), two MLPs with ReLU computed as one batched product; LayerNorm where asked for.

    Each parameter holds both critics in its first axis.
    """

    def __init__(self, feature_dim: int, action_dim: int, hidden: Sequence[int], layer_norm: bool) -> None:
        super().__init__()
        sizes = [2 * feature_dim + action_dim, *hidden, 1]
        pairs = list(itertools.pairwise(sizes))
        self.weights = nn.ParameterList(_uniform(2, a, b, fan_in=a) for a, b in pairs)
        self.biases = nn.ParameterList(_uniform(2, 1, b, fan_in=a) for a, b in pairs)
        normed = hidden if layer_norm else ()
        self.gains = nn.ParameterList(torch.ones(2, 1, b) for b in normed)
        self.offsets = nn.ParameterList(torch.zeros(2, 1, b) for b in normed)

    def forward(self, obs: Tensor, action: Tensor, goal: Tensor) -> Tensor:
        """(2, B): what each critic expects of `action` (B, A) in obs (B, F) towards goal (B, F)."""
        x = torch.cat([obs, goal, action], dim=1)
        return self._pass(x.expand(2, *x.shape), list(self.parameters()))

    def first(self, obs: Tensor, action: Tensor, goal: Tensor) -> Tensor:
        """(B,): Q_1 with its own parameters held fixed, which is how the actor sees it."""
        x = torch.cat([obs, goal, action], dim=1)
        return self._pass(x[None], [parameter.detach()[:1] for parameter in self.parameters()])[0]

    def _pass(self, x: Tensor, parameters: Sequence[Tensor]) -> Tensor:
        depth = len(self.weights)
        weights, biases = parameters[:depth], parameters[depth : 2 * depth]
        gains, offsets = parameters[2 * depth : 3 * depth - 1], parameters[3 * depth - 1 :]
        for i in range(depth - 1):
            x = torch.baddbmm(biases[i], x, weights[i])
            if gains:
                x = torch.addcmul(offsets[i], F.layer_norm(x, x.shape[-1:]), gains[i])
            x = F.relu(x)
        with in_full():
            return torch.baddbmm(biases[-1], x.float(), weights[-1])[..., 0]


def _uniform(*shape: int, fan_in: int) -> Tensor:
    return torch.empty(shape).uniform_(-(fan_in**-0.5), fan_in**-0.5)


class TD3:
    """The agent in training.

    feature_dim F, action_dim A; hidden: units per layer of actor and critics; layer_norm: in the critics; polyak: how
    far the targets follow at each actor update; target_noise and its clip: smoothing of the target action;
    policy_delay: critic updates to one of the actor; seed: of the weights and of the smoothing noise; number_format: of
    the gradients, see `number_format`.
    """

    def __init__(
        self,
        feature_dim: int,
        action_dim: int,
        *,
        hidden: Sequence[int],
        layer_norm: bool,
        learning_rate: float,
        polyak: float,
        target_noise: float,
        target_noise_clip: float,
        policy_delay: int,
        seed: int,
        number_format: str = "float32",
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.actor = Actor(feature_dim, action_dim, hidden)
            self.critics = TwinCritics(feature_dim, action_dim, hidden, layer_norm)
        self.target_actor = copy.deepcopy(self.actor).requires_grad_(False)
        self.target_critics = copy.deepcopy(self.critics).requires_grad_(False)
        self._actor_adam = torch.optim.Adam(self.actor.parameters(), learning_rate, fused=True)
        self._critic_adam = torch.optim.Adam(self.critics.parameters(), learning_rate, fused=True)
        self._polyak, self._noise, self._noise_clip = polyak, target_noise, target_noise_clip
        self._delay = policy_delay
        self._format = number_format
        self._generator = seeded(seed)
        self._actor_loss = 0.0
        self.updates = 0

    @torch.no_grad()
    def act(self, obs: Tensor, goal: Tensor) -> Tensor:
        """Actions (B, A) in [-1, 1] for obs and goal (B, F), without noise."""
        return self.actor(obs, goal)  # type: ignore[no-any-return]

    def update(self, batch: Batch) -> dict[str, float]:
        """One gradient step: critics always, actor and targets every `policy_delay` calls. Returns its losses."""
        self.updates += 1
        critic_loss, value = self._update_critics(batch, self.targets(batch))
        if self.updates % self._delay == 0:
            self._actor_loss = self._update_actor(batch)
            self._follow()
        return {"critic_loss": critic_loss, "value": value, "actor_loss": self._actor_loss}

    @torch.no_grad()
    def targets(self, batch: Batch) -> Tensor:
        """y (B,): clipped double Q of the smoothed target action; carries no gradient."""
        noise = torch.randn(batch.action.shape, generator=self._generator) * self._noise
        action = self.target_actor(batch.next_obs, batch.goal) + noise.clamp_(-self._noise_clip, self._noise_clip)
        values = self.target_critics(batch.next_obs, action.clamp_(-1.0, 1.0), batch.goal)
        targets: Tensor = batch.reward + batch.discount * values.amin(dim=0)
        return targets

    def _update_critics(self, batch: Batch, targets: Tensor) -> tuple[float, float]:
        """Bellman error of both critics (R15): their summed loss and their mean value."""
        with computing_in(self._format):
            values = self.critics(batch.obs, batch.action, batch.goal)
        loss: Tensor = (values - targets).square().mean(dim=1).sum()
        self._critic_adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._critic_adam.step()
        return loss.item(), values.mean().item()

    def _update_actor(self, batch: Batch) -> float:
        with computing_in(self._format):
            values = self.critics.first(batch.obs, self.actor(batch.obs, batch.goal), batch.goal)
        loss = -values.mean()
        self._actor_adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._actor_adam.step()
        return loss.item()

    @torch.no_grad()
    def _follow(self) -> None:
        """theta' += polyak (theta - theta') for both target networks."""
        followers: list[Tensor] = [*self.target_critics.parameters(), *self.target_actor.parameters()]
        leaders: list[Tensor] = [*self.critics.parameters(), *self.actor.parameters()]
        torch._foreach_lerp_(followers, leaders, self._polyak)

    def _modules(self) -> dict[str, nn.Module]:
        return {
            "actor": self.actor,
            "critics": self.critics,
            "target_actor": self.target_actor,
            "target_critics": self.target_critics,
        }

    def state_dict(self) -> dict[str, Tensor]:
        """Networks, targets, both optimisers, the generator and the counter, all as tensors."""
        state: dict[str, Tensor] = {}
        for name, module in self._modules().items():
            state |= prefixed(name, module.state_dict())
        state |= prefixed("actor_adam", adam_tensors(self._actor_adam))
        state |= prefixed("critic_adam", adam_tensors(self._critic_adam))
        state["generator"] = self._generator.get_state()
        state["actor_loss"] = torch.tensor(self._actor_loss, dtype=torch.float64)
        state["updates"] = torch.tensor(self.updates)
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict()` bit for bit. Raises UserError when it is of networks of another size."""
        for name, module in self._modules().items():
            load_module(module, under(name, state), name.replace("_", " "))
        load_adam(self._actor_adam, under("actor_adam", state))
        load_adam(self._critic_adam, under("critic_adam", state))
        self._generator.set_state(state["generator"])
        self._actor_loss = float(state["actor_loss"])
        self.updates = int(state["updates"])


def actor_from_weights(weights: Mapping[str, Tensor]) -> Actor:
    """The actor whose `state_dict()` these are; its sizes are read off them."""
    shapes = [weights[f"layers.{i}.weight"].shape for i in range(len(weights) // 2)]
    sizes = shapes[0][1] // 2, shapes[-1][0], [shape[0] for shape in shapes[:-1]]
    require_fit(lambda: Actor(*sizes), weights, "actor")
    actor = Actor(*sizes)
    load_module(actor, weights, "actor")
    return actor
