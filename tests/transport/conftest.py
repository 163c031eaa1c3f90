"""One sshd that the tests of the transport share, and a robot's run on its disk."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from robot_rig.runs import RunFolder
from tests.tiny_run import tiny_config
from tests.transport.ssh_server import SshServer


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SshServer]:
    """A machine that lets us in."""
    made = SshServer(tmp_path_factory.mktemp("sshd"))
    made.start()
    yield made
    made.kill()


@pytest.fixture
def played(tmp_path: Path) -> Path:
    """The robot's run, with an empty log."""
    folder = tmp_path / "robot" / "played"
    folder.parent.mkdir()
    RunFolder.claim(folder, tiny_config()).close()
    return folder
