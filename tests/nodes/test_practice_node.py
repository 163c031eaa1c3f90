"""Practice without ROS: only what the trainer shipped gets to act, and what comes next follows from what was played."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
import torch

from robot_rig.config_files import load_config
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Frame, Goal, Source
from robot_rig.interfaces import Policy
from robot_rig.keys import TrainerKey, key_folder
from robot_rig.learning.checkpoint import Manifest, write_checkpoint
from robot_rig.learning.policy import LatentPolicy, NoisyPolicy
from robot_rig.loops.episode_state import EpisodeState, Stand
from robot_rig.nodes.practice_node import Casting, logged_play
from robot_rig.nodes.understudy import Ready, Understudy
from robot_rig.stages.shipping import GOALS
from tests.learning.blob_world import play
from tests.nodes.test_policy_and_recorder import CONFIG, learnt, picture
from tests.stages.test_follow import write

LATENTS = torch.linspace(-2, 2, 20).reshape(5, 4)


def shipped(folder: Path, practice_steps: int, policy: LatentPolicy, **goals: torch.Tensor) -> Path:
    """A checkpoint as `stages.shipping.ship` writes it."""
    image, goal = picture(1), picture(2)
    policy.begin(Goal(goal, "golden", 0.0, "", "captured"))
    action = policy.act(Frame(0, 0.0, image))
    manifest = Manifest(policy.encoder.encoder_id, CONFIG.hash(), 4, 2, practice_steps, image, goal, action)
    path = folder / f"practice-{practice_steps:06d}"
    groups = {**policy.tensors(), GOALS: goals or {"latents": LATENTS}}
    write_checkpoint(path, groups, manifest, TrainerKey.own(key_folder()).sign)
    return path


def answer(policy: Policy, seq: int) -> list[float]:
    policy.begin(Goal(picture(2), "g", 0.0, "", "imagined"))
    return [round(value, 4) for value in policy.act(Frame(seq, 0.0, picture(seq))).tolist()]


def test_each_newer_checkpoint_steps_in_once_and_an_older_one_never(tmp_path: Path) -> None:
    policy, understudy = learnt(), Understudy(tmp_path / "checkpoints", CONFIG, tmp_path)
    assert understudy.look() is None, "there is no folder yet"
    shipped(tmp_path / "checkpoints", 100, policy)
    ready = understudy.look()
    assert ready is not None
    assert ready.actor.name == "practice-000100"
    assert answer(ready.actor.policy, 7) == answer(policy, 7)
    np.testing.assert_array_equal(ready.goals, policy.encoder.decode(LATENTS))
    assert understudy.look() is None
    shipped(tmp_path / "checkpoints", 50, policy)
    assert understudy.look() is None
    shipped(tmp_path / "checkpoints", 200, policy)
    shipped(tmp_path / "checkpoints", 300, policy)
    ready = understudy.look()
    assert ready is not None
    assert ready.actor.name == "practice-000300"
    assert understudy.look() is None


def test_what_is_not_as_it_was_shipped_is_refused_once_and_by_name(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    policy, understudy = learnt(), Understudy(tmp_path, CONFIG, tmp_path)
    flipped = shipped(tmp_path, 100, policy) / "actor.safetensors"
    data = bytearray(flipped.read_bytes())
    data[-1] ^= 1
    flipped.write_bytes(data)
    with caplog.at_level(logging.ERROR):
        assert understudy.look() is None
        assert understudy.look() is None
    refusals = [record.getMessage() for record in caplog.records if "refused" in record.getMessage()]
    assert len(refusals) == 1
    assert "actor.safetensors" in refusals[0]
    shipped(tmp_path, 200, policy, latents=torch.zeros(3, 7))
    assert understudy.look() is None, "goals of another encoder"
    shipped(tmp_path, 300, policy, something_else=LATENTS)
    assert understudy.look() is None, "no goals"
    wide = load_config([], ["control.axes=[x, y, z]"])
    shipped(tmp_path, 400, policy)
    assert Understudy(tmp_path, wide, tmp_path).look() is None, "other axes"
    assert understudy.look() is not None


def test_a_damaged_newest_checkpoint_does_not_hide_a_sound_one(tmp_path: Path) -> None:
    shipped(tmp_path, 100, learnt())
    (shipped(tmp_path, 200, learnt()) / "actor.safetensors").unlink()
    understudy = Understudy(tmp_path, CONFIG, tmp_path)
    ready = understudy.look()
    assert ready is not None
    assert ready.actor.name == "practice-000100"
    assert understudy.look() is None


def test_random_play_by_the_programme_then_the_policy_with_noise_from_home(tmp_path: Path) -> None:
    casting = Casting(CONFIG, {"collect": CONFIG.collect.steps})
    assert casting.imagine(1.0) is None
    policy, rules = casting.next(None)
    assert (rules.source, rules.start, rules.recording) == (Source.RANDOM, "home_first", "required")
    assert rules.meta["stage"] == "heldout"
    assert rules.steps == CONFIG.collect.episode_steps
    random = policy
    session = rules.session
    held_out = CONFIG.collect.held_out_steps
    casting.count(EpisodeState(session, 1, Stand.COMPLETE, Source.RANDOM, "", 1, held_out, meta=rules.meta))
    assert casting.next(None)[1].meta["stage"] == "collect"
    assert casting.next(None)[0] is random, "its noise wanders on"
    folder = tmp_path / "checkpoints"
    shipped(folder, 100, learnt())
    ready = Understudy(folder, CONFIG, tmp_path).look()
    assert isinstance(ready, Ready)
    casting.take(ready)
    policy, rules = casting.next(None)
    assert isinstance(policy, NoisyPolicy)
    assert (rules.source, rules.start, rules.session) == (Source.POLICY, "home", session)
    assert rules.steps == CONFIG.practice.episode_steps
    assert rules.meta["stage"] == "practice"
    assert rules.meta["policy"] == "practice-000100"
    goals = [casting.imagine(float(i)) for i in range(40)]
    known = {image.tobytes() for image in ready.goals}
    assert {goal.image.tobytes() for goal in goals if goal is not None} == known
    assert len({goal.id for goal in goals if goal is not None}) == 40


def test_the_programme_goes_on_behind_the_log(tmp_path: Path) -> None:
    assert logged_play(tmp_path / "nothing") == {}
    assert not (tmp_path / "nothing").exists()
    log = EpisodeStore(tmp_path / "episodes")
    episode = play(episodes=1, steps=30, seed=1, name="a")[0]
    for stage, steps in (("collect", 30), ("heldout", 12), ("collect", 7), ("practice", 9)):
        write(log, stage, episode, steps).finish(Frame(steps, float(steps), episode.frames[steps]))
    assert logged_play(tmp_path) == {"collect": 37, "heldout": 12}
