"""What every encoder must do, whatever it is made of. Inherit `EncoderContract` and implement `make`."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robot_rig.learning.encoder import Encoder
from robot_rig.learning.vae import Vae, encoder_from_weights, unit_pictures
from tests.learning.blob_world import blob_pictures

PICTURES = blob_pictures(12)


class EncoderContract:
    """The laws of `encoder.Encoder`, and that what is trained fulfils them at any moment."""

    UPDATES = 30
    """After which it has learnt a little."""

    @classmethod
    def make(cls, seed: int = 0) -> Vae:
        """A fresh encoder in training."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def vae(cls) -> Vae:
        """One that has learnt a little; a test that trains on makes its own."""
        vae = cls.make()
        for _ in range(cls.UPDATES):
            vae.train_batch(PICTURES)
        return vae

    def test_moments_are_of_the_latents_size(self, vae: Vae) -> None:
        moments = vae.encode(PICTURES[:5])
        assert [(part.shape, part.dtype) for part in moments] == 2 * [((5, vae.latent_dim), torch.float32)]
        assert all(torch.isfinite(part).all() for part in moments)
        assert torch.equal(vae.encode(torch.from_numpy(PICTURES[:5]))[0], moments[0])

    def test_what_is_encoded_decodes_to_pictures(self, vae: Vae) -> None:
        decoded = vae.decode(vae.encode(PICTURES)[0])
        assert (decoded.shape, decoded.dtype) == (PICTURES.shape, np.uint8)

    def test_draws_from_the_prior_decode_to_pictures_and_come_again(self, vae: Vae) -> None:
        draws = vae.sample_prior(7, torch.Generator().manual_seed(1))
        assert (draws.shape, draws.dtype) == ((7, vae.latent_dim), torch.float32)
        assert torch.equal(draws, vae.sample_prior(7, torch.Generator().manual_seed(1)))
        decoded = vae.decode(draws)
        assert (decoded.shape, decoded.dtype) == ((7, 84, 84, 3), np.uint8)
        assert len({picture.tobytes() for picture in decoded}) == 7

    def test_training_lowers_what_is_lost_and_is_reproducible(self) -> None:
        losses = []
        for _ in range(2):
            vae = self.make()
            losses.append([vae.train_batch(PICTURES)["reconstruction"] for _ in range(6)])
        assert losses[0] == losses[1]
        assert losses[0][-1] < losses[0][0]

    def test_it_goes_on_from_its_state_bit_for_bit(self) -> None:
        straight, resumed = self.make(), self.make(seed=5)
        straight.train_batch(PICTURES)
        resumed.load_state_dict(straight.state_dict())
        assert [resumed.train_batch(PICTURES) for _ in range(2)] == [straight.train_batch(PICTURES) for _ in range(2)]
        assert resumed.encoder_id == straight.encoder_id

    def test_its_weights_are_all_of_it(self, vae: Vae) -> None:
        rebuilt: Encoder = encoder_from_weights(vae.weights())
        assert (rebuilt.encoder_id, rebuilt.latent_dim) == (vae.encoder_id, vae.latent_dim)
        assert torch.equal(rebuilt.encode(PICTURES)[0], vae.encode(PICTURES)[0])
        draws = [one.sample_prior(3, torch.Generator().manual_seed(2)) for one in (vae, rebuilt)]
        assert torch.equal(*draws)
        assert np.array_equal(vae.decode(draws[0]), rebuilt.decode(draws[1]))

    def test_a_frozen_copy_is_not_changed_by_training(self) -> None:
        vae = self.make()
        vae.train_batch(PICTURES)
        frozen, before = vae.frozen(), vae.encode(PICTURES)[0]
        vae.train_batch(PICTURES)
        assert torch.equal(frozen.encode(PICTURES)[0], before)
        assert frozen.encoder_id != vae.encoder_id

    def test_pictures_are_explained_better_by_their_own_latent_than_by_anothers(self, vae: Vae) -> None:
        decoded = unit_pictures(vae.decode(vae.encode(PICTURES)[0]))
        wanted = unit_pictures(PICTURES)
        own = (decoded - wanted).square().mean()
        assert own < 0.7 * (decoded - wanted.roll(1, 0)).square().mean()
