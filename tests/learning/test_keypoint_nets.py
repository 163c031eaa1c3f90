"""Keypoints: the place that a map expects, by hand; what follows a thing about; a prior that keeps things together."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from robot_rig.config_learning import VaeConfig
from robot_rig.errors import UserError
from robot_rig.learning.keypoint_nets import (
    ARCHITECTURES,
    BLOB,
    KEYPOINTS,
    LOG_VARIANCE,
    VAE_KEYPOINTS,
    KeypointPart,
    blobs,
    expected_places,
)
from robot_rig.learning.vae import Vae, encoder_from_weights
from robot_rig.learning.views import keypoints_px
from tests.contracts.encoder_contract import PICTURES, EncoderContract

torch.set_num_threads(1)


def make(net: str, seed: int = 0, beta: float = 1.0, pixel_weights: str = "even") -> Vae:
    return Vae(net, 4, beta, 3e-3, seed, keypoints=5, pixel_weights=pixel_weights)


class TestSmallVae(EncoderContract):
    @classmethod
    def make(cls, seed: int = 0) -> Vae:
        return make("small", seed)


class TestKeypoints(EncoderContract):
    UPDATES = 60

    @classmethod
    def make(cls, seed: int = 0) -> Vae:
        return make(KEYPOINTS, seed)


class TestVaeBesideKeypoints(EncoderContract):
    @classmethod
    def make(cls, seed: int = 0) -> Vae:
        return make(VAE_KEYPOINTS, seed)


@pytest.mark.parametrize("net", [KEYPOINTS, VAE_KEYPOINTS])
def test_a_keypoint_is_shown_on_the_pixel_that_it_looks_at(net: str) -> None:
    """A net made by hand, whose every keypoint is the brightest pixel."""
    encoder = make(net)
    part = encoder.net.part
    assert isinstance(part, KeypointPart)
    with torch.no_grad():
        for layer, middle in ((part.maps[0], 2), (part.maps[3], 1), (part.maps[6], 1)):
            assert isinstance(layer, torch.nn.Conv2d)
            assert layer.bias is not None
            layer.weight.zero_()
            layer.bias.zero_()
            layer.weight[:, 0, middle, middle] = 1.0
        part.sharpness.fill_(math.log(1000.0))
    pictures = np.zeros((3, 84, 84, 3), np.uint8)
    bright = [(0, 0), (82, 40), (10, 64)]
    for picture, (column, row) in zip(pictures, bright, strict=True):
        picture[row, column] = 255
    shown = keypoints_px(encoder, pictures)
    assert shown is not None
    assert shown.shape == (3, 5, 2)
    np.testing.assert_allclose(shown, np.repeat(np.array(bright, float)[:, None], 5, axis=1), atol=0.01)


def test_an_encoder_without_keypoints_shows_none() -> None:
    assert keypoints_px(make("small"), np.zeros((1, 84, 84, 3), np.uint8)) is None


def test_a_place_is_the_mean_of_all_places_by_their_softmax() -> None:
    scores = torch.tensor([[[[0.0, 1.0, -1.0], [2.0, 0.5, 0.0], [0.0, 0.0, 3.0]]]])
    total = x = y = 0.0
    for row in range(3):
        for column in range(3):
            share = math.exp(scores[0, 0, row, column].item())
            total, x, y = total + share, x + share * (column - 1), y + share * (row - 1)
    assert expected_places(scores)[0].tolist() == pytest.approx([x / total, y / total], abs=1e-6)


def test_places_of_several_maps_lie_behind_each_other_and_a_peak_is_where_it_is() -> None:
    scores = torch.full((2, 2, 42, 42), -50.0)
    scores[0, 0, 0, 41], scores[0, 1, 41, 0] = 50.0, 50.0
    scores[1, 0, 0, 0], scores[1, 1, 41, 41] = 50.0, 50.0
    assert torch.allclose(expected_places(scores), torch.tensor([[1.0, -1, -1, 1], [-1, -1, 1, 1]]))
    assert torch.allclose(expected_places(torch.zeros(1, 1, 42, 42)), torch.zeros(1, 2), atol=1e-6)


def test_a_blob_lies_at_its_point_and_falls_off_as_a_gaussian() -> None:
    drawn = blobs(torch.tensor([[0.5, -0.1, 0.0, 0.0]]), 21)
    assert drawn.shape == (1, 2, 21, 21)
    row, column = np.unravel_index(int(drawn[0, 0].argmax()), (21, 21))
    assert (row, column) == (9, 15)
    assert drawn[0, 0, 9, 15].item() == pytest.approx(1.0)
    assert drawn[0, 1, 10, 12].item() == pytest.approx(math.exp(-(0.2**2) / (2 * BLOB**2)), rel=1e-5)


def test_a_thing_that_moves_takes_its_keypoints_along() -> None:
    """What no fully connected layer promises: a shift of the picture is the same shift of the place."""
    part = KeypointPart(1).eval()
    with torch.no_grad():
        part.sharpness.fill_(6.0)
        picture = torch.zeros(1, 3, 84, 84)
        picture[:, :, 30:38, 30:38] = 1.0
        before, after = part.points(picture), part.points(picture.roll((6, 10), (2, 3)))
    # 42 cells of 2 px are 2 wide from the first to the last.
    assert torch.allclose(after - before, torch.tensor([[10.0, 6.0]]) / 41.0, atol=0.01)


@pytest.mark.parametrize("net", [KEYPOINTS, VAE_KEYPOINTS])
def test_keypoints_are_within_the_picture_and_as_exact_as_is_said(net: str) -> None:
    mean, log_variance = make(net).encode(PICTURES)
    assert mean[:, -10:].abs().max() <= 1.0
    assert torch.equal(log_variance[:, -10:], torch.full((12, 10), LOG_VARIANCE))
    assert math.exp(LOG_VARIANCE / 2) == pytest.approx(1.0 / 41.0, rel=0.01), "half a cell of a map"


def test_the_kl_holds_the_vaes_numbers_only() -> None:
    alone = make(KEYPOINTS).train_batch(PICTURES)
    assert alone["kl"] == 0.0
    assert alone["loss"] == alone["reconstruction"]
    vae = make(VAE_KEYPOINTS)
    both = vae.train_batch(PICTURES)
    assert both["loss"] == pytest.approx(both["reconstruction"] + both["kl"], rel=1e-5)
    assert 0.0 < both["kl"] < 50.0, "those of the keypoints would be 15 nats and more"


@pytest.mark.parametrize("net", [KEYPOINTS, VAE_KEYPOINTS])
def test_the_prior_has_the_mean_and_all_covariances_of_what_training_saw(net: str) -> None:
    vae = make(net)
    for _ in range(3):
        vae.train_batch(PICTURES)
    # With the net held still, the running moments come to its own: what was seen before fades by a fiftieth a time.
    means, log_variances = vae.encode(PICTURES)
    for _ in range(1000):
        vae.net.observe(means, log_variances, 1000)
    drawn = vae.sample_prior(40_000, torch.Generator().manual_seed(0))
    wanted = torch.cov(means.T, correction=0) + torch.diag(log_variances.exp().mean(dim=0))
    scale = wanted.diagonal().sqrt()
    assert ((drawn.mean(dim=0) - means.mean(dim=0)) / scale).abs().max() < 0.04
    assert ((torch.cov(drawn.T) - wanted) / torch.outer(scale, scale)).abs().max() < 0.05


def test_before_any_training_the_prior_is_a_standard_normal() -> None:
    drawn = make(VAE_KEYPOINTS).sample_prior(4000, torch.Generator().manual_seed(1))
    assert drawn.mean(dim=0).abs().max() < 0.08
    assert (drawn.std(dim=0) - 1.0).abs().max() < 0.06


def test_surprising_pixels_count_for_more_and_a_state_remembers_what_is_usual() -> None:
    even, weighed = make(KEYPOINTS), make(KEYPOINTS, pixel_weights="surprise")
    assert weighed.train_batch(PICTURES) != even.train_batch(PICTURES)
    resumed = make(KEYPOINTS, seed=5, pixel_weights="surprise")
    resumed.load_state_dict(weighed.state_dict())
    assert resumed.train_batch(PICTURES[:6]) == weighed.train_batch(PICTURES[:6])
    assert not any(name.startswith("surprise") for name in weighed.weights())


def test_the_background_is_painted_before_anything_is_learnt() -> None:
    for net in ARCHITECTURES[2:]:
        vae = make(net)
        vae.train_batch(PICTURES)
        background = torch.sigmoid(vae.net.background).permute(1, 2, 0) * 255
        assert np.abs(background.detach().numpy() - np.median(PICTURES, axis=0)).mean() < 3.0


@pytest.mark.parametrize("net", [KEYPOINTS, VAE_KEYPOINTS])
@pytest.mark.parametrize("change", ["missing", "size", "more"])
def test_weights_that_do_not_fit_together_are_refused(net: str, change: str) -> None:
    weights = make(net).weights()
    if change == "missing":
        del weights["net.part.maps.6.bias"]
    elif change == "size":
        weights["net.part.maps.6.bias"] = torch.zeros(7)
    else:
        weights["other"] = torch.zeros(1)
    with pytest.raises(UserError, match=r"no encoder known here|does not fit together|more than an encoder"):
        encoder_from_weights(weights)


def test_settings_make_the_net_that_they_name() -> None:
    for encoder, size in (("vae", 8), ("keypoints", 32), ("vae_keypoints", 40)):
        assert Vae.of(VaeConfig(encoder=encoder), seed=0).latent_dim == size
    with pytest.raises(ValueError, match="net small only"):
        VaeConfig(encoder="keypoints", net="rlkit")
