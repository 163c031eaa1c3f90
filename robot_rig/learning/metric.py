"""The latent space the agent lives in: what its networks see and how far apart two latents are (R4, R6).

    r(s, s_g) = -|| z' - z_g ||_A

A is diagonal, but for `slow`: there the directions count, not the dimensions. An arm moves in every step and fills most
of a latent; what it pushes moves now and then. Directions in which play changes slowly are lengthened, so that an
object has a share in the distance, and hasty ones shortened.

Fitted once by the trainer before practice and kept: a network that has learnt in one scale must not meet another.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from robot_rig.errors import UserError

METRICS = ("identity", "precision", "whitened", "slow")
"""Names by index; a checkpoint stores the index."""

SLOW_LAG = 3
"""Steps over which `slow` looks for change."""

LEAST_VARIANCE = 0.02
"""Share of a dimension's variance: a direction with less is noise, and is not blown up to unit variance."""

ACTIVE_STD = 0.15
"""A dimension whose mean moves less than this over the data carries no information: q(z|s) is about the prior."""

LEAST_DIMENSIONS = 2
PARTS = ("shift", "scale", "root")


def active_dimensions(means: Tensor) -> Tensor:
    """Bool (Z,): where the encoder's means (N, Z) have a deviation above `ACTIVE_STD`."""
    return means.std(dim=0) > ACTIVE_STD


class LatentSpace:
    """A choice of latent dimensions, an affine map to features, and a metric.

    kept (F,) int64 indices of the used dimensions; shift, scale (F,): feature = (z - shift) * scale; root (F,): square
    root of the diagonal of A. turn (F, F), of `slow` only: features = turn x (z - shift) * scale, and the metric is
    their Euclidean distance.
    """

    def __init__(
        self, kind: str, kept: Tensor, shift: Tensor, scale: Tensor, root: Tensor, turn: Tensor | None = None
    ) -> None:
        self.kind = kind
        self._kept, self._shift, self._scale, self._root, self._turn = kept, shift, scale, root, turn

    @classmethod
    def fit(
        cls, kind: str, means: Tensor, log_variances: Tensor, moves: Tensor | None = None, limit: float = 2.0
    ) -> LatentSpace:
        """The space of `kind` for the moments float32 (N, Z) of the data.

        identity: A = I, the released RIG reward. precision: A = mean diagonal of the encoder's precision, the paper's
        Mahalanobis distance. whitened: A = 1 / variance of the means, features standardised, inactive dimensions
        dropped. slow: all dimensions kept (the few that hold an object may hardly move), whitened as a whole, and each
        direction scaled by how slowly `moves` (M, Z), differences of means `SLOW_LAG` steps apart, go along it, by a
        factor of at most `limit`. Raises UserError for another kind, and for too few moves.
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
        if kind == "slow":
            if moves is None or len(moves) < LEAST_DIMENSIONS:
                said = f"metric slow needs episodes of more than {SLOW_LAG} steps"
                raise UserError(said, next_step="raise collect.episode_steps, or use metric whitened")
            # What moves less than it is exact is not blown up to the size of the rest.
            exact = log_variances.exp().mean(dim=0).sqrt().clamp_min(torch.finfo(torch.float32).eps)
            scale = 1.0 / torch.maximum(means.std(dim=0), exact)
            turn = _slow_directions(means * scale, moves * scale, limit)
            return cls(kind, everything, means.mean(dim=0), scale, scale, turn)
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
        features = (latents[:, self._kept] - self._shift) * self._scale
        return features if self._turn is None else features @ self._turn.T

    def distance(self, latents: Tensor, goals: Tensor) -> Tensor:
        """|| z - z_g ||_A, (B,), for arguments (B, Z) (R4)."""
        apart = (latents - goals)[:, self._kept] * self._root
        distance: Tensor = torch.linalg.vector_norm(apart if self._turn is None else apart @ self._turn.T, dim=1)
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
            **({} if self._turn is None else {"turn": self._turn}),
        }

    @classmethod
    def from_state(cls, state: Mapping[str, Tensor], latent_dim: int | None = None) -> LatentSpace:
        """The space whose `state_dict()` this is, of latents of `latent_dim` numbers (None: whatever it was fitted on).

        Raises UserError when it is none, or one of latents of another size.
        """
        kept, index = state["kept"], int(state["metric"])
        forms = {name: (torch.Size([kept.numel()]), state[name]) for name in PARTS}
        if 0 <= index < len(METRICS) and METRICS[index] == "slow":
            forms["turn"] = torch.Size(2 * [kept.numel()]), state["turn"]
        sound = (
            len(state) == len(forms) + 2
            and 0 <= index < len(METRICS)
            and kept.dtype == torch.int64
            and kept.ndim == 1
            and len(kept) > 0
        )
        sound = sound and all(part.shape == form and part.is_floating_point() for form, part in forms.values())
        if not sound or int(kept.min()) < 0 or (latent_dim is not None and int(kept.max()) >= latent_dim):
            raise UserError(
                f"the saved latent space is none of latents of {latent_dim or 'any'} numbers",
                next_step="choose another checkpoint",
            )
        return cls(METRICS[index], kept, **{name: part for name, (_, part) in forms.items()})


def _slow_directions(standard: Tensor, moves: Tensor, limit: float) -> Tensor:
    """(F, F) from standardised latents (N, F) and their moves (M, F) to whitened directions, scaled by slowness."""
    standard, moves = standard.double(), moves.double()
    variances, axes = torch.linalg.eigh(torch.cov(standard.T))
    whiten = axes.T / variances.clamp_min(LEAST_VARIANCE).sqrt()[:, None]
    white_moves = moves @ whiten.T
    hastes, directions = torch.linalg.eigh(white_moves.T @ white_moves / len(moves))
    hastes = hastes.clamp_min(torch.finfo(torch.float64).eps)
    stretch = (hastes.median() / hastes).sqrt().clamp(1.0 / limit, limit)
    # Of mean square 1, so that a distance is about as long as a whitened one.
    stretch = stretch / stretch.square().mean().sqrt()
    turn: Tensor = (stretch[:, None] * (directions.T @ whiten)).float()
    return turn


def _kept_dimensions(means: Tensor) -> Tensor:
    """Indices of the active dimensions, or of the two liveliest when fewer are active."""
    active = torch.nonzero(active_dimensions(means)).flatten()
    if len(active) >= LEAST_DIMENSIONS:
        return active
    return means.std(dim=0).topk(min(LEAST_DIMENSIONS, means.shape[1])).indices.sort().values
