"""Policies of right before and right after a tuning are kept, examined with the rest, and told encoder by encoder."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path

import numpy as np
import pytest

from robot_rig.evaluation import Evaluation, Rollout
from robot_rig.learning.policy import LatentPolicy
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import where_play_ended
from robot_rig.stages.examine import candidates
from robot_rig.stages.learn import Learning
from robot_rig.stages.practice import Practice
from robot_rig.stages.refreshes import keep, kept, stretches
from robot_rig.stages.shipping import checkpoints, load_policy, ship
from sim.rig import SimRig
from tests.stages.conftest import no_progress
from tests.tiny_run import tiny_config

CONFIG = tiny_config("practice.steps=75")
GOALS = 4


@pytest.fixture(scope="module")
def practised(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> RunFolder:
    """A run of three episodes with a tuning after each but the last, whose policies around it were kept."""
    folder = tmp_path_factory.mktemp("refreshed") / "run"
    shutil.copytree(trained, folder)
    with RunFolder.claim(folder, tiny_config()) as run:
        learning, rig = Learning(run, CONFIG), SimRig(CONFIG, CONFIG.seed)
        rig.load_state(where_play_ended(run))
        practice = Practice(CONFIG, rig, learning, functools.partial(keep, run, CONFIG))
        ship(run, CONFIG, learning.trainer, 0)
        while not practice.finished:
            practice.until(practice.steps + 25, no_progress)
            ship(run, CONFIG, learning.trainer, practice.steps)
        rig.close()
    return run


def exam(reached: int) -> Evaluation:
    """Of 4 goals the first `reached` are reached."""
    picture, home = np.zeros((84, 84, 3), np.uint8), np.array([0.6, 0.0])

    def rollout(away_m: float) -> Rollout:
        return Rollout(picture, picture[None], np.array([away_m]), home + np.array([away_m, 0.0]), home)

    far = [0.0 if number < reached else 0.2 for number in range(GOALS)]
    return Evaluation(tuple(f"goal-{n}" for n in range(GOALS)), tuple(map(rollout, far)))


def weights(policy: LatentPolicy, group: str) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in policy.tensors()[group].items()}


def test_around_a_tuning_the_encoder_changes_and_nothing_else(practised: RunFolder) -> None:
    around = kept(practised)
    assert list(around) == [(25, "before"), (25, "after"), (50, "before"), (50, "after")]
    policies = {key: load_policy(path) for key, path in around.items()}
    for steps in (25, 50):
        before, after = policies[steps, "before"], policies[steps, "after"]
        assert before.encoder.encoder_id != after.encoder.encoder_id
        for group in ("actor", "space", "motion"):
            assert weights(before, group) == weights(after, group)
        shipped = load_policy(checkpoints(practised)[steps])
        assert weights(shipped, "encoder") == weights(after, "encoder"), "a checkpoint comes after the tuning"
    assert policies[25, "after"].encoder.encoder_id == policies[50, "before"].encoder.encoder_id


def test_they_are_examined_and_told_encoder_by_encoder(practised: RunFolder) -> None:
    names = list(candidates(practised, CONFIG))
    assert names[-4:] == [f"refresh-0000{steps}-{moment}" for steps in (25, 50) for moment in ("before", "after")]
    reached = {"practice-000000": 0, "refresh-000025-before": 1, "refresh-000025-after": 2, "practice-000025": 2}
    reached |= {"refresh-000050-before": 3, "refresh-000050-after": 4, "practice-000050": 4, "practice-000075": 1}
    curve = stretches(practised, CONFIG, {name: exam(count) for name, count in reached.items()})
    told = [[(steps, summary.successes) for steps, summary in stretch.points] for stretch in curve]
    assert told == [[(0, 0), (25, 1)], [(25, 2), (25, 2), (50, 3)], [(50, 4), (50, 4), (75, 1)]]
    assert len({stretch.encoder_id for stretch in curve}) == 3


def test_where_nothing_was_kept_or_examined_there_is_no_curve(practised: RunFolder, trained: Path) -> None:
    assert stretches(practised, CONFIG, {"practice-000000": exam(1)}) == []
    assert kept(RunFolder.open(trained)) == {}
