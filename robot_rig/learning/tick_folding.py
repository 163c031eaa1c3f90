"""From a policy's networks to its `TickPlan`: BatchNorm, /255 and the latent scale disappear into weights.

Called by `runtime` when a checkpoint is loaded. Folding is done in float64, so that the only rounding is the last one.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from torch import Tensor, nn

from robot_rig.datatypes import Float32s, Floats
from robot_rig.errors import UserError
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.tick_plan import Convolution, Dense, TickPlan
from robot_rig.learning.vae import VaeEncoder

GREY_LEVELS = 255.0


def fold(policy: LatentPolicy) -> TickPlan:
    """The plan that computes what `policy` does. Raises UserError for an encoder that is not a VAE's."""
    encoder = policy.encoder
    if not isinstance(encoder, VaeEncoder):
        raise UserError(
            f"an encoder of type {type(encoder).__name__} has no compiled tick", next_step="use a VAE's checkpoint"
        )
    convolutions, trunk = _trunk(encoder.net.trunk)
    weight, bias = _numbers(encoder.net.mean.weight), _numbers(encoder.net.mean.bias)
    space = {name: _numbers(value) for name, value in policy.space.state_dict().items()}
    kept, scale = policy.space.dimensions, space["scale"]
    features = _dense(weight[kept] * scale[:, None], (bias[kept] - space["shift"]) * scale)
    return TickPlan(convolutions, trunk, features, _layers(policy.motion.layers), _layers(policy.actor.layers))


def _layers(modules: nn.ModuleList) -> tuple[Dense, ...]:
    layers = [cast(nn.Linear, module) for module in modules]
    return tuple(_dense(_numbers(layer.weight), _numbers(layer.bias)) for layer in layers)


def _trunk(trunk: nn.Module) -> tuple[tuple[Convolution, ...], tuple[Dense, ...]]:
    """Convolutions, each with BatchNorm and ReLU behind it, then dense layers."""
    convolutions: list[Convolution] = []
    dense: list[Dense] = []
    modules = list(trunk.children())
    for index, module in enumerate(modules):
        if isinstance(module, nn.Conv2d):
            norm = modules[index + 1]
            if not isinstance(norm, nn.BatchNorm2d) or not isinstance(modules[index + 2], nn.ReLU):
                raise TypeError("a convolution must be followed by BatchNorm and ReLU")
            convolutions.append(_convolution(module, norm, 1.0 if convolutions else 1.0 / GREY_LEVELS))
        elif isinstance(module, nn.Linear):
            dense.append(_dense(_numbers(module.weight), _numbers(module.bias)))
        elif not isinstance(module, nn.BatchNorm2d | nn.ReLU | nn.Flatten):
            raise TypeError(f"a trunk holds no {type(module).__name__}")
    return tuple(convolutions), tuple(dense)


def _convolution(convolution: nn.Conv2d, norm: nn.BatchNorm2d, input_scale: float) -> Convolution:
    mean, variance = (_numbers(cast(Tensor, value)) for value in (norm.running_mean, norm.running_var))
    gain = _numbers(norm.weight) / np.sqrt(variance + norm.eps)
    weight = _numbers(convolution.weight) * gain[:, None, None, None] * input_scale
    bias = (_numbers(cast(Tensor, convolution.bias)) - mean) * gain + _numbers(norm.bias)
    return Convolution(_single(weight), _single(bias), convolution.stride[0], int(convolution.padding[0]))


def _dense(weight: Floats, bias: Floats) -> Dense:
    return Dense(_single(weight), _single(bias))


def _numbers(tensor: Tensor) -> Floats:
    return tensor.detach().cpu().double().contiguous().numpy()


def _single(array: Floats) -> Float32s:
    return np.ascontiguousarray(array, np.float32)
