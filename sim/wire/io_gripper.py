"""The electric parallel gripper: its motor and what it tells about itself. Called by `sim.wire.io_robot`.

The motor slows down under load and stands still at its holding force, so it closes on an object instead of through it.
It runs while the robot is enabled. An object's weight is taken note of and compensated by nobody.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from sim.fingers import OPEN_M, Fingers
from sim.wire.io_device import READY, UNREADY, Device, Signal

NODE, NAME, KIND = "end_effector", "right_gripper", "ElectricParallelGripper"
SLOWEST_M_S, FASTEST_M_S, DEFAULT_M_S = 0.15, 3.0, 1.5
DEAD_ZONE_M = 0.002
HOLDING_N = 15.0
GRIPPING_N = 5.0
"""Felt while standing still short of the target: there is something between the fingers."""

TOUCH_N = 0.5
PRESSING_M_S = 0.05
"""Pace from the first touch on: the tips are soft, and a motor has mass."""

STILL_M_S = 0.002
TELLING_M, RESTING_M, TELLING_N = 0.0005, 0.00005, 0.5
"""Smaller changes of the place, on the way and at rest, and of the force are not worth a message."""

METRES, METRES_PER_SECOND = {"units": "meters"}, {"units": "metersPerSecond"}


def _signals() -> Sequence[Signal]:
    return [
        Signal("calibrate", "bool", False, "output", settable=True),
        Signal("cmd_grip", "bool", False, "output", settable=True),
        Signal("dead_zone_m", "float", DEAD_ZONE_M, "output", settable=True, low=0.0, high=OPEN_M, format=METRES),
        Signal("force_response_n", "float", 0.0, "input"),
        Signal("go", "bool", True, "output", settable=True),
        Signal("has_error", "bool", False, "output"),
        Signal("is_calibrated", "bool", True, "output"),
        Signal("is_gripping", "bool", False, "output"),
        Signal("is_moving", "bool", False, "output"),
        Signal("position_m", "float", 0.0, "output", settable=True, format=METRES),
        Signal("position_response_m", "float", 0.0, "output", format=METRES),
        Signal("reboot", "bool", False, "output", settable=True),
        Signal(f"{NAME}_tip_object_kg", "float", 0.0, "output", settable=True, low=0.0, high=4.0),
        Signal("speed_mps", "float", DEFAULT_M_S, "output", settable=True, format=METRES_PER_SECOND),
    ]


class Gripper:
    """Drives `fingers` as `device`'s signals say. Call `tick` before every physics step; one thread uses it."""

    def __init__(self, fingers: Fingers) -> None:
        self._fingers = fingers
        self._target = fingers.opening
        self._calibration: list[float] = []
        self.device = Device(NODE, NAME, KIND, _signals(), params={"fingers": "standard_narrow"})
        self.device.on_set = {
            "calibrate": self._calibrate,
            "cmd_grip": self._grip,
            "position_m": self._move_to,
            "reboot": self._reboot,
            "speed_mps": self._set_speed,
        }

    def _move_to(self, position: float) -> None:
        position = min(max(position, 0.0), OPEN_M)
        self.device.show("position_m", position)
        # Fingers that are on their way elsewhere must turn round for a place that they have not left yet.
        furthest = max(abs(position - place) for place in (self._fingers.opening, self._target))
        if self.device["is_calibrated"] and furthest > self.device["dead_zone_m"]:
            self._target = position

    def _grip(self, closed: bool) -> None:
        self._move_to(0.0 if closed else OPEN_M)

    def _set_speed(self, speed: float) -> None:
        self.device.show("speed_mps", min(max(speed, SLOWEST_M_S), FASTEST_M_S))

    def _calibrate(self, wanted: bool) -> None:
        self.device.show("calibrate", False)
        if wanted:
            self.device.show("is_calibrated", False)
            self.device.show("go", True)
            self._calibration = [OPEN_M, 0.0]

    def activate(self) -> None:
        """Make it ready: calibrate it, unless it is calibrated."""
        if not self.device["is_calibrated"]:
            self._calibrate(True)

    def _reboot(self, wanted: bool) -> None:
        """Forget the calibration and whatever it was doing."""
        self.device.show("reboot", False)
        if wanted:
            self._calibration = []
            self._target = self._fingers.opening
            for name in ("has_error", "is_calibrated"):
                self.device.show(name, False)
            self.device.show("go", True)
            self.device.show_tag(UNREADY)

    def tick(self, powered: bool, seconds: float) -> None:
        """Move for `seconds` if it has power, and report."""
        if self._calibration:
            self._target = self._calibration[0]
        pressure = self._fingers.pressure()
        drives = powered and self.device["go"]
        moved = self._move(pressure, seconds) if drives else 0.0
        is_still = abs(moved) <= STILL_M_S * seconds
        if drives and is_still:
            self._arrived()
        self._report(pressure, is_still)

    def _move(self, pressure: float, seconds: float) -> float:
        """Take one step towards the target; how far it went, m."""
        before = self._fingers.opening
        remaining = self._target - before
        if remaining == 0.0:
            return 0.0
        direction = math.copysign(1.0, remaining)
        load = -pressure * direction
        speed = SLOWEST_M_S if self._calibration else self.device["speed_mps"]
        if load > TOUCH_N:
            speed = min(speed, PRESSING_M_S) * max(1.0 - load / HOLDING_N, -1.0)
        step = min(speed * seconds, abs(remaining))
        self._fingers.place(before + direction * step)
        return self._fingers.opening - before

    def _arrived(self) -> None:
        """At the target, or held up on the way: a calibration takes either for an end of the travel."""
        if self._calibration:
            del self._calibration[0]
            if not self._calibration:
                self.device.show("is_calibrated", True)
                self.device.show("position_m", self._target)
                self.device.show_tag(READY)

    def _report(self, pressure: float, is_still: bool) -> None:
        device, opening = self.device, self._fingers.opening
        short = abs(self._target - opening) > device["dead_zone_m"]
        device.show("is_moving", not is_still)
        device.show("is_gripping", is_still and short and abs(pressure) >= GRIPPING_N)
        untold = abs(opening - device["position_response_m"])
        if untold > (RESTING_M if is_still else TELLING_M):
            device.show("position_response_m", round(opening, 6))
        if pressure == 0.0 or abs(pressure - device["force_response_n"]) > TELLING_N:
            device.show("force_response_n", round(pressure, 3))
