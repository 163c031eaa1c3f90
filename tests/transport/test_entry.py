"""Who is not let in hears at once why, and what to type; nothing ever asks."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rig.errors import UserError
from robot_rig.transport.address import Machine
from robot_rig.transport.pull import Pull
from robot_rig.transport.push import Push
from robot_rig.transport.ssh import EntryRefusedError, LinkError, Ssh
from tests.transport.ssh_server import SshServer, program


@pytest.fixture
def own(tmp_path: Path) -> Iterator[SshServer]:
    """A machine whose keys a test may change."""
    (tmp_path / "bin").mkdir()
    for name in ("sh", "nice"):
        (tmp_path / "bin" / name).symlink_to(program(name))
    made = SshServer(tmp_path, f"SetEnv PATH={tmp_path}/bin HOME={tmp_path}")
    made.start()
    yield made
    made.kill()


def refusal(server: SshServer) -> str:
    with pytest.raises(EntryRefusedError) as refused:
        server.ssh().run("echo")
    assert "\n" not in str(refused.value)
    return str(refused.value)


def test_a_machine_that_nobody_has_met_is_not_believed(own: SshServer) -> None:
    (own.folder / "known_hosts").write_text("")
    said = refusal(own)
    assert "does not know 127.0.0.1" in said
    assert f"`ssh -p {own.port} 127.0.0.1`" in said


def test_a_machine_with_another_key_is_not_believed(own: SshServer) -> None:
    own.know("key.pub")
    said = refusal(own)
    assert "shows another key than before" in said
    assert f"`ssh-keygen -R '[127.0.0.1]:{own.port}'`" in said


def test_who_has_no_key_is_told_how_to_make_one(own: SshServer) -> None:
    (own.folder / "authorized_keys").write_text("")
    said = refusal(own)
    assert "without a password" in said
    assert f"`ssh-copy-id -p {own.port} 127.0.0.1`" in said


def test_a_machine_without_rsync_is_named(own: SshServer, tmp_path: Path) -> None:
    ssh, address, here = own.ssh(), own.address(tmp_path / "there"), tmp_path / "here"
    for errand in (Pull(ssh, address, here, print), Push(ssh, address, here, print)):
        with pytest.raises(EntryRefusedError, match="there is no rsync on 127"):
            errand.look()


def test_a_program_that_is_missing_here_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UserError, match="ssh is missing"):
        Ssh(Machine("robot"))


def test_a_script_answers_in_sections(server: SshServer) -> None:
    script = "echo '-- robot-rig --'; echo one; echo '-- robot-rig --'; echo two"
    assert server.ssh().run(script) == ["one\n", "two\n"]


def test_how_a_script_ended_is_known(server: SshServer) -> None:
    with pytest.raises(LinkError, match="no such thing") as broken:
        server.ssh().run("echo no such thing >&2; exit 7")
    assert broken.value.code == 7


def test_no_call_is_made_after_a_stop(server: SshServer) -> None:
    ssh = server.ssh()
    ssh.stop()
    with pytest.raises(LinkError):
        ssh.run("echo")


def test_the_robot_s_own_work_comes_first(server: SshServer) -> None:
    there = server.ssh().run("echo '-- robot-rig --'; nice")
    niceness = subprocess.run([program("nice")], capture_output=True, text=True, check=True).stdout
    assert int(there[0]) == min(19, int(niceness) + 19), os.environ.get("PATH")
