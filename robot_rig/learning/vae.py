"""The beta-VAE of RIG (R2, R5, R11-R13), section 4.1 of arXiv 1807.04742, and the keypoints that may lie beside it.

Called by the trainer and by `policy`.

    loss(s) = -E_q(z|s)[ log p(s|z) ] + beta KL( q(z|s) || N(0, I) )

q(z|s) = N(mean(s), diag exp(log_variance(s))), p(s|z) Bernoulli per pixel and channel, one sample of z per picture.
Keypoints (`keypoint_nets`) are learnt by the same reconstruction; they are not sampled, and the KL leaves them alone.
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

from robot_rig.config_learning import VaeConfig
from robot_rig.datatypes import IMAGE_SHAPE, Bytes
from robot_rig.errors import UserError
from robot_rig.learning.encoder import weights_id
from robot_rig.learning.keypoint_nets import ARCHITECTURES, architecture, build, sizes_in
from robot_rig.learning.number_format import computing_in
from robot_rig.learning.surprise import Surprise
from robot_rig.learning.training_state import adam_tensors, load_adam, load_module, prefixed, require_fit, seeded, under
from robot_rig.learning.vae_nets import PictureNet

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


def elbo(
    logits: Tensor,
    pictures: Tensor,
    mean: Tensor,
    log_variance: Tensor,
    beta: float,
    weights: Tensor | None = None,
) -> Elbo:
    """The negative beta-ELBO (R11) of `pictures` (B, 3, H, W) in [0, 1] under Bernoulli `logits` of that shape (R13).

    mean, log_variance: (B, Z). Sums over pixels and latent, mean over the batch; the KL carries its 1/2. `weights`
    (B, 1, H, W) of the pixels; None: all 1.
    """
    nats = F.binary_cross_entropy_with_logits(logits, pictures, weights, reduction="sum")
    reconstruction = nats / len(pictures)
    kl = kl_divergence(mean, log_variance).mean()
    return Elbo(reconstruction + beta * kl, reconstruction, kl)


class VaeEncoder:
    """A net that is used and not trained; implements `encoder.Encoder`. BatchNorm runs on its stored statistics.

    name: of `keypoint_nets.ARCHITECTURES`.
    """

    def __init__(self, name: str, net: PictureNet) -> None:
        self._name = name
        self._net = net.eval()
        self._id: str | None = None

    @property
    def net(self) -> PictureNet:
        """The networks, for `tick_folding`, which writes them anew without BatchNorm."""
        return self._net

    @property
    def latent_dim(self) -> int:
        """Z: numbers in a latent."""
        return self._net.latent_dim

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
        """`n` latents float32 (n, Z) from p(z) (R3, R11): N(0, I), or where there are keypoints what training saw."""
        return self._net.prior(n, generator)

    def weights(self) -> dict[str, Tensor]:
        """Parameters and BatchNorm statistics, and `architecture`: the index in `keypoint_nets.ARCHITECTURES`."""
        return {
            "architecture": torch.tensor(ARCHITECTURES.index(self._name)),
            **prefixed("net", self._net.state_dict()),
        }

    def frozen(self) -> VaeEncoder:
        """A copy that no later training changes."""
        return VaeEncoder(self._name, copy.deepcopy(self._net))


def encoder_from_weights(weights: Mapping[str, Tensor]) -> VaeEncoder:
    """The encoder whose `weights()` these are. Raises UserError when they are of no net known here."""
    index, held = int(weights.get("architecture", torch.tensor(-1))), under("net", weights)
    unknown = UserError("these weights are of no encoder known here", next_step="use the version that wrote them")
    if not 0 <= index < len(ARCHITECTURES):
        raise unknown
    name = ARCHITECTURES[index]
    try:
        latent_dim, keypoints = sizes_in(name, held)
    except (LookupError, TypeError) as error:
        raise unknown from error
    if len(held) + 1 != len(weights):
        raise UserError("these weights are of more than an encoder", next_step="choose another checkpoint")
    require_fit(lambda: build(name, latent_dim, keypoints), held, "encoder")
    net = build(name, latent_dim, keypoints)
    load_module(net, held, "encoder")
    return VaeEncoder(name, net)


class Vae(VaeEncoder):
    """The encoder in training.

    net: of `keypoint_nets.ARCHITECTURES`; latent_dim: numbers of the VAE's latent; beta: weight of the KL;
    learning_rate: Adam's; seed: of weights and noise; keypoints: how many, of a net that has some; pixel_weights:
    "even" | "surprise" (`surprise`); number_format: of the gradients, see `number_format`. It encodes and decodes in
    float32.
    """

    def __init__(
        self,
        net: str,
        latent_dim: int,
        beta: float,
        learning_rate: float,
        seed: int,
        keypoints: int = 0,
        pixel_weights: str = "even",
        number_format: str = "float32",
    ) -> None:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            super().__init__(net, build(net, latent_dim, keypoints))
        self._beta = beta
        self._format = number_format
        self._pixel_weights = pixel_weights
        self._surprise: Surprise | None = None
        self._generator = seeded(seed)
        self._adam = torch.optim.Adam(self._net.parameters(), learning_rate, fused=True)
        self._updates = 0

    @classmethod
    def of(cls, settings: VaeConfig, seed: int, number_format: str = "float32") -> Vae:
        """A fresh one under `settings`."""
        return cls(
            architecture(settings.encoder, settings.net),
            settings.latent_dim,
            settings.beta,
            settings.learning_rate,
            seed,
            settings.keypoints,
            settings.pixel_weights,
            number_format,
        )

    def train_batch(self, pictures: Bytes | Tensor) -> dict[str, float]:
        """One Adam step on `pictures` uint8 (B, 84, 84, 3), B >= 2; the terms of `Elbo` (R11)."""
        shades = unit_pictures(pictures)
        if self._updates == 0:
            self._begin(shades)
        self._net.train()
        noisy = self._net.noisy
        with computing_in(self._format):
            mean, log_variance = self._net.moments(shades)
            noise = torch.randn(len(mean), noisy, generator=self._generator)
            latents = mean + torch.exp(0.5 * log_variance) * F.pad(noise, (0, mean.shape[1] - noisy))
            logits = self._net.logits(latents).float()
        self._net.observe(mean.detach(), log_variance.detach(), self._updates)
        weights = None if self._surprise is None else self._surprise.weights(shades)
        terms = elbo(logits, shades, mean[:, :noisy], log_variance[:, :noisy], self._beta, weights)
        self._adam.zero_grad()
        terms.loss.backward()  # type: ignore[no-untyped-call]
        self._adam.step()
        self._net.eval()
        self._updates += 1
        self._id = None
        return {name: value.item() for name, value in terms._asdict().items()}

    @torch.no_grad()
    def _begin(self, shades: Tensor) -> None:
        """What the first batch tells of all: the background, where the net has one, and what is usual."""
        background = getattr(self._net, "background", None)
        if background is not None:
            background.copy_(torch.logit(shades.median(dim=0).values.clamp(DARKEST, BRIGHTEST)))
        if self._pixel_weights == "surprise":
            self._surprise = Surprise.of(shades)

    def state_dict(self) -> dict[str, Tensor]:
        """Weights, Adam's moments, the noise's generator and the number of updates, all as tensors."""
        return {
            **self.weights(),
            **prefixed("adam", adam_tensors(self._adam)),
            "generator": self._generator.get_state(),
            "updates": torch.tensor(self._updates),
            **prefixed("surprise", {} if self._surprise is None else self._surprise._asdict()),
        }

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict()` bit for bit. Raises UserError when it is of another net or size."""
        if int(state["architecture"]) != ARCHITECTURES.index(self._name):
            said = "the saved VAE is another net than vae.net and vae.encoder say"
            raise UserError(said, choices=ARCHITECTURES, next_step="start a new run")
        load_module(self._net, under("net", state), "VAE")
        load_adam(self._adam, under("adam", state))
        self._generator.set_state(state["generator"])
        self._updates = int(state["updates"])
        usual = under("surprise", state)
        self._surprise = Surprise(**usual) if usual else None
        self._id = None
