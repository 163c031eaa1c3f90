"""The live graph that faults are caused in: processes by pid, hands, and the witness's feed. Called by `attempts`.

Implements `sim.faults.rows.Stage`. One graph serves many attempts; what a fault has killed is started again before the
next one, and where the master itself was hurt the caller makes a new stage.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import numpy as np

from robot_rig.cli.faults.feed import Feed
from robot_rig.cli.faults.network import OUTSIDE_HOST, OutsideNetwork
from robot_rig.cli.faults.processes import ACTORS, ALWAYS, PROCESSES, RECORDERS, fill_disk, peak_mib
from robot_rig.cli.live.graph import ROOT, LiveGraph
from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.data.salvage import salvage
from robot_rig.data.store import EpisodeStore
from robot_rig.errors import UserError
from sim.faults.evidence import Action, Command, Frame, Report, RobotState, Truth
from sim.faults.judges import is_zero
from sim.faults.rows import Row
from sim.faults.stall import stall_apart

FRESH_S, MOVING_S = 0.3, 1.0
AT_HOME_RAD = 0.02
START_S = 90.0
LOOK_S = 0.02


class LiveStage:
    """A graph in `folder`; a context manager. `seed` draws when and how faults come."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._folder = folder
        self._clock = WallClock()
        self._graph = LiveGraph(folder)
        self._home = list(Config().control.home_posture_rad)
        self._hands: subprocess.Popen[str] | None = None
        self._feed: Feed | None = None
        self.turn, self.random = seed, np.random.default_rng(seed)
        self.marks: dict[str, float] = {}
        self._outside = OutsideNetwork()
        self._recorded = folder / "recorded"

    # --- the graph's life -------------------------------------------------------------------------------------------

    def __enter__(self) -> LiveStage:
        self._graph.__enter__()
        try:
            log = self._folder / "witness.jsonl"
            log.unlink(missing_ok=True)
            shutil.rmtree(self._recorded, ignore_errors=True)
            self._graph.start("witness", ["-m", "sim.faults.witness", "--log", str(log)])
            self._graph.start("sim", PROCESSES["sim"])
            self._graph.wait("the witness writes", log.exists)
            self._feed = Feed(log)
            self.until("the simulator tells the truth", lambda: self._fresh(Truth), 90.0)
            self._hands = self._start_hands()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._hands is not None:
            self._hands.kill()
            self._hands.wait()
        if self._feed is not None:
            self._feed.close()
        self._graph.close()
        self._outside.close()

    def _start_hands(self) -> subprocess.Popen[str]:
        with (self._folder / "hands.log").open("wb") as log:
            return subprocess.Popen(
                [sys.executable, "-m", "sim.faults.hands"],
                cwd=ROOT,
                env=dict(self._graph.environment),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )

    @property
    def feed(self) -> Feed:
        """The witness's log."""
        assert self._feed is not None
        return self._feed

    def reseed(self, seed: int) -> None:
        """Draw the next attempt's times from `seed`."""
        self.turn, self.random = seed, np.random.default_rng(seed)

    # --- before an attempt ------------------------------------------------------------------------------------------

    def prepare(self, row: Row) -> None:
        """Everything alive, healthy and at home; then the arm enabled, and moving where the row wants that."""
        self.marks = {}
        for name in ALWAYS:
            self._ensure(name)
        others = {*ACTORS, *RECORDERS} - {row.actor, row.recorder}
        for name in ("human", "stranger", "flooder", *sorted(others)):
            self._graph.end(name)
        for name in filter(None, (row.recorder, row.actor)):
            self._ensure(name)
        self.until("hands are connected", lambda: self.hand("connected")[0], START_S)
        self.hand("button", pressed=False)
        for to in ("camera", "robot"):
            self.tell(to, kind="none")
        self.until("pictures flow", lambda: self._fresh(Frame), START_S)
        self.until("the guard reports", lambda: self._report("rig_arm"), START_S)
        self._send_home()
        self.tell("puppet", to="policy", kind="circle")
        self.until("the arm is enabled", self._enabled, 60.0)
        self._await_motion()

    def _ensure(self, name: str) -> None:
        if not self._graph.alive(name):
            self.start(name)

    def _send_home(self) -> None:
        """Disabled, and put back by hand: homing through the guard would take most of an attempt's time."""
        self.until("the guard is disabled", self._disabled, 40.0)
        self.hand("place", position=self._home)
        self.until("the arm is at home", self._at_home)

    def _disabled(self) -> bool:
        report = self._report("rig_arm")
        if report is not None and report.mode == "disabled":
            return True
        self.order("stop")
        self.order("reset")
        return False

    def _at_home(self) -> bool:
        truth = self.seen(Truth)
        return bool(np.abs(np.array(truth.position) - self._home).max() < AT_HOME_RAD)

    def _enabled(self) -> bool:
        report, state = self._report("rig_arm"), self.seen(RobotState)
        if report is not None and state is not None and report.mode == "active" and state.enabled:
            return True
        self.order("enable")
        return False

    def _await_motion(self) -> None:
        begin = self._clock.now()

        def moving() -> bool:
            self._enabled()
            command, action = self.seen(Command), self.seen(Action)
            if command is None or action is None or is_zero(command):
                nonlocal begin
                begin = self._clock.now()
            return self._clock.now() - begin > MOVING_S

        self.until("the arm moves", moving, 40.0)

    def _fresh(self, kind: type[Any]) -> bool:
        fact = self.seen(kind)
        return fact is not None and self._clock.now() - fact.t < FRESH_S

    def _report(self, name: str) -> Report | None:
        report: Report | None = self.seen(Report)
        good = report is not None and report.name == name and self._clock.now() - report.t < FRESH_S
        return report if good else None

    # --- what rows may do -------------------------------------------------------------------------------------------

    def now(self) -> float:
        """Monotonic s."""
        return self._clock.now()

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        self._clock.sleep_until(self._clock.now() + seconds)

    def mark(self, name: str) -> None:
        """Write down that `name` happens now."""
        self.marks[name] = self._clock.now()

    def kill(self, name: str) -> None:
        """SIGKILL; returns once the process is dead."""
        self._graph.kill(name)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        os.kill(self._graph.pid(name), signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        os.kill(self._graph.pid(name), signal.SIGCONT)

    def stall(self, name: str, frozen_s: float, awake_s: float, times: int) -> list[float]:
        """SIGSTOP and SIGCONT in turn, by a process that is itself on time."""
        return stall_apart(ROOT, self._graph.pid(name), frozen_s, awake_s, times)

    def start(self, name: str, *extra: str) -> None:
        """Start the process `name`."""
        if name == "master":
            self._graph.start_master()
            return
        own = ("--run", str(self._recorded)) if name in RECORDERS else ()
        self._graph.start(name, [*PROCESSES[name], *own, *extra])

    def launch(self, label: str, name: str, *extra: str) -> None:
        """Start a further process like `name`, called `label`."""
        self._graph.start(label, [*PROCESSES[name], *extra])

    def launch_outside(self, label: str, name: str, *extra: str) -> None:
        """Start a process like `name` in a network of its own, with a cable to this machine."""
        port = self._graph.uri.rpartition(":")[2]
        prefix = self._outside.enter(f"http://{OUTSIDE_HOST}:{port}")
        self._graph.start(label, [*PROCESSES[name], *extra], prefix)

    def restart(self) -> None:
        """End everything but the master, and start it as a launch file does: what needs the robot waits for it."""
        assert self._hands is not None
        self._hands.kill()
        self._hands.wait()
        self._graph.end_all_but("master")
        begin, log = self.now(), self._folder / "witness.jsonl"
        self._graph.start("witness", ["-m", "sim.faults.witness", "--log", str(log)])
        for name in (*ALWAYS, "puppet"):
            self.start(name)
            self.until("the simulator tells the truth", lambda: self.seen(Truth).t > begin, START_S)
        self._hands = self._start_hands()

    def fill_disk(self, name: str) -> None:
        """From now on the disk of the process `name` is full."""
        fill_disk(self._graph.pid(name), self.random)

    def newest_log(self) -> Path:
        """The recorder's file of the episode at hand; there has been one."""
        return EpisodeStore(self._recorded / "episodes").paths()[-1]

    def steps_on_disk(self, log: Path) -> int:
        """Whole steps in `log`."""
        return len(salvage(log).steps)

    def peak_mib(self, name: str) -> float:
        """The most memory that the process `name` had at any time, MiB."""
        return peak_mib(self._graph.pid(name))

    def exit_code(self, name: str) -> int | None:
        """Of the process, None while it runs."""
        return self._graph.exit_code(name)

    def tell(self, to: Literal["camera", "robot", "puppet"] | str, /, **what: Any) -> None:
        """Tell the relay, the robot or the puppet."""
        self.hand("tell", to=to, what=what)

    def order(self, word: str) -> tuple[bool, str]:
        """A person's order to the arm process."""
        return self.hand("order", word=word)

    def hand(self, do: str, **what: Any) -> tuple[bool, str]:
        """Have the hands do something; whether it worked, and the answer."""
        assert self._hands is not None
        assert self._hands.stdin is not None
        assert self._hands.stdout is not None
        self._hands.stdin.write(f"{json.dumps({'do': do, **what})}\n")
        self._hands.stdin.flush()
        for line in self._hands.stdout:
            # rospy logs to the same place.
            if line.startswith('{"ok"'):
                answer = json.loads(line)
                return answer["ok"], answer["text"]
        raise UserError("the hands have died", next_step=f"see {self._folder / 'hands.log'}")

    def until(self, what: str, come: Callable[[], object], within: float = 30.0) -> None:
        """Wait until `come()`. Raises UserError when it does not."""
        deadline = self._clock.now() + within
        while not come():
            if self._clock.now() > deadline:
                raise UserError(f"waited {within:g} s in vain until {what}", next_step=f"see {self._folder}")
            self.wait(LOOK_S)

    def told(self, since: float, *codes: str) -> bool:
        """Whether some node's diagnostics gave one of `codes` after `since`."""
        return self.feed.told(since, codes)

    def seen(self, kind: type[Any]) -> Any:
        """The witness's newest fact of a kind, or None."""
        return self.feed.newest(kind)
