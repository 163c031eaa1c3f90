"""What one tick of the guard process leaves for those who tell others. Made by `guard_process` for `arm_reporting`."""

from __future__ import annotations

from dataclasses import dataclass

from robot_rig.datatypes import ArmStatus, Floats


@dataclass(frozen=True, slots=True)
class TickReport:
    """Built by the tick, read by the reporting thread."""

    status: ArmStatus
    why: tuple[str, ...]
    at_home: bool
    tool: Floats
    """The tip, (3,) m in base, as the guard itself computes it from this arm's own table."""
