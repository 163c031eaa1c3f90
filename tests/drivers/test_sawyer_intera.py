"""The driver over the vendor's SDK keeps the arm's contract where there is the SDK, and says so where there is not."""

from __future__ import annotations

import functools
import importlib.util
from collections.abc import Iterator

import pytest

from drivers.sawyer_intera import SawyerIntera
from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.kinematics import NEUTRAL
from robot_rig.ros.intera_messages import load
from robot_rig.ros.stamps import ClockLimits, LowerEnvelope
from tests.contracts.arm_contract import ArmBench, ArmContract
from tests.live_robot import at_wall_clock, live_robot
from tests.ros_graph import Master

HAS_SDK = importlib.util.find_spec("intera_interface") is not None


@pytest.fixture(scope="module")
def robot(ros_master: Master, ros_node: str) -> Iterator[None]:
    with live_robot(ros_master, "--set", f"control.home_posture_rad={NEUTRAL.tolist()}"):
        yield


@pytest.fixture
def quick_to_trust(monkeypatch: pytest.MonkeyPatch) -> None:
    quick = functools.partial(LowerEnvelope, ClockLimits(settle=0.1))
    monkeypatch.setattr("drivers.sawyer_topics.LowerEnvelope", quick)


@pytest.mark.skipif(not HAS_SDK, reason="the vendor's SDK is not installed")
@pytest.mark.usefixtures("robot", "quick_to_trust")
class TestSawyerIntera(ArmContract):
    def make(self) -> ArmBench:
        arm = SawyerIntera(Config())
        arm.reset()
        return ArmBench(arm, at_wall_clock(), still_rad=1e-3, attempts=4)


@pytest.mark.skipif(HAS_SDK, reason="the vendor's SDK is installed")
def test_without_the_sdk_the_other_driver_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    # What a robot would say of itself; it takes none to miss the SDK.
    monkeypatch.setattr("drivers.sawyer_intera.released_types", lambda: (load(), "RobotAssemblyState"))
    with pytest.raises(UserError, match="--driver wire"):
        SawyerIntera(Config())
