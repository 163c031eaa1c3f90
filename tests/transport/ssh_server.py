"""The sshd of the rows about links, for tests: where there can be none, they are skipped."""

from __future__ import annotations

from pathlib import Path

import pytest

from sim.faults import ssh_server
from sim.faults.rows import NotPermittedError


def program(name: str) -> str:
    """Where the program is; the test is skipped where there is none."""
    try:
        return ssh_server.program(name)
    except NotPermittedError as error:
        pytest.skip(str(error))


class SshServer(ssh_server.SshServer):
    """An sshd in `folder`, not started yet; the test is skipped where it cannot be."""

    def __init__(self, folder: Path, *settings: str) -> None:
        try:
            super().__init__(folder, *settings)
        except NotPermittedError as error:
            pytest.skip(str(error))
