"""The learner in its run folder: the check sees unseen frames, stale latents are refused, a restore changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from robot_rig.errors import UserError
from robot_rig.runs import RunFolder
from robot_rig.stages.learn import Learning, newest
from tests.stages.conftest import no_progress
from tests.tiny_run import tiny_config

CopyOf = Callable[[Path], RunFolder]
PLAY_IDS = ["collect-000000", "collect-000001"]
HELD_OUT_ID = "heldout-000002"
CONFIG = tiny_config()


def episodes_of(learning: Learning) -> list[str]:
    return list(learning.trainer._replay.episodes)


def state_bytes(learning: Learning) -> dict[str, bytes]:
    return {name: value.numpy().tobytes() for name, value in learning.trainer.state_dict().items()}


class Cut:
    """Records each update's metrics and breaks off after some of them."""

    def __init__(self, after: int = 10**6) -> None:
        self.left = after
        self.seen: list[tuple[int, tuple[tuple[str, float], ...]]] = []

    def __call__(self, done: int, metrics: Mapping[str, float]) -> None:
        self.seen.append((done, tuple(sorted(metrics.items()))))
        self.left -= 1
        if self.left == 0:
            raise KeyboardInterrupt


def test_held_out_frames_are_not_learnt_from_before_the_check(collected: Path, copy_of: CopyOf) -> None:
    with copy_of(collected) as run:
        learning = Learning(run, CONFIG)
        learning.train_vae(no_progress)
        assert episodes_of(learning) == PLAY_IDS
        assert learning.trainer._replay.rows == 102
        before = state_bytes(learning)
        learning.check_health()
        assert episodes_of(learning) == PLAY_IDS
        assert state_bytes(learning) == before
        learning.begin_practice(no_progress)
        assert episodes_of(learning) == [*PLAY_IDS, HELD_OUT_ID]


def test_without_random_play_the_first_command_is_named(tmp_path: Path) -> None:
    with (
        RunFolder.claim(tmp_path / "run", CONFIG) as run,
        pytest.raises(UserError, match=r"no collect episodes.*rig collect"),
    ):
        Learning(run, CONFIG)


def test_without_held_out_play_there_is_no_check(collected: Path, copy_of: CopyOf) -> None:
    with copy_of(collected) as run:
        (run.episodes / f"{HELD_OUT_ID}.mcap").unlink()
        with pytest.raises(UserError, match="no heldout episodes"):
            Learning(run, CONFIG).check_health()


def test_a_lost_learner_is_trained_anew_before_it_practises(trained: Path, copy_of: CopyOf) -> None:
    with copy_of(trained) as run, copy_of(trained) as whole:
        path = run.path / "state" / "learning.npz"
        path.write_bytes(b"damaged")
        with pytest.raises(UserError, match=r"learning\.npz is damaged\. Delete it and run `rig train`"):
            Learning(run, CONFIG)
        path.unlink()
        with pytest.raises(UserError, match=r"not trained.*`rig train`"):
            Learning(run, CONFIG).begin_practice(no_progress)
        learning = Learning(run, CONFIG)
        learning.train_vae(no_progress)
        learning.begin_practice(no_progress)
        assert state_bytes(learning) == state_bytes(Learning(whole, CONFIG))


def test_training_reaches_its_goal_and_no_further(trained: Path, copy_of: CopyOf) -> None:
    with copy_of(trained) as run:
        learning = Learning(run, CONFIG)
        assert (learning.trainer.vae_updates, learning.trainer.updates) == (30, 20)
        before = state_bytes(learning)
        again = Cut()
        learning.train_vae(again)
        learning.begin_practice(again)
        assert again.seen == []
        assert state_bytes(learning) == before


