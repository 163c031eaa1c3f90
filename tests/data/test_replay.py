"""The replay's laws: what each sampler may draw and how often, latents that cannot be stale, and its price in bytes."""

from __future__ import annotations

import errno
import gc
import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from robot_rig.data.picture_table import PICTURE_FILE
from robot_rig.data.replay import FUTURE, IMAGINED, ROLLOUT, Replay
from robot_rig.datatypes import Bytes, Episode, Float32s
from robot_rig.errors import UserError
from tests.data.episodes import ACTION_DIM, make_episode

LENGTHS = (5, 1, 30, 0, 12)
"""Steps of the test's episodes; every other one has a goal."""


def filled(folder: Path | None = None, lengths: tuple[int, ...] = LENGTHS) -> tuple[Replay, list[Episode], list[range]]:
    replay = Replay(sum(lengths) + 2 * len(lengths), ACTION_DIM, folder)
    episodes = [make_episode(f"e{n}", steps, n + 1, goal=n % 2 == 0) for n, steps in enumerate(lengths)]
    rows = [replay.add(episode) for episode in episodes]
    return replay, episodes, [range(mine[0], mine[-1] + 1) for mine in rows]


def owner(rows: list[range], size: int) -> np.ndarray:
    """Episode number by row."""
    table = np.full(size, -1)
    for number, span in enumerate(rows):
        table[span.start : span.stop] = number
    return table


@pytest.mark.parametrize("on_disk", [False, True])
def test_every_picture_is_kept_once_in_its_row(tmp_path: Path, on_disk: bool) -> None:
    replay, episodes, rows = filled(tmp_path / "scratch" if on_disk else None)
    assert [span.start for span in rows] == [0, *np.cumsum([len(span) for span in rows])[:-1]]
    for episode, span in zip(episodes, rows, strict=True):
        kept = replay.pictures(np.array(span))
        np.testing.assert_array_equal(kept[: len(episode) + 1], episode.frames)
        if episode.goal is not None:
            np.testing.assert_array_equal(kept[-1], episode.goal)
    assert replay.rows == sum(len(span) for span in rows)
    assert len(replay) == sum(LENGTHS)
    assert replay.episodes == tuple(f"e{n}" for n in range(len(LENGTHS)))
    assert len(replay.frame_rows) == sum(LENGTHS) + len(LENGTHS)
    with pytest.raises(IndexError):
        replay.pictures(np.array([replay.rows]))


def held_open(folder: Path) -> list[str]:
    """Files in `folder` that this process holds open or mapped."""
    maps = Path("/proc/self/maps").read_text().splitlines()
    handles = [os.path.realpath(entry) for entry in Path("/proc/self/fd").iterdir()]
    return [name for name in [*handles, *maps] if f"{folder}/" in name]


def test_the_picture_file_is_made_anew_and_released(tmp_path: Path) -> None:
    (tmp_path / PICTURE_FILE).write_bytes(b"left over" * 1000)
    replay, episodes, _ = filled(tmp_path)
    assert held_open(tmp_path)
    np.testing.assert_array_equal(replay.pictures(np.arange(6)), episodes[0].frames)
    assert (tmp_path / PICTURE_FILE).stat().st_size == (sum(LENGTHS) + 2 * len(LENGTHS)) * 84 * 84 * 3
    del replay
    gc.collect()
    assert not held_open(tmp_path)


def test_what_does_not_belong_is_refused() -> None:
    replay, episodes, _ = filled()
    with pytest.raises(ValueError, match="in the replay already"):
        replay.add(episodes[0])
    with pytest.raises(UserError, match="the replay holds 58 pictures, and big alone has 59"):
        replay.add(make_episode("big", 58, 9, goal=False))
    wrong = Episode("w", np.zeros((2, 84, 84, 3), np.uint8), np.zeros((1, 3)), np.zeros((1, 3)), [0, 1], None, False)
    with pytest.raises(ValueError, match="actions of size 3"):
        replay.add(wrong)
    nan = np.full((1, 2), np.nan)
    with pytest.raises(UserError, match="not a number"):
        replay.add(Episode("n", np.zeros((2, 84, 84, 3), np.uint8), np.zeros((1, 2)), nan, [0, 1], None, False))
    assert replay.episodes == tuple(f"e{n}" for n in range(len(LENGTHS)))
    empty = Replay(4, ACTION_DIM, None)
    rng = np.random.default_rng(0)
    for sample in (
        lambda: empty.frames(rng, 2),
        lambda: empty.transitions(rng, 2, (0.2, 0.5, 0.3)),
    ):
        with pytest.raises(UserError):
            sample()
    for mix in ((0.5, 0.5, 0.5), (1.2, -0.2, 0.0)):
        with pytest.raises(ValueError, match="mix"):
            replay.transitions(rng, 4, mix)


