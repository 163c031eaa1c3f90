"""Via poses as a velocity stream: in order, never faster than allowed, ends where it should and at rest."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.config import ControlConfig
from robot_rig.control.homing import FASTEST_RAD_S, HOME_TOLERANCE_RAD, VIA_TOLERANCE_RAD, ViaPoses
from tests.integrated_arm import IntegratedArm

HOME = np.array(ControlConfig().home_posture_rad)
offsets = st.tuples(*[st.floats(-0.8, 0.8)] * 7).map(np.array)


@settings(max_examples=25)
@given(start=offsets, via=offsets)
def test_it_passes_every_via_pose_and_ends_at_rest_at_the_last(start: np.ndarray, via: np.ndarray) -> None:
    arm, stream = IntegratedArm(HOME + start), ViaPoses([HOME + via, HOME])
    closest = np.inf
    for _ in range(1500):
        velocity = stream.velocity(arm.position)
        assert np.abs(velocity).max() <= FASTEST_RAD_S + 1e-12
        closest = min(closest, float(np.abs(HOME + via - arm.position).max()))
        arm.move(velocity)
        if stream.reached(arm.position):
            break
    assert stream.reached(arm.position)
    assert closest <= VIA_TOLERANCE_RAD
    assert np.abs(arm.position - HOME).max() <= HOME_TOLERANCE_RAD
    assert not stream.velocity(arm.position).any()


def test_the_path_to_a_pose_is_straight_in_joint_space() -> None:
    start = HOME + np.array([0.5, -0.2, 0.1, 0.0, 0.3, -0.4, 0.6])
    arm, stream = IntegratedArm(start), ViaPoses([HOME])
    for _ in range(60):
        arm.move(stream.velocity(arm.position))
        along = (arm.position - start) / (HOME - start + (start == HOME))
        assert np.ptp(along[[0, 1, 2, 4, 5, 6]]) < 1e-9


def test_passing_the_goal_before_a_via_pose_is_not_home() -> None:
    stream = ViaPoses([HOME + 0.5, HOME])
    assert not stream.reached(HOME)
    assert stream.velocity(HOME).any()


def test_no_poses_is_an_error() -> None:
    with pytest.raises(ValueError, match="at least one"):
        ViaPoses([])
