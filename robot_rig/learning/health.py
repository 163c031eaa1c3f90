"""Is the encoder good enough to practise on? Judged from pictures and executed actions, before robot time is spent.

Called by the trainer after the VAE's training. A latent distance is a useful reward (R4) when one step moves the latent
a little, in a direction that the action explains, inside the cloud of latents that training saw. The four limits were
set on simulated reaching; they speak about the hand only: an encoder that ignores an object on the table can pass.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from robot_rig.datatypes import Episode, Floats
from robot_rig.errors import UserError
from robot_rig.learning.encoder import Encoder
from robot_rig.learning.metric import ACTIVE_STD, LEAST_DIMENSIONS
from robot_rig.learning.vae import kl_divergence

RANK_LIMIT, INVERSE_LIMIT, NOVELTY_LIMIT, PICTURE_WARNING = 0.03, 0.35, 0.1, 0.7
"""Pass: rank and novelty at most, inverse dynamics at least this. Below the last one pictures earn a warning.

Encoders that were no use scored a rank of .08 and more or a novelty of .17 and more; ones that the arm learnt well on
came to .02 and .06. The limits lie between, because on 300 frames both scores scatter by about .01.
"""

MOVING_ACTION = 0.3
NEAR_STEPS = 10
RIDGE = 3.0
LONG_STRETCH = 5
MOST_LAG = 4
"""Steps: pictures are at most .25 s old when they are answered, and the arm trails by .1 s or so."""

MOVE_PERCENTILE = 75
WORST_PERCENTILE = 10
LIVELY_PIXEL = 0.02 * 255
"""A pixel whose deviation over the training pictures is less shows background."""

EPSILON = 1e-12

TRAIN_LONGER = "train the VAE longer (vae.updates) or lower vae.beta"
MORE_FRAMES = "collect more frames (collect.steps)"


@dataclass(frozen=True)
class HealthReport:
    """`passed`: practise on it. `findings`: plain sentences, what is wrong and what to do. `scores`: by name."""

    passed: bool
    findings: tuple[str, ...]
    scores: Mapping[str, float]

    def serves(self, agent: str) -> bool:
        """Whether an agent of that kind may learn on it: one that imitates needs no reward, only something to see."""
        return self.passed or (agent == "gcbc" and self.scores["active_dimensions"] >= LEAST_DIMENSIONS)

    @property
    def lag(self) -> int:
        """Steps by which the pictures trail the actions; 0 where the latents say nothing."""
        return int(self.scores.get("lag", 0))


class Track(NamedTuple):
    """An episode in latents (T+1, F) scaled to unit deviation over the training frames; action (T, A) as executed."""

    latents: Floats
    action: Floats


def health_check(encoder: Encoder, train: Sequence[Episode], held_out: Sequence[Episode]) -> HealthReport:
    """Score `encoder` on whole episodes that it was not trained on, against those it was.

    Raises UserError when `held_out` has too few steps to judge by.
    """
    if not _enough(len(episode) for episode in held_out):
        raise UserError("too few held-out steps to judge the encoder", next_step="raise collect.held_out_steps")
    means = [encoder.encode(episode.frames)[0].double().numpy() for episode in train]
    deviation = np.concatenate(means).std(axis=0)
    active = deviation > ACTIVE_STD
    scores = {"active_dimensions": float(active.sum()), **picture_scores(encoder, train, held_out)}
    if active.sum() >= LEAST_DIMENSIONS:
        means_new = [encoder.encode(episode.frames)[0].double().numpy() for episode in held_out]
        scale = np.where(active, 1.0 / np.maximum(deviation, ACTIVE_STD), 0.0)
        known, new = _tracks(means, scale, train), _tracks(means_new, scale, held_out)
        lag = best_lag(known, new)
        known, new = aligned(known, lag), aligned(new, lag)
        scores |= {
            "lag": float(lag),
            "rank": rank(new),
            "inverse_1": inverse_dynamics(known, new, 1),
            "inverse_5": inverse_dynamics(known, new, LONG_STRETCH),
            "novelty": novelty(known, new),
        }
    return judge(scores)


def _tracks(means: Sequence[Floats], scale: Floats, episodes: Sequence[Episode]) -> list[Track]:
    used = scale > 0.0
    return [
        Track(mean[:, used] * scale[used], episode.executed_action.astype(np.float64))
        for mean, episode in zip(means, episodes, strict=True)
    ]


def best_lag(known: Sequence[Track], new: Sequence[Track]) -> int:
    """By how many steps, 0 to `MOST_LAG`, the pictures trail the actions: the lag at which those explain most.

    Only lags at which enough steps are left to judge by are asked. Raises UserError where there is none.
    """
    pairs = [(aligned(known, lag), aligned(new, lag)) for lag in range(MOST_LAG + 1)]
    # More actions are left at a lesser lag, so those that can be asked are the first ones.
    scores = [inverse_dynamics(*pair, 1) for pair in pairs if pair[0] and _enough(len(one.action) for one in pair[1])]
    if not scores:
        raise UserError(
            "no training or held-out steps are left to judge the encoder by",
            next_step="raise collect.episode_steps or collect.held_out_steps",
        )
    return int(np.argmax(scores))


def _enough(steps: Iterable[int]) -> bool:
    """Whether held-out episodes of so many steps have for each of their frames one that is far from it."""
    return sum(steps) > 2 * NEAR_STEPS


def aligned(tracks: Sequence[Track], lag: int) -> list[Track]:
    """Each action beside the latents that show what it did, `lag` steps later; too short tracks are left out."""
    long = [track for track in tracks if len(track.action) > lag]
    return [Track(z[lag:], action[: len(action) - lag]) for z, action in long]


def judge(scores: Mapping[str, float]) -> HealthReport:
    """The verdict on `scores` and, for each failure, its likely cause and remedy.

    Scores of latent moves mean nothing, and need not be there, where fewer than two dimensions are active.
    """
    findings = _collapse(scores) or [*_moves_unlearnt(scores), *_frames_unseen(scores)]
    passed = not findings
    if scores["pictures"] < PICTURE_WARNING:
        findings.append(
            f"Decoded pictures explain {max(0.0, scores['pictures']):.0%} of what moves, which is less than"
            f" {PICTURE_WARNING:.0%}: imagined goals will look blurred. This alone does not stop practice."
        )
    return HealthReport(passed, tuple(findings), dict(scores))


def _collapse(scores: Mapping[str, float]) -> list[str]:
    if scores["active_dimensions"] >= LEAST_DIMENSIONS:
        return []
    return [
        f"Only {scores['active_dimensions']:.0f} latent dimensions carry information and {LEAST_DIMENSIONS} are needed:"
        f" {TRAIN_LONGER}."
    ]


def _moves_unlearnt(scores: Mapping[str, float]) -> list[str]:
    findings = []
    if scores["rank"] > RANK_LIMIT:
        findings.append(
            f"The encoder has not learnt where the arm is: {scores['rank']:.1%} of far frames look nearer than the next"
            f" frame, at most {RANK_LIMIT:.1%} may: {TRAIN_LONGER}."
        )
    if scores["inverse_1"] < INVERSE_LIMIT:
        findings.append(
            f"Latent moves explain {max(0.0, scores['inverse_1']):.0%} of the actions, at least {INVERSE_LIMIT:.0%} is"
            f" needed: {TRAIN_LONGER if findings else MORE_FRAMES}."
        )
    return findings


def _frames_unseen(scores: Mapping[str, float]) -> list[str]:
    if scores["novelty"] <= NOVELTY_LIMIT:
        return []
    return [
        f"{scores['novelty']:.0%} of new frames lie far from all training frames, at most {NOVELTY_LIMIT:.0%} may:"
        f" {MORE_FRAMES}."
    ]


def rank(tracks: Sequence[Track]) -> float:
    """Share of frames more than 10 steps away that lie closer to frame t than frame t+1 does; moving steps only."""
    latents = np.concatenate([track.latents for track in tracks])
    index = np.arange(len(latents))
    shares = []
    offset = 0
    for track in tracks:
        for t in np.flatnonzero(np.abs(track.action).max(axis=1) > MOVING_ACTION) + offset:
            distance = np.linalg.norm(latents - latents[t], axis=1)
            far = np.abs(index - t) > NEAR_STEPS
            shares.append(np.mean(distance[far] < distance[t + 1]))
        offset += len(track.latents)
    return float(np.mean(shares)) if shares else 1.0


def inverse_dynamics(known: Sequence[Track], new: Sequence[Track], stretch: int) -> float:
    """Explained share of `stretch` actions' sum on `new`, by a ridge regression on [dz, z x dz] fitted on `known`."""
    inputs, outputs = _moves(known, stretch)
    inputs_new, outputs_new = _moves(new, stretch)
    if len(inputs) == 0 or len(inputs_new) == 0:
        return 0.0
    centre_in, centre_out = inputs.mean(axis=0), outputs.mean(axis=0)
    x, y = inputs - centre_in, outputs - centre_out
    solution = np.linalg.solve(x.T @ x + RIDGE * np.eye(x.shape[1]), x.T @ y)
    error = outputs_new - centre_out - (inputs_new - centre_in) @ solution
    spread = outputs_new - outputs_new.mean(axis=0)
    return float(1.0 - np.square(error).sum() / max(np.square(spread).sum(), EPSILON))


