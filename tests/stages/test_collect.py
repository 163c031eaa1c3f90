"""Random play is logged once, goes on where it stopped, and an interruption changes nothing but the count."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from robot_rig.data.log import read_episode
from robot_rig.data.outline import outline
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Episode
from robot_rig.errors import GuardStoppedError, UserError
from robot_rig.interfaces import Plant
from robot_rig.learning.policy import RandomPolicy
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import HELD_OUT, PLAY, collect, where_play_ended
from robot_rig.stages.learn import Learning
from robot_rig.stages.reporting import count_put_back, count_steps
from sim.rig import SimRig
from tests.stages.conftest import StumblingRig, no_progress
from tests.tiny_run import tiny_config

CopyOf = Callable[[Path], RunFolder]


def whole(folder: Path, stage: str) -> list[Episode]:
    episodes = [read_episode(path) for path in EpisodeStore(folder / "episodes").paths(stage)]
    return [episode for episode in episodes if not episode.truncated]


def assert_same(ours: list[Episode], theirs: list[Episode]) -> None:
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        for name in ("frames", "action", "executed_action", "stamps"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_the_plan_is_logged_and_nothing_else(collected: Path) -> None:
    assert [len(episode) for episode in whole(collected, PLAY)] == [50, 50]
    assert [len(episode) for episode in whole(collected, HELD_OUT)] == [50]
    assert [path.stem for path in EpisodeStore(collected / "episodes").paths()] == [
        "collect-000000",
        "collect-000001",
        "heldout-000002",
    ]


def test_the_arm_is_not_reset_between_episodes(collected: Path) -> None:
    """The picture that ends a file and the one that begins the next show the same place; the clock runs on."""
    first, second = whole(collected, PLAY)
    assert second.stamps[0] > first.stamps[-1]
    jump = np.abs(second.frames[0].astype(int) - first.frames[-1].astype(int)).mean()
    home = np.abs(second.frames[0].astype(int) - first.frames[0].astype(int)).mean()
    assert jump < home / 2


def test_what_is_done_is_not_done_again(collected: Path, rig: Plant) -> None:
    before = sorted((path.name, path.stat().st_mtime_ns) for path in (collected / "episodes").iterdir())
    with RunFolder.claim(collected, tiny_config()) as run:
        collect(run, tiny_config(), rig, lambda done: pytest.fail("played again"))
    assert sorted((path.name, path.stat().st_mtime_ns) for path in (collected / "episodes").iterdir()) == before


@pytest.mark.parametrize("stop_at", [3, 50, 77, 149])
def test_an_interrupted_collection_ends_with_the_same_episodes(collected: Path, tmp_path: Path, stop_at: int) -> None:
    config = tiny_config()

    def stop(done: int) -> None:
        if done == stop_at:
            raise KeyboardInterrupt

    with RunFolder.claim(tmp_path / "run", config) as run:
        first = SimRig(config, config.seed)
        with pytest.raises(KeyboardInterrupt):
            collect(run, config, first, stop)
        first.close()
        told: list[int] = []
        second = SimRig(config, config.seed)
        collect(run, config, second, told.append)
        second.close()
        assert told == list(range((stop_at - 1) // 50 * 50 + 1, 151))
        for stage in (PLAY, HELD_OUT):
            assert_same(whole(run.path, stage), whole(collected, stage))
        # The lost attempt was motion too: all of it but the step whose next picture was never taken is counted.
        lost = (stop_at - 1) % 50
        assert sum(count_steps(run).values()) == 150 + lost


def test_a_lost_or_damaged_end_of_play_is_refused_and_nothing_is_played_twice(copy_of: CopyOf, collected: Path) -> None:
    with copy_of(collected) as run:
        before = sorted(path.name for path in run.episodes.iterdir())
        (run.path / "state" / "collect.npz").write_bytes(b"damaged")
        for match in ("damaged", "lost"):
            with pytest.raises(UserError, match=rf"{match}.*new run with another --run"):
                collect(run, tiny_config(), pytest.fail, pytest.fail)
            (run.path / "state" / "collect.npz").unlink(missing_ok=True)
        assert sorted(path.name for path in run.episodes.iterdir()) == before


def test_the_turns_of_a_fixture_are_counted_beside_the_steps(collected: Path, tmp_path: Path) -> None:
    with RunFolder.open(collected) as run:
        assert count_put_back(run) == (0, 0)
    short = ("collect.steps=50", "collect.held_out_steps=21", "collect.episode_steps=25")
    config = tiny_config("sim.scene=push", "sim.fixture=puck", *short)
    rig = SimRig(config, config.seed)
    with RunFolder.claim(tmp_path / "run", config) as run:
        collect(run, config, rig, no_progress)
        turns, steps = count_put_back(run)
        assert sum(count_steps(run).values()) == 71
    rig.close()
    assert turns == 3
    assert steps >= turns * 2.0 * config.control.policy_rate_hz, "2 s a turn at least"
    told = [outline(path).meta["put_back"] for path in EpisodeStore(tmp_path / "run" / "episodes").paths()]
    assert sum(map(int, told)) == steps


@pytest.mark.parametrize("stop_at", [1, 2, 31, 120])
def test_after_the_guard_has_ended_play_nothing_is_lost_and_nothing_played_twice(tmp_path: Path, stop_at: int) -> None:
    config = tiny_config()
    with RunFolder.claim(tmp_path / "run", config) as run:
        stumbling = StumblingRig(config, stop_at)
        with pytest.raises(GuardStoppedError):
            collect(run, config, stumbling, no_progress)
        stumbling.close()
        before = sum(count_steps(run).values())
        assert where_play_ended(run) == {}, "a person drives the arm home"
        told: list[int] = []
        again = SimRig(config, config.seed)
        collect(run, config, again, told.append)
        again.close()
        logged = [read_episode(path) for path in EpisodeStore(run.episodes).paths()]
        learnt = Learning(run, config).trainer
    assert told[-1] == 150
    lengths = {stage: [len(one) for one in logged if one.meta["stage"] == stage] for stage in (PLAY, HELD_OUT)}
    assert {stage: sum(each) for stage, each in lengths.items()} == {PLAY: 100, HELD_OUT: 50}
    assert len(learnt._replay) == 100
    # Lost is what led to no next picture: the action that the guard ended, and the one before it.
    assert stumbling.actions - before <= 2
    policy = RandomPolicy(config.collect.ou_theta, config.collect.ou_sigma, 2, config.seed)
    stream = [policy.noise() for _ in range(150 + stumbling.actions - before)]
    del stream[before : stumbling.actions]
    np.testing.assert_array_equal(np.concatenate([one.action for one in logged]), np.stack(stream))


def test_another_seed_plays_otherwise(collected: Path, tmp_path: Path) -> None:
    config = tiny_config("seed=1", "collect.steps=50", "collect.held_out_steps=21")
    other = SimRig(config, config.seed)
    with RunFolder.claim(tmp_path / "run", config) as run:
        collect(run, config, other, no_progress)
    other.close()
    (ours,) = whole(tmp_path / "run", PLAY)
    assert not np.array_equal(ours.action, whole(collected, PLAY)[0].action)
