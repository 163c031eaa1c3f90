"""The two convolutional nets a VAE may have (R5, R12, R13), and what every net of an encoder does.

Called by `vae` and `keypoint_nets`. A net maps pictures float32 (B, 3, 84, 84) in [0, 1] to the moments of q(z|s), and
latents to per-pixel logits of the same shape.
"""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor, nn

from robot_rig.datatypes import IMAGE_SIZE
from robot_rig.learning.number_format import in_full

NETS = ("small", "rlkit")
"""Names by index; a checkpoint stores the index."""

LOG_VARIANCE_RANGE = (-8.0, 6.0)
"""Beyond these the exponential is as good as 0 or infinite and its gradient useless."""

RLKIT_LEAST_VARIANCE = 1e-3
RLKIT_HEAD_INIT = 1e-3


class PictureNet(nn.Module):
    """What an encoder and its trainer ask of a net."""

    latent_dim: int
    """Z: numbers in a latent."""

    noisy: int
    """How many of them, the first ones, are drawn from q(z|s) in training and held to N(0, I) by the KL term."""

    def moments(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(mean, log_variance) of q(z|s), (B, Z) each."""
        raise NotImplementedError

    def logits(self, latents: Tensor) -> Tensor:
        """Logits (B, 3, 84, 84) of p(s|z)."""
        raise NotImplementedError

    def prior(self, n: int, generator: Generator) -> Tensor:
        """`n` draws (n, Z) from p(z): N(0, I), which the KL term has held q(z|s) to."""
        return torch.randn(n, self.latent_dim, generator=generator)

    def observe(self, mean: Tensor, log_variance: Tensor, updates: int) -> None:
        """Hear the moments (B, Z) of a batch in training, `updates` steps after the first; N(0, I) needs none."""


class VaeNet(PictureNet):
    """Encoder trunk -> (mean, log-variance); decoder -> logits. Subclasses say which layers."""

    trunk: nn.Module
    mean: nn.Linear
    log_variance: nn.Linear
    spread: nn.Linear
    decoder: nn.Module
    seed_shape: tuple[int, int, int]

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = self.noisy = latent_dim

    def logits(self, latents: Tensor) -> Tensor:
        """Logits (B, 3, 84, 84) of p(s|z), channels last in memory."""
        with in_full():
            seed = self.spread(latents).view(-1, *self.seed_shape)
        return self.decoder(seed.contiguous(memory_format=torch.channels_last))  # type: ignore[no-any-return]


class SmallNet(VaeNet):
    """The pilot's net: 84 -> 28 -> 14 -> 7 and back, BatchNorm throughout, and a learned background.

    `background` (3, 84, 84) is added to the logits, so that the decoder spends itself on what moves.
    """

    seed_shape = (32, 7, 7)

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        self.trunk = nn.Sequential(
            *_down(3, 16, kernel=5, stride=3), *_down(16, 32, kernel=4, stride=2), *_down(32, 32, kernel=4, stride=2)
        )
        width = math.prod(self.seed_shape)
        self.mean, self.log_variance = nn.Linear(width, latent_dim), nn.Linear(width, latent_dim)
        self.spread = nn.Linear(latent_dim, width)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(32, 32, 4, 2, 1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 5, 3, 1),
        )
        self.background = nn.Parameter(torch.zeros(3, IMAGE_SIZE, IMAGE_SIZE))

    def moments(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(mean, log_variance) of q(z|s), (B, Z) each."""
        hidden = self.trunk(pictures).flatten(1).float()
        with in_full():
            return self.mean(hidden), self.log_variance(hidden).clamp(*LOG_VARIANCE_RANGE)

    def logits(self, latents: Tensor) -> Tensor:
        """Logits (B, 3, 84, 84) of p(s|z)."""
        return super().logits(latents) + self.background


class RlkitNet(VaeNet):
    """The authors' 84x84 net: 84 -> 27 -> 8 -> 2 and back, BatchNorm in the encoder only, variance at least 1e-3."""

    seed_shape = (32, 2, 2)

    def __init__(self, latent_dim: int) -> None:
        super().__init__(latent_dim)
        width = math.prod(self.seed_shape)
        self.trunk = nn.Sequential(
            *_down(3, 16, kernel=5, stride=3, padding=0),
            *_down(16, 32, kernel=5, stride=3, padding=0),
            *_down(32, 32, kernel=5, stride=3, padding=0),
            nn.Flatten(),
            nn.Linear(width, width),
        )
        self.mean, self.log_variance = nn.Linear(width, latent_dim), nn.Linear(width, latent_dim)
        for head in (self.mean, self.log_variance):
            nn.init.uniform_(head.weight, -RLKIT_HEAD_INIT, RLKIT_HEAD_INIT)
            nn.init.uniform_(head.bias, -RLKIT_HEAD_INIT, RLKIT_HEAD_INIT)
        self.spread = nn.Linear(latent_dim, width)
        self.decoder = nn.Sequential(
            nn.ConvTranspose2d(32, 32, 5, 3),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 6, 3),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 6, 3),
        )

    def moments(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(mean, log_variance) of q(z|s), (B, Z) each."""
        hidden = self.trunk(pictures).float()
        with in_full():
            return self.mean(hidden), math.log(RLKIT_LEAST_VARIANCE) + self.log_variance(hidden).abs()


def _down(channels_in: int, channels_out: int, *, kernel: int, stride: int, padding: int = 1) -> list[nn.Module]:
    conv = nn.Conv2d(channels_in, channels_out, kernel, stride, padding)
    return [conv, nn.BatchNorm2d(channels_out), nn.ReLU()]


def build_net(name: str, latent_dim: int) -> VaeNet:
    """A freshly initialised net; draws from torch's default generator, which the caller has seeded."""
    net: VaeNet = {"small": SmallNet, "rlkit": RlkitNet}[name](latent_dim)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]
