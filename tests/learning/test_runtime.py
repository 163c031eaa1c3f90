"""The engines of the policy's tick answer as eager torch does, and one that does not is refused by name."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from functools import cache

import numpy as np
import onnx
import pytest
import torch

from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Float32s, Frame, Goal
from robot_rig.errors import PolicyFailedError, UserError
from robot_rig.interfaces import Policy
from robot_rig.learning import runtime
from robot_rig.learning.checkpoint import Manifest
from robot_rig.learning.finite import require_action
from robot_rig.learning.keypoint_nets import ARCHITECTURES, PlacingNet
from robot_rig.learning.metric import METRICS, LatentSpace
from robot_rig.learning.motion import MotionNet
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.runtime import CUDA_GRAPH, EAGER, ONNX, pick_runtime, tolerance, under_way
from robot_rig.learning.td3 import Actor
from robot_rig.learning.tick_cuda import CudaGraphPolicy, PlanNet
from robot_rig.learning.tick_folding import fold
from robot_rig.learning.tick_onnx import OnnxPolicy, tick_graph
from robot_rig.learning.vae import Vae, encoder_from_weights
from robot_rig.learning.vae_nets import NETS
from tests.learning.blob_world import blob_pictures
from tests.tiny_run import ROOT

torch.set_num_threads(1)
PICTURES = blob_pictures(32)
NOISE = np.random.default_rng(1).integers(0, 256, (30, *IMAGE_SHAPE), np.uint8)
EDGES = np.stack([np.full(IMAGE_SHAPE, shade, np.uint8) for shade in (0, 1, 255)])


def goal(picture: Bytes) -> Goal:
    return Goal(picture, "g", 0.0, "", "captured")


@cache
def encoder(net: str) -> Vae:
    """Trained once for all policies, because nothing here trains on; who spoils one puts another in its place."""
    vae = Vae(net=net, latent_dim=6, beta=1.0, learning_rate=1e-3, seed=0, keypoints=5)
    if isinstance(vae.net, PlacingNet):
        # Blunt, as they begin, all maps expect the middle of the picture, and no picture differs from another.
        torch.nn.init.constant_(vae.net.part.sharpness, 3.0)
    for _ in range(20 if net in NETS else 2):
        vae.train_batch(PICTURES)
    return vae


def policy(net: str = "small", metric: str = "whitened", action_dim: int = 2) -> LatentPolicy:
    """A policy whose BatchNorm statistics and latent scale are those of real pictures, and whose actions are large."""
    vae = encoder(net)
    means, log_variances = vae.encode(PICTURES)
    space = LatentSpace.fit(metric, means, log_variances, means[3:] - means[:-3])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(3)
        actor = Actor(space.feature_dim, action_dim, (64, 48))
        motion = MotionNet(space.feature_dim, action_dim)
    with torch.no_grad():
        for parameter in (*actor.parameters(), *motion.parameters()):
            parameter.mul_(2.0)
    return LatentPolicy(vae, space, actor, motion)


def manifest(trained: LatentPolicy) -> Manifest:
    trained.begin(goal(PICTURES[1]))
    return Manifest(
        encoder_id=trained.encoder.encoder_id, config_hash="ab" * 8, latent_dim=6, action_dim=trained.action_dim,
        train_steps=1, golden_image=PICTURES[0], golden_goal=PICTURES[1],
        golden_action=trained.act(Frame(0, 0.0, PICTURES[0])),
    )  # fmt: skip


def answers(engine: Policy, pictures: Bytes, aim: Bytes) -> Float32s:
    engine.begin(goal(aim))
    return np.stack(
        [engine.act(Frame(i, 0.0, picture), moves(i, engine.action_dim)) for i, picture in enumerate(pictures)]
    )


def moves(index: int, action_dim: int) -> Float32s | None:
    """Nothing under way, two rows at the end, two rows amid unused ones, in turn."""
    motion = under_way(action_dim)
    return (None, motion, np.roll(motion, 2, axis=0))[index % 3]


def on_cpu(trained: LatentPolicy) -> Callable[[Bytes, Bytes], Float32s]:
    """What the CUDA graph captures, run as plain torch operations on the CPU."""
    net = PlanNet(fold(trained), torch.device("cpu"))

    @torch.no_grad()
    def run(pictures: Bytes, aim: Bytes) -> Float32s:
        goal_features = net.features(torch.from_numpy(aim.copy()))
        rows = []
        for index, picture in enumerate(pictures):
            features, motion = net.features(torch.from_numpy(picture.copy())), moves(index, trained.action_dim)
            if motion is not None:
                features = net.ahead(features, torch.from_numpy(motion))
            rows.append(net.action(features, goal_features)[0].numpy())
        return np.stack(rows)

    return run


@pytest.mark.parametrize("net", ARCHITECTURES)
@pytest.mark.parametrize("metric", METRICS)
def test_the_engines_answer_as_eager_torch_does(net: str, metric: str) -> None:
    trained = policy(net, metric)
    engine = OnnxPolicy(tick_graph(fold(trained)))
    plain = on_cpu(trained)
    assert engine.action_dim == 2
    # Maps take their time.
    everything = np.concatenate([PICTURES, NOISE, EDGES])[:: 1 if net in NETS else 5]
    for aim in (PICTURES[5], NOISE[3]):
        expected = answers(trained, everything, aim)
        assert np.ptp(expected, axis=0).max() > 0.02, "a policy that always answers the same would prove nothing"
        found = answers(engine, everything, aim)
        assert found.dtype == np.float32
        assert np.abs(found - expected).max() <= tolerance(ONNX, trained)
        assert np.abs(plain(everything, aim) - expected).max() <= tolerance(ONNX, trained)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("net", ARCHITECTURES)
def test_the_cuda_graph_answers_as_eager_torch_does(net: str) -> None:
    trained = policy(net)
    engine = CudaGraphPolicy(fold(trained))
    for aim in (PICTURES[5], PICTURES[6]):
        expected = answers(trained, PICTURES, aim)
        assert np.abs(answers(engine, PICTURES, aim) - expected).max() <= tolerance(CUDA_GRAPH, trained)


def test_an_answer_is_the_callers_to_keep() -> None:
    engine = OnnxPolicy(tick_graph(fold(policy())))
    engine.begin(goal(PICTURES[0]))
    first = engine.act(Frame(1, 0.0, PICTURES[1]))
    kept = first.copy()
    engine.act(Frame(2, 0.0, PICTURES[2]))
    assert np.array_equal(first, kept)


def test_no_goal_no_action() -> None:
    with pytest.raises(RuntimeError, match="begin"):
        OnnxPolicy(tick_graph(fold(policy()))).act(Frame(0, 0.0, PICTURES[0]))


@pytest.mark.parametrize("action_dim", [1, 3])
def test_an_engine_has_the_actors_size(action_dim: int) -> None:
    engine = OnnxPolicy(tick_graph(fold(policy(action_dim=action_dim))))
    assert engine.action_dim == action_dim
    assert answers(engine, PICTURES[:2], PICTURES[3]).shape == (2, action_dim)


def test_the_graph_is_a_valid_model_of_one_picture() -> None:
    model = onnx.load_model_from_string(tick_graph(fold(policy())))
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["picture", "goal", "under_way"]
    assert not {"BatchNormalization", "Div", "Mul", "Sub"} & {node.op_type for node in model.graph.node}


def test_the_fastest_engine_is_taken_and_every_candidate_named() -> None:
    trained = policy()
    chosen = pick_runtime(trained, manifest(trained))
    assert {EAGER, ONNX} <= chosen.measured.keys()
    assert chosen.measured[chosen.name].p99_s == min(row.p99_s for row in chosen.measured.values())
    assert all(0 < row.p50_s <= row.p99_s <= row.max_s for row in chosen.measured.values())
    assert all(name in chosen.describe() for name in chosen.measured)
    np.testing.assert_allclose(
        answers(chosen.policy, PICTURES[:4], PICTURES[9]), answers(trained, PICTURES[:4], PICTURES[9]), atol=1e-3
    )


@pytest.mark.parametrize("fault", [2e-5, float("nan")])
def test_an_engine_that_disagrees_is_refused(monkeypatch: pytest.MonkeyPatch, fault: float) -> None:
    class Off(OnnxPolicy):
        def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
            return super().act(frame, under_way) + np.float32(fault)

    trained = policy()
    monkeypatch.setattr(runtime, "OnnxPolicy", Off)
    with pytest.raises(UserError, match=r"onnxruntime cpu answers .* away from eager torch, allowed are 1e-05"):
        pick_runtime(trained, manifest(trained))


def test_a_stale_goal_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The self-test changes the goal, so an engine that encodes only its first one is found out."""

    class Stuck(OnnxPolicy):
        def begin(self, goal: Goal) -> None:
            if not self._begun:
                super().begin(goal)

    trained = policy()
    monkeypatch.setattr(runtime, "OnnxPolicy", Stuck)
    with pytest.raises(UserError, match="away from eager torch"):
        pick_runtime(trained, manifest(trained))


