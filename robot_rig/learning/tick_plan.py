"""The policy's tick as plain numbers: the layers between a picture and an action, nothing of torch.

Called by `runtime`. `tick_folding` writes a plan from the networks; `tick_onnx` and `tick_cuda` run it. Division by 255
lies in the first convolution, BatchNorm in the one before it, the latent space's shift and scale in the mean's layer,
and the sharpness of the keypoints' softmax in the convolution before it.
"""

from __future__ import annotations

from typing import NamedTuple

from robot_rig.datatypes import Float32s


class Convolution(NamedTuple):
    """weight float32 (out, in, k, k), bias (out,); a ReLU follows. `padding` in zeros on each side."""

    weight: Float32s
    bias: Float32s
    stride: int
    padding: int


class Dense(NamedTuple):
    """y = weight x + bias; weight float32 (out, in), bias (out,)."""

    weight: Float32s
    bias: Float32s


class Placing(NamedTuple):
    """Picture -> `convolutions` -> `scores`, one without a ReLU behind it -> softmax over each of the K maps -> what
    `places` float32 (cells, 2) it expects: keypoints (2 K,), x and y in turn.
    """

    convolutions: tuple[Convolution, ...]
    scores: Convolution
    places: Float32s


class TickPlan(NamedTuple):
    """Picture uint8 (84, 84, 3) -> convolutions -> `trunk` (no ReLU), behind which come the keypoints of `placing`;
    either may be missing, not both (no convolutions and no trunk; None) -> `features` (F,); moved ahead by `motion`
    (`learning.motion`), a tanh between its layers, once for each row that is under way; with the goal's features behind
    them -> `actor`, a ReLU between its layers and a tanh at its end -> action (A,) (R5, R7).
    """

    convolutions: tuple[Convolution, ...]
    trunk: tuple[Dense, ...]
    placing: Placing | None
    features: Dense
    motion: tuple[Dense, ...]
    actor: tuple[Dense, ...]

    @property
    def feature_dim(self) -> int:
        """F: numbers the actor sees of a picture."""
        return len(self.features.bias)

    @property
    def action_dim(self) -> int:
        """A: numbers in an action."""
        return len(self.actor[-1].bias)
