"""A machine to reach by ssh: an sshd of one's own on a loopback port, with keys that are thrown away."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

import psutil
import pytest

from robot_rig.transport.address import Address, Machine
from robot_rig.transport.ssh import Ssh
from tests.children import die_with_parent
from tests.ros_graph import eventually, free_port

ADMIN_FOLDERS = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
ALIAS = "test-robot"
PRIVILEGES = Path("/run/sshd")
"""Without it an sshd of root does not start; the distribution makes it with the service."""


def program(name: str) -> str:
    """Where the program is; the test is skipped where there is none."""
    found = shutil.which(name, path=ADMIN_FOLDERS)
    if found is None:
        pytest.skip(f"no {name} on this machine: apt-get install openssh-server rsync")
    return found


class SshServer:
    """An sshd in `folder`, not started yet. It lets in whoever has `folder`/key, as whoever runs the test."""

    def __init__(self, folder: Path, *settings: str) -> None:
        self._sshd, keygen = program("sshd"), program("ssh-keygen")
        program("rsync")
        if os.geteuid() == 0:
            PRIVILEGES.mkdir(exist_ok=True)
        self.folder, self.port = folder, free_port()
        for name in ("host_key", "key"):
            subprocess.run([keygen, "-q", "-t", "ed25519", "-N", "", "-f", str(folder / name)], check=True)
        shutil.copy(folder / "key.pub", folder / "authorized_keys")
        self.know()
        lines = [
            # Only the first SetEnv counts. What a person's shell does at a login is not tested here.
            *settings,
            f"SetEnv HOME={folder}",
            f"Port {self.port}",
            "ListenAddress 127.0.0.1",
            f"HostKey {folder}/host_key",
            f"AuthorizedKeysFile {folder}/authorized_keys",
            "PidFile none",
            "UsePAM no",
            "StrictModes no",
            "UseDNS no",
            "PasswordAuthentication no",
            "KbdInteractiveAuthentication no",
            "PermitRootLogin prohibit-password",
        ]
        (folder / "sshd_config").write_text("\n".join(lines) + "\n")
        client = [
            "Host *",
            f"  HostKeyAlias {ALIAS}",
            f"  UserKnownHostsFile {folder}/known_hosts",
            f"  GlobalKnownHostsFile {os.devnull}",
            f"  IdentityFile {folder}/key",
            "  IdentitiesOnly yes",
            "  IdentityAgent none",
        ]
        (folder / "ssh_config").write_text("\n".join(client) + "\n")
        self._process: subprocess.Popen[bytes] | None = None

    def know(self, key: str = "host_key.pub") -> None:
        """Let the client know the server by the public key in the file `key`."""
        (self.folder / "known_hosts").write_text(f"{ALIAS} {(self.folder / key).read_text()}")

    def start(self) -> None:
        """Begin to answer."""
        command = [self._sshd, "-D", "-e", "-f", str(self.folder / "sshd_config")]
        with (self.folder / "sshd.log").open("ab") as log:
            self._process = subprocess.Popen(command, stdout=log, stderr=log, preexec_fn=die_with_parent)
        assert eventually(self._answers, 10.0), (self.folder / "sshd.log").read_text()

    def kill(self) -> None:
        """End it, and everything that was logged in, without a word."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        family = [*server.children(recursive=True), server]
        for one in family:
            try:
                one.kill()
            except psutil.NoSuchProcess:
                continue
        self._process.wait()

    def ssh(self, port: int | None = None) -> Ssh:
        """Calls to it, through `port` of a relay where one is given."""
        return Ssh(self.machine(port), self.options)

    @property
    def options(self) -> Sequence[str]:
        return ("-F", str(self.folder / "ssh_config"))

    def machine(self, port: int | None = None) -> Machine:
        return Machine("127.0.0.1", port=port or self.port)

    def address(self, folder: Path, port: int | None = None) -> Address:
        """`folder` of this machine, seen from another one."""
        return Address(self.machine(port), str(folder))

    def wrapper(self, folder: Path) -> Path:
        """A new `folder` with an ssh that uses the throw-away keys, for the front of a PATH."""
        folder.mkdir()
        (folder / "ssh").write_text(f'#!/bin/sh\nexec {program("ssh")} {" ".join(self.options)} "$@"\n')
        (folder / "ssh").chmod(0o755)
        return folder

    def _answers(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                return probe.recv(4) == b"SSH-"
        time.sleep(0.05)
        return False
