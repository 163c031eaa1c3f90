"""The beta-VAE of RIG (R2, R5, R11-R13), section 4.1 of arXiv 1807.04742. Called by the trainer and by `policy`.

    loss(s) = -E_q(z|s)[ log p(s|z) ] + beta KL( q(z|s) || N(0, I) )

q(z|s) = N(mean(s), diag exp(log_variance(s))), p(s|z) Bernoulli per pixel and channel, one sample of z per picture.
This file holds the only place in the house where pixels become floats.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Generator, Tensor

from robot_rig.datatypes import IMAGE_SHAPE, Bytes
from robot_rig.errors import UserError
from robot_rig.learning.encoder import weights_id
from robot_rig.learning.number_format import computing_in
from robot_rig.learning.training_state import adam_tensors, load_adam, load_module, prefixed, require_fit, seeded, under
from robot_rig.learning.vae_nets import NETS, SmallNet, VaeNet, build_net

DARKEST, BRIGHTEST = 0.5 / 255.0, 254.5 / 255.0
"""Bounds of a background pixel before its logit is taken: half a grey level from black and white."""


class Elbo(NamedTuple):
    """Mean over the batch, in nats a picture: loss = reconstruction + beta * kl."""

    loss: Tensor
    reconstruction: Tensor
    kl: Tensor


def unit_pictures(pictures: Bytes | Tensor) -> Tensor:
    """uint8 (B, 84, 84, 3) as float32 (B, 3, 84, 84) in [0, 1], channels last. Raises ValueError otherwise."""
    tensor = torch.from_numpy(np.array(pictures)) if isinstance(pictures, np.ndarray) else pictures
    if tensor.dtype != torch.uint8 or tensor.ndim != 4 or tuple(tensor.shape[1:]) != IMAGE_SHAPE:
        raise ValueError(f"pictures must be uint8 (B, 84, 84, 3), are {tensor.dtype} {tuple(tensor.shape)}")
    return tensor.permute(0, 3, 1, 2).float().mul_(1.0 / 255.0)


def kl_divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """KL( N(mean, diag exp(log_variance)) || N(0, I) ) in nats, (B,) for arguments (B, Z)."""
    return 0.5 * (mean.square() + log_variance.exp() - 1.0 - log_variance).sum(dim=-1)


def elbo(logits: Tensor, pictures: Tensor, mean: Tensor, log_variance: Tensor, beta: float) -> Elbo:
    """The negative beta-ELBO (R11) of `pictures` (B, 3, H, W) in [0, 1] under Bernoulli `logits` of that shape (R13).

    mean, log_variance: (B, Z). Sums over pixels and latent, mean over the batch; the KL carries its 1/2.
    """
    reconstruction = F.binary_cross_entropy_with_logits(logits, pictures, reduction="sum") / len(pictures)
    kl = kl_divergence(mean, log_variance).mean()
    return Elbo(reconstruction + beta * kl, reconstruction, kl)


class VaeEncoder:
    """A VAE that is used and not trained; implements `encoder.Encoder`. BatchNorm runs on its stored statistics."""

    def __init__(self, name: str, net: VaeNet) -> None:
        self._name = name
        self._net = net.eval()
        self._id: str | None = None

    @property
    def net(self) -> VaeNet:
        """The networks, for `tick_folding`, which writes them anew without BatchNorm."""
        return self._net

    @property
    def latent_dim(self) -> int:
        """Z: numbers in a latent."""
        return self._net.mean.out_features

    @property
    def encoder_id(self) -> str:
        """16 hex digits of SHA-256 over the weights; another after every training step."""
        if self._id is None:
            self._id = weights_id(self.weights())
        return self._id

    @torch.no_grad()
    def encode(self, pictures: Bytes | Tensor) -> tuple[Tensor, Tensor]:
        """(mean, log_variance) of q(z|s), float32 (B, Z) each, of `pictures` uint8 (B, 84, 84, 3) (R5, R12).

        The mean is e(s), what the agent sees. The last bits depend on B: encode a cache in blocks of one size.
        """
        mean, log_variance = self._net.moments(unit_pictures(pictures))
        return mean, log_variance

    @torch.no_grad()
    def decode(self, latents: Tensor) -> Bytes:
        """The mean pictures uint8 (B, 84, 84, 3) of `latents` float32 (B, Z) (R13, R19)."""
        shades = torch.sigmoid(self._net.logits(latents)).mul_(255.0).round_().to(torch.uint8)
        return shades.permute(0, 2, 3, 1).contiguous().numpy()

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        """`n` latents float32 (n, Z) from N(0, I) (R3, R11)."""
        return torch.randn(n, self.latent_dim, generator=generator)

    def weights(self) -> dict[str, Tensor]:
        """Parameters and BatchNorm statistics, and `architecture`: the index of the net in `vae_nets.NETS`."""
        return {"architecture": torch.tensor(NETS.index(self._name)), **prefixed("net", self._net.state_dict())}

    def frozen(self) -> VaeEncoder:
        """A copy that no later training changes."""
        return VaeEncoder(self._name, copy.deepcopy(self._net))


def encoder_from_weights(weights: Mapping[str, Tensor]) -> VaeEncoder:
    """The encoder whose `weights()` these are. Raises UserError when they are of no net known here."""
    index = int(weights.get("architecture", torch.tensor(-1)))
    if not 0 <= index < len(NETS) or "net.mean.bias" not in weights:
        raise UserError("these weights are of no encoder known here", next_step="use the version that wrote them")
    name = NETS[index]
    latent_dim, held = len(weights["net.mean.bias"]), under("net", weights)
    if len(held) + 1 != len(weights):
        raise UserError("these weights are of more than an encoder", next_step="choose another checkpoint")
    require_fit(lambda: build_net(name, latent_dim), held, "encoder")
    net = build_net(name, latent_dim)
    load_module(net, held, "encoder")
    return VaeEncoder(name, net)


class Vae(VaeEncoder):
    """The encoder in training.

    net: "small" | "rlkit"; latent_dim Z; beta: weight of the KL; learning_rate: Adam's; seed: of weights and noise;
    number_format: of the gradients, see `number_format`. It encodes and decodes in float32.
    """

    def __init__(
        self, net: str, latent_dim: int, beta: float, learning_rate: float, seed: int, number_format: str = "float32"
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            super().__init__(net, build_net(net, latent_dim))
        self._beta = beta
        self._format = number_format
        self._generator = seeded(seed)
        self._adam = torch.optim.Adam(self._net.parameters(), learning_rate, fused=True)
        self._updates = 0

    def train_batch(self, pictures: Bytes | Tensor) -> dict[str, float]:
        """One Adam step on `pictures` uint8 (B, 84, 84, 3), B >= 2; the terms of `Elbo` (R11)."""
        shades = unit_pictures(pictures)
        if self._updates == 0 and isinstance(self._net, SmallNet):
            self._paint_background(self._net, shades)
        self._net.train()
        with computing_in(self._format):
            mean, log_variance = self._net.moments(shades)
            noise = torch.randn(mean.shape, generator=self._generator)
            latents = mean + torch.exp(0.5 * log_variance) * noise
            logits = self._net.logits(latents).float()
        terms = elbo(logits, shades, mean, log_variance, self._beta)
        self._adam.zero_grad()
        terms.loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        self._net.eval()
        self._updates += 1
        self._id = None
        return {name: value.item() for name, value in terms._asdict().items()}

    @staticmethod
    @torch.no_grad()
    def _paint_background(net: SmallNet, shades: Tensor) -> None:
        net.background.copy_(torch.logit(shades.median(dim=0).values.clamp(DARKEST, BRIGHTEST)))

    def state_dict(self) -> dict[str, Tensor]:
        """Weights, Adam's moments, the noise's generator and the number of updates, all as tensors."""
        return {
            **self.weights(),
            **prefixed("adam", adam_tensors(self._adam)),
            "generator": self._generator.get_state(),
            "updates": torch.tensor(self._updates),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict()` bit for bit. Raises UserError when it is of another net or size."""
        if int(state["architecture"]) != NETS.index(self._name):
            raise UserError("the saved VAE is another net than vae.net", choices=NETS, next_step="start a new run")
        load_module(self._net, under("net", state), "VAE")
        load_adam(self._adam, under("adam", state))
        self._generator.set_state(state["generator"])
        self._updates = int(state["updates"])
        self._id = None
