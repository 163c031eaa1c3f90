"""One machine, reached by ssh: a short script run there, files moved by rsync. Never asks, never hangs, says why not.

Called by `pull` and `push`. The other end needs sshd, rsync and the usual small programs of a Linux system.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
from collections.abc import Sequence
from pathlib import Path

from robot_rig.errors import UserError, plain
from robot_rig.transport.address import Address, Machine

CONNECT_S = 10
"""How long a connection may take to come about."""

SILENCE_S = 20
"""How long a transfer may stand still, and at most how long a dead connection is taken for a live one."""

ANSWER_S = 60
"""How long a script may take there; it only lists, renames and flushes."""

NEEDED = {"ssh": "openssh-client", "rsync": "rsync", "setpriv": "util-linux"}
SECTION = "-- robot-rig --"
"""A script prints this line before each part of its answer; what stands before the first the login itself has said."""

NO_RSYNC, SSH_FAILED = 97, 255
"""How a script ends that has found no rsync there, and how all end when ssh itself has failed."""

SOME_FAILED = 23
"""How rsync ends when it could not copy some files; all others have come, and the link is sound."""

OF_DISK = ("No space left on device", "Disk quota exceeded", "Read-only file system")
"""What programs complain of when a disk takes nothing more; rsync's code 11 has other causes as well."""

VANISHED = 24
"""How rsync ends when a file was removed there while it looked; all others have come."""

YIELDING = "nice -n 19"
"""The robot's own work comes first there as well."""

TO_ITS_LAST_WORD = ("sh", "-c", 'trap "" USR1; exec "$0" "$@"')
"""Before the ssh of an rsync: a failing rsync ends its ssh with SIGUSR1, mostly but not always after what the other
end complained of has come through."""

NOISY_LOGIN = "is your shell clean?"
"""In what rsync complains of when a login has printed something into its protocol."""

SHOWN_CHARS = 200
OF_SSH = ("ssh:", "kex_exchange", "Connection ", "Timeout", "client_loop")
"""How lines begin in which ssh says why a connection did not come about or broke off."""


class LinkError(Exception):
    """The other machine cannot be reached now, or a transfer broke off: to be tried again. The message says why.

    `code` is how the program ended, None when it did not end by itself.
    """

    def __init__(self, why: str, code: int | None = None) -> None:
        super().__init__(why)
        self.code = code


class SomeFailedError(LinkError):
    """Some of the files could not be copied, and all others have come: no fault of the link."""


class DiskError(UserError):
    """A disk, here or there, is full or takes nothing more: a person can mend that, waiting perhaps."""


class EntryRefusedError(UserError):
    """The other machine does not let us in, or cannot serve us: a person can mend that, waiting does not."""


