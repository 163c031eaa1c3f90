"""From a policy's networks to its `TickPlan`: BatchNorm, /255 and the latent space disappear into weights.

Called by `runtime` when a checkpoint is loaded. Folding is done in float64, so that the only rounding is the last one.
"""

from __future__ import annotations

from typing import cast

import numpy as np
from torch import Tensor, nn

from robot_rig.datatypes import Float32s, Floats
from robot_rig.errors import UserError
from robot_rig.learning.keypoint_nets import MAP_SIZE, KeypointPart, PlacingNet, places, vae_part
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.tick_plan import Convolution, Dense, Placing, TickPlan
from robot_rig.learning.vae import VaeEncoder
from robot_rig.learning.vae_nets import PictureNet

GREY_LEVELS = 255.0


def fold(policy: LatentPolicy) -> TickPlan:
    """The plan that computes what `policy` does. Raises UserError for an encoder that is not a VAE's."""
    encoder = policy.encoder
    if not isinstance(encoder, VaeEncoder):
        raise UserError(
            f"an encoder of type {type(encoder).__name__} has no compiled tick", next_step="use a VAE's checkpoint"
        )
    net = encoder.net
    vae, placing = vae_part(net), _placing(net.part) if isinstance(net, PlacingNet) else None
    convolutions, trunk = ((), ()) if vae is None else _trunk(vae.trunk)
    weight, bias = _latent(net)
    space = {name: _numbers(value) for name, value in policy.space.state_dict().items()}
    kept, scale = policy.space.dimensions, space["scale"]
    weight, bias = weight[kept] * scale[:, None], (bias[kept] - space["shift"]) * scale
    if "turn" in space:
        weight, bias = space["turn"] @ weight, space["turn"] @ bias
    return TickPlan(
        convolutions, trunk, placing, _dense(weight, bias), _layers(policy.motion.layers), _layers(policy.actor.layers)
    )


def _latent(net: PictureNet) -> tuple[Floats, Floats]:
    """Weight and bias from the trunk's end, with the keypoints behind it, to the latent."""
    vae, placed = vae_part(net), np.eye(net.latent_dim - net.noisy)
    if vae is None:
        return placed, np.zeros(net.latent_dim)
    weight, bias = _numbers(vae.mean.weight), _numbers(vae.mean.bias)
    right, below = np.zeros((net.noisy, len(placed))), np.zeros((len(placed), weight.shape[1]))
    return np.block([[weight, right], [below, placed]]), np.pad(bias, (0, len(placed)))


def _placing(part: KeypointPart) -> Placing:
    *modules, scores = part.maps.children()
    convolutions, scores = _convolutions(modules), cast(nn.Conv2d, scores)
    sharpness = np.exp(_numbers(part.sharpness))
    weight, bias = _numbers(scores.weight) * sharpness, _numbers(cast(Tensor, scores.bias)) * sharpness
    last = Convolution(_single(weight), _single(bias), scores.stride[0], int(scores.padding[0]))
    return Placing(convolutions, last, _single(_numbers(places(MAP_SIZE))))


def _layers(modules: nn.ModuleList) -> tuple[Dense, ...]:
    layers = [cast(nn.Linear, module) for module in modules]
    return tuple(_dense(_numbers(layer.weight), _numbers(layer.bias)) for layer in layers)


def _trunk(trunk: nn.Module) -> tuple[tuple[Convolution, ...], tuple[Dense, ...]]:
    """Convolutions, each with BatchNorm and ReLU behind it, then dense layers."""
    modules = list(trunk.children())
    dense = [_dense(_numbers(one.weight), _numbers(one.bias)) for one in modules if isinstance(one, nn.Linear)]
    return _convolutions([one for one in modules if not isinstance(one, nn.Linear | nn.Flatten)]), tuple(dense)


def _convolutions(modules: list[nn.Module]) -> tuple[Convolution, ...]:
    """Of a picture, each convolution with BatchNorm and ReLU behind it."""
    found: list[Convolution] = []
    for convolution, norm, relu in zip(*(modules[start::3] for start in range(3)), strict=True):
        if not (isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d) and isinstance(relu, nn.ReLU)):
            raise TypeError("a convolution must be followed by BatchNorm and ReLU, and nothing else be there")
        found.append(_convolution(convolution, norm, 1.0 if found else 1.0 / GREY_LEVELS))
    return tuple(found)


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
