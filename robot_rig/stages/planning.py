"""From the log of a run to a policy that plans: tell hand and object apart, learn to foresee.

Called by `benchmarks.push`. Off to the side of the trainer: it learns from the same log, with the encoder that was
trained on it, in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_rig.data.log import read_episode
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Episode
from robot_rig.errors import UserError
from robot_rig.learning.encoder import Encoder
from robot_rig.learning.hand_and_object import Track
from robot_rig.learning.keypoint_nets import PlacingNet
from robot_rig.learning.planning import PlanningPolicy, learn_to_plan
from robot_rig.learning.vae import VaeEncoder
from robot_rig.runs import RunFolder

AT_ONCE = 64
"""Pictures encoded together: more do not fit into a core's cache."""


def planning_policy(run: RunFolder, encoder: Encoder, seed: int) -> PlanningPolicy:
    """Learnt from every episode of `run` as `encoder` sees it; `seed` draws weights, batches and plans.

    Raises UserError for an encoder without keypoints, and for too short a log.
    """
    if not (isinstance(encoder, VaeEncoder) and isinstance(encoder.net, PlacingNet)):
        raise UserError(
            "a plan is made of places, and this encoder has none", next_step="set vae.encoder to vae_keypoints"
        )
    episodes = [read_episode(path) for path in EpisodeStore(run.episodes).paths()]
    return learn_to_plan(encoder, encoder.net.noisy, followed(episodes, encoder), seed)


def followed(episodes: Sequence[Episode], encoder: Encoder) -> Track:
    """The `episodes` as `encoder` sees them; an action is what the guard let through of it."""
    latents, actions, befores, numbers = [], [], [], []
    for number, episode in enumerate(episodes):
        pictures, none = episode.frames, np.zeros((1, episode.action.shape[1]), np.float32)
        latents += [encoder.encode(pictures[at : at + AT_ONCE])[0].numpy() for at in range(0, len(pictures), AT_ONCE)]
        actions += [episode.executed_action, none]
        befores += [none, episode.executed_action]
        numbers.append(np.full(len(pictures), number))
    return Track(np.concatenate(latents), np.concatenate(actions), np.concatenate(befores), np.concatenate(numbers))
