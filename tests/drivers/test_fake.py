"""The fake drivers keep the contracts, and the fake arm is exact."""

from __future__ import annotations

import numpy as np

from drivers.fake import FakeArm, FakeCamera
from robot_rig.clock import ManualClock
from robot_rig.config import CameraConfig
from robot_rig.kinematics import UPPER_LIMITS
from tests.contracts.arm_contract import ArmBench, ArmContract
from tests.contracts.camera_contract import CameraBench, CameraContract
from tests.contracts.commands import admitted, one_joint


class TestFakeArm(ArmContract):
    def make(self) -> ArmBench:
        clock = ManualClock()
        return ArmBench(FakeArm(clock), clock.advance, still_rad=0.0)

    def test_integrates_exactly(self) -> None:
        clock = ManualClock()
        arm = FakeArm(clock)
        arm.enable()
        start = arm.state().position
        velocity = np.array([0.1, -0.2, 0.3, 0.0, 0.5, -0.6, 0.7])
        arm.send(admitted(velocity))
        clock.advance(0.15)
        assert np.allclose(arm.state().position - start, velocity * 0.15, atol=1e-12)
        clock.advance(1.0)
        assert np.allclose(arm.state().position - start, velocity * 0.2, atol=1e-12)
        assert not arm.state().velocity.any()

    def test_stays_within_the_joint_limits(self) -> None:
        clock = ManualClock()
        arm = FakeArm(clock)
        arm.enable()
        for _ in range(60):
            arm.send(one_joint(3, 1.0))
            clock.advance(0.1)
        assert arm.state().position[3] == UPPER_LIMITS[3]


class TestFakeCamera(CameraContract):
    def make(self) -> CameraBench:
        clock = ManualClock()
        config = CameraConfig()
        return CameraBench(FakeCamera(clock, config), config, clock.advance, red=(0, config.width_px - 1))
