"""What is like the log passes as often as was promised, and what is not is called new."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.datatypes import Bytes
from robot_rig.learning.novelty import LIMIT_QUANTILE, Memory
from robot_rig.learning.vae import Vae
from tests.learning.blob_world import HIGH, LOW, blob_pictures, draw

pytestmark = pytest.mark.proof

KNOWN, HELD_OUT, FRESH = blob_pictures(400, 0), blob_pictures(200, 1), blob_pictures(200, 2)


@pytest.fixture(scope="module")
def memory() -> Memory:
    """A small encoder that has learnt the little world for some seconds."""
    vae = Vae("small", 4, beta=1.0, learning_rate=3e-3, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(150):
        vae.train_batch(KNOWN[rng.integers(len(KNOWN), size=32)])
    return Memory(vae, KNOWN, HELD_OUT)


def share_new(memory: Memory, pictures: Bytes) -> float:
    return float(np.mean([memory.look(picture).is_new for picture in pictures]))


def with_a_thing(pictures: Bytes) -> Bytes:
    """The same with a red cube of 9 px on the table, where the arm is seldom."""
    changed = pictures.copy()
    changed[:, 70:79, 4:13] = (200, 40, 40)
    return changed


def test_one_in_a_hundred_held_out_frames_exceeds_the_limit(memory: Memory) -> None:
    assert round(share_new(memory, HELD_OUT) * len(HELD_OUT)) == round((1.0 - LIMIT_QUANTILE) * len(HELD_OUT)) == 2
    assert share_new(memory, FRESH) < 0.06


def test_a_thing_on_the_table_another_light_and_noise_are_new(memory: Memory) -> None:
    assert share_new(memory, with_a_thing(FRESH[:50])) > 0.95
    assert share_new(memory, (FRESH[:50] * 0.7).astype(np.uint8)) > 0.95
    rng = np.random.default_rng(3)
    assert share_new(memory, rng.integers(0, 256, (20, 84, 84, 3), np.uint8)) == 1.0


def test_a_hand_far_outside_is_new(memory: Memory) -> None:
    outside = np.stack([draw(np.array([u, 18.0])) for u in np.linspace(LOW[0], HIGH[0], 20)])
    assert share_new(memory, outside) > 0.9


def test_the_nearest_frame_shows_the_hand_nearby(memory: Memory) -> None:
    rng = np.random.default_rng(4)
    places = rng.uniform(LOW + 4, HIGH - 4, (40, 2))
    known = np.random.default_rng(0).uniform(LOW, HIGH, (400, 2))
    apart = [np.linalg.norm(known[memory.look(draw(place)).nearest] - place) for place in places]
    # 400 hands in 56 x 36 px: the nearest is about 1 px away, one drawn blindly 20.
    assert np.median(apart) < 5.0


def test_what_it_makes_of_a_picture_is_what_the_encoder_decodes(memory: Memory) -> None:
    look = memory.look(FRESH[0])
    encoder = memory._encoder
    np.testing.assert_array_equal(look.decoded, encoder.decode(encoder.encode(FRESH[:1])[0])[0])
    assert look.decoded.dtype == np.uint8
