"""The guard's stages one by one, against hand-computed values and plain formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.config import GuardConfig
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.kinematics import LINK_SPHERES
from robot_rig.safety import stages
from robot_rig.safety.arithmetic import ROUNDING, tool_speed
from robot_rig.safety.barriers import BOX_ROWS, JOINT_ROWS, KEEP_OUT_ROWS, TABLE_ROWS, TIP_RADIUS_M, Barriers
from robot_rig.safety.limits import SLOW_CONDITION, Limits
from tests.safety.gate_bench import CONTROL, HOME, KINEMATICS, tool_wish

GUARD = GuardConfig(keep_outs=(((0.5, 0.25, 0.1), (0.7, 0.5, 0.4)), ((0.2, -0.6, 0.0), (0.9, -0.3, 0.05))))
LIMITS = Limits.from_config(GUARD, CONTROL)
POSE = KINEMATICS.pose(HOME)
STEP = LIMITS.acceleration * LIMITS.period
vectors = st.tuples(*[st.floats(-1.1, 1.1)] * JOINTS).map(np.array)


def measured(position: Floats = HOME, guard: GuardConfig = GUARD) -> Barriers:
    barriers = Barriers(Limits.from_config(guard, CONTROL))
    barriers.measure(KINEMATICS.pose(position), np.zeros(JOINTS))
    return barriers


@pytest.mark.parametrize("seed", range(5))
def test_each_row_is_minus_the_gradient_of_its_distance(seed: int) -> None:
    position = HOME + np.random.default_rng(seed).uniform(-0.4, 0.4, JOINTS)
    rows = measured(position).rows.copy()
    for joint in range(JOINTS):
        nudge = 1e-6 * np.eye(JOINTS)[joint]
        numeric = (measured(position + nudge).distance - measured(position - nudge).distance) / 2e-6
        assert np.abs(rows[:, joint] + numeric).max() < 1e-6


def test_distances_are_what_a_ruler_says() -> None:
    distance = measured().distance
    assert distance[JOINT_ROWS][:7] == pytest.approx(LIMITS.upper - HOME)
    assert distance[BOX_ROWS] == pytest.approx([0.10, 0.20, 0.24, 0.10, 0.20, 0.03], abs=1e-4)
    assert distance[TABLE_ROWS] == pytest.approx(POSE.spheres[:, 2] - POSE.radii - 0.01)
    # The tip is 0.25 m along y and 0.04 m below the first keep-out; x lies inside its span.
    tip = KEEP_OUT_ROWS.start + len(LINK_SPHERES)
    assert distance[tip] == pytest.approx(math.hypot(0.25, 0.04) - TIP_RADIUS_M, abs=1e-4)


def test_inside_a_keep_out_the_way_out_is_through_the_nearest_face() -> None:
    x, y, z = POSE.tool
    guard = GuardConfig(keep_outs=(((x - 0.3, y - 0.01, z - 0.3), (x + 0.3, y + 0.3, z + 0.3)),))
    barriers = measured(guard=guard)
    tip = KEEP_OUT_ROWS.start + len(LINK_SPHERES)
    assert barriers.distance[tip] == pytest.approx(-0.01 - TIP_RADIUS_M)
    assert barriers.rows[tip] == pytest.approx(POSE.jacobian[1])
    allowed = barriers.allowed(0.08, 0.1, np.zeros(7), np.zeros(7))[0]
    assert allowed[tip] == 0.0


def test_the_braking_law_by_hand() -> None:
    barriers = measured()
    still = np.zeros(7)
    allowed = barriers.allowed(0.08, 0.06, still, still)[0]
    assert allowed[BOX_ROWS][0] == pytest.approx(barriers.distance[BOX_ROWS][0] / 0.11)
    under_way = tool_wish(x=0.2) * 0.08
    law = (barriers.distance[BOX_ROWS][0] - 0.016) / (0.01 + 0.03)
    assert barriers.allowed(0.08, 0.06, under_way, still)[0][BOX_ROWS][0] == pytest.approx(
        min(law, allowed[BOX_ROWS][0])
    )
    far = tool_wish(x=1.2) * 0.08
    assert barriers.allowed(0.08, 0.06, far, still)[0][BOX_ROWS][0] == pytest.approx((0.1 - 0.096) / 0.04, abs=1e-3)
    assert barriers.allowed(0.08, 0.06, 2 * far, still)[0][BOX_ROWS][0] == 0.0


def test_the_bend_of_the_path_is_taken_off_the_distance() -> None:
    """The tool's velocity turns while joints turn evenly: its change in one period, by differences, times h^2 / 2."""
    spin, still = np.array([0.5, 0.2, 0.0, 0.4, 0.0, 0.0, 0.0]), np.zeros(7)
    after = HOME + spin * LIMITS.period
    barriers = measured()
    before = barriers.rows.copy()
    barriers.measure(KINEMATICS.pose(after), spin)
    bend = np.maximum((barriers.rows - before) @ spin / LIMITS.period, 0.0)[BOX_ROWS]
    assert bend.max() > 0.05
    expected = (barriers.distance[BOX_ROWS] - bend * 0.14**2 / 2) / 0.11
    assert barriers.allowed(0.08, 0.06, still, still)[0][BOX_ROWS] == pytest.approx(expected)


