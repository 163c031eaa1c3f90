"""Exactly at a bound, with nothing at all, and with the numbers that hide a slip: the guard's arithmetic by hand."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from robot_rig.config import GuardConfig
from robot_rig.datatypes import JOINTS, Floats, Mode, Source
from robot_rig.safety import arithmetic, stages
from robot_rig.safety.arithmetic import ROUNDING
from robot_rig.safety.barriers import Barriers
from robot_rig.safety.gate import NEVER, STILL, Gate, _remember
from robot_rig.safety.lease import Lease
from robot_rig.safety.limits import Limits
from tests.integrated_arm import PERIOD, act, report
from tests.safety.gate_bench import CONTROL, HOME, KINEMATICS, GateBench, tool_wish

LIMITS = Limits.from_config(GuardConfig(), CONTROL)
POSE = KINEMATICS.pose(HOME)
NOTHING = np.zeros(JOINTS)
ONE = np.eye(JOINTS)
STRAIGHT = np.eye(6, JOINTS)
"""A Jacobian whose tool moves along x, y, z with the first three joints."""


def measured(guard: GuardConfig | None = None) -> Barriers:
    barriers = Barriers(Limits.from_config(guard or GuardConfig(), CONTROL))
    barriers.measure(POSE, NOTHING)
    return barriers


def wide(barriers: Barriers, **tight: float) -> Floats:
    """What is allowed far from everything, but for the rows named r0, r1 ..."""
    allowed = np.full(len(barriers.rows), 100.0)
    for row, speed in tight.items():
        allowed[int(row[1:])] = speed
    return allowed


@pytest.mark.parametrize(
    ("velocity", "cap", "why"),
    [(ONE[0], 1.0, 0), (2.0 * ONE[6], 1.0, 1), (0.5 * ONE[0], 0.25, 2), (2.0 * ONE[0], 0.25, 3)],
)
def test_scaling_says_which_of_joints_and_tool_were_too_fast(velocity: Floats, cap: float, why: int) -> None:
    assert arithmetic.scale(velocity, STRAIGHT, np.ones(JOINTS), cap, np.empty(JOINTS)) == why


@pytest.mark.parametrize(("share", "broken"), [(1.0, 0), (1.5, 1)])
def test_a_bound_is_kept_that_is_passed_by_no_more_than_rounding(share: float, broken: int) -> None:
    """With bounds of zero nothing else rounds."""
    least, far = share * ROUNDING * ONE[3], np.full(JOINTS, 9.0)
    assert arithmetic.breaks(least, least, far, NOTHING, STRAIGHT, 9.0) == broken
    assert arithmetic.breaks(least, NOTHING, NOTHING, far, STRAIGHT, 9.0) == 2 * broken
    assert arithmetic.breaks(share * 1e-6 * ONE[1], NOTHING, far, far, STRAIGHT, 0.0) == 4 * broken


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_number_is_a_number_however_large(sign: float) -> None:
    large = np.full(JOINTS, 1e300)
    assert arithmetic.finite(large, sign * large)


@pytest.mark.parametrize(
    ("over", "left"),
    [
        ((0.0, -0.2, -0.3, 0.0, -0.1, -9.0), (0.0, 0.0, 0.0)),
        ((0.2, 0.0, 0.0, -0.1, 0.0, 0.0), (-0.3, 0.0, 0.0)),
        ((-0.5, 0.0, 0.0, -0.2, 0.3, -0.1), (0.0, 0.4, 0.0)),
        ((1.0, 0.0, -1.0, 0.0, 0.0, 1.0), (-1.1, 0.0, 1.1)),
    ],
)
def test_what_is_too_much_at_a_face_is_taken_and_a_push_more_and_nothing_elsewhere(
    over: tuple[float, ...], left: tuple[float, ...]
) -> None:
    twist = np.zeros(6)
    assert arithmetic.turn_back(np.array(over), 0.1, twist) == any(left)
    assert twist == pytest.approx([*left, 0.0, 0.0, 0.0])


@pytest.mark.parametrize("limit", [17.0, 1e3, 1e5, 1e9])
def test_no_limit_is_so_large_that_a_singular_jacobian_is_proven_to_keep_it(limit: float) -> None:
    singular = np.eye(6, JOINTS)
    singular[5, 5] = 0.0
    turn, _ = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))
    for one in (singular, turn @ singular, turn @ singular @ np.roll(ONE, 3, axis=0)):
        assert not arithmetic.conditioned(one, limit)


def test_a_stamp_may_lie_ahead_by_all_of_the_clocks_slack() -> None:
    assert stages.refuse_age(0.0, 0.02, 0.1, "stale") == ()
    assert stages.refuse_age(0.0, math.nextafter(0.02, 1.0), 0.1, "stale") == ("clock_ahead",)


def test_a_barrier_passed_by_rounding_alone_is_left_alone_beside_one_that_is_passed() -> None:
    barriers = measured()
    wish = ROUNDING * ONE[0] + 0.2 * ONE[1]
    beside = 20 + int((barriers.rows[20:] @ wish).argmax())
    allowed = wide(barriers, r0=0.0, **{f"r{beside}": 0.5 * float(barriers.rows[beside] @ wish)})
    inside, codes = stages.keep_inside(wish, POSE, barriers, allowed)
    assert codes == ("table",)
    # A sphere's height does not depend on the turn of joint 0.
    assert inside[0] == pytest.approx(ROUNDING, abs=1e-12)


def test_barriers_that_say_almost_the_same_are_settled_by_damped_least_squares() -> None:
    """Written as one: of all changes u the least |R u - b|^2 + d |u|^2; what two rows differ in, damping halves."""
    barriers, damping, push = measured(), 1e-6, 1e-5
    apart = math.sqrt(damping / 2.0)
    rows = np.array([ONE[1] + apart * ONE[2], ONE[1] - apart * ONE[2]])
    over = np.array([0.1 + 1e-5, 0.1 - 1e-5])
    barriers.rows[20:22] = rows
    wish = np.linspace(0.1, 0.3, JOINTS)
    allowed = wide(barriers)
    allowed[20:22] = rows @ wish - over + push
    inside, codes = stages.keep_inside(wish, POSE, barriers, allowed)
    system = np.vstack([rows, math.sqrt(damping) * np.eye(JOINTS)])
    change = np.linalg.lstsq(system, np.append(over, np.zeros(JOINTS)), rcond=None)[0]
    assert codes == ("table",)
    assert abs(change[2]) > 1e-3
    assert inside == pytest.approx(wish - change, abs=1e-6)


def test_the_first_row_behind_those_with_a_word_of_their_own_is_a_keep_outs() -> None:
    barriers = measured(GuardConfig(keep_outs=(((0.5, 0.25, 0.1), (0.7, 0.5, 0.4)),)))
    late = np.arange(len(barriers.rows)) >= len(measured().rows)
    assert stages._space_codes(late) == ("keep_out",)
    late[:] = False
    late[len(measured().rows)] = True
    assert stages._space_codes(late) == ("keep_out",)


def test_the_tightest_barrier_decides_what_is_left_and_one_that_is_not_approached_decides_nothing() -> None:
    assert stages._share_within(np.array([0.4, 0.2, 0.4]), np.array([0.2, 0.05, 0.3])) == pytest.approx(0.25)
    assert stages._share_within(np.array([0.0, 0.4]), np.array([0.0, 0.3])) == pytest.approx(0.75)


@pytest.mark.parametrize("condition", [17.5, 20.0, 29.0])
def test_near_a_singularity_the_motion_is_slowed_and_not_bent(condition: float) -> None:
    wish = np.linspace(-1.0, 2.0, JOINTS)
    slowed, _ = stages.slow_near_singularity(wish, condition)
    assert slowed == pytest.approx((30.0 - condition) / 13.0 * wish)


@pytest.mark.parametrize(("over", "codes"), [(ROUNDING, ()), (0.5 * ROUNDING, ()), (2.0 * ROUNDING, ("brake",))])
def test_rounding_alone_over_a_barrier_or_the_cap_mixes_in_no_brake(over: float, codes: tuple[str, ...]) -> None:
    barriers = measured()
    at_limit, tool = over * ONE[0], over * ONE[2]
    assert stages.brake_if_needed(at_limit, NOTHING, barriers, wide(barriers, r0=0.0), POSE.jacobian, 9.0)[1] == codes
    assert stages.brake_if_needed(tool, NOTHING, barriers, wide(barriers), STRAIGHT, 0.0)[1] == codes


@pytest.mark.parametrize("brake_speed", [0.2, 0.1])
def test_where_the_brake_is_no_slower_it_is_taken_in_full_and_never_gone_beyond(brake_speed: float) -> None:
    barriers = measured()
    velocity, brake = tool_wish(x=0.1, z=0.01), tool_wish(x=brake_speed, z=0.01)
    for allowed, cap in ((wide(barriers, r14=0.05), 9.0), (wide(barriers), 0.05)):
        with np.errstate(divide="ignore"):
            mixed, codes = stages.brake_if_needed(velocity, brake, barriers, allowed, POSE.jacobian, cap)
        assert (mixed == pytest.approx(brake), codes) == (True, ("brake",))


def test_a_speed_that_is_just_allowed_does_not_exceed_it_even_where_nothing_is() -> None:
    barriers = measured()
    barriers.distance[0] = 0.0
    assert not barriers.allowed(0.08, 0.06, NOTHING, NOTHING)[1]
    assert barriers.allowed(0.08, 0.06, NOTHING, 1e-300 * ONE[0])[1]


def test_a_stop_that_ends_at_the_very_edge_of_the_slack_does_not_overshoot() -> None:
    barriers = measured()
    barriers.distance[:14] = 0.0
    assert not barriers.overshoots(0.02 * ONE[2], 1.0, 0.0)
    assert barriers.overshoots(math.nextafter(0.02, 1.0) * ONE[2], 1.0, 0.0)


def test_where_no_memory_is_long_enough_all_of_it_counts_once() -> None:
    moves, spans, under_way = np.ones((3, JOINTS)), np.full(3, 0.25), np.empty(JOINTS)
    _remember(moves, spans, 2.0 * ONE[0], 0.5, 100.0, under_way)
    assert under_way == pytest.approx(np.full(JOINTS, 2.0) + ONE[0])


@pytest.mark.parametrize(("span", "delay", "count"), [(0.5, 0.5 + 1e-9, 1), (0.5, 0.5 + 2e-9, 2), (0.0, 1e-9, 1)])
def test_what_covers_a_delay_but_for_rounding_covers_it(span: float, delay: float, count: int) -> None:
    moves, spans, under_way = np.ones((3, JOINTS)), np.full(3, 0.25), np.empty(JOINTS)
    _remember(moves, spans, 2.0 * np.ones(JOINTS), span, delay, under_way)
    assert under_way == pytest.approx(np.full(JOINTS, 2.0 * span + count - 1.0))


def test_one_joint_that_moves_is_no_rest_for_whoever_takes_over() -> None:
    bench = GateBench()
    assert bench.speed_up(0.5 * ONE[6])[6] == pytest.approx(0.5)
    command = bench.tick(NOTHING, action=bench.fresh(source=Source.HUMAN))
    assert command.verdict.reasons == ("source_change",)
    assert 0.0 < command.command.velocity[6] < 0.5


def test_a_wish_that_leads_only_into_a_limit_comes_to_nothing() -> None:
    bench, end = GateBench(), HOME.copy()
    end[6] = LIMITS.upper[6]
    command = bench.tick(ONE[6], end)
    assert not command.command.velocity.any()
    assert command.verdict.reasons == ("joint_limit",)


def test_what_barriers_make_of_a_wish_takes_no_longer_to_stop_than_was_reckoned_with() -> None:
    """Two barriers that are almost one: to settle both, a joint would have to become five times as fast as the wish."""
    gate, wish = Gate(LIMITS), 0.1 * ONE[1]
    gate._cap = 9.0
    barriers = gate._barriers
    barriers.measure(POSE, NOTHING)
    barriers.distance[:] = 100.0
    delay, stop_time = 0.08, 1.5 * 0.1 / 8.0
    for row, side, left in ((20, 0.05, 0.0), (21, -0.05, 0.05)):
        barriers.rows[row], barriers.distance[row] = ONE[1] + side * ONE[2], left * (delay + 0.5 * stop_time)
    shaped, codes = gate._shape(wish, Mode.HOMING, POSE, delay, np.full(JOINTS, 9.0))
    assert codes == ("table",)
    assert arithmetic.seconds(shaped, LIMITS.acceleration) == pytest.approx(stop_time)
    assert (barriers.rows[20:22] @ shaped <= barriers.distance[20:22] / delay + ROUNDING).all()


@pytest.mark.parametrize(("seq", "codes"), [(0, ()), (-1, ("out_of_order",))])
@pytest.mark.parametrize("stamp", [1.0, -1.0])
def test_numbers_of_actions_count_from_zero(seq: int, codes: tuple[str, ...], stamp: float) -> None:
    assert stages.refuse_form(act((0.0, 0.0), stamp, seq), 2, NEVER) == codes


def test_nobody_can_change_what_standing_still_is() -> None:
    with pytest.raises(ValueError, match="read-only"):
        STILL[0] = 1.0


@pytest.mark.parametrize(("reaction", "age"), [(0.01, 0.15), (0.5, 0.15), (0.5, 0.001)])
def test_the_longest_delay_is_remembered_even_at_twice_the_rate(reaction: float, age: float) -> None:
    gate = Gate(dataclasses.replace(LIMITS, reaction=reaction, state_age=age))
    gate._last = np.full(JOINTS, 0.1)
    for tick in range(140):
        gate._elapsed(0.5 * PERIOD * tick, reaction + age)
    assert gate._under_way == pytest.approx(np.full(JOINTS, 0.1 * (reaction + age)), abs=0.1 * 0.5 * PERIOD)


def test_a_report_whose_stamp_lies_ahead_by_jitter_makes_the_arm_no_faster_near_a_limit() -> None:
    near = HOME.copy()
    near[6] = LIMITS.upper[6] - 0.02
    sent: dict[float, list[float]] = {0.0: [], 0.019: []}
    for ahead, speeds in sent.items():
        bench = GateBench()
        for _ in range(20):
            command = bench.tick(ONE[6], near, state=report(near, bench.now + PERIOD + ahead))
            speeds.append(float(command.command.velocity[6]))
    assert 0.01 < sent[0.0][-1] < 0.2
    assert sent[0.019] == sent[0.0]


@pytest.mark.parametrize("keeper", list(Source))
def test_whoever_the_lease_is_kept_for_waits_for_rest_too(keeper: Source) -> None:
    lease = Lease(0.15)
    assert lease.claim(1.0, keeper, 1.0, still=True) == ()
    lease.release(keeper)
    assert lease.claim(1.01, keeper, 1.01, still=False) == ("source_change",)
    assert lease.claim(1.02, keeper, 1.02, still=True) == ()
