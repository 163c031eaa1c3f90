"""practice.launch as a person starts it, in a graph of the soak's own, and its processes by name. Called by `soak.run`.

roslaunch gives each node a session of its own, so what belongs to a launch is told by a ROS_HOME that no other has.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path

import psutil

from robot_rig.cli.live.graph import LiveGraph
from robot_rig.clock import WallClock
from robot_rig.errors import UserError

ROSLAUNCH = "import roslaunch; roslaunch.main()"
END_S = 40.0
"""roslaunch asks each node, waits, tells it, waits, and kills it."""

LOOK_S = 0.1
NAME = "__name:="
NOT_YET = "robot_rig.nodes.after"
"""What a node is while it waits for another one."""

LOOK_ANEW_S = 60.0


class PracticeLaunch:
    """The launch of the run folder `run` with further `words`; logs of each start go to `folder`."""

    def __init__(self, graph: LiveGraph, folder: Path, run: Path, words: Sequence[str]) -> None:
        self._graph, self._folder = graph, folder.resolve()
        self._words = ["robot_rig", "practice.launch", f"run:={run.resolve()}", *words]
        self._clock = WallClock()
        self._known: dict[str, psutil.Process] = {}
        self._looked = 0.0
        self.starts = 0
        """The number of the last start; of a folder that is gone on with, earlier ones count."""

    @property
    def home(self) -> Path:
        """The ROS_HOME of its processes, with what the nodes say."""
        return self._folder / self._name

    @property
    def _name(self) -> str:
        """What the graph calls this start, and its log."""
        return f"launch-{self.starts}"

    def start(self) -> None:
        """Start it; the nodes come up by and by."""
        self.starts += 1
        while self.home.exists():
            self.starts += 1
        self.home.mkdir(parents=True)
        self._known, self._looked = {}, 0.0
        # Names of files are meant as they were typed, wherever roslaunch starts its nodes.
        prefix = ["env", f"ROS_HOME={self.home}", f"PWD={Path.cwd()}"]
        # What is practised on is what a person gets: none of the precedence that a demo's own robot is given.
        self._graph.start(self._name, ["-c", ROSLAUNCH, *self._words], prefix, niceness=0)

    @property
    def runs(self) -> bool:
        """Whether roslaunch lives."""
        return self._graph.alive(self._name)

    def await_end(self, within: float) -> bool:
        """Whether it ends by itself within so many seconds."""
        deadline = self._clock.now() + within
        while self.runs and self._clock.now() < deadline:
            self._clock.sleep_until(self._clock.now() + LOOK_S)
        return not self.runs

    def end(self) -> None:
        """End it in order, as Ctrl-C in its terminal does, and by force whatever of it is left, at once where a second
        Ctrl-C comes meanwhile: roslaunch killed alone would leave its nodes behind. May be called twice.
        """
        try:
            self._graph.end(self._name, END_S)
        finally:
            for process in self._members():
                with contextlib.suppress(psutil.Error):
                    process.kill()

    def processes(self) -> dict[str, psutil.Process]:
        """Its living processes by the name of their node; looked for anew where one has gone, and now and then."""
        gone = not self._known or any(not process.is_running() for process in self._known.values())
        if gone or time.monotonic() - self._looked > LOOK_ANEW_S:
            found = {}
            for process in self._members():
                with contextlib.suppress(psutil.Error):
                    if name := node_name(process.cmdline()):
                        found[name] = process
            self._known, self._looked = found, time.monotonic()
        return self._known

    def pid(self, name: str) -> int:
        """The process id of the node `name`. Raises UserError when it does not run."""
        process = self.processes().get(name)
        if process is None:
            # It may have come up since somebody looked.
            self._known = {}
            process = self.processes().get(name)
        if process is None or not process.is_running():
            raise UserError(f"{name} does not run", next_step=f"see the logs in {self.home}")
        return int(process.pid)

    def _members(self) -> list[psutil.Process]:
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error, OSError):
                if process.environ().get("ROS_HOME") == str(self.home):
                    found.append(process)
        return found


def node_name(command: Sequence[str]) -> str:
    """Which node of the launch a process with this command line is, by its ROS name; "" when it is none, or not yet."""
    if NOT_YET in command:
        return ""
    named = [word.removeprefix(NAME) for word in command if word.startswith(NAME)]
    if named:
        return named[-1]
    if ROSLAUNCH in command:
        return "roslaunch"
    # `rig` as a step of a launch file is given no ROS name.
    return "rig_trainer" if "train" in command and "--follow" in command else ""