def test_beyond_a_wall_motion_must_lead_back_but_a_still_arm_stays() -> None:
    barriers = Barriers(LIMITS)
    outside = HOME + np.array([0.4, 0, 0, 0, 0, 0, 0])
    barriers.measure(KINEMATICS.pose(outside), np.zeros(7))
    row = BOX_ROWS.start + 1
    assert barriers.distance[row] < -0.02
    still, wish = np.zeros(7), np.full(7, 0.1)
    assert barriers.allowed(0.08, 0.1, still, still)[0][row] == 0.0
    back = barriers.allowed(0.08, 0.1, still, wish)[0][row]
    fastest = math.sqrt(barriers.rows[row] @ barriers.rows[row] * (wish @ wish))
    assert back == pytest.approx(max(-0.2 * fastest, barriers.distance[row] / 0.13))


def test_what_cannot_be_projected_shrinks_but_never_turns_round() -> None:
    approach, allowed = np.array([0.4, -0.1, 0.2]), np.array([0.1, 0.0, 0.2])
    assert stages._share_within(approach, allowed) == pytest.approx(0.25)
    assert stages._share_within(-np.ones(3), np.zeros(3)) == 1.0
    assert stages._share_within(np.array([0.1]), np.array([-0.1])) == 0.0
    assert stages._share_within(np.array([-0.1]), np.array([-0.2])) == 1.0


def test_inside_the_soft_ring_a_joint_slows_in_proportion_and_at_the_stop_ring_to_zero() -> None:
    for left, share in ((0.075, 0.5), (0.015, 0.1), (0.0, 0.0), (-0.01, 0.0)):
        position = HOME.copy()
        position[6] = LIMITS.upper[6] - left
        allowed, _ = measured(position).allowed(0.001, 0.001, np.zeros(7), np.zeros(7))
        assert allowed[6] == pytest.approx(share * LIMITS.joint_speed[6])


@given(vectors)
def test_joints_are_braked_towards_their_limits_only(velocity: Floats) -> None:
    allowed = np.full(14, 10.0)
    allowed[2], allowed[7 + 4] = 0.3, 0.0
    braked, codes = stages.brake_joints(velocity, allowed)
    expected = velocity.copy()
    expected[2] = min(velocity[2], 0.3)
    expected[4] = max(velocity[4], 0.0)
    assert (braked == expected).all()
    assert (codes == ("joint_limit",)) == bool((expected != velocity).any())


