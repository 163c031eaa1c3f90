"""Honest files of every kind that a rig reads, small ones, made by the rig's own writers. Made once a process."""

from __future__ import annotations

import atexit
import datetime
import shutil
import struct
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import torch

from robot_rig.config import Config
from robot_rig.config_files import describe_config
from robot_rig.data.disk_room import DiskRoom
from robot_rig.data.log import EpisodeWriter
from robot_rig.datatypes import IMAGE_SHAPE, Action, Bytes, Executed, Frame, Goal, Outcome, Source, Step
from robot_rig.evaluation import Evaluation, Rollout
from robot_rig.evaluation_files import save_evaluation
from robot_rig.goal_library import GoalLibrary
from robot_rig.goal_sets import GoalSets
from robot_rig.learning.checkpoint import Manifest, write_checkpoint
from robot_rig.learning.metric import LatentSpace
from robot_rig.learning.motion import MotionNet
from robot_rig.learning.policy import LatentPolicy
from robot_rig.learning.runtime import use_one_core
from robot_rig.learning.td3 import Actor
from robot_rig.learning.vae import Vae
from robot_rig.runs import RunFolder
from robot_rig.vision import save_picture
from sim.strangers.bag_bombs import bag_of, bag_record
from sim.strangers.forgery import Originals

LATENTS, OTHER_LATENTS, ACTIONS = 4, 16, 2
NO_LIMIT = DiskRoom(0, 0)


def _picture(number: int) -> Bytes:
    return np.random.default_rng(number).integers(0, 256, IMAGE_SHAPE, dtype=np.uint8)


@cache
def originals() -> Originals:
    """The files, in a folder that goes with the process."""
    folder = Path(tempfile.mkdtemp(prefix="robot-rig-originals-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    use_one_core()
    names = [f"{name}.yaml" if name == "settings" else name for name in Originals._fields]
    made = Originals(*(folder / name for name in names))
    save_picture(made.picture, _picture(0))
    save_picture(made.photo, np.random.default_rng(10).integers(0, 256, (480, 640, 3), dtype=np.uint8))
    library = GoalLibrary(made.goals, Config())
    library.capture(
        "good", Frame(3, 1.0, _picture(1)), datetime.datetime(2026, 1, 1, tzinfo=datetime.timezone.utc), "/camera"
    )
    GoalSets(library).make("corners", ["good"])
    _checkpoint(made.checkpoint, LATENTS, seed=0)
    _checkpoint(made.other_checkpoint, LATENTS, seed=1)
    _checkpoint(made.wide_checkpoint, OTHER_LATENTS, seed=0)
    made.settings.write_text(describe_config())
    _evaluation(made.evaluation)
    _episode(made.episode)
    text = bag_record(
        {"op": b"\x02", "conn": bytes(4), "time": struct.pack("<II", 5, 6)}, struct.pack("<I", 5) + b"hello"
    )
    made.bag.write_bytes(bag_of({"compression": b"none", "size": struct.pack("<I", len(text))}, text))
    with RunFolder.claim(made.run, Config()) as run:
        run.save_arrays("plant", {"q": np.arange(100.0), "n": np.arange(7)})
    return made


def untrained(seed: int, latents: int = LATENTS) -> LatentPolicy:
    """A policy as it is before it learns: random weights, the same in every process."""
    encoder = Vae(net="rlkit", latent_dim=latents, beta=1.0, learning_rate=1e-3, seed=seed)
    space = LatentSpace.fit("identity", *encoder.encode(np.stack([_picture(n) for n in range(4)])))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LatentPolicy(encoder, space, Actor(latents, ACTIONS, (16, 16)), MotionNet(latents, ACTIONS))


def _checkpoint(folder: Path, latents: int, seed: int) -> None:
    policy = untrained(seed, latents)
    image, goal = _picture(2), _picture(3)
    policy.begin(Goal(goal, "golden", 0.0, calibration_id="", source="achieved"))
    manifest = Manifest(
        encoder_id=policy.encoder.encoder_id,
        config_hash="0" * 16,
        latent_dim=latents,
        action_dim=ACTIONS,
        train_steps=7,
        golden_image=image,
        golden_goal=goal,
        golden_action=policy.act(Frame(0, 0.0, image)),
    )
    write_checkpoint(folder, policy.tensors(), manifest)


def _evaluation(folder: Path) -> None:
    def rollout(number: int) -> Rollout:
        frames = np.stack([_picture(number), _picture(number + 1)])
        return Rollout(_picture(number), frames, np.array([0.1, 0.05]), np.array([0.6, 0.0]), np.array([0.6, 0.05]))

    save_evaluation(folder, Evaluation(ids=("goal-0", "goal-1"), rollouts=(rollout(0), rollout(5))))


def _episode(path: Path) -> None:
    writer = EpisodeWriter(path, ACTIONS, _picture(9), {"stage": "play"}, room=NO_LIMIT)
    for n in range(4):
        action = Action(n, 0.1 * n, np.full(ACTIONS, 0.5, np.float32), Source.POLICY, n, 0.1 * n)
        executed = Executed(np.full(ACTIONS, 0.4, np.float32), 0.0, Outcome.PASSED, (), np.zeros(7))
        writer.append(Step(Frame(n, 0.1 * n, _picture(n)), action, executed))
    writer.finish(Frame(4, 0.4, _picture(4)))
