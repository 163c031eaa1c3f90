"""The electric gripper on a person's orders: calibrate, open, close. Called by `drivers.arm_node`; no ROS in here.

Fingers move on an order and never by themselves: each order waits for their arrival, and what interrupts the arm on the
way (a stop, a fault, motors off) halts them too. A robot's gripper remembers its last target over a loss of power; so
whatever this process has set is halted while the arm is off, and the next order is a new one.
"""

from __future__ import annotations

import json
import math
import threading
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from robot_rig.datatypes import Mode
from robot_rig.errors import UserError

OPEN_M = 0.041667
"""Way of both fingers together."""

DEAD_ZONE_M = 0.002
"""Within which a target is not gone for: the gripper's own default."""

ARRIVED_M = 0.003
BESIDE_M = 0.0002
"""How near a target counts as reached, and how far from the fingers one is put where they shall stay."""

SPEED_M_S = 0.15
"""The slowest there is: 0.3 s from open to closed."""

MOVE_S, CALIBRATE_S = 3.0, 8.0
"""How long the fingers may take."""

LOOK_S = 0.05
STILL_LOOKS = 3
"""So many looks in a row without motion, and they have come to rest."""

OFF = (Mode.DISABLED, Mode.FAULT)
FingerRule = Literal["free", "closed"]


@dataclass(frozen=True, slots=True)
class GripperState:
    """What the gripper says. `position_m`: opening, 0 to OPEN_M."""

    calibrated: bool
    error: bool
    moving: bool
    gripping: bool
    go: bool
    position_m: float


def read_gripper(signals: Iterable[tuple[str, str]]) -> GripperState:
    """The state in `signals`, pairs of name and JSON data. Raises ValueError for one that is missing or garbled."""
    values: dict[str, Any] = {}
    for name, data in signals:
        read = json.loads(data)
        values[name] = read[0] if isinstance(read, list) and len(read) == 1 else None
    flags: list[Any] = [values.get(name) for name in ("is_calibrated", "has_error", "is_moving", "is_gripping", "go")]
    position = values.get("position_response_m")
    if not all(isinstance(flag, bool) for flag in flags):
        raise ValueError("a gripper that does not say how it stands")
    if isinstance(position, bool) or not isinstance(position, int | float) or not math.isfinite(position):
        raise ValueError(f"a gripper at {position!r}")
    calibrated, error, moving, gripping, go = flags
    return GripperState(calibrated, error, moving, gripping, go, float(position))


def set_signals(values: Mapping[str, bool | float]) -> str:
    """The arguments of the IO command that sets signals to `values`."""
    kinds = {bool: "bool", float: "float"}
    signals = {name: {"format": {"type": kinds[type(value)]}, "data": [value]} for name, value in values.items()}
    return json.dumps({"signals": signals})


class GripperLink(Protocol):
    """How the gripper is spoken to."""

    def state(self) -> GripperState:
        """Its newest word. Raises UserError when it has not said any, or nothing that can be read."""
        ...

    def set(self, values: Mapping[str, bool | float]) -> None:
        """Set signals, in this order; returns when it has acknowledged. Raises UserError when it refuses."""
        ...


class Gripper:
    """People's orders, each through the guard's lease: `standing` is that of `GuardProcess`, `mode` the guard's.

    `rule` is tool.fingers. `wait` sleeps so many seconds.
    """

    def __init__(
        self,
        link: GripperLink,
        standing: Callable[[], AbstractContextManager[None]],
        mode: Callable[[], Mode],
        rule: FingerRule,
        wait: Callable[[float], object],
    ) -> None:
        self._link, self._standing, self._mode, self._rule, self._wait = link, standing, mode, rule, wait
        self._ours = threading.Event()
        """Whether the gripper has a target of this process that it may still go for."""

    def status(self) -> str:
        """How it stands, for a person."""
        state = self._link.state()
        words = {
            "calibrated": state.calibrated,
            "not calibrated: `rig gripper calibrate`": not state.calibrated,
            "in error": state.error,
            "moving": state.moving,
            "gripping": state.gripping,
            "kept closed by tool.fingers": self._rule == "closed",
        }
        said = ", ".join(word for word, holds in words.items() if holds)
        return f"gripper {1000 * state.position_m:.1f} mm open, {said}"

    def calibrate(self) -> str:
        """Open and close the fingers to learn their way; returns how it stands then.

        Raises UserError as every order does: the arm may not stand, the gripper refuses, or does not come to an end.
        """
        with self._standing():
            # `go` first: a gripper that was halted would take the order and not move.
            self._command({"go": True, "calibrate": True})
            self._until(lambda state: state.calibrated and not state.moving, CALIBRATE_S, "calibrated")
        return self.status()

    def open(self) -> str:
        """Open the fingers. Also raises UserError where they are kept closed, or are not calibrated."""
        if self._rule == "closed":
            raise UserError(
                "the fingers stay closed: the task pushes with them", next_step="set tool.fingers free to use them"
            )
        return self._move(OPEN_M)

    def close(self) -> str:
        """Close the fingers, on an object if there is one. Also raises UserError when they are not calibrated."""
        return self._move(0.0)

    def watch(self) -> None:
        """To be called several times a second: what was interrupted does not go on when the power comes back."""
        if self._ours.is_set() and self._mode() in OFF:
            self._halt()

    def _move(self, position_m: float) -> str:
        with self._standing():
            state = self._link.state()
            if state.error or not state.calibrated:
                raise UserError(
                    "the gripper is in error" if state.error else "the gripper is not calibrated",
                    next_step="take hands and things out of its fingers, then `rig gripper calibrate`",
                )
            # The target before `go`: a halted gripper must not set off for the one before.
            self._command({"speed_mps": SPEED_M_S, "position_m": position_m, "go": True})
            self._until(lambda state: not state.moving, MOVE_S, "at rest")
            state = self._link.state()
            short = abs(state.position_m - position_m) > ARRIVED_M and not state.gripping
            if short:
                self._halt()
        if short:
            raise UserError(
                f"the fingers stand at {1000 * state.position_m:.1f} mm instead of {1000 * position_m:.1f}",
                next_step="look what is in their way; `rig gripper status`",
            )
        return self.status()

    def _command(self, values: Mapping[str, bool | float]) -> None:
        self._ours.set()
        self._link.set(values)

    def _until(self, done: Callable[[GripperState], bool], limit_s: float, what: str) -> None:
        """Wait until `done` has been true for a moment; halt the fingers when the arm goes off, or after `limit_s`."""
        seen = 0
        for _ in range(round(limit_s / LOOK_S)):
            self._wait(LOOK_S)
            if (mode := self._mode()) in OFF:
                self._halt()
                raise UserError(f"the arm is in mode {mode.value}: the fingers were halted", next_step="give it anew")
            seen = seen + 1 if done(self._link.state()) else 0
            if seen >= STILL_LOOKS:
                return
        self._halt()
        raise UserError(f"the gripper is not {what} after {limit_s:g} s", next_step="`rig gripper status`")

    def _halt(self) -> None:
        """Let the fingers rest where they are, now and when the power comes back."""
        self._link.set({"go": False})
        here = self._link.state().position_m
        # A target within the dead zone is not taken, and the one before would be gone for on the next `go`.
        beside = here + (BESIDE_M if here < OPEN_M / 2 else -BESIDE_M)
        self._link.set({"dead_zone_m": 0.0, "position_m": beside})
        self._link.set({"dead_zone_m": DEAD_ZONE_M})
        self._ours.clear()
