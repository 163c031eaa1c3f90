"""What a person who teleoperates sees: one line that changes, and sentences that stay. Called by the teleop node."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from robot_rig.datatypes import Source
from robot_rig.ros.arm_report import ArmReport
from robot_rig.safety.reasons import explained
from robot_rig.safety.workspace import nearest_wall

WIDTH = 118
AGAIN_S = 5.0
"""How long a reason must have been away before it is explained once more."""

OF_THEMSELVES = frozenset({"no_action", "action_stale", "source_change", "slew", "brake", "tool_speed", "joint_speed"})
"""Codes of every motion's beginning and end: they stand in the line, and nobody wants them explained."""


@dataclass(frozen=True, slots=True)
class Hands:
    """How the person's side stands: what full deflection means, m/s, whether a person moves the arm now, and whether
    that goes into a log."""

    speed_m_s: float
    moving: bool
    logged: bool


class Explained:
    """Says each reason of the guard once, and again when it has been away."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}

    def news(self, now: float, codes: Iterable[str]) -> list[str]:
        """The sentences of those of `codes`, the guard's at `now` (s), that a person has not just read."""
        said, codes = [], list(codes)
        sentences = explained(codes)
        for code in codes:
            if now - self._seen.get(code, -math.inf) > AGAIN_S and code not in OF_THEMSELVES and code in sentences:
                said.append(f"{code}: {sentences[code]}")
            self._seen[code] = now
        return said


def codes_of(report: ArmReport) -> list[str]:
    """Everything that keeps the arm from doing what it is asked."""
    return list(dict.fromkeys([*report.why, *report.verdict.reasons]))


def line(report: ArmReport, hands: Hands, axes: tuple[str, ...]) -> str:
    """The changing line: who has the arm, where its tool is, how near a wall of the box, and why it is held back."""
    leader = "you" if report.source is Source.HUMAN else report.source.value if report.source is not None else "nobody"
    parts = [f"{report.mode.value.upper()}, {leader} leads"]
    if report.tool is not None:
        place = " ".join(f"{axis} {value:.3f}" for axis, value in zip("xyz", report.tool, strict=True))
        parts.append(f"tool {place} m")
        if report.box is not None:
            wall, room = nearest_wall(report.tool, report.box, axes)
            parts.append(f"{100 * room:.1f} cm to {wall}" if room >= 0.0 else f"{-100 * room:.1f} cm OUTSIDE {wall}")
    parts.append(f"{100 * hands.speed_m_s:.0f} cm/s{' >' if hands.moving else ''}{' logged' if hands.logged else ''}")
    return "   ".join([*parts, " ".join(codes_of(report))])[:WIDTH]
