"""The stages at their edges: what just passes and what just does not, with the numbers written out once more."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robot_rig.config import GuardConfig
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.safety import arithmetic, stages
from robot_rig.safety.arithmetic import conditioned, finite, tool_speed
from robot_rig.safety.barriers import Barriers
from robot_rig.safety.limits import Limits
from tests.integrated_arm import act
from tests.safety.gate_bench import CONTROL, HOME, KINEMATICS, tool_wish

LIMITS = Limits.from_config(GuardConfig(), CONTROL)
POSE = KINEMATICS.pose(HOME)
STEP = np.full(7, 0.08)
FLOAT32_STEP, FLOAT32_TINY = 2.0**-23, 2.0**-126
BEFORE = (-1, 0.0)


def measured() -> Barriers:
    barriers = Barriers(LIMITS)
    barriers.measure(POSE, np.zeros(JOINTS))
    return barriers


@pytest.mark.parametrize(
    ("value", "passes"),
    [
        (1.0, True),
        (-1.0, True),
        # Rounding of a float32, up to a millionth: 8 of its steps are 0.95e-6, 9 are 1.07e-6.
        (1.0 + 8 * FLOAT32_STEP, True),
        (1.0 + 9 * FLOAT32_STEP, False),
        (-1.0 - 9 * FLOAT32_STEP, False),
        (FLOAT32_TINY, True),
        (-FLOAT32_TINY, True),
        (FLOAT32_TINY / 2, False),
        (-0.0, True),
    ],
)
def test_an_actions_numbers_at_their_edges(value: float, passes: bool) -> None:
    for values in ((value, 0.1), (0.1, value)):
        assert stages.refuse_form(act(values, 1.0, 1), 2, BEFORE) == (() if passes else ("action_garbled",))


@pytest.mark.parametrize(
    ("seq", "stamp", "passes"),
    [(5, 2.0, True), (5, 1.9, False), (5, 2.1, False), (6, 1.0, True), (4, 2.0, False), (4, 3.0, False)],
)
def test_an_action_is_the_newest_again_or_a_newer_one(seq: int, stamp: float, passes: bool) -> None:
    assert stages.refuse_form(act((0.0, 0.0), stamp, seq), 2, (5, 2.0)) == (() if passes else ("out_of_order",))


@pytest.mark.parametrize(
    ("stamp", "codes"),
    [
        (1.0, ()),
        (0.75, ()),
        (np.nextafter(0.75, 0.0), ("stale",)),
        (1.0199, ()),
        (1.0201, ("clock_ahead",)),
        (-math.inf, ("stale",)),
        (math.inf, ("clock_ahead",)),
        (math.nan, ("stale",)),
    ],
)
def test_an_age_at_its_edges(stamp: float, codes: tuple[str, ...]) -> None:
    assert stages.refuse_age(1.0, stamp, 0.25, "stale") == codes


@pytest.mark.parametrize(("speed", "sane"), [(99.99, True), (100.0, True), (100.01, False), (-100.01, False)])
@pytest.mark.parametrize("joint", [0, 6])
def test_a_wish_is_conceivable_up_to_a_hundred_radians_a_second(speed: float, sane: bool, joint: int) -> None:
    assert stages.wish_is_sane(speed * np.eye(7)[joint]) == sane


@pytest.mark.parametrize("shape", [(6,), (8,), (1, 7), ()])
def test_a_wish_of_another_shape_is_not_sane(shape: tuple[int, ...]) -> None:
    assert not stages.wish_is_sane(np.zeros(shape))


@pytest.mark.parametrize(("least", "finite"), [(0.8e-6, False), (1.2e-6, True), (2.5e-6, True)])
def test_an_arm_that_is_all_but_singular_counts_as_singular(least: float, finite: bool) -> None:
    jacobian = np.zeros((6, 7))
    np.fill_diagonal(jacobian, [1.0, 1.0, 1.0, 1.0, 1.0, least])
    condition = stages.condition(jacobian)
    assert condition == (pytest.approx(1.0 / least, rel=0.01) if finite else math.inf)


@pytest.mark.parametrize("seed", range(20))
def test_a_jacobian_of_lower_rank_is_singular_however_it_rounds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    assert stages.condition(rng.normal(size=(6, 5)) @ rng.normal(size=(5, 7))) > 1e6


@pytest.mark.parametrize(("limit", "proven"), [(8.0, False), (11.9, False), (12.0, True), (1e3, True)])
def test_a_condition_is_proven_from_the_norm_of_all_singular_values(limit: float, proven: bool) -> None:
    """Squared values 1, 1, 1, 1, 1, 1/64: their norm is 2.236, so the proof needs limit^2 > 64 * 2.236 = 11.96^2."""
    jacobian = np.zeros((6, 7))
    np.fill_diagonal(jacobian, [1.0, 1.0, 1.0, 1.0, 1.0, 0.125])
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))
    for one in (jacobian, turn @ jacobian):
        assert conditioned(one, limit) == proven


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_nothing_is_proven_of_a_jacobian_that_is_no_number(bad: float) -> None:
    assert not conditioned(np.full((6, 7), bad), 17.0)


@pytest.mark.parametrize("joint", [0, 6])
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_report_with_one_number_that_is_none_is_seen(joint: int, bad: float) -> None:
    spoilt = np.zeros(7)
    spoilt[joint] = bad
    assert not finite(spoilt, np.zeros(7))
    assert not finite(np.zeros(7), spoilt)
    assert not finite(spoilt, -spoilt)
    assert finite(np.zeros(7), np.full(7, 1e300))


@pytest.mark.parametrize(("norm", "proven"), [(1e-9, True), (1.5e-100, True), (0.75e-100, False)])
def test_a_condition_does_not_depend_on_the_scale_until_products_vanish(norm: float, proven: bool) -> None:
    """Six equal singular values s, whose condition number is 1: the squared norm of their squares is 6 s^4."""
    scaled = np.zeros((6, 7))
    np.fill_diagonal(scaled, (norm / 6.0) ** 0.25)
    assert conditioned(scaled, 17.0) == proven


def test_nothing_is_proven_of_a_jacobian_whose_products_vanish() -> None:
    tiny = np.zeros((6, 7))
    np.fill_diagonal(tiny, [1e-90] * 5 + [1e-94])
    assert not conditioned(tiny, 17.0)


@pytest.mark.parametrize("row", [3, 10])
def test_a_joint_whose_bound_is_no_number_is_given_no_number(row: int) -> None:
    allowed = np.full(14, 0.3)
    allowed[row] = math.nan
    braked, codes = stages.brake_joints(np.full(7, 0.1), allowed)
    assert (math.isnan(braked[3]), codes) == (True, ("joint_limit",))


def test_joints_at_exactly_what_is_allowed_are_not_braked() -> None:
    velocity, allowed = np.full(7, 0.3), np.full(14, 0.3)
    assert stages.brake_joints(velocity, allowed) == (velocity, ())
    assert stages.brake_joints(-velocity, allowed)[1] == ()


@pytest.mark.parametrize(("over", "codes"), [(0.9e-9, ()), (1e-9, ()), (1.1e-9, ("joint_limit",))])
def test_rounding_alone_is_not_over_a_barrier(over: float, codes: tuple[str, ...]) -> None:
    barriers = measured()
    allowed = np.full(len(barriers.rows), 100.0)
    allowed[0] = 0.0
    assert stages.keep_inside(over * np.eye(7)[0], POSE, barriers, allowed)[1] == codes


@pytest.mark.parametrize(
    ("row", "code"),
    [(0, "joint_limit"), (13, "joint_limit"), (14, "box"), (19, "box"), (20, "table"), (-1, "keep_out")],
)
def test_each_row_has_its_word(row: int, code: str) -> None:
    guard = GuardConfig(keep_outs=(((0.5, 0.25, 0.1), (0.7, 0.5, 0.4)),))
    barriers = Barriers(Limits.from_config(guard, CONTROL))
    barriers.measure(POSE, np.zeros(JOINTS))
    allowed = np.full(len(barriers.rows), 100.0)
    allowed[row] = 0.0
    wish = 0.1 * barriers.rows[row] / max(np.linalg.norm(barriers.rows[row]), 1e-9)
    inside, codes = stages.keep_inside(wish, POSE, barriers, allowed)
    assert codes == ((code,) if wish.any() else ())
    assert barriers.rows[row] @ inside <= 1e-9


@pytest.mark.parametrize("low", [False, True])
def test_each_face_of_the_box_takes_its_own_outward_part(low: bool) -> None:
    barriers = measured()
    sign = -1.0 if low else 1.0
    for axis, row in enumerate(range(17, 20) if low else range(14, 17)):
        allowed = np.full(len(barriers.rows), 100.0)
        allowed[row] = 0.02
        wanted = np.full(3, 0.05) * sign
        inside, codes = stages.keep_inside(tool_wish(*wanted.tolist()), POSE, barriers, allowed)
        wanted[axis] = 0.02 * sign
        assert codes == ("box",)
        assert POSE.jacobian @ inside == pytest.approx([*wanted, 0, 0, 0], abs=5e-5)
        # What is taken is taken in full: the result does not touch the face's bound from beyond.
        assert sign * (POSE.jacobian @ inside)[axis] <= 0.02


@pytest.mark.parametrize("rows", [(13,), (21,), (0, 9), (3, 22), (4, 10, 23)])
def test_what_other_barriers_take_is_the_smallest_change_that_settles_them_all(rows: tuple[int, ...]) -> None:
    """By Lagrange: v - R'(RR')^-1 (Rv - a), and no barrier is left with more than a hundredth of a millimetre."""
    barriers = measured()
    near = barriers.rows[list(rows)]
    velocity = near.sum(axis=0) * 0.2
    allowed = np.full(len(barriers.rows), 100.0)
    allowed[list(rows)] = 0.1 * (near @ velocity)
    assert (near @ velocity > allowed[list(rows)] + 1e-6).all()
    inside, _ = stages.keep_inside(velocity, POSE, barriers, allowed)
    expected = velocity - near.T @ np.linalg.solve(near @ near.T, near @ velocity - allowed[list(rows)])
    assert (near @ inside <= allowed[list(rows)]).all()
    assert near @ inside == pytest.approx(allowed[list(rows)], abs=1.5e-5)
    assert inside == pytest.approx(expected, abs=2e-4)


def test_at_exactly_the_permitted_speed_nothing_is_scaled() -> None:
    fast = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, float(LIMITS.joint_speed[6])])
    assert stages.limit_speed(fast, np.zeros((6, 7)), LIMITS, 0.25) == (fast, ())
    wish = tool_wish(x=0.1)
    cap = tool_speed(POSE.jacobian, wish)
    assert stages.limit_speed(wish, POSE.jacobian, LIMITS, cap) == (wish, ())


def test_both_words_when_joints_and_tool_were_too_fast() -> None:
    scaled, codes = stages.limit_speed(np.full(7, 50.0), POSE.jacobian, LIMITS, 0.1)
    assert codes == ("joint_speed", "tool_speed")
    assert tool_speed(POSE.jacobian, scaled) == pytest.approx(0.1)


def test_a_change_of_exactly_one_step_needs_no_slewing() -> None:
    target = np.full(7, 0.08)
    assert stages.slew(np.zeros(7), target, STEP) == (target, ())
    sent, codes = stages.slew(np.zeros(7), 2 * target, STEP)
    assert (sent == pytest.approx(target), codes) == (True, ("slew",))


@pytest.mark.parametrize(
    ("values", "seconds", "excess", "share"),
    [
        ((0.0, 0.0), 0.0, -1.0, 1.0),
        ((1.0, -2.0), 1.0, 0.0, 1.0),
        ((2.0, -2.0), 2.0, 1.0, 0.5),
        ((0.5, -8.0), 4.0, 6.0, 0.25),
    ],
)
def test_the_three_measures_of_a_vector_by_hand(
    values: tuple[float, float], seconds: float, excess: float, share: float
) -> None:
    vector, bounds = np.array([*values, *[0.0] * 5]), np.array([1.0, *[2.0] * 6])
    assert arithmetic.seconds(vector, bounds) == seconds
    assert arithmetic.excess(vector, bounds) == excess
    assert arithmetic.slew_share(vector, bounds) == share


def test_the_tools_speed_is_that_of_its_three_coordinates() -> None:
    jacobian = np.vstack([np.diag([1.0, 2.0, 2.0], 0), np.zeros((3, 3))])
    jacobian = np.hstack([jacobian, np.ones((6, 4))])
    assert tool_speed(jacobian, np.array([3.0, 2.0, 6.0, 0.0, 0.0, 0.0, 0.0])) == pytest.approx(13.0)
    assert tool_speed(jacobian, np.array([0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0])) == pytest.approx(math.sqrt(3.0))


def rest_with(joint: int, speed: float) -> Floats:
    return speed * np.eye(7)[joint]


@pytest.mark.parametrize(
    ("velocity", "last", "cap", "codes"),
    [
        (rest_with(6, 1.2 + 0.8e-9), rest_with(6, 1.2), 0.25, ()),
        (rest_with(6, 1.2 + 1.5e-9), rest_with(6, 1.2), 0.25, ("bound_joint_speed",)),
        (rest_with(0, -1.2 - 1.5e-9), rest_with(0, -1.2), 9.0, ("bound_joint_speed",)),
        (rest_with(6, 0.08 + 0.8e-9), np.zeros(7), 0.25, ()),
        (rest_with(6, 0.08 + 1.5e-9), np.zeros(7), 0.25, ("bound_slew",)),
        (rest_with(6, -0.08 - 1.5e-9), np.zeros(7), 0.25, ("bound_slew",)),
        (tool_wish(x=0.1), tool_wish(x=0.1), 0.1 - 0.9e-6, ()),
        (tool_wish(x=0.1), tool_wish(x=0.1), 0.1 - 1.1e-6, ("bound_tool_speed",)),
    ],
)
def test_stage_eight_at_its_edges(velocity: Floats, last: Floats, cap: float, codes: tuple[str, ...]) -> None:
    assert stages.broken_bounds(velocity, last, STEP, LIMITS, POSE.jacobian, cap) == codes


def test_far_from_everything_no_brake_is_mixed_in_and_beyond_a_barrier_going_no_deeper_is_enough() -> None:
    barriers = measured()
    wide = np.full(len(barriers.rows), 100.0)
    velocity, brake = tool_wish(x=0.1), tool_wish(x=0.05)
    cap = tool_speed(POSE.jacobian, velocity)
    assert stages.brake_if_needed(velocity, brake, barriers, wide, POSE.jacobian, cap) == (velocity, ())
    beyond = wide.copy()
    beyond[14] = -0.3
    away = tool_wish(x=-0.01)
    assert stages.brake_if_needed(away, np.zeros(7), barriers, beyond, POSE.jacobian, 0.25) == (away, ())
    still, codes = stages.brake_if_needed(velocity, np.zeros(7), barriers, beyond, POSE.jacobian, 0.25)
    assert (still == pytest.approx(np.zeros(7)), codes) == (True, ("brake",))


def test_the_more_of_the_brake_wins_between_a_wall_and_the_cap() -> None:
    barriers = measured()
    tight = np.full(len(barriers.rows), 100.0)
    tight[14] = 0.15
    velocity, brake = tool_wish(x=0.20), tool_wish(x=0.10)
    for cap, speed in ((0.12, 0.12), (0.18, 0.15), (0.10, 0.10), (0.05, 0.10)):
        mixed, codes = stages.brake_if_needed(velocity, brake, barriers, tight, POSE.jacobian, cap)
        assert codes == ("brake",)
        assert POSE.jacobian[0] @ mixed == pytest.approx(speed)


def test_the_worst_of_two_walls_decides_how_much_brake_it_takes() -> None:
    barriers = measured()
    tight = np.full(len(barriers.rows), 100.0)
    tight[14], tight[15] = 0.19, 0.12
    velocity, brake = tool_wish(x=0.2, y=0.2), np.zeros(7)
    mixed, _ = stages.brake_if_needed(velocity, brake, barriers, tight, POSE.jacobian, 9.0)
    assert (POSE.jacobian @ mixed)[:3] == pytest.approx([0.12, 0.12, 0.0], abs=1e-9)


@pytest.mark.parametrize(
    ("last", "wish", "longest"), [(0.8, 0.2, 0.1), (0.1, 0.4, 0.075), (0.1, 4.0, 0.15), (1.6, 4.0, 0.2)]
)
def test_the_longest_stop_is_that_of_the_last_velocity_or_of_what_a_wish_may_grow_to(
    last: float, wish: float, longest: float
) -> None:
    joint = np.eye(7)[3]
    assert arithmetic.longest_stop(-last * joint, wish * joint, np.full(7, 8.0), 1.5, 0.15) == pytest.approx(longest)
