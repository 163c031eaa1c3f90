"""The health check passes a good encoder and refuses bad ones with the right advice, from pictures and actions."""

from __future__ import annotations

import functools
from dataclasses import replace

import numpy as np
import pytest
import torch

from robot_rig.datatypes import Bytes, Episode
from robot_rig.errors import UserError
from robot_rig.learning.health import (
    MOST_LAG,
    HealthReport,
    Track,
    aligned,
    best_lag,
    health_check,
    inverse_dynamics,
    judge,
    novelty,
    rank,
)
from robot_rig.learning.vae import Vae
from tests.learning.blob_world import HIGH, LOW, play

torch.set_num_threads(1)
STEPS = 50
GOOD = {"active_dimensions": 8.0, "rank": 0.01, "inverse_1": 0.6, "novelty": 0.0, "pictures": 0.9}


@functools.cache
def held_out() -> tuple[Episode, ...]:
    # Apart, because frames that happen to crowd together look near one another to any encoder.
    return tuple(play(1, STEPS, seed=100 + i, name=f"new{i}")[0] for i in range(6))


@functools.cache
def training(episodes: int) -> tuple[Episode, ...]:
    return tuple(play(episodes, STEPS, seed=1, name="train"))


def report(
    net: str = "small", latent_dim: int = 8, beta: float = 1.0, updates: int = 100, episodes: int = 16
) -> HealthReport:
    return health_check(encoder(episodes, net, latent_dim, beta, updates), training(episodes), held_out())


@functools.cache
def encoder(episodes: int, net: str, latent_dim: int, beta: float, updates: int) -> Vae:
    pictures: Bytes = np.concatenate([episode.frames for episode in training(episodes)])
    vae = Vae(net=net, latent_dim=latent_dim, beta=beta, learning_rate=1e-3, seed=0)
    rng = np.random.default_rng(0)
    for _ in range(updates):
        vae.train_batch(pictures[rng.integers(len(pictures), size=16)])
    return vae


def test_a_good_encoder_passes_without_a_word() -> None:
    found = report()
    assert found.passed, found
    assert found.findings == ()


def test_30_updates_of_the_paper_net_are_too_few() -> None:
    found = report(net="rlkit", latent_dim=16, beta=5.0, updates=30)
    assert not found.passed
    assert any("train the VAE longer" in finding for finding in found.findings)
    assert not any("more frames" in finding for finding in found.findings)


def test_8_updates_of_the_small_net_are_too_few() -> None:
    found = report(updates=8)
    assert not found.passed
    assert any("train the VAE longer" in finding for finding in found.findings)


def test_30_updates_of_the_small_net_earn_a_warning_about_its_pictures() -> None:
    # No refusal: it starts from the background picture, and by then its latents tell places apart. Only its decoder
    # is poor, which is what the warning says.
    found = report(updates=30)
    assert found.scores["pictures"] < 0.7
    assert any("Decoded pictures" in finding for finding in found.findings)


def test_beta_1000_silences_the_latent() -> None:
    found = report(beta=1000.0, updates=60)
    assert not found.passed
    assert found.scores["active_dimensions"] < 2
    assert any("lower vae.beta" in finding for finding in found.findings)


def test_100_frames_cover_too_little() -> None:
    found = report(episodes=2, updates=80)
    assert not found.passed
    assert found.scores["novelty"] > 0.2
    assert any("collect more frames" in finding for finding in found.findings)


@pytest.mark.parametrize(
    ("name", "at_limit", "beyond", "advice"),
    [
        ("active_dimensions", 2.0, 1.0, "train the VAE longer"),
        ("rank", 0.03, 0.0301, "train the VAE longer"),
        ("inverse_1", 0.35, 0.349, "collect more frames"),
        ("novelty", 0.1, 0.101, "collect more frames"),
    ],
)
def test_each_limit_decides_alone_and_names_its_remedy(name: str, at_limit: float, beyond: float, advice: str) -> None:
    assert judge({**GOOD, name: at_limit}).passed
    refused = judge({**GOOD, name: beyond})
    assert not refused.passed
    assert len(refused.findings) == 1
    assert advice in refused.findings[0]


