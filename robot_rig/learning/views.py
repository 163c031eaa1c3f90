"""What people may see of a latent space: decoded pictures, each dimension moved alone (R19), keypoints.

Called by the report and by the nodes that run a policy.
"""

from __future__ import annotations

import numpy as np
import torch

from robot_rig.datatypes import Bytes, Floats
from robot_rig.learning.encoder import Encoder
from robot_rig.learning.keypoint_nets import PlacingNet, on_picture
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.vae import VaeEncoder


def reconstruct(encoder: Encoder, pictures: Bytes) -> Bytes:
    """What `encoder` makes of `pictures`, both uint8 (N, 84, 84, 3)."""
    return encoder.decode(encoder.encode(pictures)[0])


def keypoints_px(encoder: Encoder, pictures: Bytes) -> Floats | None:
    """Column and row (N, K, 2) of the K things `encoder` sees in `pictures` uint8 (N, 84, 84, 3), if it has places.

    Whole numbers are the middles of pixels.
    """
    if not (isinstance(encoder, VaeEncoder) and isinstance(encoder.net, PlacingNet)):
        return None
    points = encoder.encode(pictures)[0][:, encoder.net.noisy :].double().numpy()
    return on_picture(points).reshape(len(points), -1, 2)


def goal_distance(policy: LatentPolicy, picture: Bytes, goal: Bytes) -> float:
    """|| e(s) - e(g) ||_A of two pictures uint8 (84, 84, 3): the negative reward of being there (R4, R19)."""
    return float(goal_distances(policy, picture[None], goal)[0])


def goal_distances(policy: LatentPolicy, pictures: Bytes, goal: Bytes) -> Floats:
    """The same of each of `pictures` uint8 (N, 84, 84, 3) and one `goal`: float64 (N,)."""
    latents = policy.encoder.encode(np.concatenate([pictures, goal[None]]))[0]
    distances: Floats = policy.space.distance(latents[:-1], latents[-1:]).double().numpy()
    return distances


def traverse(policy: LatentPolicy, pictures: Bytes, deviations: Floats) -> Bytes:
    """Decoded pictures uint8 (F, K, 84, 84, 3): each of the F latent dimensions in use moved alone.

    It moves by `deviations` (K,) standard deviations about the mean latent of `pictures` (N, 84, 84, 3).
    """
    means = policy.encoder.encode(pictures)[0]
    centre, spread = means.mean(dim=0), means.std(dim=0)
    moves = torch.from_numpy(deviations).float()
    rows = []
    for dimension in policy.space.dimensions:
        latents = centre.repeat(len(moves), 1)
        latents[:, dimension] += moves * spread[dimension]
        rows.append(policy.encoder.decode(latents))
    return np.stack(rows)
