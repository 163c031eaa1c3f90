"""A writer that is killed at any moment has lost nothing that it had promised, and left nothing that misleads."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from robot_rig.data.log import EpisodeWriter
from robot_rig.data.store import EpisodeStore
from robot_rig.learning.checkpoint import read_checkpoint, write_checkpoint
from sim.faults.alone_kills import Killed, doomed, half_shipped, kill_recorder, kill_shipper, lost, unfinished
from sim.faults.doomed import STAGE
from sim.faults.made_steps import ACTION_DIM, NO_LIMIT, made_frame, made_step
from sim.strangers.originals import originals


def kill_often(folder: Path, times: int) -> list[Killed]:
    rng = np.random.default_rng()
    found = [kill_recorder(rng, folder / str(number)) for number in range(times)]
    assert [text for one in found for text in one.complaints] == []
    counts = [one.acknowledged for one in found]
    assert sum(counts) > 10 * times
    # Of as many moments as there were kills or steps, whichever is fewer.
    assert len(set(counts)) > min(times, max(counts)) // 3, "the kills came at all kinds of moments"
    return found


def test_twenty_killed_recorders_lose_no_acknowledged_step(tmp_path: Path) -> None:
    kill_often(tmp_path, 20)


@pytest.mark.proof
def test_a_thousand_killed_recorders_lose_no_acknowledged_step(tmp_path: Path) -> None:
    kill_often(tmp_path, 1000)


@pytest.mark.proof
def test_two_hundred_killed_shippers_leave_nothing_torn(tmp_path: Path) -> None:
    rng = np.random.default_rng()
    for number in range(100):  # two kills each
        verdict = kill_shipper(rng, tmp_path / str(number))
        assert verdict.complaints == []
        assert verdict.figures["checkpoints"] > 0


def test_a_loss_is_told(tmp_path: Path) -> None:
    path = EpisodeStore(tmp_path).next_path(STAGE)
    writer = EpisodeWriter(path, ACTION_DIM, None, {"stage": STAGE}, room=NO_LIMIT)
    for number in (0, 1, 1):
        writer.append(made_step(number))
    writer.finish(made_frame(3))
    (wrong,) = lost(path, 2)
    assert wrong.startswith("step 2 is not what was written: frame, picture, action")
    assert "4 steps were acknowledged, 3 are left" in lost(path, 4)[0]
    assert "was finished, and holds 3 steps" in unfinished(path)[0]
    path.write_bytes(b"")
    assert lost(path, 0) == []
    assert len(lost(path, 1)) == 1


def test_what_a_killed_shipper_left_is_told_where_it_loads_and_is_not_all_of_it(tmp_path: Path) -> None:
    groups, manifest = read_checkpoint(originals().checkpoint)
    write_checkpoint(tmp_path / "whole", groups, manifest)
    (tmp_path / "whole").rename(tmp_path / ".practice-000000.partial")
    assert list(half_shipped(tmp_path, 0)) == []
    groups["motion"] = {name: torch.zeros_like(value) for name, value in groups["motion"].items()}
    write_checkpoint(tmp_path / "half", groups, manifest)
    (tmp_path / "half").rename(tmp_path / ".practice-000001.partial")
    assert list(half_shipped(tmp_path, 0)) == ["a torn checkpoint was accepted"]


def test_a_torn_checkpoint_under_its_name_is_told(tmp_path: Path) -> None:
    told = doomed("ship").die(tmp_path, 0.05)
    shipped = tmp_path / "practice-000000"
    assert list(half_shipped(tmp_path, int(told[-1]))) == []
    (shipped / "actor.safetensors").unlink()
    for other in tmp_path.glob("practice-*"):
        if other != shipped:
            other.rename(tmp_path / f"old-{other.name}")
    (torn,) = half_shipped(tmp_path, 1)
    assert "torn checkpoint" in torn
    assert "2 checkpoints were shipped, 1 are there" in list(half_shipped(tmp_path, 2))