def test_a_restored_learner_is_the_same_bit_for_bit(trained: Path, copy_of: CopyOf) -> None:
    with copy_of(trained) as first, copy_of(trained) as second:
        straight, restored = Learning(first, CONFIG), Learning(second, CONFIG)
        restored.save({"note": [1, 2]})
        restored = Learning(second, CONFIG)
        assert restored.extra["note"].tolist() == [1, 2]
        assert state_bytes(straight) == state_bytes(restored)
        curves = []
        for learning in (straight, restored):
            cut = Cut()
            for _ in range(2):
                learning.trainer.update(5, lambda metrics: cut(0, metrics))  # noqa: B023 - called at once
                learning.trainer.tune_vae(2, lambda metrics: cut(1, metrics))  # noqa: B023 - called at once
            curves.append(cut.seen)
        assert curves[0] == curves[1]
        assert len({metrics for _, metrics in curves[0]}) == 14
        assert state_bytes(straight) == state_bytes(restored)
        goals = [learning.trainer.imagine_goal("g", 0.0).image.tobytes() for learning in (straight, restored)]
        assert goals[0] == goals[1]


@pytest.mark.parametrize("cut_after", [1, 12, 29, pytest.param(25, marks=pytest.mark.proof)])
def test_training_that_is_cut_off_ends_the_same(
    trained: Path, collected: Path, copy_of: CopyOf, cut_after: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Saves come every 12 updates here, so that cuts fall before, on and between them."""
    monkeypatch.setattr("robot_rig.stages.learn.SAVE_EVERY_UPDATES", 12)
    with copy_of(collected) as run, copy_of(trained) as whole:
        with pytest.raises(KeyboardInterrupt):
            Learning(run, CONFIG).train_vae(Cut(cut_after))
        rest = Cut()
        Learning(run, CONFIG).train_vae(rest)
        # A cut on the last update of a chunk comes before its save.
        assert [done for done, _ in rest.seen] == list(range((cut_after - 1) // 12 * 12 + 1, 31))
        with pytest.raises(KeyboardInterrupt):
            Learning(run, CONFIG).begin_practice(Cut(min(cut_after, 15)))
        learning = Learning(run, CONFIG)
        learning.begin_practice(no_progress)
        assert state_bytes(learning) == state_bytes(Learning(whole, CONFIG))
        assert episodes_of(learning) == [*PLAY_IDS, HELD_OUT_ID]


def test_a_vae_that_could_not_be_judged_is_not_trained(copy_of: CopyOf, collected: Path) -> None:
    run = copy_of(collected)
    (run.episodes / f"{HELD_OUT_ID}.mcap").unlink()
    learning, seen = Learning(run, CONFIG), Cut()
    with pytest.raises(UserError, match="no heldout episodes"):
        learning.train_vae(seen)
    assert not seen.seen


def test_a_log_longer_than_was_planned_finds_room(copy_of: CopyOf, collected: Path) -> None:
    planned = tiny_config("collect.steps=50", "practice.steps=0")
    learning = Learning(copy_of(collected), planned)
    learning.train_vae(no_progress)
    learning.begin_practice(no_progress)
    assert len(learning.trainer._replay) == 150


def test_an_episode_that_a_kill_left_uncounted_is_not_learnt_from_twice(copy_of: CopyOf, collected: Path) -> None:
    """Between the end of an episode and the save behind it lies a moment; play repeats that episode."""
    run = copy_of(collected)
    (run.episodes / "collect-000007.mcap").write_bytes((run.episodes / f"{PLAY_IDS[1]}.mcap").read_bytes())
    assert episodes_of(Learning(run, CONFIG)) == PLAY_IDS


def test_a_log_that_the_replay_is_too_small_for_is_learnt_from_to_the_bit_again(
    copy_of: CopyOf, collected: Path
) -> None:
    small, run = CONFIG.model_copy(update={"replay_pictures": 110}), copy_of(collected)
    learning = Learning(run, small)
    learning.train_vae(no_progress)
    learning.begin_practice(no_progress)
    assert episodes_of(learning) == [PLAY_IDS[1], HELD_OUT_ID]
    assert learning.told == "100 of 150 logged steps"
    again = Learning(run, small)
    assert (episodes_of(again), again.told) == (episodes_of(learning), learning.told)
    for one in (learning, again):
        one.trainer.update(5)
        one.trainer.tune_vae(2)
    assert state_bytes(again) == state_bytes(learning)


def test_a_check_looks_at_the_newest_play_and_no_more_than_it_must() -> None:
    lengths = {f"e{number}": 50 for number in range(6)}
    assert newest(lengths, 101) == ["e3", "e4", "e5"]
    assert newest(lengths, 100) == ["e4", "e5"]
    assert newest(lengths, 1000) == list(lengths)
