"""The set-point servo on a kinematic arm: it follows, keeps height and tilt, leads by 2 cm at most, and re-seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.control.action_map import ActionMap
from robot_rig.control.ik import TOOL_DOWN, DampedLeastSquares
from robot_rig.control.set_point import SetPointServo
from robot_rig.datatypes import Floats
from robot_rig.kinematics import Kinematics
from tests.integrated_arm import IntegratedArm

CONTROL = ControlConfig()
GUARD = GuardConfig()
LOW, HIGH = np.array(GUARD.box_low_m), np.array(GUARD.box_high_m)
HOME = np.array(CONTROL.home_posture_rad)
KINEMATICS = Kinematics(CONTROL.tool_offset_m)
INVERSE = DampedLeastSquares(CONTROL.damping, HOME, CONTROL.posture_gain_hz)

PERIOD_S = 1.0 / CONTROL.arm_rate_hz


def servo() -> SetPointServo:
    return SetPointServo(CONTROL, LOW, HIGH)


def action(x: float, y: float) -> np.ndarray:
    return np.array([x, y], np.float32)


def drive(control: SetPointServo, arm: IntegratedArm, value: np.ndarray, ticks: int) -> Floats:
    """Where the tool is after following `value` for `ticks`."""
    for _ in range(ticks):
        pose = KINEMATICS.pose(arm.position)
        arm.move(INVERSE.velocity(pose.jacobian, arm.position, control.twist(pose, value, PERIOD_S)))
    return KINEMATICS.pose(arm.position).tool


@pytest.mark.parametrize("direction", [(1.0, 0.0), (0.0, 1.0), (-0.5, 0.5)])
def test_the_tool_travels_what_the_action_says(direction: tuple[float, float]) -> None:
    arm, control = IntegratedArm(HOME), servo()
    start = KINEMATICS.pose(HOME).tool
    moved = drive(control, arm, action(*direction), 40) - start
    expected = 0.4 * ActionMap(CONTROL).spread @ action(*direction)
    # The ramp of 2.5 m/s^2 costs v^2 / 2a, at most 6 mm, once.
    assert moved == pytest.approx(expected, abs=0.008)


@pytest.mark.parametrize("length", [0, 1, 3])
def test_an_action_of_another_length_is_refused(length: int) -> None:
    with pytest.raises(ValueError, match=f"{length} numbers for 2 axes"):
        servo().twist(KINEMATICS.pose(HOME), np.zeros(length, np.float32), PERIOD_S)


def test_an_early_tick_gains_no_way() -> None:
    """Ticks of half a period move the set-point half as far each: what counts is time, not how often one looks."""
    pose, regular, early = KINEMATICS.pose(HOME), servo(), servo()
    for _ in range(6):
        regular.twist(pose, action(1.0, 0.0), PERIOD_S)
        early.twist(pose, action(1.0, 0.0), 0.5 * PERIOD_S)
        early.twist(pose, action(1.0, 0.0), 0.5 * PERIOD_S)
    assert regular.point is not None
    assert early.point is not None
    assert early.point[0] - pose.tool[0] == pytest.approx(regular.point[0] - pose.tool[0], rel=0.1)


def test_height_and_tilt_do_not_creep_against_a_biased_arm() -> None:
    arm, control = IntegratedArm(HOME), servo()
    bias = np.array([0.004, -0.004, 0.004, 0.004, -0.004, 0.004, 0.004])
    rng = np.random.default_rng(0)
    for _ in range(60):
        value = action(*rng.uniform(-1, 1, 2))
        for _ in range(10):
            pose = KINEMATICS.pose(arm.position)
            arm.move(INVERSE.velocity(pose.jacobian, arm.position, control.twist(pose, value, PERIOD_S)) + bias)
    pose = KINEMATICS.pose(arm.position)
    assert pose.tool[2] == pytest.approx(CONTROL.tool_height_m, abs=0.002)
    assert np.abs(pose.rotation - TOOL_DOWN).max() < 0.02


def test_a_wrong_height_and_tilt_are_mended() -> None:
    start = HOME + np.array([0.0, 0.02, -0.03, 0.05, 0.04, -0.03, 0.1])
    arm, control = IntegratedArm(start), servo()
    tool = drive(control, arm, action(0, 0), 300)
    assert tool[2] == pytest.approx(CONTROL.tool_height_m, abs=5e-4)
    assert np.abs(KINEMATICS.pose(arm.position).rotation - TOOL_DOWN).max() < 2e-3


@settings(max_examples=30)
@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=8), st.booleans())
def test_the_set_point_stays_in_the_box_and_within_its_lead(plan: list[tuple[float, float]], blocked: bool) -> None:
    arm, control = IntegratedArm(HOME), servo()
    for value in plan:
        for _ in range(20):
            pose = KINEMATICS.pose(arm.position)
            twist = control.twist(pose, action(*value), PERIOD_S)
            point = control.point
            assert point is not None
            lead = point - pose.tool
            assert math.sqrt(lead @ lead) <= CONTROL.set_point_reach_m + 1e-9
            assert (point >= LOW - 1e-3).all()
            assert (point <= HIGH + 1e-3).all()
            assert math.sqrt(twist[:3] @ twist[:3]) <= 0.2405 + 5.0 * CONTROL.set_point_reach_m + 1e-6
            if not blocked:
                arm.move(INVERSE.velocity(pose.jacobian, arm.position, twist))


def test_pushed_aside_the_feed_forward_does_not_help_the_push() -> None:
    control = servo()
    control.twist(KINEMATICS.pose(HOME), action(0, 0), PERIOD_S)
    for shift in np.linspace(0.0, 0.3, 30):
        pose = KINEMATICS.pose(HOME + np.array([shift, 0, 0, 0, 0, 0, 0]))
        twist = control.twist(pose, action(0, 0), PERIOD_S)
    assert twist[1] < 0.0
    assert twist[1] == pytest.approx(-CONTROL.position_gain_hz * CONTROL.set_point_reach_m, rel=0.3)


def test_after_a_release_it_starts_from_the_measured_tool() -> None:
    control = servo()
    control.twist(KINEMATICS.pose(HOME), action(1, 1), PERIOD_S)
    control.release()
    assert control.point is None
    elsewhere = KINEMATICS.pose(HOME + np.array([0.2, 0, 0, 0, 0, 0, 0]))
    twist = control.twist(elsewhere, action(0, 0), PERIOD_S)
    assert twist[:2] == pytest.approx([0.0, 0.0], abs=1e-12)
    assert control.point is not None
    assert control.point[:2] == pytest.approx(elsewhere.tool[:2])
    assert control.point[2] == pytest.approx(CONTROL.tool_height_m, abs=1e-4)


def test_uncommanded_axes_go_to_their_home() -> None:
    config = ControlConfig(axes=("x",))
    control = SetPointServo(config, LOW, HIGH)
    arm = IntegratedArm(HOME + np.array([0.1, 0, 0, 0, 0, 0, 0]))
    for _ in range(200):
        pose = KINEMATICS.pose(arm.position)
        arm.move(INVERSE.velocity(pose.jacobian, arm.position, control.twist(pose, np.zeros(1, np.float32), PERIOD_S)))
    assert KINEMATICS.pose(arm.position).tool[1] == pytest.approx(config.home_tool_m[1], abs=2e-3)
