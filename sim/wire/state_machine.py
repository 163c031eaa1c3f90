"""Whether the simulated robot is enabled, stopped or in error, as /robot/state tells it. Called by `sim.wire.sawyer`.

Unlike the vendor's simulator it comes up disabled, and an enable does not lift a stop: a guard that relied on either
would pass there and fail on an arm.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import IntEnum


class Button(IntEnum):
    """RobotAssemblyState.estop_button."""

    UNPRESSED = 0
    PRESSED = 1
    UNKNOWN = 2
    RELEASED = 3


class StopSource(IntEnum):
    """RobotAssemblyState.estop_source."""

    NONE = 0
    USER = 1
    UNKNOWN = 2
    FAULT = 3
    ENGINE = 4


@dataclass(frozen=True, slots=True)
class RobotState:
    """One value of /robot/state. Every event returns the state that follows; an event without effect returns itself."""

    homed: bool = True
    ready: bool = True
    enabled: bool = False
    stopped: bool = False
    error: bool = False
    low_voltage: bool = False
    estop_button: Button = Button.UNPRESSED
    estop_source: StopSource = StopSource.NONE

    def enable(self) -> RobotState:
        """Motors on; ignored while stopped or in error, when the robot wants a reset first."""
        return self if self.stopped or self.error else replace(self, enabled=True)

    def disable(self) -> RobotState:
        """Motors off, brakes on."""
        return replace(self, enabled=False)

    def stop(self) -> RobotState:
        """A stop over the network: the button stays as it is, and the source is not known to the robot."""
        if self.stopped:
            return self
        return replace(self, ready=False, enabled=False, stopped=True, estop_source=StopSource.UNKNOWN)

    def press_button(self) -> RobotState:
        """A person hits the red button."""
        stopped = replace(self, ready=False, enabled=False, stopped=True)
        return replace(stopped, estop_button=Button.PRESSED, estop_source=StopSource.USER)

    def release_button(self) -> RobotState:
        """A person turns the red button until it springs up: still stopped, but a reset works now."""
        return replace(self, estop_button=Button.RELEASED) if self.estop_button is Button.PRESSED else self

    def fault(self) -> RobotState:
        """The robot found something wrong with itself."""
        stopped = replace(self, ready=False, enabled=False, stopped=True)
        return replace(stopped, error=True, estop_source=StopSource.FAULT)

    def reset(self) -> RobotState:
        """Clear stop and error, and stay disabled; without effect while the button is pressed."""
        return self if self.estop_button is Button.PRESSED else RobotState(homed=self.homed)