def _moves(tracks: Sequence[Track], stretch: int) -> tuple[Floats, Floats]:
    """Inputs [dz, z x dz] and outputs, the summed actions, of all stretches of so many steps; empty when none."""
    inputs, outputs = [], []
    for z, action in tracks:
        if len(action) < stretch:
            continue
        dz = z[stretch:] - z[:-stretch]
        cross = np.einsum("ni,nj->nij", z[:-stretch], dz).reshape(len(dz), -1)
        total = np.cumsum(np.vstack([np.zeros(action.shape[1]), action]), axis=0)
        inputs.append(np.hstack([dz, cross]))
        outputs.append(total[stretch:] - total[:-stretch])
    if not inputs:
        return np.empty((0, 0)), np.empty((0, 0))
    return np.concatenate(inputs), np.concatenate(outputs)


def novelty(known: Sequence[Track], new: Sequence[Track]) -> float:
    """Share of `new` frames farther from every known frame than the 75th percentile of one-step moves."""
    table = np.concatenate([track.latents for track in known])
    moves = np.concatenate([np.linalg.norm(np.diff(track.latents, axis=0), axis=1) for track in known])
    frames = np.concatenate([track.latents for track in new])
    nearest = np.array([np.square(table - frame).sum(axis=1).min() for frame in frames])
    return float(np.mean(np.sqrt(nearest) > np.percentile(moves, MOVE_PERCENTILE)))


