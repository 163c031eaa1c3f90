"""The policy's tick as one captured CUDA graph: copy in, encode, act, copy out. Called by `runtime` where a GPU is.

At batch one the GPU spends its time on launching; a captured graph is launched as a whole. Inputs and outputs are
pinned host memory at fixed places, so a tick is: fill, replay, wait.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from robot_rig.datatypes import IMAGE_SHAPE, Float32s, Frame, Goal
from robot_rig.interfaces import UNDER_WAY_ROWS
from robot_rig.learning.finite import require_action, require_goal
from robot_rig.learning.tick_plan import Convolution, Dense, TickPlan

WARM_UPS = 3
"""Runs before capture, in which libraries choose their kernels and take their workspace."""


class PlanNet:
    """A tick plan as torch operations on `device`."""

    def __init__(self, plan: TickPlan, device: torch.device) -> None:
        def there(array: Float32s) -> Tensor:
            return torch.from_numpy(array.copy()).to(device)

        def dense(layer: Dense) -> tuple[Tensor, Tensor]:
            return there(layer.weight), there(layer.bias)

        def convolution(layer: Convolution) -> tuple[Tensor, Tensor, int, int]:
            return there(layer.weight), there(layer.bias), layer.stride, layer.padding

        self._convolutions = [convolution(layer) for layer in plan.convolutions]
        self._trunk, self._features = [dense(layer) for layer in plan.trunk], dense(plan.features)
        placing = plan.placing
        self._placing = [] if placing is None else [convolution(one) for one in (*placing.convolutions, placing.scores)]
        self._places = None if placing is None else there(placing.places)
        self._motion = [dense(layer) for layer in plan.motion]
        self._actor = [dense(layer) for layer in plan.actor]

    def features(self, picture: Tensor) -> Tensor:
        """Features (1, F) of `picture` uint8 (84, 84, 3)."""
        shades = picture.permute(2, 0, 1)[None].float()
        parts = []
        if self._convolutions:
            value = shades
            for weight, bias, stride, padding in self._convolutions:
                value = F.relu(F.conv2d(value, weight, bias, stride, padding))
            value = value.flatten(1)
            for weight, bias in self._trunk:
                value = F.linear(value, weight, bias)
            parts.append(value)
        if self._places is not None:
            parts.append(self._points(shades, self._places))
        return F.linear(torch.cat(parts, dim=1), *self._features)

    def _points(self, shades: Tensor, places: Tensor) -> Tensor:
        """Keypoints (1, 2 K)."""
        value = shades
        for weight, bias, stride, padding in self._placing[:-1]:
            value = F.relu(F.conv2d(value, weight, bias, stride, padding))
        weight, bias, stride, padding = self._placing[-1]
        scores = F.conv2d(value, weight, bias, stride, padding).flatten(2)
        return (torch.softmax(scores, dim=2) @ places).flatten(1)

    def ahead(self, features: Tensor, under_way: Tensor) -> Tensor:
        """Features (1, F) after the motion `under_way` (UNDER_WAY_ROWS, 1 + A); unused rows change nothing."""
        for row in under_way:
            action = torch.stack([row[1:], torch.zeros_like(row[1:])])
            value = torch.cat([features.expand(2, -1), action], dim=1)
            for weight, bias in self._motion[:-1]:
                value = torch.tanh(F.linear(value, weight, bias))
            value = F.linear(value, *self._motion[-1])
            features = features + row[0] * (value[:1] - value[1:])
        return features

    def action(self, features: Tensor, goal: Tensor) -> Tensor:
        """Action (1, A) for features of frame and goal (1, F)."""
        value = torch.cat([features, goal], dim=1)
        for weight, bias in self._actor[:-1]:
            value = F.relu(F.linear(value, weight, bias))
        return torch.tanh(F.linear(value, *self._actor[-1]))


class CudaGraphPolicy:
    """A tick plan as a captured CUDA graph; implements `interfaces.Policy`.

    Single precision throughout: TensorFloat-32 would be off by 1e-3. Not for use from two threads at once.
    """

    def __init__(self, plan: TickPlan) -> None:
        device = torch.device("cuda")
        self.action_dim = plan.action_dim
        self._net = PlanNet(plan, device)
        self._host_picture = torch.zeros(IMAGE_SHAPE, dtype=torch.uint8).pin_memory()
        self._host_action = torch.zeros(1, plan.action_dim).pin_memory()
        self._picture = torch.zeros(IMAGE_SHAPE, dtype=torch.uint8, device=device)
        self._host_under_way = torch.zeros(UNDER_WAY_ROWS, 1 + plan.action_dim).pin_memory()
        self._under_way = torch.zeros_like(self._host_under_way, device=device)
        self._goal = torch.zeros(1, plan.feature_dim, device=device)
        self._moves = self._host_under_way.numpy()
        self._fill, self._answer = self._host_picture.numpy(), self._host_action.numpy()
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._begun = False
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UPS):
                self._run()
        self._stream.synchronize()
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph, stream=self._stream):
            self._run()

    @torch.no_grad()
    def _run(self) -> None:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            self._picture.copy_(self._host_picture, non_blocking=True)
            self._under_way.copy_(self._host_under_way, non_blocking=True)
            features = self._net.ahead(self._net.features(self._picture), self._under_way)
            action = self._net.action(features, self._goal)
            self._host_action.copy_(action, non_blocking=True)

    def begin(self, goal: Goal) -> None:
        """Encode the goal picture once (R7, R20). Raises PolicyFailedError when that gives something not a number."""
        self._begun = False
        np.copyto(self._fill, goal.image)
        features = self._encode()
        require_goal(features.cpu().numpy())
        with torch.cuda.stream(self._stream):
            self._goal.copy_(features)
        self._stream.synchronize()
        self._begun = True

    @torch.no_grad()
    def _encode(self) -> Tensor:
        with (
            torch.cuda.stream(self._stream),
            torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False),
        ):
            features = self._net.features(self._host_picture.to(self._goal.device))
        self._stream.synchronize()
        return features

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """The action float32 (A,) in [-1, 1] for this frame, moved ahead by what is `under_way`.

        Raises RuntimeError before `begin`, and PolicyFailedError for an action that is not a number.
        """
        if not self._begun:
            raise RuntimeError("a policy must begin with a goal before it acts")
        np.copyto(self._fill, frame.rgb)
        self._moves[:] = 0.0 if under_way is None else under_way
        with torch.cuda.stream(self._stream):
            self._graph.replay()
        self._stream.synchronize()
        action: Float32s = self._answer[0].copy()
        require_action(action, lambda: self._encode().cpu().numpy())
        return action
