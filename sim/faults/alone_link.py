"""Rows 29 and 30: the trainer is another machine, and the link to it is out, or slow and lossy. Needs no graph.

The other machine is an sshd on this one, reached through a line that is bad on purpose. Beside it a robot logs at its
ten steps a second, with the real writer; the trainer's end is the real carrier.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from robot_rig.clock import Clock, WallClock
from robot_rig.config import Config
from robot_rig.data.log import EpisodeWriter, read_episode
from robot_rig.data.store import EpisodeStore
from robot_rig.errors import UserError
from robot_rig.runs import RunFolder
from robot_rig.transport.carrier import Carrier
from robot_rig.transport.pull import Pull
from sim.faults.bad_line import Relay
from sim.faults.judges import Verdict
from sim.faults.made_steps import ACTION_DIM, NO_LIMIT, made_frame, made_step
from sim.faults.ssh_server import SshServer

STAGE = "practice"
STEPS, BEFORE = 25, 8
"""Of an episode, and how many there are before anything is fetched."""

PERIOD_S = 0.1
AWAY_S, SYNC_S = 60.0, 60.0
"""Row 29: how long the link is out, and how long after it is back everything must be there."""

UNDER_WAY_S = 0.5
"""What a line has taken in before it is out may still come through so much later."""

DELAY_S, LOSS, SLOW_S, SLOW_LIMIT_S = 0.2, 0.05, 20.0, 300.0
"""Row 30: of the line; how long the robot logs beside it, and how long the rest may take."""

RATE = 400_000.0
"""Of the line of row 29, bytes/s: its cut comes into a transfer."""

LOOK_S = 0.1

Attempt = Callable[[np.random.Generator, Path], Verdict]


class Robot:
    """A log that grows by the clock, on a thread of its own, as a recorder's does."""

    def __init__(self, run: Path) -> None:
        RunFolder.claim(run, Config()).close()
        self.log = EpisodeStore(run / "episodes")
        self.worst_append_s = 0.0
        self.steps = 0
        self._clock: Clock = WallClock()
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._work, name="robot", daemon=True)

    def episode(self, pause: Callable[[], object]) -> None:
        """Log one, with a `pause` after each step."""
        path = self.log.next_path(STAGE)
        writer = EpisodeWriter(path, ACTION_DIM, None, {"stage": STAGE}, room=NO_LIMIT)
        for number in range(STEPS):
            began = self._clock.now()
            writer.append(made_step(number + self.steps))
            self.worst_append_s = max(self.worst_append_s, self._clock.now() - began)
            pause()
        writer.finish(made_frame(STEPS + self.steps))
        self.steps += STEPS

    def start(self) -> None:
        """Log one episode after the other."""
        self._thread.start()

    def end(self) -> None:
        """Finish the one that is being logged, and log no more."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join()

    def _work(self) -> None:
        while not self._closing.is_set():
            self.episode(lambda: self._clock.sleep_until(self._clock.now() + PERIOD_S))


class Trip:
    """A robot, the line to it, and the trainer's folder that its log is fetched into."""

    def __init__(self, robot: Robot, line: Relay, mirror: Path, carrier: Carrier, told: list[str]) -> None:
        self.robot, self.line, self.carrier, self.told = robot, line, carrier, told
        self.clock: Clock = WallClock()
        self._mirror = mirror / "episodes"

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self.clock.sleep_until(self.clock.now() + seconds)

    def arrive(self, limit_s: float) -> float:
        """Seconds until everything that was logged is there. Raises UserError when that takes longer than `limit_s`."""
        began = self.clock.now()
        while self.here() < len(self.robot.log.paths()):
            self.carrier.require_sound()
            if self.clock.now() - began > limit_s:
                raise UserError(
                    f"{self.here()} of {len(self.robot.log.paths())} episodes are there after {limit_s:g} s"
                )
            self.wait(LOOK_S)
        return self.clock.now() - began

    def here(self) -> int:
        """Episodes that have come."""
        return len(EpisodeStore(self._mirror).paths())

    def wrong(self) -> list[str]:
        """What is not as the robot has it, and steps that are lost."""
        there = {path.name: path.read_bytes() for path in self.robot.log.paths()}
        here = {path.name: path.read_bytes() for path in EpisodeStore(self._mirror).paths()}
        complaints = [f"{name} is not what the robot has" for name in here if here[name] != there.get(name)]
        steps = sum(len(read_episode(self._mirror / name)) for name in here)
        if steps != self.robot.steps:
            complaints.append(f"the robot has logged {self.robot.steps} steps, {steps} have come")
        return complaints


@contextlib.contextmanager
def trip(folder: Path, make_line: Callable[[int], Relay]) -> Iterator[Trip]:
    """A trip that has begun, over the line that `make_line` makes to a port."""
    (folder / "sshd").mkdir()
    server = SshServer(folder / "sshd")
    server.start()
    robot = Robot(folder / "robot")
    for _ in range(BEFORE):
        robot.episode(lambda: None)
    line = make_line(server.port)
    ssh = server.ssh(line.port)
    told: list[str] = []
    pull = Pull(ssh, server.address(folder / "robot", line.port), folder / "mirror", told.append)
    carrier = Carrier(ssh, [pull], told.append)
    made = Trip(robot, line, folder / "mirror", carrier, told)
    try:
        carrier.meet(float("inf"))
        carrier.start()
        robot.start()
        yield made
    finally:
        robot.end()
        carrier.close()
        line.cut()
        server.kill()


def partition(random: np.random.Generator, folder: Path) -> Verdict:
    """An attempt at row 29: refused or silent for a minute, at a random moment of the first transfers."""
    verdict = Verdict()
    with trip(folder, lambda port: Relay(port, rate=RATE)) as going:
        going.wait(random.uniform(0.0, 3.0))
        (going.line.cut, going.line.freeze)[random.integers(2)]()
        before = len(going.robot.log.paths())
        going.wait(UNDER_WAY_S)
        carried = going.line.carried
        going.wait(AWAY_S - UNDER_WAY_S)
        verdict.add(["the line was not out"] if going.line.carried != carried else [])
        verdict.add([] if any("is lost" in text for text in going.told) else ["nobody was told that the link is lost"])
        going.robot.end()
        if len(going.robot.log.paths()) <= before:
            verdict.add(["the robot has logged nothing meanwhile"])
        going.line.mend()
        verdict.figures["sync s"] = round(going.arrive(SYNC_S), 1)
        verdict.add(going.wrong())
        verdict.figure("append", going.robot.worst_append_s)
    return verdict


def slow_link(random: np.random.Generator, folder: Path) -> Verdict:
    """An attempt at row 30: every piece late, some much later, and the log grows beside it."""
    verdict = Verdict()
    with trip(folder, lambda port: Relay(port, delay_s=DELAY_S, loss=LOSS)) as going:
        going.wait(SLOW_S)
        going.robot.end()
        verdict.add([] if going.line.late else ["the line lost nothing"])
        verdict.figures["transfer s"] = round(SLOW_S + going.arrive(SLOW_LIMIT_S), 1)
        verdict.add(going.wrong())
        verdict.figure("append", going.robot.worst_append_s)
    return verdict