class Ssh:
    """Calls to `machine`, one at a time. After `stop`, which any thread may call, a call under way ends with LinkError.

    `options` go to ssh before all others (-o Name=value). Raises UserError when a program that is needed is missing.
    """

    def __init__(self, machine: Machine, options: Sequence[str] = ()) -> None:
        for program, package in NEEDED.items():
            if shutil.which(program) is None:
                raise UserError(f"{program} is missing", next_step=f"make setup, or sudo apt-get install {package}")
        self.machine = machine
        self._options = tuple(options)
        self._lock = threading.Lock()
        self._child: subprocess.Popen[bytes] | None = None
        self._stopped = False

    def run(self, script: str) -> list[str]:
        """The sections of what `script`, for sh, prints there; it prints nothing before the first.

        Raises LinkError, EntryRefusedError or DiskError when it does not end well, EntryRefusedError when the login
        prints something: rsync cannot speak through that.
        """
        # By stdin: so it matters not which shell logs in there. Names of files are a tenth as long when compressed.
        command = [*self._command(), "-C", "--", self.machine.host, f"{YIELDING} sh -s"]
        said = self._call(command, f"export LC_ALL=C\n{script}".encode(), ANSWER_S, str(self.machine)).decode(
            errors="replace"
        )
        noise, *sections = said.split(f"{SECTION}\n")
        if noise.strip():
            raise self._noisy(noise.strip().splitlines()[0])
        return sections

    def rsync(self, arguments: Sequence[str], source: str, target: str, names: Sequence[str] = ()) -> None:
        """Copy from `source` to `target`, one of which `remote` has made; only the files `names`, where there are any.

        What has broken off goes on from there when it is called again. Raises as `run` does, and SomeFailedError.
        """
        rsync = ["rsync", "--times", f"--timeout={SILENCE_S}", "--protect-args", f"--rsync-path={YIELDING} rsync"]
        shell = f"--rsh={shlex.join([*TO_ITS_LAST_WORD, *self._command()])}"
        listed = ["--files-from=-", "--from0"] if names else []
        command = [*rsync, shell, *listed, *arguments, "--", source, target]
        writes = "this machine" if Path(target).is_dir() else str(self.machine)
        self._call(command, "\0".join(names).encode(), None, writes)

    def remote(self, address: Address, inside: str) -> str:
        """The folder `inside` that of `address`, as rsync wants it."""
        host = f"[{self.machine.host}]" if ":" in self.machine.host else self.machine.host
        return f"{host}:{address.path}/{inside}/"

    def stop(self) -> None:
        """End the call under way, and refuse all others."""
        with self._lock:
            self._stopped = True
            if self._child is not None:
                _end(self._child, signal.SIGTERM)

    def _command(self) -> list[str]:
        settings = {
            "BatchMode": "yes",
            "StrictHostKeyChecking": "yes",
            "ConnectTimeout": CONNECT_S,
            "ServerAliveInterval": max(1, SILENCE_S // 4),
            "ServerAliveCountMax": 3,
            # A connection of one's own: one that is shared may have been dead for long.
            "ControlPath": "none",
            "ForwardAgent": "no",
            "ClearAllForwardings": "yes",
            "RequestTTY": "no",
        }
        command = ["ssh", *self._options]
        for name, value in settings.items():
            command += ["-o", f"{name}={value}"]
        command += ["-p", str(self.machine.port)] if self.machine.port else []
        return [*command, "-l", self.machine.user] if self.machine.user else command

    def _call(self, command: Sequence[str], given: bytes, limit_s: float | None, writes: str) -> bytes:
        """The output of `command`, which the kernel ends with this process; `writes`: on whose disk it does."""
        with self._lock:
            if self._stopped:
                raise LinkError("it is being ended")
            # A session of its own: no terminal to ask for a password on, and no Ctrl-C that is meant for us.
            child = self._child = subprocess.Popen(
                ["setpriv", "--pdeathsig", "TERM", "--", *command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        try:
            said, complained = child.communicate(given, limit_s)
        except subprocess.TimeoutExpired as error:
            raise LinkError(f"no answer in {limit_s:g} s") from error
        finally:
            if child.poll() is None:
                _end(child, signal.SIGKILL)
                child.communicate()
            with self._lock:
                self._child = None
        if child.returncode not in (0, VANISHED if command[0] == "rsync" else 0):
            raise self._explain(child.returncode, complained.decode(errors="replace"), writes)
        return said

    def _explain(self, code: int, complained: str, writes: str) -> LinkError | EntryRefusedError | DiskError:
        if code == NO_RSYNC:
            missing = f"there is no rsync on {self.machine}"
            return EntryRefusedError(missing, next_step="sudo apt-get install rsync there")
        lines = [line.strip() for line in complained.splitlines() if line.strip()]
        why = _telling(lines)[:SHOWN_CHARS] or f"it ended with code {code}"
        for sign in OF_DISK:
            if sign in complained:
                full = f"the disk of {writes} takes nothing more ({sign})"
                return DiskError(full, next_step="make room there, and run this again")
        if NOISY_LOGIN in complained:
            return self._noisy("")
        link = (SomeFailedError if code == SOME_FAILED else LinkError)(why, code)
        return self._explain_ssh(complained) or link if code == SSH_FAILED else link

    def _noisy(self, line: str) -> EntryRefusedError:
        """What to say of a login that prints, `line` first, where that is known."""
        said = f" ({plain(line)})" if line else ""
        return EntryRefusedError(
            f"a login on {self.machine} prints text{said}, and files cannot be carried through that",
            next_step=f"`ssh {self.machine.login} true` must print nothing: take the line that prints out of ~/.bashrc "
            "there, or let it print in a terminal only",
        )

    def _explain_ssh(self, complained: str) -> EntryRefusedError | None:
        """Why ssh was not let in, when it says so."""
        login = self.machine.login
        if "IDENTIFICATION HAS CHANGED" in complained:
            return EntryRefusedError(
                f"{self.machine} shows another key than before: it was set up anew, or it is another machine",
                next_step=f"find out which; then `ssh-keygen -R {_known_as(self.machine)}` and `ssh {login}`",
            )
        if "Host key verification failed" in complained:
            return EntryRefusedError(
                f"this machine does not know {self.machine} yet",
                next_step=f"run `ssh {login}` once, compare the fingerprint that it shows, and answer yes",
            )
        if "Permission denied (" in complained:
            return EntryRefusedError(
                f"{self.machine} does not let this machine in without a password",
                next_step=f"make a key with `ssh-keygen -t ed25519` if you have none, then `ssh-copy-id {login}`; "
                "a key with a passphrase must be in your ssh-agent (`ssh-add`)",
            )
        return None


def _end(child: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """Send `how` to `child` and to what it has started: the ssh of an rsync would keep its pipes open."""
    if child.returncode is None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child.pid, how)


def _known_as(machine: Machine) -> str:
    """The name under which ssh keeps the key of `machine`."""
    return f"'[{machine.host}]:{machine.port}'" if machine.port else machine.host


def _telling(lines: Sequence[str]) -> str:
    """Of what was complained of, the line that says most: the first of ssh, else of rsync, else the last of all."""
    for beginnings in (OF_SSH, ("rsync:",)):
        for line in lines:
            if line.startswith(beginnings):
                return line
    return lines[-1] if lines else ""
