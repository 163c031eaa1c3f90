"""Nets that say where things are: keypoints, alone or beside a VAE's latent; and the list of all nets.

Called by `vae` and `tick_folding`. A convolutional map for each of K keypoints, its softmax over the picture, and the
place that it expects: the same filter finds a thing wherever it lies, so that a hand and a puck are read in
combinations that training never showed. A latent of a fully connected layer does not: see docs/results.md, push.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Generator, Tensor, nn

from robot_rig.datatypes import IMAGE_SIZE, Floats
from robot_rig.learning.number_format import in_full
from robot_rig.learning.vae_nets import NETS, PictureNet, SmallNet, VaeNet, build_net

KEYPOINTS, VAE_KEYPOINTS = "keypoints", "vae_keypoints"
ARCHITECTURES = (*NETS, KEYPOINTS, VAE_KEYPOINTS)
"""Names by index; a checkpoint stores the index."""

MAP_SIZE = IMAGE_SIZE // 2
CANVAS_SIZE = IMAGE_SIZE // 4
"""Side of the maps that keypoints are read from, and of those that they are drawn on."""

BLOB = 0.12
"""Deviation of the blob that a keypoint is drawn as; a picture is 2 wide."""

LOG_VARIANCE = -7.43
"""Of every keypoint: a deviation of half a cell of its map. It is given, not learnt: keypoints have no noise and no KL
term, but whoever weighs a latent by its precision (`metric`, `health`) needs to know how exact one can be.
"""

MEMORY = 0.02
"""How much of the running moments is the newest batch."""


def places(size: int) -> Tensor:
    """(size^2, 2): (x, y) of each cell of a map, row by row, -1 at the first and 1 at the last; x right, y down."""
    side = torch.linspace(-1.0, 1.0, size)
    down, right = torch.meshgrid(side, side, indexing="ij")
    return torch.stack([right.flatten(), down.flatten()], dim=1)


def expected_places(scores: Tensor) -> Tensor:
    """Soft-argmax: (B, 2 K), x and y of each keypoint in turn, of `scores` (B, K, size, size)."""
    shares = torch.softmax(scores.flatten(2), dim=2)
    return (shares @ places(scores.shape[-1]).to(scores.device)).flatten(1)


def on_picture(points: Floats) -> Floats:
    """Numbers of keypoints in pixels of the picture: a map's cell i looks at the pixels about 2 i."""
    return (points + 1.0) * (MAP_SIZE - 1)


def blobs(points: Tensor, size: int) -> Tensor:
    """Maps (B, K, size, size) with a Gaussian of deviation `BLOB` and height 1 at each of `points` (B, 2 K)."""
    at = points.reshape(len(points), -1, 2, 1)
    along = torch.exp(-(torch.linspace(-1.0, 1.0, size) - at).square() / (2.0 * BLOB**2))
    return along[:, :, 1, :, None] * along[:, :, 0, None, :]


