"""An independent witness of the gate: it sees what left the gate and where the arm then was, and keeps its own numbers.

Nothing here asks the guard: no verdict, no `Limits`, no barrier, no Jacobian. The bounds are written down once more, by
hand, from the vendor's tables and the configuration's defaults; speeds are differences of positions. Forward kinematics
is the one thing shared, and tests/test_kinematics.py holds it against MuJoCo.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

import numpy as np

from robot_rig.datatypes import Floats
from robot_rig.kinematics import Kinematics

PERIOD_S = 0.01
JOINT_LOW = np.array([-3.0503, -3.8095, -3.0426, -3.0439, -2.9761, -2.9761, -4.7124])
JOINT_HIGH = np.array([3.0503, 2.2736, 3.0426, 3.0439, 2.9761, 2.9761, 4.7124])
# The least of 0.9 of the rated speed and what 8 rad/s^2 stops in 0.15 s (1.2 rad/s).
JOINT_SPEED = np.array([1.2, 1.1952, 1.2, 1.2, 1.2, 1.2, 1.2])
ACCELERATION = 8.0
BOX_LOW, BOX_HIGH = np.array([0.55, -0.20, 0.03]), np.array([0.75, 0.20, 0.30])
BOX_SLACK_M = 0.005
TABLE_M = 0.0
PROBE_S = 1e-4
"""Tool speed is the way that the tool makes in this time, by this time."""

SPEED_SLACK = 1e-3


@dataclass(slots=True)
class Recorder:
    """What one arm was sent and did. `cap` m/s is the tool speed its mode permits, `tool_m` the tool's tip."""

    cap: float
    kinematics: Kinematics
    keep_outs: tuple[tuple[tuple[float, float, float], tuple[float, float, float]], ...] = ()
    commands: int = 0
    breaches: Counter[str] = field(default_factory=Counter)
    most: dict[str, float] = field(default_factory=dict)
    """The largest value seen of each quantity, as a share of its bound; of a distance outside, m."""

    _sent: Floats = field(default_factory=lambda: np.zeros(7))

    def record(self, told: Floats, sent: Floats, after: Floats) -> None:
        """The gate was `told` the position (7,) rad, let `sent` (7,) rad/s pass, and the arm then was at `after`."""
        self.commands += 1
        here, onward = self.kinematics.pose(told).tool, self.kinematics.pose(told + PROBE_S * sent).tool
        way = onward - here
        self._share("tool speed", float(np.sqrt(way @ way)) / PROBE_S / self.cap, 1.0 + SPEED_SLACK)
        self._share("joint speed", float(np.abs(sent / JOINT_SPEED).max()), 1.0 + 1e-9)
        self._share("change", float(np.abs(sent - self._sent).max()) / (ACCELERATION * PERIOD_S), 1.0 + 1e-9)
        self._share("not a number", float(not np.isfinite(sent).all()), 0.0)
        self._sent = sent
        pose = self.kinematics.pose(after)
        self._share("outside the box", float(np.maximum(BOX_LOW - pose.tool, pose.tool - BOX_HIGH).max()), BOX_SLACK_M)
        self._share("beyond a joint", float(np.maximum(JOINT_LOW - after, after - JOINT_HIGH).max()), 0.0)
        self._share("in the table", float((TABLE_M - (pose.spheres[:, 2] - pose.radii)).max()), 0.0)
        points, radii = np.vstack([pose.spheres, pose.tool]), np.append(pose.radii, 0.0)
        for low, high in self.keep_outs:
            gap = points - np.clip(points, low, high)
            self._share("in a keep-out", float((radii - np.sqrt((gap * gap).sum(axis=1))).max()), BOX_SLACK_M)

    def _share(self, what: str, value: float, bound: float) -> None:
        self.most[what] = max(self.most.get(what, value), value)
        # Not `>`: a NaN is a breach.
        if not value <= bound:
            self.breaches[what] += 1