def test_the_place_itself_would_pass_on_these_frames() -> None:
    tracks = [Track(*places_and_actions(episode)) for episode in held_out()]
    assert rank(tracks) < 0.025


def test_poor_pictures_are_a_warning_and_not_a_refusal() -> None:
    found = judge({**GOOD, "pictures": 0.3})
    assert found.passed
    assert len(found.findings) == 1
    assert "does not stop practice" in found.findings[0]


def test_where_rank_fails_too_the_actions_are_no_reason_to_collect() -> None:
    found = judge({**GOOD, "rank": 0.08, "inverse_1": 0.05})
    assert len(found.findings) == 2
    assert not any("more frames" in finding for finding in found.findings)


def places_and_actions(episode: Episode) -> tuple[np.ndarray, np.ndarray]:
    """Where the hand is in each frame, read off its colour, in units of the box; and the actions."""
    tip = (episode.frames[..., 0].astype(float) - episode.frames[..., 2]) > 120
    v, u = np.mgrid[0:84, 0:84]
    places = [(u[mask].mean(), v[mask].mean()) for mask in tip]
    return np.array(places) / (HIGH - LOW), episode.executed_action.astype(float)


def wander(n: int, seed: int, scale: float = 1.0) -> Track:
    """A latent that is the place itself, moved by the action."""
    action = np.random.default_rng(seed).uniform(-1, 1, (n, 2))
    return Track(np.vstack([np.zeros(2), np.cumsum(action, axis=0)]) * scale, action)


def test_rank_is_the_share_of_far_frames_that_look_nearer_by_brute_force() -> None:
    tracks = [wander(30, 0), wander(25, 1)]
    latents = np.concatenate([track.latents for track in tracks])
    shares = []
    for track, offset in zip(tracks, (0, 31), strict=True):
        for step in range(len(track.action)):
            if np.abs(track.action[step]).max() > 0.3:
                t = offset + step
                reach = np.linalg.norm(latents[t + 1] - latents[t])
                far = [k for k in range(len(latents)) if abs(k - t) > 10]
                shares.append(np.mean([np.linalg.norm(latents[k] - latents[t]) < reach for k in far]))
    assert rank(tracks) == pytest.approx(np.mean(shares), rel=1e-12)


def test_rank_of_latents_that_say_nothing_is_a_half() -> None:
    rng = np.random.default_rng(0)
    noise = Track(rng.normal(size=(401, 3)), rng.uniform(-1, 1, (400, 2)))
    assert rank([noise]) == pytest.approx(0.5, abs=0.05)


@pytest.mark.parametrize("lag", [1, 5])
def test_inverse_dynamics_is_perfect_where_the_latent_is_the_place_and_nil_where_it_is_noise(lag: int) -> None:
    assert inverse_dynamics([wander(200, 0)], [wander(80, 1)], lag) > 0.97
    rng = np.random.default_rng(2)
    known = Track(rng.normal(size=(201, 2)), rng.uniform(-1, 1, (200, 2)))
    new = Track(rng.normal(size=(81, 2)), rng.uniform(-1, 1, (80, 2)))
    assert inverse_dynamics([known], [new], lag) < 0.1


def late(track: Track, lag: int) -> Track:
    """The same motion seen through pictures that trail it by `lag` steps, at rest before it."""
    rest = np.repeat(track.latents[:1], lag, axis=0)
    return Track(np.vstack([rest, track.latents])[: len(track.latents)], track.action)


@pytest.mark.parametrize("lag", range(MOST_LAG + 1))
def test_the_lag_of_the_pictures_is_found_exactly(lag: int) -> None:
    for seed in range(5):
        known, new = ([late(wander(60, seed * 10 + i), lag) for i in numbers] for numbers in (range(4), (7, 8)))
        assert best_lag(known, new) == lag
        assert inverse_dynamics(aligned(known, lag), aligned(new, lag), 1) > 0.97