def test_transitions_are_the_logged_ones_and_uniform() -> None:
    replay, episodes, rows = filled()
    rng = np.random.default_rng(1)
    counts = np.zeros(replay.rows, int)
    for _ in range(300):
        batch = replay.transitions(rng, 64, (0.2, 0.5, 0.3))
        np.testing.assert_array_equal(batch.next_frame, batch.frame + 1)
        np.add.at(counts, batch.frame, 1)
        for number, (episode, span) in enumerate(zip(episodes, rows, strict=True)):
            mine = owner(rows, replay.rows)[batch.frame] == number
            steps = batch.frame[mine] - span.start
            assert np.all(steps < len(episode))
            np.testing.assert_array_equal(batch.action[mine], episode.executed_action[steps])
    starts = [span.start + step for span, episode in zip(rows, episodes, strict=True) for step in range(len(episode))]
    assert counts[starts].sum() == counts.sum()
    assert stats.chisquare(counts[starts]).pvalue > 0.01


@pytest.mark.parametrize("lag", [1, 2, 4])
def test_an_action_is_paired_with_the_frames_that_show_it_late(lag: int) -> None:
    replay, episodes, rows = filled()
    rng, counts = np.random.default_rng(1), np.zeros(replay.rows, int)
    for _ in range(300):
        batch = replay.transitions(rng, 64, (0.2, 0.5, 0.3), lag)
        np.testing.assert_array_equal(batch.next_frame, batch.frame + 1)
        np.add.at(counts, batch.frame, 1)
        whose = owner(rows, replay.rows)[batch.frame]
        for number, (episode, span) in enumerate(zip(episodes, rows, strict=True)):
            steps = batch.frame[whose == number] - span.start
            assert np.all((steps >= lag) & (steps < len(episode)))
            np.testing.assert_array_equal(batch.action[whose == number], episode.executed_action[steps - lag])
    starts = [span.start + t for span, episode in zip(rows, episodes, strict=True) for t in range(lag, len(episode))]
    assert counts[starts].sum() == counts.sum()
    assert stats.chisquare(counts[starts]).pvalue > 0.01


def test_without_lag_the_same_transitions_are_drawn_as_before_there_was_one() -> None:
    replay, episodes, rows = filled()
    starts = np.array([span.start + t for span, e in zip(rows, episodes, strict=True) for t in range(len(e))])
    drawn = np.random.default_rng(5).integers(len(starts), size=64)
    batch = replay.transitions(np.random.default_rng(5), 64, (0.2, 0.5, 0.3))
    np.testing.assert_array_equal(batch.frame, starts[drawn])


def test_episodes_as_short_as_the_lag_give_no_transition() -> None:
    replay, _, _ = filled(lengths=(3, 4))
    with pytest.raises(UserError, match="no transition"):
        replay.transitions(np.random.default_rng(0), 4, (0.2, 0.5, 0.3), 4)
    assert len(set(replay.transitions(np.random.default_rng(0), 64, (0.2, 0.5, 0.3), 3).frame)) == 1


def test_goal_kinds_have_their_fractions_and_their_rows() -> None:
    replay, episodes, rows = filled()
    whose = owner(rows, replay.rows)
    goal_row = np.array([span.stop - 1 if e.goal is not None else -1 for span, e in zip(rows, episodes, strict=True)])
    last = np.array([span.start + len(e) for span, e in zip(rows, episodes, strict=True)])
    rng = np.random.default_rng(2)
    mix = (0.2, 0.5, 0.3)
    drawn = np.zeros(3, int)
    for _ in range(200):
        batch = replay.transitions(rng, 128, mix)
        of = whose[batch.frame]
        rollout, imagined, future = (batch.kind == kind for kind in (ROLLOUT, IMAGINED, FUTURE))
        np.testing.assert_array_equal(batch.goal[rollout], goal_row[of[rollout]])
        assert np.all(batch.goal[imagined] == -1)
        assert np.all(batch.goal[rollout] >= 0)
        assert np.all((batch.next_frame <= batch.goal)[future])
        assert np.all(batch.goal[future] <= last[of[future]])
        # Before the fall-back of goalless episodes: a rollout wish comes first in the batch.
        fell_back = int(np.sum(imagined[: int(rollout.nonzero()[0].max(initial=-1)) + 1]))
        counts = np.array([rollout.sum() + fell_back, imagined.sum() - fell_back, future.sum()])
        assert np.all(np.abs(counts - 128 * np.array(mix)) < 3)
        drawn += [rollout.sum(), imagined.sum(), future.sum()]
    with_goal = sum(n for n, e in zip(LENGTHS, episodes, strict=True) if e.goal is not None) / sum(LENGTHS)
    expected = np.array([mix[0] * with_goal, mix[1] + mix[0] * (1 - with_goal), mix[2]]) * drawn.sum()
    assert stats.chisquare(drawn, expected).pvalue > 0.01


