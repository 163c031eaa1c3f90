"""The policies a rig can run: the learnt one, the learnt one with noise, and random play (R7, R10, R17, R20).

All implement `interfaces.Policy`: a picture and a goal picture in, a normalised action out. There is no argument
through which joint angles or object positions could come in (R17). Called by stages, policy process and exam.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from robot_rig.datatypes import Bytes, Float32s, Frame, Goal
from robot_rig.errors import UserError
from robot_rig.interfaces import Policy
from robot_rig.learning.encoder import Encoder
from robot_rig.learning.finite import require_action, require_goal
from robot_rig.learning.metric import LatentSpace
from robot_rig.learning.motion import MotionNet, motion_from_weights
from robot_rig.learning.td3 import Actor, actor_from_weights
from robot_rig.learning.vae import encoder_from_weights

SHOWN_CHARS = 160


class LatentPolicy:
    """pi(e(s), e(g)): frozen copies of encoder, latent space, actor and motion net, which no later training changes."""

    def __init__(self, encoder: Encoder, space: LatentSpace, actor: Actor, motion: MotionNet) -> None:
        self.encoder = encoder.frozen()
        self.space = space
        self.actor = copy.deepcopy(actor).requires_grad_(False).eval()
        self.motion = copy.deepcopy(motion).requires_grad_(False).eval()
        self.action_dim = self.actor.action_dim
        self._goal: Tensor | None = None

    def begin(self, goal: Goal) -> None:
        """z_g = e(g): encode the goal picture once (R7, R20). Raises PolicyFailedError when that is not a number."""
        self._goal = self.encoder.encode(goal.image[None])[0]
        require_goal(self._goal.numpy())

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """The action float32 (A,) in [-1, 1] for this frame, moved ahead by what is `under_way`.

        Raises RuntimeError before `begin`, and PolicyFailedError for an action that is not a number.
        """
        latent = self.encoder.encode(frame.rgb[None])[0]
        with torch.inference_mode():
            features = self.space.features(latent)
            if under_way is not None:
                features = self.motion.ahead(features, under_way)
            action: Float32s = self.actor(features, self.space.features(self._aim()))[0].numpy()
        require_action(action, latent.numpy)
        return action

    def goal_distance(self, frame: Frame) -> float:
        """|| e(s) - e(g) ||_A, the negative reward of being there; for people watching (R4, R19)."""
        return self.space.distance(self.encoder.encode(frame.rgb[None])[0], self._aim()).item()

    def tensors(self) -> dict[str, dict[str, Tensor]]:
        """Everything the policy is, as the groups `encoder`, `space`, `actor` and `motion` of a checkpoint."""
        return {
            "encoder": self.encoder.weights(),
            "space": self.space.state_dict(),
            "actor": {name: value.clone() for name, value in self.actor.state_dict().items()},
            "motion": {name: value.clone() for name, value in self.motion.state_dict().items()},
        }

    def _aim(self) -> Tensor:
        if self._goal is None:
            raise RuntimeError("a policy must begin with a goal before it acts")
        return self._goal


def policy_from_tensors(groups: Mapping[str, Mapping[str, Tensor]]) -> LatentPolicy:
    """The policy whose `tensors()` these are. Raises UserError when a group is missing or does not fit the others."""
    missing = [name for name in ("encoder", "space", "actor", "motion") if name not in groups]
    if missing:
        raise UserError(f"the checkpoint holds no {' and no '.join(missing)}", next_step="choose another checkpoint")
    try:
        encoder = encoder_from_weights(groups["encoder"])
        space = LatentSpace.from_state(groups["space"], encoder.latent_dim)
        actor, motion = actor_from_weights(groups["actor"]), motion_from_weights(groups["motion"])
    except (LookupError, RuntimeError, ValueError, TypeError) as error:
        # Names that are missing, tensors of other forms: what a stranger's checkpoint may hold under our names.
        said = " ".join(str(error).split())[:SHOWN_CHARS]
        raise UserError(f"the checkpoint is of no policy: {said}", next_step="choose another checkpoint") from error
    _require_match(encoder, space, actor, motion)
    return LatentPolicy(encoder, space, actor, motion)


def _require_match(encoder: Encoder, space: LatentSpace, actor: Actor, motion: MotionNet) -> None:
    """Raise UserError unless each part takes what the one before it gives."""
    features, actions = space.feature_dim, actor.action_dim
    for name, got, wanted in (
        ("policy", actor.layers[0].in_features, 2 * features),
        ("motion model", motion.layers[-1].out_features, features),
        ("motion model", motion.layers[0].in_features, features + actions),
    ):
        if got != wanted:
            raise UserError(
                f"the {name} takes or gives {got} numbers, and encoder {encoder.encoder_id} of {encoder.latent_dim} "
                f"latents calls for {wanted}",
                next_step="choose another checkpoint",
            )


class OrnsteinUhlenbeck:
    """Noise that wanders: x <- x - theta x + sigma N(0, I). x float32 (A,) starts at 0; `rng` is its own."""

    def __init__(self, theta: float, sigma: float, action_dim: int, rng: np.random.Generator) -> None:
        self._theta, self._sigma, self._rng = theta, sigma, rng
        self._x = np.zeros(action_dim)

    def sample(self) -> Float32s:
        """The next value, float32 (A,), not clipped."""
        self._x = self._x - self._theta * self._x + self._sigma * self._rng.standard_normal(len(self._x))
        return self._x.astype(np.float32)

    def restart(self) -> None:
        """Back to 0, as at the start of an episode."""
        self._x = np.zeros(len(self._x))

    def state(self) -> Bytes:
        """Value and generator as the bytes of a JSON text, uint8 (N,)."""
        text = json.dumps({"x": self._x.tolist(), "rng": self._rng.bit_generator.state})
        return np.array(bytearray(text.encode()), np.uint8)

    def load_state(self, state: Bytes) -> None:
        """Continue from `state()`. Raises ValueError for the state of another action size."""
        saved = json.loads(state.tobytes())
        if len(saved["x"]) != len(self._x):
            raise ValueError(f"noise of {len(saved['x'])} numbers cannot drive {len(self._x)}")
        self._x = np.array(saved["x"])
        self._rng.bit_generator.state = saved["rng"]


class NoisyPolicy:
    """A policy with exploration noise on top, for practice (R14)."""

    def __init__(self, policy: Policy, noise: OrnsteinUhlenbeck) -> None:
        self._policy, self._noise = policy, noise
        self.action_dim = policy.action_dim

    def begin(self, goal: Goal) -> None:
        """Start an episode towards `goal`; the noise starts at 0."""
        self._noise.restart()
        self._policy.begin(goal)

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """The policy's action plus noise, clipped to [-1, 1]."""
        action: Float32s = np.clip(self._policy.act(frame, under_way) + self._noise.sample(), -1.0, 1.0)
        return action


class RandomPolicy:
    """Play without a goal: wandering noise only (R10). Episodes follow on without a restart of the noise."""

    def __init__(self, theta: float, sigma: float, action_dim: int, seed: int) -> None:
        self.action_dim = action_dim
        self._noise = OrnsteinUhlenbeck(theta, sigma, action_dim, np.random.default_rng(seed))

    def begin(self, goal: Goal) -> None:
        """Nothing: random play has no goal."""

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """Noise float32 (A,) clipped to [-1, 1], whatever the frame shows."""
        return self.noise()

    def noise(self) -> Float32s:
        """The next action."""
        # Not np.clip: its checks cost more than the arithmetic, at every step of play.
        action: Float32s = np.minimum(np.maximum(self._noise.sample(), np.float32(-1.0)), np.float32(1.0))
        return action

    def state(self) -> dict[str, Bytes]:
        """What must be saved so that play continues bit for bit."""
        return {"noise": self._noise.state()}

    def load_state(self, state: Mapping[str, Bytes]) -> None:
        """Continue from `state()`."""
        self._noise.load_state(state["noise"])
