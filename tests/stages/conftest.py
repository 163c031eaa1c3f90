"""Tiny runs that the tests of the stages share; a test that writes takes a copy."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from robot_rig.config import Config
from robot_rig.datatypes import Action, Executed
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import collect
from robot_rig.stages.learn import Learning
from sim.rig import SimRig
from tests.tiny_run import tiny_config


def no_progress(*_: object) -> None:
    """Nobody is watching."""


class StumblingRig(SimRig):
    """An arm that is knocked aside in its `stop_at`-th action, counted from 1; the guard ends its motion, then or in
    the next. `actions`: how many it has been given.
    """

    def __init__(self, config: Config, stop_at: int) -> None:
        super().__init__(config, config.seed)
        self._stop_at = stop_at
        self.actions = 0

    def act(self, action: Action) -> Executed:
        self.actions += 1
        if self.actions == self._stop_at:
            self.world.teleport(self.world.joint_position() + 0.2)
        return super().act(action)


@pytest.fixture(scope="session")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that has played at random."""
    folder = tmp_path_factory.mktemp("tiny") / "collected"
    config = tiny_config()
    rig = SimRig(config, config.seed)
    with RunFolder.claim(folder, config) as run:
        collect(run, config, rig, no_progress)
    rig.close()
    return folder


@pytest.fixture(scope="session")
def trained(collected: Path) -> Path:
    """A run whose VAE is trained and whose agent has learnt from play."""
    folder = collected.with_name("trained")
    shutil.copytree(collected, folder)
    config = tiny_config()
    with RunFolder.claim(folder, config) as run:
        learning = Learning(run, config)
        learning.train_vae(no_progress)
        learning.begin_practice(no_progress)
    return folder


@pytest.fixture
def copy_of(tmp_path: Path) -> Callable[[Path], RunFolder]:
    """A function that copies a run, which may then be worked in."""
    count = 0

    def copy(folder: Path) -> RunFolder:
        nonlocal count
        count += 1
        target = tmp_path / f"{folder.name}-{count}"
        shutil.copytree(folder, target)
        return RunFolder.claim(target, tiny_config())

    return copy


@pytest.fixture
def rig() -> Iterator[SimRig]:
    """A simulated arm."""
    config = tiny_config()
    made = SimRig(config, config.seed)
    yield made
    made.close()
