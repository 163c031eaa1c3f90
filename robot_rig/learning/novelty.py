"""Has the robot ever seen anything like this picture? Judged from its encoder and its log, before a goal is trusted.

Called by `rig goals` and measured by `benchmarks.novelty`. A goal that an encoder has never seen is encoded all the
same, and reached wrongly and confidently. What gives it away is that the encoder does not decode to what the picture
shows: in one place (a thing on the table, a hand that is elsewhere) or a little everywhere (another light). Both are
held against frames that the encoder has not learnt from: the limit is what one in a hundred of those exceeds. How far
the nearest logged frame is in latents tells far less; docs/results.md has the numbers.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from robot_rig.datatypes import IMAGE_SIZE, Bytes, Floats, Ints
from robot_rig.learning.encoder import Encoder
from robot_rig.learning.metric import LatentSpace

BLOCK_PX = 7
BLOCKS = IMAGE_SIZE // BLOCK_PX
"""Pictures are compared in 12 x 12 blocks: a thing that is not where it should be fills one, and noise does not."""

LEAST_ERROR = 1.0
"""Grey levels: a block that is always decoded to the last bit is not held to that."""

LIMIT_QUANTILE = 0.99
AT_ONCE = 256


class Measures(NamedTuple):
    """Of B pictures: `worst` (B,), by how many grey levels the worst block is decoded wrongly; `overall` (B,), the root
    mean square over all blocks, each in units of its usual error; `apart` (B,), how far the nearest known frame is in
    features, and `nearest` (B,), its row; `decoded` uint8 (B, 84, 84, 3), what the encoder makes of them.
    """

    worst: Floats
    overall: Floats
    apart: Floats
    nearest: Ints
    decoded: Bytes


class Look(NamedTuple):
    """What came of a look at a picture: `novelty`, 1 at the limit; the row of the known frame that is nearest in
    latents; and what the encoder makes of the picture, uint8 (84, 84, 3).
    """

    novelty: float
    nearest: int
    decoded: Bytes

    @property
    def is_new(self) -> bool:
        """Whether the robot has never seen anything like it."""
        return self.novelty > 1.0


class Memory:
    """What `encoder` knows: frames uint8 (N, 84, 84, 3) that it has learnt from, and (M, ...) `held_out` of it."""

    def __init__(self, encoder: Encoder, known: Bytes, held_out: Bytes) -> None:
        self._encoder = encoder
        moments = [encoder.encode(part) for part in _parts(known)]
        means, log_variances = (torch.cat(part) for part in zip(*moments, strict=True))
        self._space = LatentSpace.fit("whitened", means, log_variances)
        self._features = self._space.features(means).numpy()
        errors = np.concatenate([_errors(part, encoder.decode(encoder.encode(part)[0])) for part in _parts(known)])
        self._usual = np.sqrt(np.square(errors).mean(axis=0)) + LEAST_ERROR
        found = [self.measure(part) for part in _parts(held_out)]
        worst, overall = (np.concatenate([getattr(one, name) for one in found]) for name in ("worst", "overall"))
        self._worst, self._overall = (float(np.quantile(values, LIMIT_QUANTILE)) for values in (worst, overall))
        # Either may exceed its own limit: the common one leaves one in a hundred again.
        self._limit = 1.0
        self._limit = float(np.quantile(self._novelty(worst, overall), LIMIT_QUANTILE))

    def look(self, picture: Bytes) -> Look:
        """How new `picture` uint8 (84, 84, 3) is."""
        found = self.measure(picture[None])
        return Look(float(self._novelty(found.worst, found.overall)[0]), int(found.nearest[0]), found.decoded[0])

    def measure(self, pictures: Bytes) -> Measures:
        """What novelty is made of, of `pictures` uint8 (B, 84, 84, 3)."""
        means = self._encoder.encode(pictures)[0]
        decoded = self._encoder.decode(means)
        errors = _errors(pictures, decoded)
        apart = np.linalg.norm(self._space.features(means).numpy()[:, None] - self._features[None], axis=2)
        overall = np.sqrt(np.square(errors / self._usual).mean(axis=(1, 2)))
        return Measures(errors.max(axis=(1, 2)), overall, apart.min(axis=1), apart.argmin(axis=1), decoded)

    def _novelty(self, worst: Floats, overall: Floats) -> Floats:
        novelty: Floats = np.maximum(worst / self._worst, overall / self._overall) / self._limit
        return novelty


def _parts(pictures: Bytes) -> list[Bytes]:
    return [pictures[start : start + AT_ONCE] for start in range(0, len(pictures), AT_ONCE)]


def _errors(pictures: Bytes, decoded: Bytes) -> Floats:
    """Mean grey levels (B, 12, 12) by which each block of `pictures` is `decoded` wrongly."""
    apart = np.abs(pictures.astype(np.float64) - decoded)
    blocks: Floats = apart.reshape(len(apart), BLOCKS, BLOCK_PX, BLOCKS, BLOCK_PX, 3).mean(axis=(2, 4, 5))
    return blocks
