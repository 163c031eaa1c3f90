"""From logged episodes to a policy: replay, beta-VAE, goal-conditioned agent (R14, R16). No ROS, no simulator, no loop.

Called by `robot_rig.stages`. One object holds everything that learning changes, so that `state_dict()` and
`load_state_dict()` continue a run bit for bit on a CPU. Nothing here is global.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor

from robot_rig.config import Config
from robot_rig.data.replay import Replay
from robot_rig.datatypes import Bytes, Episode, Goal, Ints
from robot_rig.errors import UserError
from robot_rig.learning.agent import Agent, Diet
from robot_rig.learning.gcbc import Gcbc
from robot_rig.learning.goals import GoalSampler
from robot_rig.learning.metric import SLOW_LAG, LatentSpace
from robot_rig.learning.motion import MotionModel
from robot_rig.learning.number_format import format_tensor, told_format
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.relabel import relabel
from robot_rig.learning.td3 import TD3
from robot_rig.learning.training_state import prefixed, under
from robot_rig.learning.vae import Vae

ENCODE_BLOCK = 256
"""Pictures encoded at once: more do not fit into a core's cache."""

MOTION_EVERY = 2
"""Updates of the agent to one of the motion model, which has far less to learn."""

OnUpdate = Callable[[Mapping[str, float]], None]
"""Told the metrics of each gradient step."""


def ignore_update(metrics: Mapping[str, float]) -> None:
    """The callback of a caller who does not want to know."""


