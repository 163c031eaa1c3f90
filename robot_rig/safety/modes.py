"""The guard's modes in one table: every mode, every event. Called by `loops.arm_loop`.

HELD is no mode but a condition inside ACTIVE: a picture or an action went stale, the command is zero, and fresh data
within `HELD_LIMIT_S` go on. After that LAPSED leads to HOLD, and out of HOLD, FAULT and a restart only a person leads.
"""

from __future__ import annotations

import enum
from types import MappingProxyType

from robot_rig.datatypes import Mode

HELD_LIMIT_S = 5.0
"""How long ACTIVE may be held by stale data before it becomes HOLD."""


class Event(str, enum.Enum):
    """What can happen to the guard. The first five are a person's orders."""

    ENABLE = "enable"
    HOLD = "hold"
    HOME = "home"
    STOP = "stop"
    RESET = "reset"
    HOMED = "homed"
    RETURNED = "returned"
    LAPSED = "lapsed"
    ARM_DISABLED = "arm_disabled"
    ARM_STOPPED = "arm_stopped"
    ARM_ERROR = "arm_error"
    COLLISION = "collision"
    BROKEN = "broken"


PERSON = frozenset({Event.ENABLE, Event.HOLD, Event.HOME, Event.STOP, Event.RESET})
"""The events that only a person (or the program a person started, in simulation) may raise."""

_FAULTS = {
    Event.STOP: Mode.FAULT,
    Event.ARM_STOPPED: Mode.FAULT,
    Event.ARM_ERROR: Mode.FAULT,
    Event.COLLISION: Mode.FAULT,
    Event.BROKEN: Mode.FAULT,
}

TRANSITIONS: MappingProxyType[Mode, dict[Event, Mode]] = MappingProxyType(
    {
        Mode.DISABLED: {
            Event.ENABLE: Mode.ACTIVE,
            Event.HOLD: Mode.DISABLED,
            Event.HOME: Mode.DISABLED,
            Event.RESET: Mode.DISABLED,
            Event.HOMED: Mode.DISABLED,
            Event.RETURNED: Mode.DISABLED,
            Event.LAPSED: Mode.DISABLED,
            Event.ARM_DISABLED: Mode.DISABLED,
            **_FAULTS,
        },
        Mode.HOLD: {
            Event.ENABLE: Mode.ACTIVE,
            Event.HOLD: Mode.HOLD,
            Event.HOME: Mode.HOMING,
            Event.RESET: Mode.HOLD,
            Event.HOMED: Mode.HOLD,
            Event.RETURNED: Mode.HOLD,
            Event.LAPSED: Mode.HOLD,
            Event.ARM_DISABLED: Mode.DISABLED,
            **_FAULTS,
        },
        Mode.HOMING: {
            Event.ENABLE: Mode.HOMING,
            Event.HOLD: Mode.HOLD,
            Event.HOME: Mode.HOMING,
            Event.RESET: Mode.HOMING,
            # Homing that a person began out of HOLD ends there; one begun out of ACTIVE goes on as it was enabled.
            Event.HOMED: Mode.HOLD,
            Event.RETURNED: Mode.ACTIVE,
            Event.LAPSED: Mode.HOLD,
            Event.ARM_DISABLED: Mode.DISABLED,
            **_FAULTS,
        },
        Mode.ACTIVE: {
            Event.ENABLE: Mode.ACTIVE,
            Event.HOLD: Mode.HOLD,
            Event.HOME: Mode.HOMING,
            Event.RESET: Mode.ACTIVE,
            Event.HOMED: Mode.ACTIVE,
            Event.RETURNED: Mode.ACTIVE,
            Event.LAPSED: Mode.HOLD,
            Event.ARM_DISABLED: Mode.DISABLED,
            **_FAULTS,
        },
        Mode.FAULT: {event: Mode.DISABLED if event is Event.RESET else Mode.FAULT for event in Event},
    }
)


def after(mode: Mode, event: Event) -> Mode:
    """The mode that `event` leads to."""
    return TRANSITIONS[mode][event]
