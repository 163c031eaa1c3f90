"""A gate on a bench: it remembers time and sequence numbers, so that a test only says what differs."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.datatypes import Action, ArmState, Floats, Mode, SafeCommand, Source
from robot_rig.kinematics import ArmPose, Kinematics
from robot_rig.safety.gate import Gate
from robot_rig.safety.limits import Limits
from tests.integrated_arm import PERIOD, IntegratedArm, act, report

CONTROL = ControlConfig()
HOME = np.array(CONTROL.home_posture_rad)
KINEMATICS = Kinematics(CONTROL.tool_offset_m)


class GateBench:
    """One gate, its limits and a clock that advances by one period with each tick."""

    def __init__(self, guard: GuardConfig | None = None) -> None:
        self.limits = Limits.from_config(guard or GuardConfig(), CONTROL)
        self.gate = Gate(self.limits)
        self.now = 0.0
        self.seq = 0
        self.last = np.zeros(7)
        self.pose: ArmPose = KINEMATICS.pose(HOME)

    def fresh(self, value: object = (0.0, 0.0), source: Source = Source.POLICY) -> Action:
        """A good action of this moment."""
        self.seq += 1
        return act(value, self.now, self.seq, source)

    def tick(
        self,
        wish: Floats | Callable[[], Floats],
        position: Floats = HOME,
        mode: Mode = Mode.ACTIVE,
        action: Action | None = None,
        state: ArmState | None = None,
    ) -> SafeCommand:
        """One period later: `wish` at `position`, with a fresh action and report unless others are given."""
        self.now += PERIOD
        asked = wish if callable(wish) else lambda: wish
        action = self.fresh() if action is None else action
        state = report(position, self.now) if state is None else state
        self.pose = KINEMATICS.pose(state.position)
        self.last = self.gate_last()
        return self.gate.admit(self.now, mode, action, state, self.pose, asked)

    def gate_last(self) -> Floats:
        """The velocity sent last."""
        return self.gate._last

    def follow(self, arm: IntegratedArm, wish: Floats, mode: Mode = Mode.ACTIVE) -> SafeCommand:
        """Tick at the arm's position and let the arm follow."""
        command = self.tick(wish, arm.position, mode)
        arm.move(command.command.velocity)
        return command

    def speed_up(self, wish: Floats, ticks: int = 30) -> Floats:
        """Repeat `wish` at home until slewing has ended; the velocity reached."""
        for _ in range(ticks):
            command = self.tick(wish)
        return command.command.velocity


def tool_wish(x: float = 0.0, y: float = 0.0, z: float = 0.0, position: Floats = HOME) -> Floats:
    """Joint velocity (7,) for a linear tool velocity, m/s, that keeps the orientation."""
    velocity: Floats = np.linalg.pinv(KINEMATICS.pose(position).jacobian) @ np.array([x, y, z, 0.0, 0.0, 0.0])
    return velocity
