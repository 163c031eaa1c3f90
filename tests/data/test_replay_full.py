"""A replay that is full: the oldest leave first and whole, nothing of them is drawn, and it can be built again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.data.picture_table import PICTURE_BYTES, PICTURE_FILE
from robot_rig.data.replay import FUTURE, IMAGINED, ROLLOUT, Past, Replay
from robot_rig.datatypes import Bytes, Episode, Float32s
from tests.data.episodes import ACTION_DIM, make_episode

ROOM = 40
MIX = (0.3, 0.2, 0.5)
STORY = ((30, False), (12, True), (0, False), (9, True), (38, True), (20, False), (5, True), (13, False), (3, True))
"""Steps of episodes, and whether they have a goal: several times the room, an empty one, one that fills all of it."""


def story(plan: tuple[tuple[int, bool], ...] | list[tuple[int, bool]]) -> list[Episode]:
    episodes = [make_episode(f"e{n}", steps, n + 1, goal) for n, (steps, goal) in enumerate(plan)]
    return [replace(one, human=np.arange(len(one)) % 3 == 0) for one in episodes]


def size(episode: Episode) -> int:
    return len(episode.frames) + (episode.goal is not None)


def newest_that_fit(episodes: list[Episode]) -> list[Episode]:
    """The law, said otherwise: as many of the last ones as the table has room for."""
    fit = [n for n in range(len(episodes)) if sum(map(size, episodes[n:])) <= ROOM]
    return episodes[min(fit) :]


def encode(pictures: Bytes) -> Float32s:
    """Of each picture a number, and one of the batch, as the last bits of a convolution are."""
    assert 0 < len(pictures) <= 256
    return np.stack([pictures[:, 5, 5, 0], np.full(len(pictures), len(pictures))], axis=1).astype(np.float32)


def assert_drawn_from(replay: Replay, held: list[Episode], seed: int) -> None:
    """Every transition is one of `held`, picture by picture, with its own action and a goal of its own episode."""
    drawn = replay.transitions(np.random.default_rng(seed), 64, MIX)
    logged = {
        (one.frames[t].tobytes(), one.frames[t + 1].tobytes(), one.executed_action[t].tobytes()): one
        for one in held
        for t in range(len(one))
    }
    shown = [replay.pictures(rows) for rows in (drawn.frame, drawn.next_frame)]
    for now, then, action, goal, kind in zip(*shown, drawn.action, drawn.goal, drawn.kind, strict=True):
        one = logged[now.tobytes(), then.tobytes(), action.tobytes()]
        if kind == IMAGINED:
            assert goal == -1
            continue
        own = {ROLLOUT: [] if one.goal is None else [one.goal], FUTURE: list(one.frames[1:])}
        assert replay.pictures(np.array([goal]))[0].tobytes() in {picture.tobytes() for picture in own[kind]}


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, ROOM - 2), st.booleans()), min_size=1, max_size=12))
def test_the_oldest_leave_whole_and_no_more_than_must(plan: list[tuple[int, bool]]) -> None:
    replay, episodes = Replay(ROOM, ACTION_DIM, None), story(plan)
    for count, episode in enumerate(episodes, 1):
        rows = replay.add(episode)
        np.testing.assert_array_equal(replay.pictures(rows[: len(episode) + 1]), episode.frames)
        held = newest_that_fit(episodes[:count])
        assert replay.lengths == {one.id: len(one) for one in held}
        gone = episodes[: count - len(held)]
        assert replay.past == Past(sum(map(size, gone)), sum(map(len, gone)))
        assert (replay.rows, len(replay)) == (sum(map(size, held)), sum(map(len, held)))
        assert replay.human_steps == sum(int(one.human.sum()) for one in held)
        np.testing.assert_array_equal(replay.pictures(replay.frame_rows), np.concatenate([one.frames for one in held]))
    if len(replay):
        assert_drawn_from(replay, held, len(plan))
        drawn = replay.transitions(np.random.default_rng(1), 32, MIX, 0, "people")
        by_people = {one.executed_action[t].tobytes() for one in held for t in np.flatnonzero(one.human)}
        assert {action.tobytes() for action in drawn.action} <= by_people


@pytest.mark.parametrize("on_disk", [False, True])
def test_what_is_left_is_built_again_to_the_bit_and_goes_on_alike(tmp_path: Path, on_disk: bool) -> None:
    episodes, lasting = story(STORY), Replay(ROOM, ACTION_DIM, tmp_path / "lasting" if on_disk else None)
    for done, episode in enumerate(episodes, 1):
        lasting.add(episode)
        lasting.refresh("one", encode)
        again = Replay(ROOM, ACTION_DIM, tmp_path / str(done) if on_disk else None, lasting.past)
        for one in episodes[done - len(lasting.episodes) : done]:
            again.add(one)
        again.refresh("one", encode)
        assert again.lengths == lasting.lengths
        assert (again.past, again.told) == (lasting.past, lasting.told)
        rows = lasting.frame_rows
        np.testing.assert_array_equal(again.frame_rows, rows)
        assert again.latents[rows].tobytes() == lasting.latents[rows].tobytes()
        drawn = [one.transitions(np.random.default_rng(done), 64, MIX) for one in (again, lasting)]
        for name in ("frame", "next_frame", "goal", "kind", "action"):
            np.testing.assert_array_equal(getattr(drawn[0], name), getattr(drawn[1], name))
        if on_disk:
            assert (tmp_path / "lasting" / PICTURE_FILE).stat().st_size == ROOM * PICTURE_BYTES


def test_latents_leave_with_their_episodes_and_those_of_others_stay() -> None:
    replay = Replay(700, ACTION_DIM, None)
    for number in range(40):
        replay.add(make_episode(f"e{number}", 100, number, goal=True))
        replay.refresh("one", encode)
        rows = replay.frame_rows
        np.testing.assert_array_equal(replay.latents[rows, 0], replay.pictures(rows)[:, 5, 5, 0])
    assert len(replay.episodes) == 6
    # All blocks but the newest were full when they were encoded last.
    assert (replay.latents[rows[:-256], 1] == 256).all()


def test_rows_of_those_that_have_left_are_refused() -> None:
    replay = Replay(ROOM, ACTION_DIM, None)
    old = replay.add(make_episode("old", 19, 1, goal=True))
    kept = replay.add(make_episode("kept", 9, 2, goal=False))
    replay.add(make_episode("new", 11, 3, goal=False))
    assert replay.pictures(kept).shape == (10, 84, 84, 3)
    with pytest.raises(IndexError, match="22 pictures"):
        replay.pictures(old[-3:])
    assert replay.told == "20 of 39 logged steps"
