"""A disk that is full, here or there, is called that, and nobody waits for the link."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from robot_rig.runs import RunFolder
from robot_rig.transport import carrier as carrying
from robot_rig.transport.carrier import Carrier
from robot_rig.transport.pull import Pull
from robot_rig.transport.push import Push
from robot_rig.transport.ssh import DiskError
from tests.ros_graph import eventually
from tests.tiny_run import tiny_config
from tests.transport.endings import end_of
from tests.transport.ssh_server import SshServer, program

DISK_BYTES = 256 * 1024
"""Of the small disk; what is to lie on it is larger."""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk that is soon full. Needs the right to mount one."""
    folder = tmp_path / "small"
    folder.mkdir()
    mount = [program("mount"), "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "none", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("no right to mount a disk here")
    yield folder
    subprocess.run([program("umount"), "--lazy", str(folder)], check=True)


@pytest.fixture(autouse=True)
def brisk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Seconds, where people would wait for minutes."""
    monkeypatch.setattr(carrying, "LOOK_S", 0.2)
    monkeypatch.setattr(carrying, "FIRST_RETRY_S", 0.1)
    monkeypatch.setattr(carrying, "LAST_RETRY_S", 0.2)


def fill(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(np.random.default_rng(0).bytes(size))


def two_episodes(played: Path) -> None:
    fill(played / "episodes" / "collect-000000.mcap", 2 * DISK_BYTES)
    fill(played / "episodes" / "collect-000001.mcap", 10)


def told_at_the_end(carrier: Carrier) -> str:
    """Start it; why it has ended."""
    carrier.start()
    try:
        return end_of(carrier)
    finally:
        carrier.close()


def test_a_full_disk_here_ends_a_command_that_does_not_follow(server: SshServer, played: Path, small: Path) -> None:
    two_episodes(played)
    ssh, told = server.ssh(), list[str]()
    carrier = Carrier(ssh, [Pull(ssh, server.address(played), small / "mirror", told.append)], told.append)
    carrier.meet(0.0)
    said = told_at_the_end(carrier)
    assert said.startswith("the disk of this machine takes nothing more (No space left on device)")
    assert not any("link" in sentence for sentence in told)


def test_who_follows_goes_on_when_there_is_room_again(server: SshServer, played: Path, small: Path) -> None:
    two_episodes(played)
    ssh, told = server.ssh(), list[str]()
    carrier = Carrier(ssh, [Pull(ssh, server.address(played), small / "mirror", told.append)], told.append)
    carrier.meet(float("inf"))
    carrier.start()
    try:
        assert eventually(lambda: any("takes nothing more" in sentence for sentence in told), 20.0)
        carrier.require_sound()
        remount = [program("mount"), "-o", f"remount,size={8 * DISK_BYTES}", str(small)]
        subprocess.run(remount, check=True)
        assert eventually(lambda: any("room on the disk is back" in sentence for sentence in told), 20.0)
        assert (small / "mirror" / "episodes" / "collect-000000.mcap").stat().st_size == 2 * DISK_BYTES
    finally:
        carrier.close()
    assert sum("takes nothing more" in sentence for sentence in told) == 1


def test_a_full_disk_there_is_named_as_the_one_there(server: SshServer, tmp_path: Path, small: Path) -> None:
    learnt = tmp_path / "learnt"
    RunFolder.claim(learnt, tiny_config()).close()
    fill(learnt / "checkpoints" / "practice-000000" / "actor.safetensors", 2 * DISK_BYTES)
    push = Push(server.ssh(), server.address(small / "learnt"), learnt, lambda sentence: None)
    push.look()
    with pytest.raises(DiskError, match=r"the disk of 127\.0\.0\.1:\d+ takes nothing more \(No space left"):
        push.carry()
    assert [path.name for path in (small / "learnt" / "checkpoints").glob("practice*")] == []
