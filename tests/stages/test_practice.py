"""Practice goes on bit for bit from what was saved, and what a lost attempt logged is counted, not learnt from."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
import pytest

from robot_rig.data.log import read_episode
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Episode
from robot_rig.errors import GuardStoppedError, UserError
from robot_rig.learning.checkpoint import write_checkpoint
from robot_rig.learning.number_format import FORMATS, format_tensor
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import where_play_ended
from robot_rig.stages.learn import Learning
from robot_rig.stages.practice import PRACTICE, Practice
from robot_rig.stages.reporting import count_steps
from robot_rig.stages.shipping import TRAINING, checkpoints, load_checkpoint, load_policy, ship
from sim.rig import SimRig
from tests.stages.conftest import StumblingRig
from tests.tiny_run import tiny_config

CopyOf = Callable[[Path], RunFolder]
CONFIG = tiny_config()


class Attempt:
    """Learner, arm and practice as one process has them, rebuilt from the run folder."""

    def __init__(self, run: RunFolder, rig: SimRig | None = None) -> None:
        self.learning = Learning(run, CONFIG)
        self.rig = rig or SimRig(CONFIG, CONFIG.seed)
        self.rig.load_state(where_play_ended(run))
        self.practice = Practice(CONFIG, self.rig, self.learning)
        self.told: list[tuple[int, dict[str, float]]] = []

    def progress(self, steps: int, metrics: Mapping[str, float]) -> None:
        self.told.append((steps, dict(metrics)))

    def until(self, steps: int) -> Attempt:
        self.practice.until(steps, self.progress)
        return self

    def state(self) -> dict[str, bytes]:
        return {name: value.numpy().tobytes() for name, value in self.learning.trainer.state_dict().items()}


@pytest.fixture(scope="module")
def straight(trained: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[RunFolder, Attempt]]:
    """Practice straight through, and its run: what the others are held against. Nothing writes into it."""
    folder = tmp_path_factory.mktemp("straight") / "run"
    shutil.copytree(trained, folder)
    with RunFolder.claim(folder, CONFIG) as run:
        attempt = Attempt(run).until(50)
        yield run, attempt
        attempt.rig.close()


def practised(run: RunFolder) -> list[Episode]:
    return [read_episode(path) for path in EpisodeStore(run.episodes).paths(PRACTICE)]


def assert_same(ours: list[Episode], theirs: list[Episode]) -> None:
    assert len(ours) == len(theirs) > 0
    for one, other in zip(ours, theirs, strict=True):
        for name in ("frames", "action", "executed_action", "stamps", "goal"):
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
        assert one.meta["encoder"] == other.meta["encoder"]
        assert one.meta["policy"] == other.meta["policy"]


def test_practice_resumed_after_an_episode_equals_practice_straight_through(
    trained: Path, copy_of: CopyOf, straight: tuple[RunFolder, Attempt]
) -> None:
    first, whole = straight
    with copy_of(trained) as second:
        half = Attempt(second).until(25)
        half.rig.close()
        resumed = Attempt(second)
        assert (resumed.practice.steps, resumed.practice.finished) == (25, False)
        resumed.until(50)
        assert half.told + resumed.told == whole.told
        assert [steps for steps, _ in whole.told] == [25, 50]
        assert whole.told[0][1] != whole.told[1][1]
        assert_same(practised(second), practised(first))
        assert resumed.state() == whole.state()
        assert resumed.learning.trainer.vae.encoder_id == whole.learning.trainer.vae.encoder_id
        # Not vacuous: the encoder was tuned between the two episodes.
        assert len({episode.meta["encoder"] for episode in practised(first)}) == 2


def test_a_lost_attempt_is_counted_but_not_learnt_from(
    trained: Path, copy_of: CopyOf, straight: tuple[RunFolder, Attempt], monkeypatch: pytest.MonkeyPatch
) -> None:
    first, whole = straight
    with copy_of(trained) as second:
        Attempt(second).until(25)
        lost = Attempt(second)
        # The second episode is whole in the log when the power fails in the updates behind it.
        monkeypatch.setattr(lost.learning.trainer, "update", _power_cut)
        with pytest.raises(KeyboardInterrupt):
            lost.until(50)
        resumed = Attempt(second).until(50)
        assert [len(episode) for episode in practised(second)] == [25, 25, 25]
        assert resumed.practice.finished
        assert resumed.state() == whole.state()
        kept = practised(second)
        assert_same([kept[0], kept[2]], practised(first))
        assert count_steps(second)["practice"] == 75
        assert list(resumed.learning.trainer._replay.episodes)[-2:] == ["practice-000003", "practice-000005"]


def test_what_the_guard_has_cut_short_is_learnt_from_once_and_the_rest_is_practised(
    trained: Path, copy_of: CopyOf
) -> None:
    settings = CONFIG.practice
    with copy_of(trained) as run:
        before = Learning(run, CONFIG).trainer.updates
        arm = StumblingRig(CONFIG, 10)
        stopped = Attempt(run, arm)
        with pytest.raises(GuardStoppedError):
            stopped.until(50)
        arm.close()
        resumed = Attempt(run)
        made = resumed.practice.steps
        assert arm.actions - 2 == made < 25
        assert not resumed.practice.finished
        assert resumed.state() == stopped.state()
        resumed.until(50)
        assert resumed.practice.finished
        assert [steps for steps, _ in stopped.told + resumed.told] == [made, made + 25, 50]
        assert resumed.learning.trainer.updates == before + 50 * settings.updates_per_step
        logged = practised(run)
        assert [len(episode) for episode in logged] == [made, 25, 25 - made]
        assert resumed.learning.trainer._replay.episodes[-3:] == tuple(episode.id for episode in logged)
        resumed.rig.close()


def _power_cut(*_: object) -> None:
    raise KeyboardInterrupt


def test_every_practice_episode_has_a_goal_of_its_own_and_the_arm_is_not_sent_home(
    straight: tuple[RunFolder, Attempt],
) -> None:
    first, second = practised(straight[0])
    assert first.goal is not None
    assert second.goal is not None
    assert not np.array_equal(first.goal, second.goal)
    jump = np.abs(second.frames[0].astype(int) - first.frames[-1].astype(int)).mean()
    travel = np.abs(first.frames[0].astype(int) - first.frames[-1].astype(int)).mean()
    assert jump < travel / 2


def test_shipping_keeps_the_averaged_policy_and_leaves_a_shipped_one_alone(trained: Path, copy_of: CopyOf) -> None:
    with copy_of(trained) as run:
        learning = Learning(run, CONFIG)
        folder = ship(run, CONFIG, learning.trainer, 0)
        before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()}
        learning.trainer.update(3)
        assert ship(run, CONFIG, learning.trainer, 0) == folder
        assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in folder.iterdir()} == before
        ship(run, CONFIG, learning.trainer, 1000)
        ship(run, CONFIG, learning.trainer, 250)
        assert list(checkpoints(run)) == [0, 250, 1000]
        shipped, averaged = load_policy(checkpoints(run)[1000]), learning.trainer.averaged_policy()
        for group, tensors in averaged.tensors().items():
            for name, value in tensors.items():
                assert shipped.tensors()[group][name].equal(value), (group, name)


@pytest.mark.parametrize("number_format", FORMATS)
def test_a_checkpoint_says_what_it_was_learnt_in(trained: Path, copy_of: CopyOf, number_format: str) -> None:
    with copy_of(trained) as run:
        config = CONFIG.model_copy(update={"number_format": number_format})
        folder = ship(run, config, Learning(run, CONFIG).trainer, 0)
        shipment = load_checkpoint(folder)
        assert shipment.number_format == number_format
        del shipment.groups[TRAINING]
        assert shipment.number_format == "float32", "checkpoints of before do not say"
        foreign = {TRAINING: {"number_format": format_tensor(number_format) + 2}}
        write_checkpoint(run.path / "foreign", {**shipment.groups, **foreign}, shipment.manifest)
        with pytest.raises(UserError, match="a number format that is not known here"):
            load_checkpoint(run.path / "foreign")


def test_a_run_is_not_gone_on_with_in_another_format(trained: Path, copy_of: CopyOf) -> None:
    with copy_of(trained) as run:
        folder = run.path
    with pytest.raises(UserError, match="number_format float32 -> bfloat16"):
        RunFolder.claim(folder, tiny_config("number_format=bfloat16"))


def test_a_checkpoint_with_one_flipped_byte_is_refused(trained: Path, copy_of: CopyOf) -> None:
    with copy_of(trained) as run:
        folder = ship(run, CONFIG, Learning(run, CONFIG).trainer, 0)
        weights = max(folder.iterdir(), key=lambda path: path.stat().st_size)
        data = bytearray(weights.read_bytes())
        data[len(data) // 2] ^= 1
        weights.write_bytes(data)
        with pytest.raises(UserError):
            load_policy(folder)
