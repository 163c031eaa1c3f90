"""From a learner to a checkpoint that can be examined, copied and trusted. Called after every stretch of practice."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

from robot_rig.config import Config
from robot_rig.datatypes import Bytes, Frame, Goal
from robot_rig.errors import UserError
from robot_rig.keys import Pin, TrainerKey, key_folder
from robot_rig.learning.checkpoint import Accepts, Groups, Manifest, read_checkpoint, verify_golden, write_checkpoint
from robot_rig.learning.number_format import FORMATS, format_tensor, told_format
from robot_rig.learning.policy import LatentPolicy, policy_from_tensors
from robot_rig.runs import RunFolder
from robot_rig.trainer import Trainer

NAME = re.compile(r"practice-([0-9]{6,})")
"""How checkpoints are called: a robot that practises at 10 Hz has made a million steps after 28 hours."""

GOALS = "goals"
"""Group of a checkpoint: latents (N, Z), under its own encoder, of goals that the robot may set itself (R3, R8)."""

TRAINING = "training"
"""Group of a checkpoint: how it was learnt; `number_format`, the index in `number_format.FORMATS`."""

SUPPLY = 256
"""How many of them."""


def checkpoint_path(run: RunFolder, practice_steps: int) -> Path:
    """Where the policy after `practice_steps` lies."""
    return run.checkpoints / f"practice-{practice_steps:06d}"


def checkpoints(run: RunFolder) -> dict[int, Path]:
    """Practice steps -> checkpoint, those that `run` holds, by rising steps."""
    return shipped_in(run.checkpoints)


def shipped_in(folder: Path) -> dict[int, Path]:
    """The same for a `folder` of checkpoints, which need not be there yet."""
    found = {int(match[1]): path for path in folder.glob("practice-*") if (match := NAME.fullmatch(path.name))}
    return dict(sorted(found.items()))


def ship(run: RunFolder, config: Config, trainer: Trainer, practice_steps: int) -> Path:
    """Write the averaged policy after `practice_steps` with a self-test; where it stands already it is left alone.

    It can stand already only after a kill between shipping and saving, and a resumed run learns the same again.
    """
    return ship_into(checkpoint_path(run, practice_steps), run, config, trainer)


def ship_into(folder: Path, run: RunFolder, config: Config, trainer: Trainer) -> Path:
    """The same into `folder`, wherever that is; it is of `run` all the same."""
    if folder.exists():
        return folder
    policy = trainer.averaged_policy()
    image, goal = trainer.sample_pictures()
    policy.begin(Goal(goal, "golden", 0.0, calibration_id="", source="achieved"))
    manifest = Manifest(
        encoder_id=policy.encoder.encoder_id,
        config_hash=config.hash(),
        latent_dim=policy.encoder.latent_dim,
        action_dim=policy.action_dim,
        train_steps=trainer.updates,
        golden_image=image,
        golden_goal=goal,
        golden_action=policy.act(Frame(0, 0.0, image)),
        run_id=run.id,
    )
    beside = {
        GOALS: {"latents": trainer.goal_supply(SUPPLY)},
        TRAINING: {"number_format": format_tensor(config.number_format)},
    }
    write_checkpoint(folder, {**policy.tensors(), **beside}, manifest, TrainerKey.own(key_folder()).sign)
    return folder


class Shipment(NamedTuple):
    """A checkpoint that has passed its self-test: what acts, what it is of, and every tensor in it."""

    policy: LatentPolicy
    manifest: Manifest
    groups: Groups

    @property
    def number_format(self) -> str:
        """What its gradients were computed in; checkpoints of before do not say, and were learnt in float32."""
        return told_format(self.groups.get(TRAINING, {}))


def load_policy(folder: Path) -> LatentPolicy:
    """The policy in the checkpoint `folder`, after its self-test; raises as `load_checkpoint` does."""
    return load_checkpoint(folder).policy


def load_trusted(folder: Path) -> Shipment:
    """`load_checkpoint` for who moves an arm: of the trainer that this robot believes, and of nobody else."""
    return load_checkpoint(folder, Pin.trusted(key_folder()).accepts)


def load_checkpoint(folder: Path, accepts: Accepts | None = None) -> Shipment:
    """What is in the checkpoint `folder`.

    Raises UserError when any byte, size or answer is not what was shipped, or `accepts` does not believe the shipper.
    """
    groups, manifest = read_checkpoint(folder, accepts=accepts)
    policy = policy_from_tensors(groups)
    sizes = {"latents": policy.encoder.latent_dim, "actions": policy.action_dim}
    promised = {"latents": manifest.latent_dim, "actions": manifest.action_dim}
    if sizes != promised:
        raise UserError(
            f"{folder} holds a policy of {sizes}, its manifest promises {promised}",
            next_step="choose another checkpoint",
        )
    if policy.encoder.encoder_id != manifest.encoder_id:
        raise UserError(
            f"{folder} holds encoder {policy.encoder.encoder_id}, its policy was trained on {manifest.encoder_id}",
            next_step="choose another checkpoint",
        )
    shipment = Shipment(policy, manifest, groups)
    if shipment.number_format not in FORMATS:
        raise UserError(
            f"{folder} was learnt in a number format that is not known here", next_step="choose another checkpoint"
        )
    verify_golden(policy, manifest)
    return shipment


def decode_goals(shipment: Shipment) -> Bytes:
    """Goals to practise on, uint8 (N, 84, 84, 3), N >= 1: what the trainer imagined, decoded by its policy (R19).

    Raises UserError when the checkpoint holds none, or such as its encoder cannot have made.
    """
    encoder, latents = shipment.policy.encoder, shipment.groups.get(GOALS, {}).get("latents")
    if latents is None or latents.ndim != 2 or len(latents) == 0 or latents.shape[1] != encoder.latent_dim:
        raise UserError("its goals are no latents of its encoder", next_step="choose another checkpoint")
    return encoder.decode(latents.float())
