"""The practising graph in the hands of whoever causes faults: `sim.faults.rows.Scene` over a launch. For `soak.run`.

The same hands as in `rig faults`, in this process: a soak stays in one graph.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from typing import Any

import numpy as np

from robot_rig.cli.live.graph import ROOT
from robot_rig.cli.soak.launch import PracticeLaunch
from robot_rig.clock import WallClock
from robot_rig.errors import UserError
from sim.faults.hands import Hands
from sim.faults.stall import stall_apart

NODES: Mapping[str, str] = {
    "policy": "rig_practice",
    "recorder": "rig_recorder",
    "guard": "rig_arm",
    "arm": "rig_arm",
    "trainer": "rig_trainer",
}
"""What the table of faults calls a process, and the node that plays it in practice.launch."""


class SoakScene:
    """Causes what a kind asks for; `seed` draws when and how."""

    def __init__(self, launch: PracticeLaunch, seed: int) -> None:
        self._launch = launch
        self._clock = WallClock()
        self._hands: Any = Hands()
        self.random = np.random.default_rng(seed)
        self.marks: dict[str, float] = {}

    def prepare(self, seed: int) -> None:
        """Draw the next fault from `seed`."""
        self.random, self.marks = np.random.default_rng(seed), {}

    @property
    def connected(self) -> bool:
        """Whether the camera's cable and the robot listen."""
        try:
            self._hands.connected()
        except UserError:
            return False
        return True

    def heal(self) -> None:
        """Put back whatever a fault has left: the camera's cable, the robot's troubles, its button."""
        self.hand("button", pressed=False)
        for to in ("camera", "robot"):
            self.tell(to, kind="none")

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
        """SIGKILL to the process `name`."""
        os.kill(self._launch.pid(NODES[name]), signal.SIGKILL)

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        os.kill(self._launch.pid(NODES[name]), signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        os.kill(self._launch.pid(NODES[name]), signal.SIGCONT)

    def stall(self, name: str, frozen_s: float, awake_s: float, times: int) -> list[float]:
        """SIGSTOP and SIGCONT in turn, by a process that is itself on time."""
        return stall_apart(ROOT, self._launch.pid(NODES[name]), frozen_s, awake_s, times)

    def tell(self, to: str, /, **what: Any) -> None:
        """Tell the camera's cable or the robot."""
        self._hands.tell(to, what)

    def hand(self, do: str, **what: Any) -> tuple[bool, str]:
        """Have the hands do something; whether it worked, and the answer."""
        try:
            return True, getattr(self._hands, do)(**what)
        except UserError as error:
            return False, str(error)
