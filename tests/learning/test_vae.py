"""The beta-VAE: its objective by hand, its nets, its reproducibility, and that it learns (R2, R3, R5, R11-R13)."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from robot_rig.errors import UserError
from robot_rig.learning.vae import Vae, VaeEncoder, elbo, encoder_from_weights, kl_divergence, unit_pictures
from robot_rig.learning.vae_nets import NETS, build_net
from tests.learning.blob_world import blob_pictures

torch.set_num_threads(1)


def make(net: str = "small", seed: int = 0, beta: float = 1.0, latent_dim: int = 4) -> Vae:
    return Vae(net=net, latent_dim=latent_dim, beta=beta, learning_rate=1e-3, seed=seed)


def test_elbo_equals_a_hand_computation() -> None:
    pixels = [[0.0, 1.0, 0.25], [0.5, 0.75, 1.0]]
    logits = [[-1.0, 2.0, 0.5], [0.0, -0.5, 30.0]]
    mean, log_variance, beta = [[0.5, -1.0], [2.0, 0.0]], [[0.0, -2.0], [1.0, 0.3]], 0.7
    nats, divergence = 0.0, 0.0
    for row in range(2):
        for x, logit in zip(pixels[row], logits[row], strict=True):
            p = 1.0 / (1.0 + math.exp(-logit))
            nats -= x * math.log(p) + ((1.0 - x) * math.log1p(-p) if x < 1.0 else 0.0)
        for m, v in zip(mean[row], log_variance[row], strict=True):
            divergence += 0.5 * (m * m + math.exp(v) - 1.0 - v)
    nats, divergence = nats / 2, divergence / 2

    def picture_shaped(rows: list[list[float]]) -> torch.Tensor:
        return torch.tensor(rows).reshape(2, 3, 1, 1)

    terms = elbo(picture_shaped(logits), picture_shaped(pixels), torch.tensor(mean), torch.tensor(log_variance), beta)
    assert terms.reconstruction.item() == pytest.approx(nats, abs=1e-5)
    assert terms.kl.item() == pytest.approx(divergence, abs=1e-5)
    assert terms.loss.item() == pytest.approx(nats + beta * divergence, abs=1e-5)


def test_kl_is_the_one_between_the_distributions_and_so_is_its_gradient() -> None:
    mean = torch.tensor([[0.3, -1.2, 2.0]], dtype=torch.float64, requires_grad=True)
    log_variance = torch.tensor([[0.1, -3.0, 0.8]], dtype=torch.float64, requires_grad=True)
    normal = torch.distributions.Normal
    exact = torch.distributions.kl_divergence(normal(mean, (0.5 * log_variance).exp()), normal(0.0, 1.0)).sum(dim=1)
    assert torch.allclose(kl_divergence(mean, log_variance), exact, rtol=1e-12)
    assert torch.autograd.gradcheck(kl_divergence, (mean, log_variance), rtol=1e-4)


@pytest.mark.parametrize("net", NETS)
def test_shapes_of_moments_and_pictures(net: str) -> None:
    vae = make(net, latent_dim=5)
    pictures = blob_pictures(3)
    mean, log_variance = vae.encode(pictures)
    assert mean.shape == log_variance.shape == (3, 5)
    assert mean.dtype == log_variance.dtype == torch.float32
    decoded = vae.decode(mean)
    assert decoded.shape == (3, 84, 84, 3)
    assert decoded.dtype == np.uint8
    assert torch.equal(vae.encode(torch.from_numpy(pictures))[0], mean)


def test_the_rlkit_net_has_the_size_of_the_released_one() -> None:
    # Released at Z = 4: 105,662, of which 96 are BatchNorm parameters and 1,731 a second output layer it never uses.
    assert sum(parameter.numel() for parameter in build_net("rlkit", 4).parameters()) == 105_662 - 96 - 1_731


def test_the_encoder_variance_of_the_rlkit_net_has_a_floor() -> None:
    _, log_variance = make("rlkit").encode(blob_pictures(8))
    assert (log_variance >= math.log(1e-3)).all()


def test_pixels_become_floats_between_0_and_1_without_moving() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (2, 84, 84, 3), dtype=np.uint8)
    floats = unit_pictures(pictures)
    assert floats.is_contiguous(memory_format=torch.channels_last)
    assert floats[1, 2, 10, 20].item() == pytest.approx(pictures[1, 10, 20, 2] / 255)
    assert np.array_equal(np.round(floats.numpy() * 255).astype(np.uint8).transpose(0, 2, 3, 1), pictures)


@pytest.mark.parametrize("pictures", [np.zeros((2, 84, 84, 3), np.float32), np.zeros((84, 84, 3), np.uint8)])
def test_anything_but_uint8_pictures_is_refused(pictures: np.ndarray) -> None:
    with pytest.raises(ValueError, match="uint8"):
        unit_pictures(pictures)


@pytest.mark.parametrize("net", NETS)
def test_it_learns_eight_pictures(net: str) -> None:
    pictures = blob_pictures(8)
    vae = Vae(net=net, latent_dim=8, beta=0.01, learning_rate=3e-3, seed=0)
    first = vae.train_batch(pictures)["reconstruction"]
    for _ in range(120):
        last = vae.train_batch(pictures)["reconstruction"]
    # What remains of a Bernoulli likelihood is the entropy of the grey levels themselves.
    shades = unit_pictures(pictures).clamp(1e-6, 1 - 1e-6)
    entropy = torch.nn.functional.binary_cross_entropy(shades, shades, reduction="sum").item() / len(pictures)
    assert last - entropy < 0.25 * (first - entropy)
    decoded = vae.decode(vae.encode(pictures)[0]).astype(float)
    background = np.median(pictures, axis=0)
    assert np.square(decoded - pictures).mean() < 0.6 * np.square(background - pictures).mean()


def test_running_statistics_serve_as_well_as_those_of_the_batch() -> None:
    pictures = blob_pictures(32)
    vae = make(latent_dim=4)
    for _ in range(60):
        in_training = vae.train_batch(pictures)
    mean, log_variance = vae.encode(pictures)
    logits = vae._net.logits(mean)
    in_use = elbo(logits, unit_pictures(pictures), mean, log_variance, 1.0)
    assert in_use.reconstruction.item() < in_training["reconstruction"] * 1.02


def test_training_is_reproducible_and_resumes_bit_for_bit() -> None:
    pictures = blob_pictures(16)
    straight = make()
    losses = [straight.train_batch(pictures) for _ in range(6)]
    interrupted = make()
    assert [interrupted.train_batch(pictures) for _ in range(3)] == losses[:3]
    resumed = make(seed=5)
    resumed.load_state_dict(interrupted.state_dict())
    assert [resumed.train_batch(pictures) for _ in range(3)] == losses[3:]
    assert resumed.encoder_id == straight.encoder_id
    assert all(isinstance(value, torch.Tensor) for value in straight.state_dict().values())


def test_making_a_vae_leaves_the_global_generator_alone() -> None:
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    make()
    assert torch.equal(torch.rand(1), expected)


def test_the_id_changes_with_every_training_step_and_only_then() -> None:
    vae = make()
    ids = [vae.encoder_id]
    vae.encode(blob_pictures(2))
    assert vae.encoder_id == ids[0]
    for _ in range(3):
        vae.train_batch(blob_pictures(4))
        ids.append(vae.encoder_id)
    assert len(set(ids)) == 4
    assert all(len(text) == 16 and int(text, 16) >= 0 for text in ids)


def test_a_frozen_copy_is_not_changed_by_training() -> None:
    vae = make()
    pictures = blob_pictures(4)
    vae.train_batch(pictures)
    frozen = vae.frozen()
    before, name = frozen.encode(pictures)[0], frozen.encoder_id
    assert name == vae.encoder_id
    vae.train_batch(pictures)
    assert torch.equal(frozen.encode(pictures)[0], before)
    assert vae.encoder_id != frozen.encoder_id == name


@pytest.mark.parametrize("net", NETS)
def test_an_encoder_is_rebuilt_from_its_weights_alone(net: str) -> None:
    vae = make(net, latent_dim=6)
    vae.train_batch(blob_pictures(4))
    rebuilt = encoder_from_weights(vae.weights())
    assert isinstance(rebuilt, VaeEncoder)
    assert rebuilt.encoder_id == vae.encoder_id
    assert torch.equal(rebuilt.encode(blob_pictures(3))[0], vae.encode(blob_pictures(3))[0])


def test_a_state_of_another_net_or_size_is_refused() -> None:
    with pytest.raises(UserError, match="small, rlkit"):
        make("small").load_state_dict(make("rlkit").state_dict())
    with pytest.raises(UserError, match="does not fit"):
        make(latent_dim=4).load_state_dict(make(latent_dim=5).state_dict())
    with pytest.raises(UserError, match="no encoder"):
        encoder_from_weights({"something": torch.zeros(1)})


def test_the_prior_is_a_standard_normal_of_its_own_generator() -> None:
    vae = make()
    draws = vae.sample_prior(4000, torch.Generator().manual_seed(1))
    assert draws.shape == (4000, 4)
    assert draws.mean(dim=0).abs().max() < 0.08
    assert (draws.std(dim=0) - 1.0).abs().max() < 0.05
    assert torch.equal(draws, vae.sample_prior(4000, torch.Generator().manual_seed(1)))
