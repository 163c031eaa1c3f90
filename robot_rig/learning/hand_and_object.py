"""What of a picture's keypoints is the hand, and what the object that it pushes: told by a log alone, without truth.

Called by `stages.planning`. An encoder's keypoints are some thirty numbers, most of them noise, all of them mixed, and
a distance over all is mostly noise. Yet two things in them move smoothly: the arm, and what it pushes. So their few
slowest directions (slow feature analysis, Wiskott and Sejnowski 2002) hold just those two, and what the actions move at
every step is the hand; what they move only now and then, by way of the hand, is the object.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from robot_rig.datatypes import Float32s, Floats, Ints
from robot_rig.errors import UserError
from robot_rig.learning.metric import SLOW_LAG

OBJECT_DIM = 2
"""An object lies on a table, and where it lies is two numbers."""

PRINCIPAL = 10
"""So many principal directions of the keypoints are looked at; the rest is of where the hand hides the object."""

CONTACT_SHARE, PASSES = 0.1, 3
"""The hand's motion is fitted without the tenth of the steps that it explains least: contacts are among those."""

STILL_FRAMES = 15
"""Over so many frames the object's two numbers are smoothed in a log. A push is a ramp and stays one; a jump while the
hand passes before the object goes."""

FEWEST = 200
"""Steps of play with fewer than that say nothing."""


class Track(NamedTuple):
    """A log, one episode after another: latents float32 (N, Z) of its frames, action (N, A) at each and the one
    `before` it, zero where there is none, and which episode (N,) a frame is of.
    """

    latents: Float32s
    action: Float32s
    before: Float32s
    episode: Ints

    def rows(self, ahead: int) -> Ints:
        """The rows that have so many more in their episode."""
        return np.flatnonzero(self.episode[ahead:] == self.episode[:-ahead])


class HandAndObject:
    """An affine map from latents (B, Z) to states (B, A + 2): the hand's numbers, then the object's, of unit variance.

    `gap`: how many times hastier the first direction that is left out is than the last that is kept. Where it is near 1
    these keypoints show no hand and one object.
    """

    def __init__(self, first: int, mean: Floats, turn: Floats, gap: float) -> None:
        self._first, self.gap = first, gap
        self._mean, self._turn = torch.from_numpy(mean).float(), torch.from_numpy(turn).float()

    @classmethod
    def fit(cls, track: Track, first: int) -> HandAndObject:
        """From a log of play; `first`: the index of the first keypoint in a latent, those before are not places.

        Raises UserError when the log is too short.
        """
        rows = track.rows(SLOW_LAG)
        if len(rows) < FEWEST:
            raise UserError(
                f"{len(rows)} steps are too few to tell a hand from an object", next_step="raise collect.steps"
            )
        points, kept = track.latents[:, first:].astype(np.float64), track.action.shape[1] + OBJECT_DIM
        mean, whiten = points.mean(axis=0), _whitening(points)
        moves = (points[rows + SLOW_LAG] - points[rows]) @ whiten
        hastes, directions = np.linalg.eigh(moves.T @ moves / len(moves))
        slow = whiten @ directions[:, :kept]
        gap = float(np.sqrt(hastes[kept] / hastes[kept - 1])) if len(hastes) > kept else np.inf
        return cls(first, mean, slow @ _split((points - mean) @ slow, track), gap)

    def states(self, latents: Tensor) -> Tensor:
        """States float32 (B, A + 2) of `latents` (B, Z)."""
        return (latents[:, self._first :] - self._mean) @ self._turn

    @property
    def hand_dim(self) -> int:
        """A: the first numbers of a state, which are the hand's."""
        return self._turn.shape[1] - OBJECT_DIM


def smoothed(states: Floats, episode: Ints) -> Floats:
    """`states` (N, A + 2) of a log with the object's numbers through a running median within each episode (N,)."""
    made: Floats = states.copy()
    half = STILL_FRAMES // 2
    for number in np.unique(episode):
        rows = episode == number
        padded = np.pad(states[rows, -OBJECT_DIM:], ((half, half), (0, 0)), mode="edge")
        windows = np.lib.stride_tricks.sliding_window_view(padded, STILL_FRAMES, axis=0)
        made[rows, -OBJECT_DIM:] = np.median(windows, axis=2)
    return made


def _whitening(points: Floats) -> Floats:
    """(P, D): the D liveliest principal directions of `points` (N, P), each to unit variance."""
    variances, axes = np.linalg.eigh(np.cov(points.T))
    liveliest = np.argsort(-variances)[:PRINCIPAL]
    white: Floats = axes[:, liveliest] / np.sqrt(np.maximum(variances[liveliest], np.finfo(float).tiny))
    return white


def _split(states: Floats, track: Track) -> Floats:
    """(D, D): from slow directions to the hand's, then the object's: those that actions move most and least."""
    rows = track.rows(1)
    changes, acted = states[rows + 1] - states[rows], np.hstack([track.action[rows], track.before[rows]])
    usual = np.ones(len(rows), bool)
    for _ in range(PASSES):
        moved = np.linalg.lstsq(acted[usual], changes[usual], rcond=None)[0]
        unexplained = (np.abs(changes - acted @ moved) / changes.std(axis=0)).max(axis=1)
        usual = unexplained < np.quantile(unexplained, 1.0 - CONTACT_SHARE)
    # Generalised eigenvectors of what actions move, against how much there is to move.
    spread = np.linalg.inv(np.linalg.cholesky(np.cov(states.T)))
    _, directions = np.linalg.eigh(spread @ moved.T @ moved @ spread.T)
    turn = spread.T @ directions
    split: Floats = np.hstack([turn[:, OBJECT_DIM:], turn[:, :OBJECT_DIM]])
    return split
