"""A small world drawn with numpy for the learning tests: a two-link arm over a table, moved by wandering noise.

Not a robot: it is smooth, noiseless and free of occlusion by anything but the arm itself. Physics has its own tests.
"""

from __future__ import annotations

import numpy as np

from robot_rig.datatypes import Bytes, Episode, Floats
from robot_rig.learning.policy import OrnsteinUhlenbeck

STEP_PX = 2.4
"""56 px of box to 40 cm, so an action of 1 is the arm's 1.7 cm."""
LOW, HIGH = np.array([14.0, 30.0]), np.array([70.0, 66.0])
BASE = np.array([42.0, -6.0])
_V, _U = np.mgrid[0:84, 0:84].astype(np.float64)


def draw(hand: Floats) -> Bytes:
    """uint8 (84, 84, 3): the hand at `hand` (2,) px as (u, v), and the arm that holds it."""
    arm = hand - BASE
    along = np.clip(((_U - BASE[0]) * arm[0] + (_V - BASE[1]) * arm[1]) / (arm @ arm), 0.0, 1.0)
    to_arm = np.hypot(_U - BASE[0] - along * arm[0], _V - BASE[1] - along * arm[1])
    to_hand = np.hypot(_U - hand[0], _V - hand[1])
    link, tip = np.clip(5.5 - to_arm, 0.0, 1.0)[..., None], np.clip(6.5 - to_hand, 0.0, 1.0)[..., None]
    picture = np.full((84, 84, 3), (36.0, 42.0, 52.0)) - (_V[..., None] < 26) * 12.0
    picture = picture * (1 - link) + link * np.array([190.0, 190.0, 200.0])
    return np.round(picture * (1 - tip) + tip * np.array([235.0, 150.0, 30.0])).astype(np.uint8)


def blob_pictures(n: int, seed: int = 0) -> Bytes:
    """uint8 (n, 84, 84, 3) of hands anywhere in the box."""
    places = np.random.default_rng(seed).uniform(LOW, HIGH, (n, 2))
    return np.stack([draw(place) for place in places])


def play(episodes: int, steps: int, seed: int, name: str) -> list[Episode]:
    """Random play without resets; the executed action is the true displacement, so walls show in it."""
    rng = np.random.default_rng(seed)
    noise = OrnsteinUhlenbeck(0.15, 0.6, 2, rng)
    hand = rng.uniform(LOW, HIGH)
    played = []
    for index in range(episodes):
        frames, actions = [draw(hand)], []
        for _ in range(steps):
            moved = np.clip(hand + STEP_PX * np.clip(noise.sample(), -1, 1), LOW, HIGH)
            actions.append((moved - hand) / STEP_PX)
            hand = moved
            frames.append(draw(hand))
        executed = np.array(actions, np.float32)
        stamps = np.arange(steps + 1) / 10.0
        played.append(Episode(f"{name}-{index}", np.stack(frames), executed, executed, stamps, None, False))
    return played