@pytest.mark.parametrize("lag", range(MOST_LAG + 1))
def test_the_lag_is_found_when_actions_hang_on_one_another_and_latents_are_noisy(lag: int) -> None:
    rng = np.random.default_rng(lag)

    def track() -> Track:
        action = np.zeros((80, 2))
        for t in range(1, 80):
            action[t] = np.clip(0.85 * action[t - 1] + 0.6 * rng.standard_normal(2), -1, 1)
        place = np.vstack([np.zeros(2), np.cumsum(action, axis=0)])
        return late(Track(place + 0.2 * rng.standard_normal(place.shape), action), lag)

    assert best_lag([track() for _ in range(6)], [track() for _ in range(3)]) == lag


def test_of_short_tracks_only_lags_with_steps_to_judge_by_are_asked() -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        steps = int(rng.integers(3, 7))
        known, new = (
            [Track(rng.normal(size=(n + 1, 2)), rng.uniform(-1, 1, (n, 2))) for n in (length,) * 8]
            for length in (30, steps)
        )
        left = aligned(new, best_lag(known, new))
        assert sum(len(track.action) for track in left) > 20
        assert np.isfinite(rank(left))


def test_lags_that_explain_nothing_do_not_lose_to_one_without_tracks() -> None:
    rng = np.random.default_rng(0)
    known = [Track(rng.normal(size=(31, 4)), rng.uniform(-1, 1, (30, 2))) for _ in range(3)]
    new = [Track(rng.normal(size=(5, 4)), rng.uniform(-1, 1, (4, 2))) for _ in range(8)]
    scores = [inverse_dynamics(aligned(known, lag), aligned(new, lag), 1) for lag in range(MOST_LAG)]
    assert max(scores) < 0.0
    assert aligned(new, MOST_LAG) == []
    assert best_lag(known, new) == int(np.argmax(scores[:2]))


def test_where_no_lag_can_be_judged_a_plain_sentence_says_so() -> None:
    long, empty = wander(60, 0), Track(np.zeros((1, 2)), np.zeros((0, 2)))
    for known, new in (([empty], [long]), ([long], [empty]), ([long], [wander(20, 1)])):
        with pytest.raises(UserError, match="left to judge the encoder by"):
            best_lag(known, new)
    assert best_lag([long], [wander(21, 1)]) == 0


def test_short_episodes_of_a_useless_encoder_are_refused_and_not_a_crash() -> None:
    rng = np.random.default_rng(0)
    whole = held_out()[0]
    pieces = []
    for start in range(0, 32, 4):
        frames, stamps = whole.frames[start : start + 5], whole.stamps[start : start + 5]
        # Actions that have nothing to do with the pictures.
        action = rng.uniform(-1, 1, (4, 2)).astype(np.float32)
        pieces.append(Episode(f"piece{start}", frames, action, action, stamps, None, False))
    found = health_check(encoder(16, "small", 8, 1.0, 100), training(2), pieces)
    assert not found.passed
    assert np.isfinite(list(found.scores.values())).all()


def test_aligned_tracks_show_beside_each_action_what_it_did() -> None:
    track = wander(30, 0)
    (found,) = aligned([late(track, 3), wander(3, 1)], 3)
    np.testing.assert_array_equal(found.action, track.action[:27])
    np.testing.assert_array_equal(found.latents, track.latents[:28])


def test_the_check_of_a_late_camera_aligns_itself() -> None:
    def late_episode(episode: Episode) -> Episode:
        frames = np.concatenate([np.repeat(episode.frames[:1], 2, axis=0), episode.frames])[: len(episode.frames)]
        return replace(episode, frames=frames)

    punctual = report()
    train, new = [[late_episode(e) for e in episodes] for episodes in (training(16), held_out())]
    found = health_check(encoder(16, "small", 8, 1.0, 100), train, new)
    assert (punctual.lag, found.lag) == (0, 2)
    assert found.passed, found
    assert found.scores["inverse_1"] == pytest.approx(punctual.scores["inverse_1"], abs=0.1)


def test_novelty_counts_frames_outside_the_known_cloud() -> None:
    known = wander(300, 0)
    assert novelty([known], [known]) == 0.0
    assert novelty([known], [known._replace(latents=known.latents + 1000.0)]) == 1.0


def test_no_held_out_steps_no_verdict() -> None:
    vae = Vae(net="small", latent_dim=4, beta=1.0, learning_rate=1e-3, seed=0)
    with pytest.raises(UserError, match="held-out"):
        health_check(vae, training(2), [])
