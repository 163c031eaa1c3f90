"""Which engine answers the policy's ticks on this machine: measured at start, the smallest p99 wins.

Called by policy_node and practice_node.

Candidates are torch as it was trained (eager, the reference), ONNX Runtime on one core, and a captured CUDA graph where
there is a GPU. An engine that does not answer as the reference does is refused, not passed over: it is a bug.

The reference needs torch, so a process that loads a checkpoint has it; `tick_onnx` alone, given a graph, does not.
"""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch

from robot_rig.datatypes import Bytes, Float32s, Floats, Frame, Goal
from robot_rig.errors import UserError
from robot_rig.interfaces import UNDER_WAY_ROWS, Policy
from robot_rig.learning.checkpoint import Manifest
from robot_rig.learning.keypoint_nets import PlacingNet
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.tick_cuda import CudaGraphPolicy
from robot_rig.learning.tick_folding import fold
from robot_rig.learning.tick_onnx import OnnxPolicy, tick_graph
from robot_rig.learning.tick_spare import SparedPolicy
from robot_rig.learning.vae import VaeEncoder

EAGER, ONNX, CUDA_GRAPH = "torch eager", "onnxruntime cpu", "cuda graph"

TOLERANCE = {ONNX: 1e-5, CUDA_GRAPH: 1e-3}
"""How far an engine's actions may be from the reference's."""

STRETCHED_TOLERANCE = 1e-3
"""The same where rounding is blown up with what it is about: by the softmax of sharp maps, and by metric slow, which
divides by small deviations.
"""

WARM_UP_TICKS = 50
MEASURED_TICKS = 300
"""Ticks of each engine, in turn: 0.2 s in all on a CPU."""


log = logging.getLogger(__name__)


class EngineTimes(NamedTuple):
    """Seconds from a frame to its action over `MEASURED_TICKS` ticks, and the largest difference to eager torch."""

    p50_s: float
    p99_s: float
    max_s: float
    difference: float


class Runtime(NamedTuple):
    """The engine chosen, warmed up, and what was measured of every candidate."""

    name: str
    policy: Policy
    measured: Mapping[str, EngineTimes]

    def describe(self) -> str:
        """The choice with its numbers, one line for a log."""
        rows = [
            f"{name} p50 {1e6 * row.p50_s:.0f} us, p99 {1e6 * row.p99_s:.0f} us, max {1e6 * row.max_s:.0f} us,"
            f" {row.difference:.1e} from eager"
            for name, row in self.measured.items()
        ]
        return f"policy runtime: {self.name} ({'; '.join(rows)})"


def use_one_core() -> None:
    """Keep torch to the calling thread: its pool would compete with the arm process for the cores."""
    torch.set_num_threads(1)


def pick_runtime(policy: LatentPolicy, manifest: Manifest) -> Runtime:
    """The fastest engine for `policy` here, judged by p99. Raises UserError when one disagrees with eager torch."""
    engines = compiled(policy)
    differences = {EAGER: 0.0, **agreement(policy, engines, manifest)}
    candidates: dict[str, Policy] = {EAGER: policy, **engines}
    golden = Frame(0, 0.0, manifest.golden_image)
    times = measure(candidates, golden, MEASURED_TICKS)
    measured = {
        name: EngineTimes(float(np.median(t)), float(np.percentile(t, 99)), float(t.max()), differences[name])
        for name, t in times.items()
    }
    chosen = min(measured, key=lambda name: measured[name].p99_s)
    acting = candidates[chosen]
    if chosen == CUDA_GRAPH:
        # Memory that is gone and a device that is: CUDA raises both as kinds of RuntimeError.
        acting = SparedPolicy(acting, engines[ONNX], RuntimeError, _free_memory)
    return Runtime(chosen, acting, measured)


def _free_memory() -> None:
    with contextlib.suppress(RuntimeError):
        torch.cuda.empty_cache()