class KeypointPart(nn.Module):
    """`count` keypoints of a picture, and a picture of keypoints.

    maps: 84 -> 42, BatchNorm and ReLU between; sharpness: logarithm of one learned factor before the softmax.
    """

    def __init__(self, count: int) -> None:
        super().__init__()
        self.maps = nn.Sequential(
            nn.Conv2d(3, 16, 5, 2, 2),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.Conv2d(16, 32, 3, 1, 1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.Conv2d(32, count, 3, 1, 1),
        )
        self.sharpness = nn.Parameter(torch.zeros(1))
        self.canvas = nn.Sequential(
            nn.Conv2d(count, 32, 3, 1, 1),
            nn.BatchNorm2d(32),
            nn.ReLU(),
            nn.ConvTranspose2d(32, 16, 4, 2, 1),
            nn.BatchNorm2d(16),
            nn.ReLU(),
            nn.ConvTranspose2d(16, 3, 4, 2, 1),
        )

    def points(self, pictures: Tensor) -> Tensor:
        """(B, 2 K), x and y of each keypoint in turn, -1 (left, up) to 1."""
        scores = self.maps(pictures).float()
        # A place is a latent: in 8 bits it would be a cell or two off.
        with in_full():
            return expected_places(scores * self.sharpness.exp())

    def logits(self, points: Tensor) -> Tensor:
        """Logits (B, 3, 84, 84), without a background."""
        drawn = blobs(points, CANVAS_SIZE).contiguous(memory_format=torch.channels_last)
        return self.canvas(drawn)  # type: ignore[no-any-return]


class PlacingNet(PictureNet):
    """A net with keypoints in its latent: its p(z) is a Gaussian over all numbers, with what they have in common.

    There is no N(0, I) that keypoints were held to, and to draw them one by one would tear the hand from the arm. So
    the latents that training sees are kept as running moments: `seen_mean` (Z,) and `seen_square` (Z, Z), E[z z^T].
    """

    part: KeypointPart
    seen_mean: Tensor
    seen_square: Tensor

    def __init__(self, noisy: int, keypoints: int) -> None:
        super().__init__()
        self.noisy, self.latent_dim = noisy, noisy + 2 * keypoints
        self.register_buffer("seen_mean", torch.zeros(self.latent_dim))
        self.register_buffer("seen_square", torch.eye(self.latent_dim))

    @torch.no_grad()
    def observe(self, mean: Tensor, log_variance: Tensor, updates: int) -> None:
        """Take a batch's moments (B, Z) into the running ones; all batches weigh alike until there are 50."""
        newest = max(MEMORY, 1.0 / (updates + 1))
        square = mean.T @ mean / len(mean)
        square += torch.diag(log_variance.exp().mean(dim=0))
        self.seen_mean.lerp_(mean.mean(dim=0), newest)
        self.seen_square.lerp_(square, newest)

    def prior(self, n: int, generator: Generator) -> Tensor:
        """`n` draws (n, Z) of the Gaussian that the latents of the training's pictures have."""
        covariance = self.seen_square - torch.outer(self.seen_mean, self.seen_mean)
        variances, directions = torch.linalg.eigh(covariance)
        noise = torch.randn(n, self.latent_dim, generator=generator)
        draws: Tensor = self.seen_mean + (noise * variances.clamp_min(0.0).sqrt()) @ directions.T
        return draws


class KeypointNet(PlacingNet):
    """Keypoints and nothing else; `background` (3, 84, 84) is added to the logits."""

    def __init__(self, keypoints: int) -> None:
        super().__init__(0, keypoints)
        self.part = KeypointPart(keypoints)
        self.background = nn.Parameter(torch.zeros(3, IMAGE_SIZE, IMAGE_SIZE))

    def moments(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(keypoints, their fixed log-variance), (B, 2 K) each."""
        points = self.part.points(pictures)
        return points, torch.full_like(points, LOG_VARIANCE)

    def logits(self, latents: Tensor) -> Tensor:
        """Logits (B, 3, 84, 84) of p(s|z)."""
        return self.part.logits(latents) + self.background


class VaeKeypointNet(PlacingNet):
    """The small VAE's latent, then keypoints; the two decoders are summed, over the VAE's background."""

    def __init__(self, latent_dim: int, keypoints: int) -> None:
        super().__init__(latent_dim, keypoints)
        self.vae = SmallNet(latent_dim)
        self.part = KeypointPart(keypoints)

    @property
    def background(self) -> nn.Parameter:
        """(3, 84, 84), added to the logits."""
        return self.vae.background

    def moments(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """(mean, log_variance) of q(z|s) and behind them those of the keypoints, (B, Z + 2 K) each."""
        mean, log_variance = self.vae.moments(pictures)
        points = self.part.points(pictures)
        return torch.cat([mean, points], 1), torch.cat([log_variance, torch.full_like(points, LOG_VARIANCE)], 1)

    def logits(self, latents: Tensor) -> Tensor:
        """Logits (B, 3, 84, 84) of p(s|z)."""
        return self.vae.logits(latents[:, : self.noisy]) + self.part.logits(latents[:, self.noisy :])


def architecture(encoder: str, net: str) -> str:
    """The name in `ARCHITECTURES` of the settings vae.encoder and vae.net."""
    return net if encoder == "vae" else encoder


def build(name: str, latent_dim: int, keypoints: int) -> PictureNet:
    """A freshly initialised net; draws from torch's default generator, which the caller has seeded."""
    if name in NETS:
        return build_net(name, latent_dim)
    net = KeypointNet(keypoints) if name == KEYPOINTS else VaeKeypointNet(latent_dim, keypoints)
    return net.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def sizes_in(name: str, weights: Mapping[str, Tensor]) -> tuple[int, int]:
    """(latent_dim, keypoints) for `build`, read off a net's tensors. Raises LookupError where they are not there."""
    if name in NETS:
        return len(weights["mean.bias"]), 0
    latent_dim = len(weights["vae.mean.bias"]) if name == VAE_KEYPOINTS else 0
    return latent_dim, len(weights["part.maps.6.bias"])


def vae_part(net: PictureNet) -> VaeNet | None:
    """The VAE in `net`, if there is one."""
    if isinstance(net, VaeNet):
        return net
    return net.vae if isinstance(net, VaeKeypointNet) else None
