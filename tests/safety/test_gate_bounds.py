"""Whatever comes in, what goes out is inside every bound: hypothesis throws positions, wishes, modes and actions."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.datatypes import Floats, Mode, Outcome, Source
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS
from tests.integrated_arm import PERIOD
from tests.safety.gate_bench import HOME, GateBench

joints = st.tuples(
    *[st.floats(low - 0.1, high + 0.1) for low, high in zip(LOWER_LIMITS.tolist(), UPPER_LIMITS.tolist(), strict=True)]
)
near_home = st.tuples(*[st.floats(-0.5, 0.5)] * 7).map(lambda offset: tuple((HOME + np.array(offset)).tolist()))
speeds = st.one_of(st.floats(-3, 3), st.floats(-99, 99), st.floats(), st.sampled_from([0.0, 5e-324, 1e-300, 1e308]))
wishes = st.tuples(*[speeds] * 7)
values = st.tuples(*[st.one_of(st.floats(-1, 1, width=32), st.floats(width=32))] * 2)
ticks = st.tuples(
    st.one_of(near_home, joints),
    wishes,
    st.sampled_from([Mode.ACTIVE] * 6 + [Mode.HOMING] * 3 + [Mode.HOLD, Mode.DISABLED, Mode.FAULT]),
    st.sampled_from([Source.POLICY] * 4 + [Source.HUMAN]),
    st.one_of(st.just((0.1, 0.2)), values),
)


def assert_inside_every_bound(bench: GateBench, sent: Floats, cap: float, cut: bool) -> None:
    limits, pose = bench.limits, bench.pose
    assert np.isfinite(sent).all()
    assert (np.abs(sent) <= limits.joint_speed + 1e-9).all()
    tool = pose.jacobian[:3] @ sent
    assert math.sqrt(tool @ tool) <= cap + 1e-5
    if cut:
        assert not sent.any()
        return
    assert (np.abs(sent - bench.last) <= limits.acceleration * PERIOD + 1e-8).all()
    stop = limits.reaction + 0.5 * float(np.abs(sent / limits.acceleration).max())
    ends = pose.tool + stop * tool
    outside = np.maximum(np.maximum(ends - limits.box_high, limits.box_low - ends), 0.0)
    already = np.maximum(np.maximum(pose.tool - limits.box_high, limits.box_low - pose.tool), 0.0)
    assert (outside <= already + 0.005).all()
    end = pose.position + stop * sent
    beyond = np.maximum(np.maximum(end - limits.upper, limits.lower - end), 0.0)
    already = np.maximum(np.maximum(pose.position - limits.upper, limits.lower - pose.position), 0.0)
    assert (beyond <= already + 0.021).all()
    lowest = pose.spheres[:, 2] - pose.radii - limits.floor
    drop = lowest + stop * (pose.sphere_jacobians[:, 2] @ sent)
    assert (drop >= np.minimum(lowest, 0.0) - 0.005).all()


@settings(max_examples=300)
@given(st.lists(ticks, min_size=1, max_size=12))
def test_whatever_comes_in_what_goes_out_is_inside_every_bound(
    story: list[tuple[tuple[float, ...], tuple[float, ...], Mode, Source, tuple[float, float]]],
) -> None:
    bench = GateBench()
    for position, wish, mode, source, value in story:
        action = bench.fresh(value, source)
        command = bench.tick(np.array(wish), np.array(position), mode, action)
        outcome, sent = command.verdict.outcome, command.command.velocity
        cut = outcome is Outcome.LATCHED or mode in (Mode.DISABLED, Mode.FAULT)
        assert_inside_every_bound(bench, sent, bench.limits.tool_speed, cut)
        assert (outcome is Outcome.PASSED) == (command.verdict.reasons == ())
        if outcome is Outcome.HELD:
            assert (np.abs(sent) <= np.abs(bench.last) + 1e-9).all() or sent @ sent <= bench.last @ bench.last
        if outcome is Outcome.PASSED and sent.any():
            assert sent == pytest.approx(np.array(wish))
        if bench.gate.latched:
            bench.gate.reset()
