"""`rig train` with ssh:// addresses: the robot's log comes, checkpoints go, and the learner knows nothing of it."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rig.cli.main import main
from robot_rig.data.store import EpisodeStore
from robot_rig.runs import RunFolder
from robot_rig.stages.shipping import load_trusted, shipped_in
from tests.ros_graph import eventually
from tests.stages.test_follow import CONFIG, whole_log
from tests.tiny_run import content, start
from tests.transport.ssh_server import SshServer

Capture = pytest.CaptureFixture[str]
LIMIT_S = 120.0


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


@pytest.mark.proof
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


@pytest.mark.proof
def test_a_follower_begins_before_the_robot_and_ends_by_ctrl_c(server: SshServer, robot: Path, tmp_path: Path) -> None:
    (robot / "played").rename(tmp_path / "played before")
    out = robot / "learnt" / "checkpoints"
    mirror = tmp_path / "trainer" / "mirror"
    mirror.mkdir()
    # In a process of its own, whose folder is not the trainer's: only the robot's own is local there.
    where = f"import os; os.chdir({str(mirror)!r})\n"
    child = start([*words(server, robot / "played", robot / "learnt"), "--follow"], before=where)
    try:
        assert eventually(lambda: (mirror / "runs").is_dir() or child.poll() is not None, LIMIT_S)
        with RunFolder.claim(robot / "played", CONFIG) as run:
            for path in EpisodeStore(tmp_path / "played before" / "episodes").paths():
                shutil.copy(path, run.episodes)
        assert eventually(lambda: (out / "practice-000125").exists() or child.poll() is not None, LIMIT_S)
        child.send_signal(signal.SIGINT)
        said, complained = child.communicate(timeout=LIMIT_S)
    finally:
        child.kill()
    assert child.returncode == 130, complained
    assert f"waiting for a run in ssh://127.0.0.1:{server.port}" in said
    assert "Traceback" not in complained
    assert sorted(shipped_in(out)) == [0, 50, 75, 100, 125]


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