def on_one_core(policy: LatentPolicy, manifest: Manifest) -> Policy:
    """`policy` in ONNX Runtime, verified and warmed up but not measured: a tenth of the work of `pick_runtime`.

    For who does it beside a running tick. Raises UserError when it disagrees with eager torch.
    """
    engine = OnnxPolicy(tick_graph(fold(policy)))
    agreement(policy, {ONNX: engine}, manifest)
    measure({ONNX: engine}, Frame(0, 0.0, manifest.golden_image), 0)
    return engine


def compiled(policy: LatentPolicy) -> dict[str, Policy]:
    """The engines that this machine can run `policy` in, besides eager torch."""
    plan = fold(policy)
    engines: dict[str, Policy] = {ONNX: OnnxPolicy(tick_graph(plan))}
    if torch.cuda.is_available():
        try:
            engines[CUDA_GRAPH] = CudaGraphPolicy(plan)
        except torch.OutOfMemoryError as error:
            log.warning("the GPU has no memory left, so it is not used: %s", str(error).partition(".")[0])
    return engines


def agreement(reference: LatentPolicy, engines: Mapping[str, Policy], manifest: Manifest) -> dict[str, float]:
    """The largest difference of each engine's actions to the reference's on the golden pair, both ways round.

    All have begun with the golden goal afterwards. Raises UserError when one is beyond its tolerance.
    """
    goal, image = manifest.golden_goal, manifest.golden_image
    differences = dict.fromkeys(engines, 0.0)
    for aim, pictures in ((image, (goal, image)), (goal, (image, goal))):
        expected = _answers(reference, aim, pictures)
        for name, engine in engines.items():
            off = float(np.abs(_answers(engine, aim, pictures) - expected).max())
            # Not `off > tolerance`, which a NaN would pass.
            if not off <= tolerance(name, reference):
                raise UserError(
                    f"{name} answers the checkpoint's golden pair {off:.1e} away from eager torch, allowed are"
                    f" {tolerance(name, reference):.0e}",
                    next_step="do not run this policy; report it with the versions of torch and onnxruntime",
                )
            differences[name] = max(differences[name], off)
    return differences


def tolerance(name: str, policy: LatentPolicy) -> float:
    """How far the actions of engine `name` may be from those of `policy` in eager torch."""
    places = isinstance(policy.encoder, VaeEncoder) and isinstance(policy.encoder.net, PlacingNet)
    least = STRETCHED_TOLERANCE if places or policy.space.kind == "slow" else 0.0
    return max(TOLERANCE[name], least)


def measure(engines: Mapping[str, Policy], frame: Frame, ticks: int) -> dict[str, Floats]:
    """Seconds of `ticks` ticks of each engine, in turn, after a warm-up; every one must have begun."""
    times = {name: np.empty(ticks) for name in engines}
    moving = {name: under_way(engine.action_dim) for name, engine in engines.items()}
    for tick in range(-WARM_UP_TICKS, ticks):
        for name, engine in engines.items():
            started = time.perf_counter()
            engine.act(frame, moving[name])
            if tick >= 0:
                times[name][tick] = time.perf_counter() - started
    return times


def _answers(policy: Policy, goal: Bytes, pictures: Sequence[Bytes]) -> Float32s:
    policy.begin(Goal(goal, "golden", 0.0, calibration_id="", source="imported"))
    motions = (None, under_way(policy.action_dim))
    return np.stack([policy.act(Frame(0, 0.0, picture), motion) for picture in pictures for motion in motions])


def under_way(action_dim: int) -> Float32s:
    """What is under way when a picture of a D4xx camera is answered: 140 ms of motion at 10 Hz."""
    motion = np.zeros((UNDER_WAY_ROWS, 1 + action_dim), np.float32)
    motion[-2:, 0] = (0.4, 1.0)
    motion[-2:, 1:] = ((0.5,), (-0.8,))
    return motion