@settings(max_examples=60)
@given(st.integers(1, 300), st.integers(0, 100), st.integers(0, 100), st.integers(0, 2**32))
def test_counts_of_kinds_are_the_fractions_rounded_up_or_down(size: int, a: int, b: int, seed: int) -> None:
    low, high = min(a, b) / 100, max(a, b) / 100
    mix = (low, high - low, 1.0 - high)
    replay = Replay(20, ACTION_DIM, None)
    replay.add(make_episode("g", 10, 1, goal=True))
    kinds = replay.transitions(np.random.default_rng(seed), size, mix).kind
    for kind, share in enumerate(mix):
        count = int((kinds == kind).sum())
        assert np.floor(size * share - 1e-9) <= count <= np.ceil(size * share + 1e-9)


def test_future_goals_are_uniform_over_the_rest_of_the_episode() -> None:
    replay = Replay(40, ACTION_DIM, None)
    replay.add(make_episode("first", 3, 1, goal=True))
    rows = replay.add(make_episode("second", 8, 2, goal=True))
    rng = np.random.default_rng(3)
    batches = [replay.transitions(rng, 256, (0.0, 0.0, 1.0)) for _ in range(100)]
    frame = np.concatenate([batch.frame for batch in batches])
    goal = np.concatenate([batch.goal for batch in batches])
    for step in range(8):
        goals = goal[frame == rows[step]]
        counts = np.bincount(goals - rows[step + 1], minlength=8 - step)
        assert len(counts) == 8 - step
        if len(counts) > 1:
            assert stats.chisquare(counts).pvalue > 0.001


def test_frames_are_what_the_camera_saw_and_uniform() -> None:
    replay, episodes, _ = filled()
    rng = np.random.default_rng(4)
    table = replay.frame_rows
    np.testing.assert_array_equal(replay.pictures(table), np.concatenate([e.frames for e in episodes]))
    drawn = np.concatenate([replay.frames(rng, 64) for _ in range(200)])
    assert stats.chisquare(np.bincount(drawn, minlength=replay.rows)[table]).pvalue > 0.01
    assert set(drawn) == set(table)


@pytest.mark.parametrize("apart", [0, 1, 3])
def test_pairs_are_all_frames_so_far_apart_in_one_episode(apart: int) -> None:
    replay, _, rows = filled()
    whose, rows_of_frames = owner(rows, replay.rows), replay.frame_rows
    before, after = (rows_of_frames[places] for places in replay.pairs(apart))
    assert (after - before == apart).all()
    assert (whose[before] == whose[after]).all()
    assert len(set(before)) == len(before) == sum(max(0, steps + 1 - apart) for steps in LENGTHS)
    assert all(len(part) == 0 for part in Replay(3, ACTION_DIM, None).pairs(apart))


class Encoder:
    """Two numbers of each picture, and a memory of what was asked."""

    def __init__(self, scale: float = 1.0) -> None:
        self.scale = scale
        self.encoded = 0

    def __call__(self, pictures: Bytes) -> Float32s:
        assert 0 < len(pictures) <= 256
        self.encoded += len(pictures)
        means = pictures.reshape(len(pictures), -1).mean(axis=1)
        return (np.stack([means, pictures[:, 3, 3, 0]], axis=1) * self.scale).astype(np.float32)


