"""Practice as a soak sees it, on a clock that jumps: a guard, a policy, a recorder and a launch made of a few rules.

The rules are those of the table of modes: five seconds of HELD become HOLD, and out of HOLD and FAULT only an order
leads. Tests break a rule and see whether the soak complains.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np

from benchmarks.attempts import Gap
from benchmarks.heartbeat import Beat
from robot_rig.cli.soak.operator import Operator
from robot_rig.cli.soak.record import Record
from robot_rig.cli.soak.scene import NODES
from robot_rig.cli.soak.shift import Shift, Watches
from robot_rig.cli.soak.watch import PracticeWatch
from robot_rig.clock import ManualClock
from robot_rig.datatypes import Mode
from robot_rig.loops.episode_state import RecorderState, Recording
from robot_rig.loops.step_trace import StepTrace

TICK_S = 0.05
UP_S, DOWN_S = 20.0, 2.0
EPISODE_STEPS, HOMING_S, OPENING_S = 50, 2.0, 0.3


class World(ManualClock):
    """Everything that happens, `TICK_S` after `TICK_S`. It plays the launch, the scene, the heartbeat and the timer."""

    home = "nowhere"

    def __init__(self, record: Record) -> None:
        super().__init__(1000.0, 1e9)
        self.held_limit_s, self.required = 5.0, set(NODES.values())
        self.leads_itself: Callable[[], bool] = lambda: False
        self.gap_s = 0.001
        self.random = np.random.default_rng(0)
        self.marks: dict[str, float] = {}
        self.orders: list[str] = []
        self.starts = 0
        self.on_disk: list[int] = []
        self.trace = StepTrace()
        self._up_at: float | None = None
        self._ends_at: float | None = None
        self._mode, self._held, self._pressed = Mode.DISABLED, 0.0, False
        self._why: tuple[str, ...] = ()
        self._camera, self._robot = "none", dict[str, Any]()
        self._frozen: set[str] = set()
        self._steps, self._seq, self._next, self._number = 0, 0, 0.0, 0
        self.watch = PracticeWatch()
        timer: Any = SimpleNamespace(told=lambda begin, end: [Beat(begin + 0.1, 0.1, 0.0)])
        heart: Any = SimpleNamespace(worst_gap=lambda begin, end: Gap(self.gap_s, 0, 0.0))
        listener: Any = SimpleNamespace(trace=self.trace, close=lambda: None)
        here: Any = self
        operator = Operator(here, self.watch, self, self.order)
        self.shift = Shift(record, here, here, self.watch, operator, Watches(heart, timer, 0.1, lambda: listener), self)

    # The clock.

    def sleep_until(self, deadline: float) -> None:
        while self.now() < deadline - 1e-9:
            self.advance(min(TICK_S, deadline - self.now()))
            self._tick(self.now())

    def _tick(self, now: float) -> None:
        if self._ends_at is not None and now >= self._ends_at:
            self.end()
        if self._up_at is None or now < self._up_at:
            return
        if self._mode is Mode.DISABLED and now < self._up_at + 2 * TICK_S:
            self._mode = Mode.ACTIVE  # enable_once
        self._guard(now)
        self._policy(now)
        if "rig_arm" not in self._frozen:
            self.watch.report(now, self._mode)
            self.watch.codes(now, self._codes())
        if "rig_recorder" not in self._frozen:
            stand = Recording.OPEN if self._steps else Recording.IDLE
            self.watch.recorder(now, RecorderState(now, stand, f"launch {self.starts}", self._number, self._steps))

    def _codes(self) -> tuple[str, ...]:
        """What guard and camera say while nothing moves."""
        camera = {"none": "", "freeze": "image_frozen", "dark": "image_dark", "bright": "image_bright"}
        code = camera.get(self._camera, "image_stale")
        silent = "action_stale" if self._frozen else ""
        return (*self._why, code, silent, "state_stale" if self._robot.get("mute") else "")

    def _guard(self, now: float) -> None:
        if self._pressed or self._robot.get("collision"):
            self._mode = Mode.FAULT
            self._why = ("arm_stopped",) if self._pressed else ("collision",)
        if self._mode is Mode.ACTIVE:
            self._why = ()
        moving = self._camera == "none" and not self._frozen and not self._robot.get("mute")
        self._held = self._held if not moving and self._held else now if not moving else 0.0
        if self._mode is Mode.ACTIVE and self._held and now - self._held > self.held_limit_s:
            self._mode = Mode.HOLD
        elif self._mode is not Mode.ACTIVE and moving and self.leads_itself():
            self._mode = Mode.ACTIVE
        if not moving or self._mode is not Mode.ACTIVE:
            self._cut(now, OPENING_S)

    def _cut(self, now: float, rest_s: float) -> None:
        """The episode is over; the next one has its first step `rest_s` later."""
        if self._steps:
            self.on_disk.append(self._steps)
            self._steps, self._number = 0, self._number + 1
        self._next = now + rest_s

    def _policy(self, now: float) -> None:
        if now < self._next:
            return
        self._steps, self._next = self._steps + 1, self._next + 0.1 if now - self._next < TICK_S else now + 0.1
        self._seq += 1
        self.trace.add_frame(self._seq, now - 0.1, now)
        self.trace.add_action(self._seq, self._seq, now - 0.1, now + 0.002, now + 0.003)
        self.trace.add_tick(self._seq, now + 0.004)
        self.trace.add_command(now + 0.005)
        if self._steps == 1:
            self.trace.begin_episode(self._seq)
        if self._steps >= EPISODE_STEPS:
            self._cut(now, HOMING_S)

    # The launch.

    @property
    def runs(self) -> bool:
        return self._up_at is not None

    def start(self) -> None:
        self.starts += 1
        self._up_at, self._ends_at, self._mode = self.now() + UP_S, None, Mode.DISABLED
        self._frozen, self._held = set(), 0.0
        self._next = self._up_at + HOMING_S

    def await_end(self, within: float) -> bool:
        deadline = self.now() + within
        while self.runs and self.now() < deadline:
            self.sleep_until(self.now() + TICK_S)
        return not self.runs

    def end(self) -> None:
        self._cut(self.now(), 0.0)
        self._up_at = self._ends_at = None

    # The scene.

    connected = True

    def prepare(self, seed: int) -> None:
        self.random, self.marks = np.random.default_rng(seed), {}

    def heal(self) -> None:
        self._camera, self._robot, self._pressed = "none", {}, False

    def wait(self, seconds: float) -> None:
        self.sleep_until(self.now() + seconds)

    def mark(self, name: str) -> None:
        self.marks[name] = self.now()

    def kill(self, name: str) -> None:
        if NODES[name] in self.required:
            self._ends_at = self.now() + DOWN_S

    def freeze(self, name: str) -> None:
        self._frozen.add(NODES[name])

    def thaw(self, name: str) -> None:
        self._frozen.discard(NODES[name])

    def stall(self, name: str, frozen_s: float, awake_s: float, times: int) -> list[float]:
        self._mode, self._why = Mode.HOLD, ("overrun",)
        return [self.now()]

    def tell(self, to: str, /, **what: Any) -> None:
        if to == "camera":
            gain = {0.0: "dark", 3.0: "bright"}
            self._camera = gain.get(what.get("gain", 1.0), str(what["kind"]))
        else:
            self._robot = what

    def hand(self, do: str, **what: Any) -> tuple[bool, str]:
        if do == "button":
            self._pressed = bool(what["pressed"])
        elif do == "robot_order":
            self._mode, self._why = Mode.DISABLED if what["word"] == "disable" else Mode.FAULT, ("arm_stopped",)
        else:
            self._mode, self._why = Mode.FAULT, ("arm_error",)
        return True, ""

    # The arm process.

    def order(self, word: str) -> str:
        self.orders.append(word)
        if word == "reset" and self._mode is Mode.FAULT:
            self._mode = Mode.DISABLED
        elif word == "enable" and self._mode is not Mode.FAULT:
            self._mode = Mode.ACTIVE
        return word

    def trip(self) -> None:
        """The guard comes to rest though no fault was caused."""
        self._mode = Mode.HOLD
