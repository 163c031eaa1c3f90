"""What turns a picture into a latent: the contract every encoder fulfils, and how one is named. Used all over learning.

`vae.Vae` is the paper's encoder and the default; the policy, the health check and the trainer know only this Protocol.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Protocol

import numpy as np
from torch import Generator, Tensor

from robot_rig.datatypes import Bytes

ID_DIGITS = 16


class Encoder(Protocol):
    """The essential state of a picture (R2), and pictures of states that were never seen (R3)."""

    @property
    def latent_dim(self) -> int:
        """Z: numbers in a latent."""
        ...

    @property
    def encoder_id(self) -> str:
        """16 hex digits that belong to these weights only; latents of another id are stale."""
        ...

    def encode(self, pictures: Bytes | Tensor) -> tuple[Tensor, Tensor]:
        """(mean, log_variance) of q(z|s), float32 (B, Z) each, of `pictures` uint8 (B, 84, 84, 3) (R5, R12)."""
        ...

    def decode(self, latents: Tensor) -> Bytes:
        """The mean pictures uint8 (B, 84, 84, 3) of `latents` float32 (B, Z) (R13, R19)."""
        ...

    def sample_prior(self, n: int, generator: Generator) -> Tensor:
        """`n` latents float32 (n, Z) from the prior p(z) (R3)."""
        ...

    def weights(self) -> dict[str, Tensor]:
        """All that decides what it computes, as named tensors for a checkpoint."""
        ...

    def frozen(self) -> Encoder:
        """A copy that no later training changes."""
        ...


def weights_id(weights: Mapping[str, Tensor]) -> str:
    """The first 16 hex digits of SHA-256 over the names, shapes and bytes of `weights`."""
    digest = hashlib.sha256()
    for name in sorted(weights):
        array = np.ascontiguousarray(weights[name].detach().cpu().numpy())
        digest.update(f"{name}{array.shape}{array.dtype}".encode())
        digest.update(array.tobytes())
    return digest.hexdigest()[:ID_DIGITS]
