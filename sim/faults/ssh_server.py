"""A machine to reach by ssh: an sshd of one's own on a loopback port, with keys that are thrown away.

Called by rows 29 and 30 and by tests/transport.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

import psutil

from robot_rig.clock import WallClock
from robot_rig.errors import UserError
from robot_rig.transport.address import Address, Machine
from robot_rig.transport.ssh import Ssh
from sim.faults.alone_processes import die_with_parent
from sim.faults.rows import NotPermittedError

ADMIN_FOLDERS = f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin"
ALIAS = "test-robot"
PRIVILEGES = Path("/run/sshd")
"""Without it an sshd of root does not start; the distribution makes it with the service."""

START_S, LOOK_S = 10.0, 0.05


def program(name: str) -> str:
    """Where the program is. Raises NotPermittedError where there is none."""
    found = shutil.which(name, path=ADMIN_FOLDERS)
    if found is None:
        raise NotPermittedError(f"no {name} on this machine: apt-get install openssh-server rsync")
    return found


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


class SshServer:
    """An sshd in `folder`, not started yet. It lets in whoever has `folder`/key, as whoever started it.

    Raises NotPermittedError where it cannot be.
    """

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
        clock = WallClock()
        deadline = clock.now() + START_S
        while not self._answers():
            if clock.now() > deadline:
                raise UserError(f"sshd does not answer: {(self.folder / 'sshd.log').read_text()}")
            threading.Event().wait(LOOK_S)

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
        """What ssh is called with."""
        return ("-F", str(self.folder / "ssh_config"))

    def machine(self, port: int | None = None) -> Machine:
        """It, seen through `port` where one is given."""
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
        return False
