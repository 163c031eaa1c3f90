"""Episode lengths by hand, and what an interruption leaves in the log."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.datatypes import Source
from robot_rig.interfaces import Plant
from robot_rig.learning.policy import RandomPolicy
from robot_rig.loops.policy_loop import PolicyLoop
from robot_rig.stages.episode import EpisodePlan, lengths, log_episode


@pytest.mark.parametrize(
    ("steps", "episode", "expected"),
    [(0, 50, []), (50, 50, [50]), (120, 50, [50, 50, 20]), (49, 50, [49]), (51, 50, [50, 1])],
)
def test_lengths_by_hand(steps: int, episode: int, expected: list[int]) -> None:
    assert lengths(steps, episode) == expected


@given(st.integers(0, 5000), st.integers(1, 300))
def test_lengths_add_up_and_only_the_last_is_short(steps: int, episode: int) -> None:
    found = lengths(steps, episode)
    assert sum(found) == steps
    assert all(length == episode for length in found[:-1])
    assert all(0 < length <= episode for length in found[-1:])


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_interrupted_episode_is_readable_and_marked(rig: Plant, tmp_path: Path, error: type[BaseException]) -> None:
    path = tmp_path / "collect-000000.mcap"
    writer = EpisodeWriter(path, 2, None, {"stage": "collect"})
    count = 0

    def on_step() -> None:
        nonlocal count
        count += 1
        if count == 7:
            raise error

    plan = EpisodePlan(RandomPolicy(0.15, 0.6, 2, 1), None, Source.RANDOM, 20)
    with pytest.raises(error):
        log_episode(rig, PolicyLoop(0.25, 0.1, 0.06), plan, writer, on_step)
    episode = read_episode(path)
    assert episode.truncated
    # The last step's next picture was never taken.
    assert len(episode) == 6
    assert error.__name__ in str(dict(episode.meta))
