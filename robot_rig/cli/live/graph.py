"""A ROS graph of one's own: master, simulated Sawyer, camera, guard and policy as processes that end with the block.

Called by `cli.live.demo`, `cli.faults` and `cli.soak`. The port is a free one, so a robot's own graph is never touched.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from robot_rig.clock import WallClock
from robot_rig.errors import UserError
from robot_rig.ros.master import Master, MasterSilent

MASTER = "import rosmaster; rosmaster.rosmaster_main()"
DEFAULT_PORT = 11311
"""Somebody's robot may be there."""

PORTS = range(20_000, 32_000)
"""Below those that the kernel gives out by itself."""

START_S = 90.0
END_S = 10.0
LOOK_S = 0.05
PR_SET_PDEATHSIG = 1
NICENESS = -10
"""Real arms and cameras do not slow down when the machine is busy; where permitted, those that play them do so less."""

ROOT = Path(__file__).resolve().parents[3]


def free_port() -> int:
    """A port that nobody listens on at this moment."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as probe:
            if port != DEFAULT_PORT and probe.connect_ex(("127.0.0.1", port)) != 0:
                return port


def _prepare_child(niceness: int) -> None:
    """A demo that is killed must not leave a robot running."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    with contextlib.suppress(PermissionError):
        os.nice(niceness)


class Processes:
    """Programs that are started together in one `environment`, their logs in `folder`, and ended together; a context
    manager.
    """

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._folder = folder
        self._clock = WallClock()
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.environment = environment

    def __enter__(self) -> Processes:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, name: str, arguments: Sequence[str], prefix: Sequence[str] = (), niceness: int = NICENESS) -> None:
        """Run Python with `arguments` as the process `name`, through the command `prefix` if there is one."""
        with (self._folder / f"{name}.log").open("wb") as log:
            self._processes[name] = subprocess.Popen(
                [*prefix, sys.executable, *arguments],
                cwd=ROOT,
                env=dict(self.environment),
                stdout=log,
                stderr=log,
                # Ctrl-C is for the demo, which ends them in order.
                start_new_session=True,
                preexec_fn=functools.partial(_prepare_child, niceness),
            )

    def alive(self, name: str) -> bool:
        """Whether the process `name` was started and has not ended."""
        return name in self._processes and self._processes[name].poll() is None

    def exit_code(self, name: str) -> int | None:
        """Of the process `name`; None while it runs."""
        return self._processes[name].poll()

    def pid(self, name: str) -> int:
        """The process id of `name`."""
        return self._processes[name].pid

    def kill(self, name: str) -> None:
        """SIGKILL to the process `name`; returns once it is dead."""
        self._processes[name].kill()
        self._processes[name].wait()

    def end_all_but(self, kept: str) -> None:
        """End every process but one, the last one first."""
        for name in [name for name in reversed(self._processes) if name != kept]:
            self.end(name)

    def end(self, name: str, within: float = END_S) -> None:
        """End the process `name` in order, if it runs, and forget it; by force when it takes longer than `within` s."""
        process = self._processes.get(name)
        if process is not None:
            _end(process, within)
            self._processes.pop(name, None)

    def check(self) -> None:
        """Raise UserError when a process has ended."""
        for name, process in self._processes.items():
            if process.poll() is not None:
                raise UserError(f"{name} has ended: {self._last_words(name)}", next_step=f"see {name}.log")

    def wait(self, what: str, come: Callable[[], object], within: float = START_S) -> None:
        """Return when `come()`. Raises UserError when it does not or a process ends."""
        deadline = self._clock.now() + within
        while not come():
            self.check()
            if self._clock.now() > deadline:
                raise UserError(
                    f"waited {within:g} s in vain until {what}", next_step=f"see the logs in {self._folder}"
                )
            self._clock.sleep_until(self._clock.now() + LOOK_S)

    def _last_words(self, name: str) -> str:
        words = (self._folder / f"{name}.log").read_text(errors="replace").strip().splitlines()
        return words[-1][:300] if words else "it said nothing"

    def close(self) -> None:
        """End everything, the last one first; may be called twice."""
        for process in reversed(self._processes.values()):
            _end(process)
        self._processes.clear()


class LiveGraph(Processes):
    """The processes around a master of their own, and the environment that leads to it, also for this process."""

    def __init__(self, folder: Path) -> None:
        self.uri = f"http://127.0.0.1:{free_port()}"
        dropped = ("ROS_HOSTNAME", "ROS_NAMESPACE")
        # So that roslaunch finds this checkout, before any other of the same name.
        packages = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("ROS_PACKAGE_PATH")]))
        environment = {
            **{name: value for name, value in os.environ.items() if name not in dropped},
            "ROS_PACKAGE_PATH": packages,
            "ROS_MASTER_URI": self.uri,
            "ROS_IP": "127.0.0.1",
            "ROS_HOME": str(folder.resolve()),
        }
        super().__init__(folder, environment)
        self._before = dict(os.environ)

    def __enter__(self) -> LiveGraph:
        super().__enter__()
        os.environ.update(self.environment)
        for name in set(os.environ) - set(self.environment):
            del os.environ[name]
        try:
            self.start_master()
        except BaseException:
            self.close()
            raise
        return self

    def start_master(self) -> None:
        """Start the master on this graph's port; an earlier one must have ended."""
        self.start("master", ["-c", MASTER, "--core", "-p", self.uri.rpartition(":")[2]])
        calls = Master(self.uri)
        self.wait("the ROS master answers", lambda: _answers(calls, self._processes["master"].pid))

    def close(self) -> None:
        """End everything, the last one first, the master last; may be called twice."""
        super().close()
        os.environ.clear()
        os.environ.update(self._before)


def _end(process: subprocess.Popen[bytes], within: float = END_S) -> None:
    process.terminate()
    try:
        process.wait(within)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _answers(calls: Master, pid: int) -> bool:
    """Whether it is our own master and no stranger on its port."""
    try:
        return calls.pid() == pid
    except MasterSilent:
        return False
