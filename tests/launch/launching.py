"""roslaunch and rostest as subprocesses of a test, with every process that they leave ended however the test goes.

roslaunch gives each node a session of its own, so neither a process group nor its parent's end reaches it; what belongs
to a launch is told by the ROS_HOME in its environment, which is a folder of that launch alone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import psutil

from tests.house import ROOT
from tests.ros_graph import environment, eventually, free_port

END_S = 40.0


class Launch:
    """One running roslaunch or rostest in the folder `home`."""

    def __init__(self, process: subprocess.Popen[bytes], home: Path) -> None:
        self.process, self.home = process, home

    @property
    def output(self) -> str:
        return (self.home / "output.log").read_text(errors="replace")

    def wait(self, within: float) -> int:
        """The exit code; -1 when it has not ended in time."""
        try:
            return self.process.wait(within)
        except subprocess.TimeoutExpired:
            return -1

    def members(self) -> list[psutil.Process]:
        """What runs with this launch's ROS_HOME."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("ROS_HOME") == str(self.home):
                    found.append(process)
        return found

    def end(self) -> None:
        """As with Ctrl-C, and then by force."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
            self.wait(END_S)
        for _ in range(3):
            for process in self.members():
                with contextlib.suppress(psutil.Error):
                    process.kill()
            self.process.wait()
            if eventually(lambda: not self.members(), 5):
                return
        raise RuntimeError(f"these do not end: {self.members()}")


@contextlib.contextmanager
def launched(
    command: Sequence[str],
    home: Path,
    uri: str = "",
    stdin: int | IO[Any] = subprocess.DEVNULL,
    package_path: Path = ROOT,
    **more: str,
) -> Iterator[Launch]:
    """`command` in the graph of `uri`, or one of its own; started in the folder `home` as a person would there."""
    home.mkdir(parents=True, exist_ok=True)
    own = uri or f"http://127.0.0.1:{free_port()}"
    variables = environment(own, home) | {
        "ROS_PACKAGE_PATH": str(package_path),
        "PWD": str(home),
        "XDG_STATE_HOME": str(home / "state"),
        "PYTHONUNBUFFERED": "1",
    }
    with (home / "output.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=home, env=variables | more, stdin=stdin, stdout=log, stderr=subprocess.STDOUT
        )
    launch = Launch(process, home)
    try:
        yield launch
    finally:
        launch.end()


def rostest(name: str, home: Path, limit_s: float, **more: Any) -> Launch:
    """Run tests/launch/NAME.test to its end; the Launch then has everything that was said."""
    reuse = ["--reuse-master"] if "uri" in more else []
    with launched(["rostest", *reuse, str(ROOT / f"tests/launch/{name}.test")], home, **more) as launch:
        code = launch.wait(limit_s)
        said = launch.output
    found = sorted((home / "test_results").rglob("rosunit-*.xml"))
    results = "\n".join(path.read_text() for path in found)
    assert code == 0, f"rostest {name} ended with {code}\n{results}\n{said[-6000:]}"
    assert "RESULT: SUCCESS" in said, said[-6000:]
    assert len(found) == 1, said[-6000:]
    assert 'tests="1"' in results, results
    return launch


def says(launch: Launch, text: str, within: float = 60.0) -> bool:
    """Whether `launch` says `text`, or has said it when it ends."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if text in launch.output:
            return True
        if launch.process.poll() is not None:
            return text in launch.output
        time.sleep(0.05)
    return False


def type_into(terminal: int, keys: bytes) -> None:
    """Press `keys`, and throw away what the other side has drawn so far."""
    os.set_blocking(terminal, False)
    with contextlib.suppress(OSError):
        os.write(terminal, keys)
    with contextlib.suppress(OSError):
        while os.read(terminal, 65536):
            pass
