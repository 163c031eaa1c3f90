"""Hindsight and imagination: a batch with its goals in place and every reward recomputed (R9). Called by the trainer.

A transition says nothing about its goal, so any goal may be put in: the rollout's own, one imagined from p(z), or a
frame that came later in the same episode. Episodes never end by failing or arriving: the discount is constant.
"""

from __future__ import annotations

import torch
from torch import Tensor

from robot_rig.datatypes import Transitions
from robot_rig.learning.goals import GoalSampler
from robot_rig.learning.metric import LatentSpace
from robot_rig.learning.td3 import Batch

IMAGINED = 1
"""`Transitions.kind` of a goal that is drawn here; 0 is the rollout's goal, 2 a future frame."""


def goal_latents(transitions: Transitions, latents: Tensor, sampler: GoalSampler) -> Tensor:
    """z_g float32 (B, Z): `latents` (N, Z) of the goal row where there is one, else a draw from `sampler` (R8).

    Raises ValueError when `goal` is missing in a row that is not imagined, or given in one that is.
    """
    rows = torch.from_numpy(transitions.goal)
    imagined = rows < 0
    if not torch.equal(imagined, torch.from_numpy(transitions.kind) == IMAGINED):
        raise ValueError("exactly the imagined transitions must have goal -1")
    goals = latents[rows.clamp_min(0)]
    goals[imagined] = sampler.sample(int(imagined.sum()))
    return goals


def relabel(
    transitions: Transitions, latents: Tensor, sampler: GoalSampler, space: LatentSpace, discount: float
) -> Batch:
    """The TD3 batch of `transitions`: features of z, z', z_g, and r = -||z' - z_g||_A for every row (R6, R9).

    latents: float32 (N, Z), the row table `transitions` points into.
    """
    now, then = latents[torch.from_numpy(transitions.frame)], latents[torch.from_numpy(transitions.next_frame)]
    goals = goal_latents(transitions, latents, sampler)
    return Batch(
        obs=space.features(now),
        action=torch.from_numpy(transitions.action),
        reward=space.reward(then, goals),
        discount=torch.full((len(goals),), discount),
        next_obs=space.features(then),
        goal=space.features(goals),
    )
