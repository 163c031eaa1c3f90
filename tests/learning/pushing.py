"""A toy of pushing: a hand that actions move, and a disc that only the hand moves, seen as noisy keypoints."""

from __future__ import annotations

import numpy as np

from robot_rig.datatypes import Floats
from robot_rig.learning.hand_and_object import Track

REACH, DISC = 0.1, 0.3
"""How far an action of 1 moves the hand, and how near the hand can come to the disc's middle."""

NOISE = 0.02
KEYPOINTS, OTHERS = 12, 3
"""Numbers of a latent that are of places, behind others that are not."""


def moved(places: Floats, before: Floats, action: Floats) -> Floats:
    """Hand and disc (N, 4) one step after `places` (N, 4): the hand trails by a third of its way."""
    hand = np.clip(places[:, :2] + REACH * (2 * action + before) / 3, -1.0, 1.0)
    away = places[:, 2:] - hand
    apart = np.linalg.norm(away, axis=1, keepdims=True)
    pushed = hand + away / np.maximum(apart, 1e-9) * np.maximum(apart, DISC)
    return np.hstack([hand, np.clip(pushed, -1.0, 1.0)])


def played(seed: int, episodes: int = 20, steps: int = 150) -> tuple[Floats, Track]:
    """Random play: the true places (N, 4), and what a log of it holds."""
    rng = np.random.default_rng(seed)
    places, actions, befores, numbers = [], [], [], []
    for number in range(episodes):
        here = np.array([[-0.5, 0.0, *rng.uniform(-0.2, 0.2, 2)]])
        action = np.zeros((1, 2))
        wish = rng.normal(0.0, 0.6, 2)
        for step in range(steps + 1):
            before = action
            wish = wish - 0.15 * wish + 0.6 * rng.standard_normal(2)
            action = np.clip(wish, -1.0, 1.0)[None] * (step < steps)
            places.append(here[0])
            actions.append(action[0])
            befores.append(before[0])
            numbers.append(number)
            here = moved(here, before, action)
    true = np.array(places)
    mixed = np.hstack([rng.standard_normal((len(true), OTHERS)), true @ rng.standard_normal((4, KEYPOINTS))])
    latents = (mixed + NOISE * rng.standard_normal(mixed.shape)).astype(np.float32)
    return true, Track(latents, np.float32(actions), np.float32(befores), np.array(numbers))


def explained(read: Floats, true: Floats) -> float:
    """The share of `true` (N, D) that a linear read-out of `read` (N, E) explains."""
    inputs = np.hstack([read, np.ones((len(read), 1))])
    left = true - inputs @ np.linalg.lstsq(inputs, true, rcond=None)[0]
    return float(1.0 - np.square(left).sum() / np.square(true - true.mean(axis=0)).sum())