def picture_scores(encoder: Encoder, train: Sequence[Episode], held_out: Sequence[Episode]) -> dict[str, float]:
    """How held-out frames decode: share of the lively pixels' variation explained, its worst decile, and the KL."""
    count, total, squares = 0, np.zeros(1), np.zeros(1)
    for episode in train:
        shades = episode.frames.astype(np.float64)
        count += len(shades)
        total, squares = total + shades.sum(axis=0), squares + np.square(shades).sum(axis=0)
    mean = total / count
    lively = np.sqrt(np.maximum(squares / count - mean**2, 0.0)) > LIVELY_PIXEL
    wrong, spread, divergence = [], [], []
    for episode in held_out:
        latents, log_variance = encoder.encode(episode.frames)
        decoded = encoder.decode(latents)[:, lively].astype(np.float64)
        wrong.append(np.square(episode.frames[:, lively] - decoded).sum(axis=1))
        spread.append(np.square(episode.frames[:, lively] - mean[lively]).sum(axis=1))
        divergence.append(kl_divergence(latents, log_variance).numpy())
    errors, spreads = np.concatenate(wrong), np.maximum(np.concatenate(spread), EPSILON)
    return {
        "pictures": float(1.0 - errors.sum() / spreads.sum()),
        "pictures_worst_decile": float(np.percentile(1.0 - errors / spreads, WORST_PERCENTILE)),
        "kl": float(np.concatenate(divergence).mean()),
    }