class Trainer:
    """The learner of one run: `replay` holds its pictures, `config` its sizes and rates.

    Order of use: `ingest` random play, `train_vae`, `begin_practice`, `update`; then, as episodes come in,
    `ingest`, `update` and now and then `tune_vae`.
    """

    def __init__(self, config: Config, replay: Replay) -> None:
        torch.set_num_threads(config.threads)
        self._config = config
        self._replay = replay
        self._rng = np.random.default_rng([config.seed, 1])
        self.vae = Vae.of(config.vae, config.seed, config.number_format)
        self.vae_updates = 0
        self._sampler = GoalSampler(config.agent.goals, config.seed, self.vae.sample_prior)
        self._space: LatentSpace | None = None
        self._agent: Agent | None = None
        self._motion: MotionModel | None = None
        self._lag = 0

    @property
    def updates(self) -> int:
        """The agent's updates so far."""
        return 0 if self._agent is None else self._agent.updates

    @property
    def practising(self) -> bool:
        """Whether `begin_practice` has fixed the latent space and made the agent."""
        return self._agent is not None

    # Data.

    def ingest(self, episode: Episode) -> None:
        """Take a logged episode into the replay, which the oldest may leave; while practising its latents are known
        at once.
        """
        self._replay.add(episode)
        if self.practising:
            self._encode()

    # Representation (R10-R14).

    def train_vae(self, updates: int, on_update: OnUpdate = ignore_update) -> None:
        """`updates` gradient steps of the beta-VAE on uniformly drawn frames."""
        for _ in range(updates):
            rows = self._replay.frames(self._rng, self._config.vae.batch)
            metrics = self.vae.train_batch(self._replay.pictures(rows))
            self.vae_updates += 1
            on_update(metrics)

    def tune_vae(self, updates: int, on_update: OnUpdate = ignore_update) -> None:
        """Fine-tune the VAE on all frames in the replay and recompute every latent (R14).

        The latent space keeps its scale: the networks have learnt in it.
        """
        self.train_vae(updates, on_update)
        self._encode()

    # Practice (R1, R3, R6-R9, R15, R18).

    def begin_practice(self, lag: int = 0) -> None:
        """Fix the latent space on the frames so far and make the agent.

        `lag`: steps by which the pictures trail the actions (`learning.health.best_lag`).
        """
        self._lag = lag
        means, log_variances = self._moments(self._replay.frame_rows)
        before, after = self._replay.pairs(SLOW_LAG)
        moves, agent = means[after] - means[before], self._config.agent
        self._space = LatentSpace.fit(agent.metric, means, log_variances, moves, agent.slow_limit)
        self._agent, self._motion = self._new_agent(self._space), self._new_motion(self._space)
        self._encode()

    def update(self, updates: int, on_update: OnUpdate = ignore_update) -> None:
        """`updates` steps of the agent on freshly relabelled batches (R9, R15)."""
        agent, space, motion = self._learner()
        config, diet = self._config.agent, self._diet()
        latents = torch.from_numpy(self._replay.latents)
        for _ in range(updates):
            transitions = self._replay.transitions(self._rng, config.batch, diet.mix, self._lag, diet.whose)
            batch = relabel(transitions, latents, self._sampler, space, config.discount)
            metrics = agent.update(batch)
            if agent.updates % MOTION_EVERY == 0:
                metrics["motion_loss"] = motion.update(batch)
            on_update(metrics)

    def imagine_goal(self, goal_id: str, stamp: float) -> Goal:
        """A goal for the robot to set itself, z_g ~ p(z), as the picture it stands for (R3, R8, R19)."""
        if self._sampler.kind == "achieved":
            image = self._replay.pictures(self._replay.frames(self._rng, 1))[0]
        else:
            image = self.vae.decode(self._sampler.sample(1))[0]
        return Goal(image, goal_id, stamp, calibration_id="", source="imagined")

    def goal_supply(self, n: int) -> Tensor:
        """Latents float32 (n, Z) of goals that a robot far away may set itself, z_g ~ p(z) (R3, R8)."""
        return self._sampler.supply(n, self._config.seed + self.updates)

    def acting_policy(self) -> LatentPolicy:
        """A frozen copy of the policy as it is learning now; what practice explores with."""
        agent, space, motion = self._learner()
        return LatentPolicy(self.vae, space, agent.actor, motion.net)

    def averaged_policy(self) -> LatentPolicy:
        """A frozen copy of the target actor, the running average of the policy; what is examined and shipped.

        The average forgets the jitter of the last updates.
        """
        agent, space, motion = self._learner()
        return LatentPolicy(self.vae, space, agent.target_actor, motion.net)

    def sample_pictures(self) -> tuple[Bytes, Bytes]:
        """Two frames of the replay, uint8 (84, 84, 3): the first and the last, for a checkpoint's self-test."""
        rows = self._replay.frame_rows
        first, last = self._replay.pictures(rows[[0, -1]])
        return first, last

    # Continuing.

    def state_dict(self) -> dict[str, Tensor]:
        """Everything that learning has changed, as named tensors, but the pictures."""
        state = {"vae_updates": torch.tensor(self.vae_updates), "rng": _rng_tensor(self._rng)}
        state["lag"] = torch.tensor(self._lag)
        state["number_format"] = format_tensor(self._config.number_format)
        state |= prefixed("vae", self.vae.state_dict())
        state |= prefixed("sampler", self._sampler.state_dict())
        if self._agent is not None and self._space is not None and self._motion is not None:
            state |= prefixed("agent", self._agent.state_dict())
            state |= prefixed("motion", self._motion.state_dict())
            state |= prefixed("space", self._space.state_dict())
        return state

    def load_state_dict(self, state: Mapping[str, Tensor]) -> None:
        """Go on from `state_dict()` with a replay that holds the same episodes in the same order.

        Raises UserError when it was learnt in another number format: what would come out is neither's.
        """
        learnt_in = told_format(state)
        if learnt_in != self._config.number_format:
            raise UserError(
                f"the saved learner computes in {learnt_in}, and number_format is {self._config.number_format}",
                next_step=f"go on with --set number_format={learnt_in}, or begin a new run",
            )
        self.vae_updates = int(state["vae_updates"])
        self._lag = int(state["lag"])
        _load_rng(self._rng, state["rng"])
        self.vae.load_state_dict(under("vae", state))
        self._sampler.load_state_dict(under("sampler", state))
        space = under("space", state)
        if space:
            self._space = LatentSpace.from_state(space)
            self._agent = self._new_agent(self._space)
            self._agent.load_state_dict(under("agent", state))
            self._motion = self._new_motion(self._space)
            self._motion.load_state_dict(under("motion", state))
            self._encode()

    # Inside.

    def _learner(self) -> tuple[Agent, LatentSpace, MotionModel]:
        if self._agent is None or self._space is None or self._motion is None:
            raise RuntimeError("call begin_practice first")
        return self._agent, self._space, self._motion

    def _new_motion(self, space: LatentSpace) -> MotionModel:
        return MotionModel(space.feature_dim, len(self._config.control.axes), self._config.seed)

    def _diet(self) -> Diet:
        agent = self._config.agent
        if agent.kind == "gcbc":
            return Diet((0.0, 0.0, 1.0), "people" if self._replay.human_steps else "everybody")
        return Diet((agent.mix_rollout, agent.mix_imagined, agent.mix_future), "everybody")

    def _new_agent(self, space: LatentSpace) -> Agent:
        agent, action_dim = self._config.agent, len(self._config.control.axes)
        if agent.kind == "gcbc":
            return Gcbc(
                space.feature_dim,
                action_dim,
                hidden=agent.hidden,
                learning_rate=agent.learning_rate,
                polyak=agent.polyak,
                seed=self._config.seed,
                number_format=self._config.number_format,
            )
        return TD3(
            space.feature_dim,
            action_dim,
            hidden=agent.hidden,
            layer_norm=agent.layer_norm,
            learning_rate=agent.learning_rate,
            polyak=agent.polyak,
            target_noise=agent.target_noise,
            target_noise_clip=agent.target_noise_clip,
            policy_delay=agent.policy_delay,
            seed=self._config.seed,
            number_format=self._config.number_format,
        )

    def _moments(self, rows: Ints) -> tuple[Tensor, Tensor]:
        """Means and log variances (N, Z) of the pictures in `rows` (N,), of which a block is in memory at a time."""
        starts = range(0, len(rows), ENCODE_BLOCK)
        blocks = [self.vae.encode(self._replay.pictures(rows[i : i + ENCODE_BLOCK])) for i in starts]
        means, log_variances = zip(*blocks, strict=True)
        return torch.cat(means), torch.cat(log_variances)

    def _encode(self) -> None:
        """Bring latents and goal sampler up to date with the encoder and the pictures."""
        self._replay.refresh(self.vae.encoder_id, lambda pictures: self.vae.encode(pictures)[0].numpy())
        self._sampler.observe(torch.from_numpy(self._replay.latents[self._replay.frame_rows]))


def _rng_tensor(rng: np.random.Generator) -> Tensor:
    return torch.tensor(list(json.dumps(rng.bit_generator.state).encode()), dtype=torch.uint8)


def _load_rng(rng: np.random.Generator, state: Tensor) -> None:
    rng.bit_generator.state = json.loads(bytes(state.tolist()))
