"""What an encoder of the push scene knows of the puck, measured with the truth. For `benchmarks.push` only.

No learner gets any of this: the frames are of an arm of the benchmark's own, which plays as the run has played and
beside each frame notes where the puck and the tool truly are. A small network then learns to read the puck off the
latent and is examined on goal pictures, in which a puck was placed: what it cannot read there, no policy can either.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
import torch
from scipy.stats import spearmanr
from torch import Tensor, nn

from robot_rig.config import Config
from robot_rig.datatypes import Bytes, Floats, Ints, Source
from robot_rig.errors import GuardStoppedError
from robot_rig.learning.encoder import Encoder
from robot_rig.learning.metric import SLOW_LAG, LatentSpace
from robot_rig.learning.policy import RandomPolicy
from robot_rig.learning.surprise import Surprise, explained
from robot_rig.learning.vae import unit_pictures
from robot_rig.loops.play import play
from robot_rig.loops.policy_loop import PolicyLoop
from sim.push_exam import PushCase
from sim.rig import SimRig

OTHER_SEED = 1_000_003
"""Added to the run's seed: other play than the run's."""

LEARNT_SHARE = 0.8
PROBES, PROBE_UPDATES, PROBE_BATCH, PROBE_WIDTH = 3, 600, 256, 128
PAIRS = 20_000
AT_ONCE = 256
COMPARED = ("whitened", "slow")
"""Metrics."""


class Watched(NamedTuple):
    """Play with the truth beside it: frames uint8 (N, 84, 84, 3), puck and tool (N, 2) m, `episode` (N,): which one.

    Of four fifths of it probes learn, and they are held out from the rest.
    """

    frames: Bytes
    puck_m: Floats
    tool_m: Floats
    episode: Ints


class Alike(NamedTuple):
    """Rank correlations (hand, puck) of two distances: of pairs of frames, of goals, and of a goal and a frame."""

    frames: tuple[float, float]
    goals: tuple[float, float]
    goal_and_frame: tuple[float, float]


class Insight(NamedTuple):
    """What an encoder knows. `goals_m`, `held_out_m`: error of the probe (N,) m on goal pictures and on other play,
    mean of the probes. Explained share of pixels, all and surprising: `play`, `goals`. `alike`: by metric, rank
    correlation of the latent distance with the true one.
    """

    goals_m: Floats
    held_out_m: Floats
    play: tuple[float, float]
    goals: tuple[float, float]
    alike: Mapping[str, Alike]


def watch_play(config: Config, steps: int, progress: Callable[[int], None]) -> Watched:
    """`steps` steps of random play as in `config.collect`, on an arm of its own."""
    seed, settings, control = config.seed + OTHER_SEED, config.collect, config.control
    rig = SimRig(config, config.seed)
    try:
        policy = RandomPolicy(settings.ou_theta, settings.ou_sigma, len(control.axes), seed)
        loop = PolicyLoop(config.guard.image_age_limit_s, 1.0 / control.policy_rate_hz, control.lag_s)
        frames, places, episodes, start = [], [], [], rig.state()

        def truth() -> Floats:
            return np.stack([rig.world.puck_position()[:2], rig.world.tool_position()[:2]])

        for begun in range(0, steps, settings.episode_steps):
            rig.put_back()
            here = truth()
            # A person would set the arm free after the guard has ended an episode; here the room is as it was at first.
            try:
                for step in play(rig, loop, policy, None, Source.RANDOM, min(settings.episode_steps, steps - begun)):
                    frames.append(step.frame.rgb)
                    places.append(here)
                    episodes.append(begun)
                    here = truth()
                    progress(len(frames))
            except GuardStoppedError:
                rig.load_state(start)
    finally:
        rig.close()
    seen = np.stack(places)
    return Watched(np.stack(frames), seen[:, 0], seen[:, 1], np.array(episodes))


def look_into(encoder: Encoder, watched: Watched, cases: Sequence[PushCase], limit: float, seed: int) -> Insight:
    """What `encoder` knows of the frames watched and of the goals `cases`; `limit`: of metric slow."""
    images, puck, tool = (
        np.stack([getattr(case, name) for case in cases]) for name in ("image", "puck_xy_m", "tool_xy_m")
    )
    split = round(LEARNT_SHARE * len(watched.frames))
    known, new = slice(split), slice(split, None)
    (seen, log_variances), (goals, _) = _moments(encoder, watched.frames), _moments(encoder, images)
    on_goals, on_new = [], []
    for number in range(PROBES):
        read = _probe(seen[known], watched.puck_m[known], seed + number)
        on_goals.append(np.linalg.norm(read(goals) - puck, axis=1))
        on_new.append(np.linalg.norm(read(seen[new]) - watched.puck_m[new], axis=1))
    usual, mean = _usual(watched.frames[known])
    rng = np.random.default_rng(seed)
    left, right = rng.integers(len(seen), size=(2, PAIRS))
    a, b = np.triu_indices(len(goals), 1)
    g, f = rng.integers(len(goals), size=PAIRS), rng.integers(len(seen), size=PAIRS)

    together = torch.from_numpy(watched.episode[SLOW_LAG:] == watched.episode[:-SLOW_LAG])
    moves = (seen[SLOW_LAG:] - seen[:-SLOW_LAG])[together]

    def rho(space: LatentSpace, one: Tensor, other: Tensor, *apart: Floats) -> tuple[float, float]:
        distance = space.distance(one, other).numpy()
        hand, object = (float(spearmanr(distance, np.linalg.norm(between, axis=1)).statistic) for between in apart)
        return hand, object

    def alike(metric: str) -> Alike:
        space = LatentSpace.fit(metric, seen, log_variances, moves, limit)
        return Alike(
            rho(space, seen[left], seen[right], watched.tool_m[left] - watched.tool_m[right],
                watched.puck_m[left] - watched.puck_m[right]),
            rho(space, goals[a], goals[b], tool[a] - tool[b], puck[a] - puck[b]),
            rho(space, goals[g], seen[f], tool[g] - watched.tool_m[f], puck[g] - watched.puck_m[f]),
        )  # fmt: skip

    return Insight(
        goals_m=np.mean(on_goals, axis=0),
        held_out_m=np.mean(on_new, axis=0),
        play=_explained(encoder, watched.frames[new], seen[new], usual, mean),
        goals=_explained(encoder, images, goals, usual, mean),
        alike={metric: alike(metric) for metric in COMPARED},
    )


def _moments(encoder: Encoder, pictures: Bytes) -> tuple[Tensor, Tensor]:
    blocks = [encoder.encode(pictures[i : i + AT_ONCE]) for i in range(0, len(pictures), AT_ONCE)]
    means, log_variances = (torch.cat(part) for part in zip(*blocks, strict=True))
    return means, log_variances


def _usual(frames: Bytes) -> tuple[Surprise, Tensor]:
    """What is usual in a thousand of the frames, and their mean (3, 84, 84)."""
    shades = unit_pictures(frames[:: max(1, len(frames) // 1000)])
    return Surprise.of(shades), shades.mean(dim=0)


def _explained(
    encoder: Encoder, pictures: Bytes, latents: Tensor, usual: Surprise, mean: Tensor
) -> tuple[float, float]:
    decoded = np.concatenate([encoder.decode(latents[i : i + AT_ONCE]) for i in range(0, len(latents), AT_ONCE)])
    return explained(unit_pictures(pictures), unit_pictures(decoded), usual, mean)


def _probe(latents: Tensor, places: Floats, seed: int) -> Callable[[Tensor], Floats]:
    """A network that reads places (N, 2) m off latents (N, Z), trained on these."""
    generator = torch.Generator().manual_seed(seed)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = nn.Sequential(
            nn.Linear(latents.shape[1], PROBE_WIDTH), nn.ReLU(), nn.Linear(PROBE_WIDTH, PROBE_WIDTH), nn.ReLU(),
            nn.Linear(PROBE_WIDTH, 2),
        )  # fmt: skip
    wanted = torch.from_numpy(places).float()
    shift, scale = latents.mean(dim=0), latents.std(dim=0).clamp_min(1e-6)
    centre, spread = wanted.mean(dim=0), wanted.std(dim=0).clamp_min(1e-6)
    inputs, outputs = (latents - shift) / scale, (wanted - centre) / spread
    adam = torch.optim.Adam(net.parameters(), 1e-3)
    for _ in range(PROBE_UPDATES):
        rows = torch.randint(len(inputs), (PROBE_BATCH,), generator=generator)
        loss = (net(inputs[rows]) - outputs[rows]).square().mean()
        adam.zero_grad()
        loss.backward()
        adam.step()

    @torch.no_grad()
    def read(other: Tensor) -> Floats:
        found: Floats = (net((other - shift) / scale) * spread + centre).double().numpy()
        return found

    return read
