"""`rig train` with ssh:// addresses: the robot's log comes, checkpoints go, and the learner knows nothing of it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rig.cli.main import main
from robot_rig.data.store import EpisodeStore
from robot_rig.runs import RunFolder
from robot_rig.stages.shipping import load_trusted
from tests.stages.test_follow import CONFIG, whole_log
from tests.tiny_run import content
from tests.transport.ssh_server import SshServer

Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """The robot's machine."""
    made = SshServer(tmp_path_factory.mktemp("sshd"))
    made.start()
    yield made
    made.kill()


@pytest.fixture(autouse=True)
def on_the_trainer(server: SshServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In an empty folder, with the keys of the test, and without slowing down the tests after it."""
    monkeypatch.setattr("os.nice", lambda step: step)
    monkeypatch.setenv("PATH", f"{server.wrapper(tmp_path / 'bin')}{os.pathsep}{os.environ['PATH']}")
    (tmp_path / "trainer").mkdir()
    monkeypatch.chdir(tmp_path / "trainer")


@pytest.fixture
def robot(tmp_path: Path) -> Path:
    """The robot's folder of practice.launch, all of it played."""
    folder = tmp_path / "robot"
    folder.mkdir()
    with RunFolder.claim(folder / "played", CONFIG) as run:
        whole_log(run.episodes)
    return folder


def words(server: SshServer, data: Path, out: Path) -> list[str]:
    there = f"ssh://127.0.0.1:{server.port}"
    return ["train", "--data", f"{there}{data}", "--out", f"{there}{out}"]


def test_everything_is_learnt_and_every_checkpoint_arrives(
    server: SshServer, robot: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    content(monkeypatch)
    arguments = words(server, robot / "played", robot / "learnt")
    assert main(arguments) == 0
    said = capsys.readouterr().out
    mirror = Path("runs/mirror") / f"127.0.0.1+{server.port}" / "from-root" / robot.relative_to("/")
    here = EpisodeStore(mirror / "played" / "episodes").paths()
    assert [path.name for path in here] == [path.name for path in EpisodeStore(robot / "played" / "episodes").paths()]
    assert f"into {mirror / 'played'}" in said
    made = sorted(path.name for path in (mirror / "learnt" / "checkpoints").iterdir())
    there = sorted(path.name for path in (robot / "learnt" / "checkpoints").iterdir())
    assert there == made
    assert len(made) > 3
    for name in made:
        assert f"checkpoint {name} is on 127.0.0.1" in said
        assert load_trusted(robot / "learnt" / "checkpoints" / name).manifest.train_steps >= 0
    assert RunFolder.open(robot / "learnt").config == CONFIG
    assert not any(path.name.startswith(".") for path in (robot / "learnt").rglob("*"))
    # The same command again: nothing is left to learn or to carry.
    assert main(arguments) == 0
    assert "is on" not in capsys.readouterr().out


def refused(capsys: Capture, arguments: list[str]) -> str:
    assert main(arguments) == 2
    return capsys.readouterr().err


def test_what_is_wrong_is_said_in_a_line(server: SshServer, robot: Path, tmp_path: Path, capsys: Capture) -> None:
    nowhere = words(server, robot / "nowhere", robot / "learnt")
    assert f"there is no run in ssh://127.0.0.1:{server.port}{robot}/nowhere" in refused(capsys, nowhere)
    other = words(server, robot / "played", robot / "played" / "episodes")
    assert "is not empty and is no run" in refused(capsys, other)
    assert "names no folder" in refused(capsys, ["train", "--data", "ssh://robot", "--out", "a"])
    shutil.move(server.folder / "known_hosts", tmp_path / "kept")
    try:
        line = refused(capsys, words(server, robot / "played", robot / "learnt"))
    finally:
        shutil.move(tmp_path / "kept", server.folder / "known_hosts")
    assert "does not know 127.0.0.1" in line
    assert line.count("\n") == 1
