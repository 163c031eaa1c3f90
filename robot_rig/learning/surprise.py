"""How surprising a pixel is: how far it is from its usual shade, in its usual deviations.

Called by `vae`, which may weigh pixels by it, and by who asks how well a decoder draws what seldom moves. An arm is
most of what varies in a picture; a puck that was pushed aside is a few pixels, far from what they mostly are.
"""

from __future__ import annotations

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

LEAST_DEVIATION = 0.04
"""Of the range of shades: a pixel that hardly ever changes is not surprising at once."""

EVEN_SHARE, MOST_WEIGHT = 0.3, 6.0
SURPRISING = 5.0
"""Deviations from which on a pixel counts as surprising."""


class Surprise(NamedTuple):
    """What is usual: median and deviation (3, H, W) of each pixel's shade, 0 to 1."""

    median: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, shades: Tensor) -> Surprise:
        """What is usual in `shades` (N, 3, H, W), 0 to 1, N >= 2."""
        return cls(shades.median(dim=0).values, shades.std(dim=0))

    def degree(self, shades: Tensor) -> Tensor:
        """(B, 1, H, W): deviations from the median, of the channel that is farthest from it."""
        away = (shades - self.median).abs() / self.deviation.clamp_min(LEAST_DEVIATION)
        return away.amax(dim=1, keepdim=True)

    def weights(self, shades: Tensor) -> Tensor:
        """(B, 1, H, W) of mean 1: what a pixel, or one beside it, is worth by its degree."""
        raw = F.max_pool2d((EVEN_SHARE + self.degree(shades)).clamp_max(MOST_WEIGHT), 3, 1, 1)
        return raw / raw.mean()


def explained(pictures: Tensor, decoded: Tensor, usual: Surprise, mean: Tensor) -> tuple[float, float]:
    """Explained share of the variation about `mean` (3, H, W): of all pixels, and of the surprising ones.

    pictures, decoded: (N, 3, H, W), 0 to 1. Not a number where no pixel is surprising.
    """
    wrong, spread = (pictures - decoded).square(), (pictures - mean).square()
    marked = (usual.degree(pictures) > SURPRISING).expand_as(pictures)
    return 1.0 - float(wrong.sum() / spread.sum()), 1.0 - float(wrong[marked].sum() / spread[marked].sum())
