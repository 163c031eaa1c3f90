"""One finished tiny demo that the tests of the command line share; a test that writes takes a copy."""

from __future__ import annotations

import contextlib
import io
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from robot_rig.cli.main import main
from tests.cli.data_runs import begun, log
from tests.data.episodes import picture
from tests.tiny_run import content, words


@dataclass(frozen=True)
class Demo:
    """Where a finished demo lies and what it printed."""

    folder: Path
    output: str

    @property
    def last_line(self) -> str:
        return self.output.rstrip("\n").rpartition("\n")[2]


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Demo:
    """An undisturbed demo."""
    folder = tmp_path_factory.mktemp("demo") / "run"
    printed = io.StringIO()
    with pytest.MonkeyPatch.context() as monkeypatch, contextlib.redirect_stdout(printed):
        content(monkeypatch)
        assert main(words("demo", folder)) == 0
    return Demo(folder, printed.getvalue())


@pytest.fixture
def copied(demo: Demo, tmp_path: Path) -> Path:
    """A copy of the finished demo's folder."""
    shutil.copytree(demo.folder, tmp_path / "copied")
    return tmp_path / "copied"


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs whose episodes take turns in time; the last of the second is cut short."""
    a, b = begun(tmp_path / "a"), begun(tmp_path / "b", "seed=7")
    log(a, "collect", 0), log(a, "collect", 2), log(a, "heldout", 4)
    log(b, "collect", 1, goal=picture(9)), log(b, "practice", 3)
    cut = log(b, "collect", 5)
    cut.write_bytes(cut.read_bytes()[: cut.stat().st_size * 3 // 4])
    return a, b
