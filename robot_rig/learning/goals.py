"""Goals that the robot sets itself: z_g ~ p(z) (R3, R8). Called by the trainer to practise and by `relabel`.

prior: the encoder's own p(z): N(0, I), as in the released RIG, or with keypoints the Gaussian that training saw.
aggregate: each number apart as in the data, as in the authors' 2018 runs, which draws keypoints that nothing has in
common. achieved: latents of frames that the robot has seen, hence goals that can be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Generator, Tensor

from robot_rig.errors import UserError
from robot_rig.learning.training_state import seeded

GOALS = ("prior", "aggregate", "achieved")

Prior = Callable[[int, Generator], Tensor]
"""(n, generator) -> n latents (n, Z): `Encoder.sample_prior`."""


class GoalSampler:
    """Draws imagined goals. `observe` must be called once before the first draw, and again when latents change.

    kind: one of `GOALS`; seed: of its own generator; prior: what kind "prior" draws from. Raises UserError for another
    kind.
    """

    def __init__(self, kind: str, seed: int, prior: Prior) -> None:
        if kind not in GOALS:
            raise UserError(f"there is no kind of goal {kind!r}", choices=GOALS)
        self.kind = kind
        self._prior = prior
        self._generator = seeded(seed)
        self._latents: Tensor | None = None

    def observe(self, latents: Tensor) -> None:
        """The latents float32 (N, Z), N >= 2, of every frame so far, under the present encoder."""
        self._latents = latents
        self._mean, self._std = latents.mean(dim=0), latents.std(dim=0)

    def sample(self, n: int) -> Tensor:
        """`n` goals float32 (n, Z). Raises RuntimeError before the first `observe`."""
        return self._draw(n, self._generator)

    def supply(self, n: int, seed: int) -> Tensor:
        """The same for somebody else to practise on: draws of another generator, so that `sample` goes on unmoved."""
        return self._draw(n, seeded(seed))

    def _draw(self, n: int, generator: Generator) -> Tensor:
        if self._latents is None:
            raise RuntimeError("a goal sampler must observe latents before it draws")
        if self.kind == "achieved":
            return self._latents[torch.randint(len(self._latents), (n,), generator=generator)]
        if self.kind == "prior":
            return self._prior(n, generator)
        return self._mean + self._std * torch.randn(n, self._latents.shape[1], generator=generator)

    def state_dict(self) -> dict[str, Tensor]:
        """The generator; latents belong to the replay."""
        return {"generator": self._generator.get_state()}

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Draw on from `state_dict()`; `observe` the same latents too."""
        self._generator.set_state(state["generator"])
