"""A loop, a kinematic arm and a clock, to tell ten-line stories with. Used by the tests of the arm loop."""

from __future__ import annotations

import dataclasses
from collections import Counter

import numpy as np

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.datatypes import Action, ArmStatus, Floats, SafeCommand, Source
from robot_rig.kinematics import Kinematics
from robot_rig.loops.arm_loop import ArmLoop
from tests.integrated_arm import PERIOD, IntegratedArm, act, report

CONTROL = ControlConfig()
HOME = np.array(CONTROL.home_posture_rad)
KINEMATICS = Kinematics(CONTROL.tool_offset_m)


class Story:
    """A loop, an arm and a clock."""

    def __init__(
        self,
        start: Floats = HOME,
        delay: int = 0,
        lag: float = 0.0,
        enabled: bool = True,
        control: ControlConfig = CONTROL,
        guard: GuardConfig | None = None,
    ) -> None:
        self.loop = ArmLoop(control, guard or GuardConfig(), KINEMATICS)
        self.arm = IntegratedArm(start, delay, lag)
        self.now = 100.0
        self.seq = 0
        self.reasons: Counter[str] = Counter()
        if enabled:
            self.loop.enable()

    def tick(self, action: Action | None = None, **flags: bool) -> tuple[SafeCommand, ArmStatus]:
        command, status = self.loop.tick(self.now, report(self.arm.position, self.now, **flags), action)
        self.arm.move(command.command.velocity)
        self.now += PERIOD
        self.reasons.update(command.verdict.reasons)
        return command, status

    def pushed(self, push: Floats) -> ArmStatus:
        """A tick in which the arm reports this `push` (7,) N·m."""
        state = dataclasses.replace(report(self.arm.position, self.now), push=push)
        self.seq += 1
        command, status = self.loop.tick(self.now, state, act((-1.0, 0.0), self.now, self.seq, Source.POLICY))
        self.arm.move(command.command.velocity)
        self.now += PERIOD
        return status

    def act(self, *value: float, source: Source = Source.POLICY, ticks: int = 10) -> tuple[SafeCommand, ArmStatus]:
        """Follow one action for one policy step."""
        self.seq += 1
        action = act(value, self.now, self.seq, source)
        for _ in range(ticks):
            last = self.tick(action)
        return last

    @property
    def tool(self) -> Floats:
        return KINEMATICS.pose(self.arm.position).tool