def test_the_onnx_engine_loads_no_torch() -> None:
    code = "import sys, robot_rig.learning.tick_onnx; print('torch' in sys.modules)"
    found = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "False"


def spoil(trained: LatentPolicy, part: str) -> None:
    """A NaN where encoder or actor end."""
    if part == "encoder":
        weights = trained.encoder.weights()
        weights["net.mean.bias"] = torch.full_like(weights["net.mean.bias"], float("nan"))
        trained.encoder = encoder_from_weights(weights)
    else:
        trained.actor.layers[0].bias[0] = float("nan")


ENGINES: dict[str, Callable[[LatentPolicy], Policy]] = {
    EAGER: lambda trained: trained,
    ONNX: lambda trained: OnnxPolicy(tick_graph(fold(trained))),
}


@pytest.mark.parametrize("engine", ENGINES)
def test_what_is_not_a_number_is_named_and_goes_no_further(engine: str) -> None:
    trained = policy()
    spoil(trained, "actor")
    acting = ENGINES[engine](trained)
    acting.begin(goal(PICTURES[0]))
    with pytest.raises(PolicyFailedError, match="the action holds"):
        acting.act(Frame(1, 0.0, PICTURES[1]))
    spoil(trained, "encoder")
    with pytest.raises(PolicyFailedError, match="the goal's latent"):
        ENGINES[engine](trained).begin(goal(PICTURES[0]))


def test_a_picture_whose_latent_is_not_a_number_is_named() -> None:
    trained = policy()
    trained.begin(goal(PICTURES[0]))
    spoil(trained, "encoder")
    with pytest.raises(PolicyFailedError, match="the picture's latent"):
        trained.act(Frame(1, 0.0, PICTURES[1]))
    with pytest.raises(PolicyFailedError, match="the picture's latent"):
        require_action(np.array([np.nan, 0.0], np.float32), lambda: np.array([[np.inf]], np.float32))
