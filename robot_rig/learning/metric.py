"""The latent space the agent lives in: what its networks see and how far apart two latents are (R4, R6).

    r(s, s_g) = -|| z' - z_g ||_A

Fitted once by the trainer before practice and kept: a network that has learnt in one scale must not meet another.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from robot_rig.errors import UserError

METRICS = ("identity", "precision", "whitened")
"""Names by index; a checkpoint stores the index."""

ACTIVE_STD = 0.15
"""A dimension whose mean moves less than this over the data carries no information: q(z|s) is about the prior."""

LEAST_DIMENSIONS = 2
SAVED_TENSORS = 5


def active_dimensions(means: Tensor) -> Tensor:
    """Bool (Z,): where the encoder's means (N, Z) have a deviation above `ACTIVE_STD`."""
    return means.std(dim=0) > ACTIVE_STD


class LatentSpace:
    """A choice of latent dimensions, an affine map to features, and a diagonal metric.

    kept (F,) int64 indices of the used dimensions; shift, scale (F,): feature = (z - shift) * scale; root (F,): square
    root of the diagonal of A.
    """

    def __init__(self, kind: str, kept: Tensor, shift: Tensor, scale: Tensor, root: Tensor) -> None:
        self.kind = kind
        self._kept, self._shift, self._scale, self._root = kept, shift, scale, root

    @classmethod
    def fit(cls, kind: str, means: Tensor, log_variances: Tensor) -> LatentSpace:
        """The space of `kind` for the moments float32 (N, Z) of the data.

        identity: A = I, the released RIG reward. precision: A = mean diagonal of the encoder's precision, the paper's
        Mahalanobis distance. whitened: A = 1 / variance of the means, features standardised, inactive dimensions
        dropped. Raises UserError for another kind.
        """
        everything = torch.arange(means.shape[1])
        zeros, ones = torch.zeros(means.shape[1]), torch.ones(means.shape[1])
        if kind == "identity":
            return cls(kind, everything, zeros, ones, ones)
        if kind == "precision":
            return cls(kind, everything, zeros, ones, torch.exp(-log_variances).mean(dim=0).sqrt())
        if kind == "whitened":
            kept = _kept_dimensions(means)
            scale = 1.0 / means[:, kept].std(dim=0).clamp_min(torch.finfo(torch.float32).eps)
            return cls(kind, kept, means[:, kept].mean(dim=0), scale, scale)
        raise UserError(f"there is no latent metric {kind!r}", choices=METRICS)

    @property
    def feature_dim(self) -> int:
        """F: numbers the networks see of a latent."""
        return len(self._kept)

    @property
    def dimensions(self) -> list[int]:
        """Indices of the latent dimensions that are used."""
        return [int(index) for index in self._kept]

    def features(self, latents: Tensor) -> Tensor:
        """What the networks see, (B, F), of `latents` (B, Z)."""
        return (latents[:, self._kept] - self._shift) * self._scale

    def distance(self, latents: Tensor, goals: Tensor) -> Tensor:
        """|| z - z_g ||_A, (B,), for arguments (B, Z) (R4)."""
        distance: Tensor = torch.linalg.vector_norm((latents - goals)[:, self._kept] * self._root, dim=1)
        return distance

    def reward(self, next_latents: Tensor, goals: Tensor) -> Tensor:
        """-|| z' - z_g ||_A, (B,), for arguments (B, Z) (R6)."""
        return -self.distance(next_latents, goals)

    def state_dict(self) -> dict[str, Tensor]:
        """The space as named tensors."""
        return {
            "metric": torch.tensor(METRICS.index(self.kind)),
            "kept": self._kept,
            "shift": self._shift,
            "scale": self._scale,
            "root": self._root,
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], latent_dim: int | None = None) -> LatentSpace:
        """The space whose `state_dict()` this is, of latents of `latent_dim` numbers (None: whatever it was fitted on).

        Raises UserError when it is none, or one of latents of another size.
        """
        kept, shift, scale, root = (state[name] for name in ("kept", "shift", "scale", "root"))
        index = int(state["metric"])
        sound = (
            len(state) == SAVED_TENSORS
            and 0 <= index < len(METRICS)
            and kept.dtype == torch.int64
            and kept.ndim == 1
            and len(kept) > 0
        )
        sound = sound and all(part.shape == kept.shape and part.is_floating_point() for part in (shift, scale, root))
        if not sound or int(kept.min()) < 0 or (latent_dim is not None and int(kept.max()) >= latent_dim):
            raise UserError(
                f"the saved latent space is none of latents of {latent_dim or 'any'} numbers",
                next_step="choose another checkpoint",
            )
        return cls(METRICS[index], kept, shift, scale, root)


def _kept_dimensions(means: Tensor) -> Tensor:
    """Indices of the active dimensions, or of the two liveliest when fewer are active."""
    active = torch.nonzero(active_dimensions(means)).flatten()
    if len(active) >= LEAST_DIMENSIONS:
        return active
    return means.std(dim=0).topk(min(LEAST_DIMENSIONS, means.shape[1])).indices.sort().values
