"""`rig` in a fork of a process that has imported everything: a process to kill, starve or interrupt, in no time.

For tests of what happens in the midst of its work. What happens while it starts needs a fresh one: `tiny_run.start`.
"""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess

from robot_rig.cli.main import main
from tests.children import as_from_a_terminal
from tests.tiny_run import PREPARE, ROOT

FORKS = multiprocessing.get_context("forkserver")
FORKS.set_forkserver_preload(["robot_rig.cli.dispatch", "robot_rig.cli.session", "tests.rig_forks"])


class Fork:
    """A `rig` at work, with as much of `subprocess.Popen` as its tests ask for."""

    def __init__(self, process: BaseProcess, said: Sequence[Connection]) -> None:
        self._process = process
        self._texts = [bytearray(), bytearray()]
        self._readers = [
            threading.Thread(target=_collect, args=(connection, text), daemon=True)
            for connection, text in zip(said, self._texts, strict=True)
        ]
        for reader in self._readers:
            reader.start()

    @property
    def returncode(self) -> int | None:
        """As of `subprocess.Popen`: None while it runs, the negative number of the signal that has ended it."""
        return self._process.exitcode

    def poll(self) -> int | None:
        return self.returncode

    def send_signal(self, number: int) -> None:
        os.kill(self._process.pid or 0, number)

    def kill(self) -> None:
        self._process.kill()

    def communicate(self, timeout: float) -> tuple[str, str]:
        """What it has said by its end, on standard output and on standard error."""
        self._process.join(timeout)
        if self.returncode is None:
            self.kill()
            raise subprocess.TimeoutExpired("rig", timeout)
        for reader in self._readers:
            reader.join(timeout)
        out, error = (bytes(text).decode() for text in self._texts)
        return out, error


def _collect(connection: Connection, text: bytearray) -> None:
    with connection:
        while more := os.read(connection.fileno(), 65536):
            text += more


def fork(arguments: Sequence[str], before: str = "") -> Fork:
    """`rig` with `arguments`, content with any VAE, in a process where the lines `before` are run first."""
    ends = [FORKS.Pipe(duplex=False) for _ in range(2)]
    process = FORKS.Process(target=_be_rig, args=([w for _, w in ends], list(arguments), before, dict(os.environ)))
    process.start()
    for _, written in ends:
        written.close()
    return Fork(process, [read for read, _ in ends])


def _be_rig(said: Sequence[Connection], arguments: list[str], before: str, environment: Mapping[str, str]) -> None:
    as_from_a_terminal()
    for number, connection in enumerate(said, 1):
        os.dup2(connection.fileno(), number)
        connection.close()
    # As a process of its own has them: those of the server that forks took themselves for something else.
    sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(ROOT)
    exec(PREPARE + before, {})
    sys.exit(main(arguments))