@settings(max_examples=200)
@given(vectors, st.floats(0.0, 1.0), st.integers(0, 2**32 - 1))
def test_what_stage_five_returns_respects_every_row(velocity: Floats, room: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    barriers = measured(HOME + rng.uniform(-0.5, 0.5, JOINTS))
    allowed = room * rng.exponential(0.3, len(barriers.rows)) * rng.integers(0, 2, len(barriers.rows))
    pose = KINEMATICS.pose(HOME)
    inside, codes = stages.keep_inside(velocity, pose, barriers, allowed)
    assert (barriers.rows @ inside <= allowed + 1e-8).all()
    assert (codes == ()) == bool((barriers.rows @ velocity <= allowed + ROUNDING).all())
    assert codes or inside is velocity


def test_at_a_face_exactly_the_outward_velocity_of_the_tool_goes() -> None:
    barriers = measured()
    allowed = np.full(len(barriers.rows), 100.0)
    allowed[BOX_ROWS.start + 1] = 0.02
    inside, codes = stages.keep_inside(tool_wish(x=0.1, y=0.15, z=0.05), POSE, barriers, allowed)
    assert codes == ("box",)
    # The projection is damped by 1e-6 and aims 1e-5 m/s inside.
    assert POSE.jacobian @ inside == pytest.approx([0.1, 0.02, 0.05, 0, 0, 0], abs=5e-5)


def test_far_from_the_box_another_barrier_takes_only_what_approaches_it() -> None:
    barriers = measured()
    allowed = np.full(len(barriers.rows), 100.0)
    down = tool_wish(x=0.1, z=-0.1)
    approach = barriers.rows[TABLE_ROWS] @ down
    lowest = TABLE_ROWS.start + int(approach.argmax())
    allowed[lowest] = 0.5 * approach.max()
    inside, codes = stages.keep_inside(down, POSE, barriers, allowed)
    assert codes == ("table",)
    assert barriers.rows[lowest] @ inside == pytest.approx(allowed[lowest], abs=5e-5)
    assert np.linalg.norm(inside - down) < np.linalg.norm(down)


def test_the_speed_stage_scales_by_hand() -> None:
    fast = tool_wish(x=0.5)
    scaled, codes = stages.limit_speed(fast, POSE.jacobian, LIMITS, 0.25)
    assert codes[-1] == "tool_speed"
    assert scaled == pytest.approx(0.5 * fast)
    one = np.zeros(7)
    one[6] = 10.0
    scaled, codes = stages.limit_speed(one, POSE.jacobian, LIMITS, 0.25)
    assert codes == ("joint_speed",)
    assert scaled[6] == pytest.approx(LIMITS.joint_speed[6])
    assert stages.limit_speed(scaled * 0.5, POSE.jacobian, LIMITS, 0.25)[1] == ()


@pytest.mark.parametrize(
    ("condition", "share", "codes"),
    [
        (1.0, 1.0, ()),
        (17.0, 1.0, ()),
        (23.5, 0.5, ("near_singular",)),
        (30.0, 0.0, ("singular",)),
        (math.inf, 0.0, ("singular",)),
    ],
)
def test_the_slow_down_near_a_singularity(condition: float, share: float, codes: tuple[str, ...]) -> None:
    slowed, why = stages.slow_near_singularity(np.ones(7), condition)
    assert slowed == pytest.approx(share * np.ones(7))
    assert why == codes


def test_the_condition_number_is_numpys_where_it_slows_and_never_hidden() -> None:
    """Along a walk from home into the wrist's singularity at joint 5 = 0 and on, and at postures drawn at random."""
    rng = np.random.default_rng(0)
    walk = HOME + np.outer(np.linspace(0.0, 1.2, 200), np.eye(JOINTS)[5] * -HOME[5])
    vouched = computed = 0
    for position in (*walk, *rng.uniform(-2.0, 2.0, (200, JOINTS))):
        jacobian = KINEMATICS.pose(position).jacobian
        truth, answer = float(np.linalg.cond(jacobian)), stages.condition(jacobian)
        if answer == SLOW_CONDITION:
            vouched += 1
            assert truth <= SLOW_CONDITION
        else:
            computed += 1
            assert answer == pytest.approx(truth, rel=1e-6)
    assert vouched > 50
    assert computed > 50
    assert stages.condition(np.zeros((6, 7))) == math.inf


@given(vectors, vectors)
def test_slewing_goes_straight_and_no_further_than_the_step(last: Floats, target: Floats) -> None:
    sent, codes = stages.slew(last, target, STEP)
    assert (np.abs(sent - last) <= STEP + 1e-12).all()
    along, whole = sent - last, target - last
    share = float((along @ whole) / max(whole @ whole, 1e-300))
    assert along == pytest.approx(share * whole, abs=1e-12)
    assert 0.0 <= share <= 1.0 + 1e-12
    if not codes:
        assert (sent == target).all()


@given(vectors)
def test_a_full_brake_shrinks_evenly_and_reaches_zero(last: Floats) -> None:
    velocity = last
    for _ in range(15):
        braked = stages.full_brake(velocity, STEP)
        assert (np.abs(braked - velocity) <= STEP + 1e-12).all()
        assert np.abs(np.outer(braked, last) - np.outer(last, braked)).max() < 1e-9
        velocity = braked
    assert not velocity.any()


def test_where_slewing_is_too_slow_the_brake_is_mixed_in_for_walls_and_for_the_cap() -> None:
    barriers = measured()
    wide = np.full(len(barriers.rows), 100.0)
    velocity, brake = tool_wish(x=0.20), tool_wish(x=0.10)
    tight = wide.copy()
    tight[BOX_ROWS.start] = 0.15
    mixed, codes = stages.brake_if_needed(velocity, brake, barriers, tight, POSE.jacobian, 0.25)
    assert codes == ("brake",)
    assert POSE.jacobian[0] @ mixed == pytest.approx(0.15)
    mixed, codes = stages.brake_if_needed(velocity, brake, barriers, wide, POSE.jacobian, 0.12)
    assert codes == ("brake",)
    assert tool_speed(POSE.jacobian, mixed) == pytest.approx(0.12)
    tight[BOX_ROWS.start] = 0.05
    mixed, codes = stages.brake_if_needed(velocity, brake, barriers, tight, POSE.jacobian, 0.25)
    assert mixed == pytest.approx(brake)
    assert stages.brake_if_needed(velocity, brake, barriers, wide, POSE.jacobian, 0.25) == (velocity, ())


@pytest.mark.parametrize(
    ("velocity", "last", "codes"),
    [
        (np.zeros(7), np.zeros(7), ()),
        (np.full(7, np.nan), np.zeros(7), ("bound_finite",)),
        (np.full(7, np.inf), np.zeros(7), ("bound_finite",)),
        (np.eye(7)[6] * 1.9, np.eye(7)[6] * 1.9, ("bound_joint_speed",)),
        (np.eye(7)[6] * 0.5, np.zeros(7), ("bound_slew",)),
        (tool_wish(x=0.3), tool_wish(x=0.3), ("bound_tool_speed",)),
        (np.eye(7)[0] * 5.0, np.zeros(7), ("bound_joint_speed", "bound_slew", "bound_tool_speed")),
    ],
)
def test_stage_eight_names_each_broken_bound(velocity: Floats, last: Floats, codes: tuple[str, ...]) -> None:
    assert stages.broken_bounds(velocity, last, STEP, LIMITS, POSE.jacobian, 0.25) == codes


def test_stage_eight_knows_where_a_stop_would_end() -> None:
    barriers = measured()
    stop_time = 0.1
    assert not barriers.overshoots(tool_wish(x=0.10 / 0.13), 0.08, stop_time)
    assert barriers.overshoots(tool_wish(x=0.105 / 0.13), 0.08, stop_time)
