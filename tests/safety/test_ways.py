"""A way that is judged free is free all along, not only where it was looked at; and each thing in the way is named."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from robot_rig.config import GuardConfig
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import LINK_SPHERES
from robot_rig.safety.barriers import TIP_RADIUS_M
from robot_rig.safety.limits import Limits
from robot_rig.safety.reasons import REASONS
from robot_rig.safety.ways import MARGIN_M, SENTENCES, STEP_M, Way, Ways
from tests.safety.gate_bench import CONTROL, HOME, KINEMATICS

PLATE = ((0.55, 0.05, 0.0), (0.75, 0.051, 0.30))
"""A millimetre thin, across the box."""

GUARD = GuardConfig(keep_outs=(PLATE, ((0.2, -0.9, 0.0), (0.9, -0.30, 0.5))))
LIMITS = Limits.from_config(GUARD, CONTROL)
BARE = Limits.from_config(GuardConfig(), CONTROL)
WAYS, OPEN = Ways(LIMITS, KINEMATICS), Ways(BARE, KINEMATICS)


def at(x: float, y: float, z: float) -> Floats:
    return solve_position(KINEMATICS, np.array([x, y, z]), TOOL_DOWN, HOME)


START = at(0.65, -0.10, 0.15)
vectors = st.tuples(*[st.floats(-1.0, 1.0)] * JOINTS).map(np.array)
shares = st.floats(0.0, 1.0)


def room(position: Floats, limits: Limits) -> float:
    """How far the arm at `position` is from the nearest thing that is forbidden, m; written down by hand."""
    pose = KINEMATICS.pose(position)
    rooms = [*(pose.tool - limits.box_low), *(limits.box_high - pose.tool)]
    rooms += [sphere[2] - radius - limits.floor for sphere, radius in zip(pose.spheres, pose.radii, strict=True)]
    for low, high in limits.keep_outs:
        for point, radius in [*zip(pose.spheres, pose.radii, strict=True), (pose.tool, TIP_RADIUS_M)]:
            rooms.append(float(np.linalg.norm(point - np.clip(point, low, high))) - radius)
    return float(min(rooms))


@settings(max_examples=150, deadline=None)
@given(
    vectors, vectors, st.floats(0.0, 0.25), st.sampled_from([MARGIN_M, 0.012]), st.lists(shares, min_size=8, max_size=8)
)
def test_a_free_way_keeps_its_margin_less_half_a_step_all_along(
    first: Floats, second: Floats, size: float, margin: float, looks: list[float]
) -> None:
    start, goal = START + size * first, START + size * second
    if Ways(LIMITS, KINEMATICS, margin).refuse(start, goal):
        return
    for share in looks:
        between = start + share * (goal - start)
        assert room(between, LIMITS) >= margin - STEP_M / 2 - 1e-9
        assert ((between >= LIMITS.lower) & (between <= LIMITS.upper)).all()


def test_and_a_fair_share_of_such_ways_is_free() -> None:
    random = np.random.default_rng(0)
    free = [not OPEN.refuse(START, START + random.uniform(-0.08, 0.08, JOINTS)) for _ in range(100)]
    assert sum(free) > 30


@settings(max_examples=100, deadline=None)
@given(vectors, vectors)
def test_no_point_goes_further_than_the_bound_by_which_places_are_chosen(base: Floats, step: Floats) -> None:
    position, moved = HOME + base, HOME + base + 0.05 * step
    here, there = KINEMATICS.pose(position), KINEMATICS.pose(moved)
    gone = np.linalg.norm(np.vstack([there.spheres - here.spheres, there.tool - here.tool]), axis=1)
    links = [*(link for link, _, _ in LINK_SPHERES), JOINTS - 1]
    for point, link in zip(gone, links, strict=True):
        moving = np.where(np.arange(JOINTS) <= link, np.abs(moved - position), 0.0)
        assert point <= moving @ WAYS._reach + 1e-12


def test_a_thin_plate_between_two_free_places_is_in_the_way() -> None:
    beyond = at(0.65, 0.15, 0.15)
    assert WAYS.refuse_place(START) == WAYS.refuse_place(beyond) == ()
    assert WAYS.refuse(START, beyond) == ("keep_out",)
    assert OPEN.refuse(START, beyond) == ()


@pytest.mark.parametrize(
    ("goal", "code"),
    [
        (at(0.744, 0.0, 0.15), ()),
        (at(0.746, 0.0, 0.15), ("box",)),
        (at(0.65, -0.196, 0.15), ("box",)),
        (at(0.65, 0.0, 0.296), ("box",)),
        (at(0.65, 0.0, 0.034), ("box",)),
        (at(0.65, 0.0, 0.036), ()),
        (START + 4.0 * np.eye(JOINTS)[6], ("joint_limit",)),
        (START - 9.0 * np.eye(JOINTS)[0], ("joint_limit",)),
    ],
)
def test_what_is_too_close_at_its_end_is_named(goal: Floats, code: tuple[str, ...]) -> None:
    assert OPEN.refuse(START, goal) == code


def test_a_link_over_the_table_counts_as_well_as_the_tool() -> None:
    low = at(0.65, 0.0, 0.04)
    pose = KINEMATICS.pose(low)
    lowest = float((pose.spheres[:, 2] - pose.radii).min())
    for spare, code in ((MARGIN_M + 1e-4, ()), (MARGIN_M - 1e-4, ("table",))):
        limits = dataclasses.replace(BARE, floor=lowest - spare)
        assert Ways(limits, KINEMATICS).refuse_place(low) == code


@pytest.mark.parametrize(("spare", "code"), [(MARGIN_M + 1e-4, ()), (MARGIN_M - 1e-4, ("keep_out",))])
@pytest.mark.parametrize("aside", [(0.0, 1.0), (0.6, 0.8)])
def test_a_keep_out_is_kept_from_by_the_margin_around_the_fingers(
    aside: tuple[float, float], spare: float, code: tuple[str, ...]
) -> None:
    x, y, z = KINEMATICS.pose(START).tool
    # The nearest point of the box lies aside of the tip, straight or over its edge; no link is as near.
    corner = np.array([x, y]) + (TIP_RADIUS_M + spare) * np.array(aside)
    low = (corner[0] if aside[0] else x - 0.02, corner[1], z - 0.02)
    box = (low, (low[0] + 0.04, low[1] + 0.04, z + 0.02))
    limits = Limits.from_config(GuardConfig(keep_outs=(box,)), CONTROL)
    assert Ways(limits, KINEMATICS).refuse_place(START) == code


def test_both_ends_are_looked_at_and_no_point_goes_a_step_between_two_looks() -> None:
    looked: list[Floats] = []

    class Watched(Ways):
        def refuse_place(self, position: Floats) -> tuple[str, ...]:
            looked.append(position)
            return ()

    random = np.random.default_rng(3)
    for _ in range(10):
        looked.clear()
        start, goal = START + random.uniform(-0.5, 0.5, (2, JOINTS))
        assert Watched(BARE, KINEMATICS).refuse(start, goal) == ()
        assert np.allclose(looked[0], goal, atol=1e-12)
        assert np.allclose(looked[-1], start, atol=1e-12)
        poses = [KINEMATICS.pose(position) for position in looked]
        points = np.array([np.vstack([pose.spheres, pose.tool]) for pose in poses])
        assert np.linalg.norm(np.diff(points, axis=0), axis=2).max() <= STEP_M


def test_the_joints_may_begin_in_their_soft_rings_and_not_end_there() -> None:
    last = np.eye(JOINTS)[6]
    ring = BARE.upper[6] - 0.5 * BARE.soft_width - START[6]
    assert OPEN.refuse(START + ring * last, START) == ()
    assert OPEN.refuse(START, START + ring * last) == ("joint_limit",)
    beyond = BARE.upper[6] + 1e-6 - START[6]
    assert OPEN.refuse(START + beyond * last, START) == ("joint_limit",)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("joint", range(JOINTS))
def test_what_is_no_number_is_refused(number: float, joint: int) -> None:
    broken = START.copy()
    broken[joint] = number
    with np.errstate(invalid="ignore"):
        assert OPEN.refuse(START, broken)
        assert OPEN.refuse(broken, START)
    if np.isnan(number):
        assert OPEN.refuse_place(broken)


def test_a_free_way_is_what_was_asked_for_and_a_blocked_one_is_a_sentence() -> None:
    goal = at(0.65, 0.0, 0.20)
    way = OPEN.straight(START, goal)
    assert (way.start == START).all()
    assert (way.goal == goal).all()
    assert not way.goal.flags.writeable
    with pytest.raises(UserError, match="keep-out box"):
        WAYS.straight(START, at(0.65, 0.15, 0.15))
    with pytest.raises(ValueError, match=r"Way\.goal"):
        Way(START, goal[:6])


def test_every_code_has_its_sentence() -> None:
    assert set(SENTENCES) <= set(REASONS)


@settings(max_examples=100, deadline=None)
@given(vectors, vectors, st.floats(0.0, 2.0))
def test_no_link_is_faster_than_the_slow_tool_where_it_goes_slowly(place: Floats, way: Floats, fast: float) -> None:
    pose = KINEMATICS.pose(START + 0.5 * place)
    wish = fast * way
    slow = OPEN.slowly(wish, pose)
    speeds = [np.linalg.norm(jacobian @ slow) for jacobian in pose.sphere_jacobians]
    assert max(speeds) <= BARE.slow_speed + 1e-9
    asked = max(np.linalg.norm(jacobian @ wish) for jacobian in pose.sphere_jacobians)
    assert np.allclose(slow, wish if asked <= BARE.slow_speed else wish * BARE.slow_speed / asked, atol=1e-9)