def test_latents_are_fresh_or_refused_and_encoded_once() -> None:
    replay, episodes, _ = filled()
    with pytest.raises(RuntimeError, match="stale"):
        _ = replay.latents
    encoder = Encoder()
    replay.refresh("one", encoder)
    assert encoder.encoded == replay.rows
    everything = replay.pictures(np.arange(replay.rows))
    np.testing.assert_array_equal(replay.latents, Encoder()(everything))
    replay.refresh("one", encoder)
    assert encoder.encoded == replay.rows
    other = Encoder(2.0)
    replay.refresh("two", other)
    assert other.encoded == replay.rows
    np.testing.assert_array_equal(replay.latents, Encoder(2.0)(everything))
    assert len(episodes) == len(LENGTHS)


def test_new_pictures_make_latents_stale_and_only_the_open_block_is_encoded_again() -> None:
    replay = Replay(700, ACTION_DIM, None)
    encoder = Encoder()
    replay.add(make_episode("a", 299, 1, goal=False))
    replay.refresh("one", encoder)
    assert encoder.encoded == 300
    replay.add(make_episode("b", 299, 2, goal=True))
    with pytest.raises(RuntimeError, match="301 latents are stale"):
        _ = replay.latents
    replay.refresh("one", encoder)
    assert encoder.encoded == 300 + 44 + 301
    np.testing.assert_array_equal(replay.latents[:256], Encoder()(replay.pictures(np.arange(256))))


def test_blocks_do_not_depend_on_when_latents_were_refreshed() -> None:
    """The last bits of a batched encoder depend on the batch: the same rows must meet the same batches."""

    def batch_dependent(pictures: Bytes) -> Float32s:
        return np.full((len(pictures), 2), len(pictures), np.float32)

    once, often = Replay(700, ACTION_DIM, None), Replay(700, ACTION_DIM, None)
    for number in range(6):
        episode = make_episode(f"e{number}", 100, number, goal=False)
        once.add(episode)
        often.add(episode)
        often.refresh("one", batch_dependent)
    once.refresh("one", batch_dependent)
    np.testing.assert_array_equal(once.latents, often.latents)


def test_bad_latents_are_refused() -> None:
    replay, _, _ = filled()
    for bad in (np.nan, np.inf):
        with pytest.raises(ValueError, match="no finite"):
            replay.refresh("bad", lambda pictures, bad=bad: np.full((len(pictures), 2), bad, np.float32))
    with pytest.raises(ValueError, match="no finite"):
        replay.refresh("short", lambda pictures: np.zeros((len(pictures) - 1, 2), np.float32))
    with pytest.raises(RuntimeError, match="stale"):
        _ = replay.latents


@pytest.mark.parametrize(("latent_dim", "action_dim"), [(8, 2), (16, 2), (16, 3)])
def test_a_transition_costs_at_most_90_bytes_beside_its_picture(latent_dim: int, action_dim: int) -> None:
    replay = Replay(600, action_dim, None)
    for number in range(8):
        actions = np.zeros((50, action_dim), np.float32)
        goal = np.zeros((84, 84, 3), np.uint8)
        frames = np.zeros((51, 84, 84, 3), np.uint8)
        replay.add(Episode(f"e{number}", frames, actions, actions, np.arange(51), goal, False))
    without = replay.bytes_per_transition
    replay.refresh("one", lambda pictures: np.zeros((len(pictures), latent_dim), np.float32))
    assert replay.bytes_per_transition > without + 4 * latent_dim
    assert replay.bytes_per_transition <= 90.0


def test_the_same_episodes_in_the_same_order_give_the_same_batches(tmp_path: Path) -> None:
    first, _, _ = filled()
    again, _, _ = filled(tmp_path)
    draws = [
        (
            replay.transitions(rng, 64, (0.2, 0.5, 0.3)),
            replay.frames(rng, 64),
        )
        for replay, rng in ((first, np.random.default_rng(9)), (again, np.random.default_rng(9)))
    ]
    for name in ("frame", "next_frame", "goal", "kind", "action"):
        np.testing.assert_array_equal(getattr(draws[0][0], name), getattr(draws[1][0], name))
    np.testing.assert_array_equal(draws[0][1], draws[1][1])


def test_a_full_disk_is_refused_before_a_picture_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    replay = Replay(20, ACTION_DIM, tmp_path)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "posix_fallocate", full)
    with pytest.raises(UserError, match="No space left"):
        replay.add(make_episode("a", 3, 1, goal=False))
    assert (replay.rows, len(replay), replay.episodes) == (0, 0, ())
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot map pictures"):
        Replay(20, ACTION_DIM, tmp_path / "file")
