"""Admitted commands for tests of drivers; in the product only the gate makes them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_rig.datatypes import GATE_MINT, JOINTS, Floats, JointCommand, Outcome, SafeCommand, Verdict


def admitted(velocity: Sequence[float] | Floats, stamp: float = 0.0) -> SafeCommand:
    """A SafeCommand of `velocity` (7,) rad/s."""
    return SafeCommand(JointCommand(stamp, np.asarray(velocity)), Verdict(Outcome.PASSED), GATE_MINT)


def one_joint(joint: int, speed: float) -> SafeCommand:
    """A SafeCommand that moves `joint` alone at `speed` rad/s."""
    velocity = np.zeros(JOINTS)
    velocity[joint] = speed
    return admitted(velocity)
