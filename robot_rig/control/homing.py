"""Homing: a list of joint-space via poses as a stream of joint velocities. Called by `loops.arm_loop` in mode HOMING.

The guard slows the stream (tool 0.10 m/s by default) and keeps it out of walls like any other wish.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_rig.datatypes import Floats

GAIN_HZ = 5.0
FASTEST_RAD_S = 0.6
VIA_TOLERANCE_RAD = 0.1
HOME_TOLERANCE_RAD = 0.005


class ViaPoses:
    """Leads the arm through `poses`, each (7,) rad, at most `FASTEST_RAD_S` a joint, straight in joint space.

    A via pose counts as passed within 0.1 rad, the last one as reached within 0.005 rad; there the stream is zero.
    Raises ValueError without poses.
    """

    def __init__(self, poses: Sequence[Floats]) -> None:
        if not poses:
            raise ValueError("homing needs at least one pose")
        self._poses = [np.array(pose, dtype=np.float64).reshape(7) for pose in poses]
        self._next = 0

    @property
    def goal(self) -> Floats:
        """The last pose (7,) rad."""
        return self._poses[-1]

    def reached(self, position: Floats) -> bool:
        """Whether the joint `position` (7,) rad is home, all via poses passed."""
        last = self._next == len(self._poses) - 1
        return last and bool((np.abs(self.goal - position) <= HOME_TOLERANCE_RAD).all())

    def velocity(self, position: Floats) -> Floats:
        """Joint velocity (7,) rad/s towards the next pose from `position` (7,) rad."""
        while self._next < len(self._poses) - 1:
            if (np.abs(self._poses[self._next] - position) > VIA_TOLERANCE_RAD).any():
                break
            self._next += 1
        if self.reached(position):
            return np.zeros_like(position)
        error = self._poses[self._next] - position
        furthest = max(float(np.abs(error).max()), 1e-12)
        return error * min(GAIN_HZ, FASTEST_RAD_S / furthest)
