"""Hand and object are told apart by a log alone, whatever the keypoints mix of them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from robot_rig.errors import UserError
from robot_rig.learning.hand_and_object import OBJECT_DIM, STILL_FRAMES, HandAndObject, Track, smoothed
from tests.learning.pushing import OTHERS, explained, played


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_the_first_numbers_are_the_hand_and_the_last_the_object(seed: int) -> None:
    true, track = played(seed)
    space = HandAndObject.fit(track, OTHERS)
    states = space.states(torch.from_numpy(track.latents)).double().numpy()
    hand, thing = states[:, : space.hand_dim], states[:, -OBJECT_DIM:]
    assert explained(hand, true[:, :2]) > 0.93
    assert explained(thing, true[:, 2:]) > 0.97
    # Not only there, but apart: with the other's numbers known too, hardly anything changes.
    assert explained(true[:, 2:], thing) > 0.9
    assert states.std(axis=0) == pytest.approx(np.ones(4), rel=1e-3)
    assert space.gap > 1.5


def test_the_gap_closes_where_there_is_no_object() -> None:
    """Keypoints of the hand alone: the next directions are noise like those after them."""
    _, track = played(3)
    rng = np.random.default_rng(0)
    true = np.cumsum(rng.standard_normal((len(track.latents), 2)), axis=0)
    seen = true @ rng.standard_normal((2, 12)) + rng.standard_normal((len(true), 12))
    other = track._replace(latents=seen.astype(np.float32))
    assert HandAndObject.fit(other, 0).gap < 1.1 < HandAndObject.fit(track, OTHERS).gap


def test_too_short_a_log_is_refused() -> None:
    _, track = played(0, episodes=1, steps=100)
    with pytest.raises(UserError, match=r"steps are too few to tell a hand from an object.*collect\.steps"):
        HandAndObject.fit(track, OTHERS)


def test_a_jump_goes_and_a_push_stays() -> None:
    steps = np.arange(60.0)
    push = np.clip(steps - 20, 0, 25)[:, None] * np.ones((1, 2))
    jumps = push.copy()
    jumps[5:9] += 10.0
    states = np.hstack([np.random.default_rng(0).standard_normal((60, 2)), jumps])
    clean = smoothed(np.vstack([states, states + 100.0]), np.repeat([0, 1], 60))
    assert np.abs(clean[:60, 2:] - push)[: 60 - STILL_FRAMES // 2].max() < 1e-9
    assert clean[60:] == pytest.approx(clean[:60] + 100.0), "no episode looks into another"
    assert (clean[:, :2] == np.vstack([states, states + 100.0])[:, :2]).all(), "the hand's are as they were"


def test_rows_stay_in_their_episode() -> None:
    none = np.zeros((7, 1), np.float32)
    track = Track(none, none, none, np.array([0, 0, 0, 1, 1, 2, 2]))
    assert track.rows(1).tolist() == [0, 1, 3, 5]
    assert track.rows(2).tolist() == [0]
