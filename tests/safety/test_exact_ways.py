"""The box and the ways in it by hand: each corner, exactly at a margin, and how far a turn takes each point."""

from __future__ import annotations

import dataclasses
import itertools
import math

import numpy as np
import pytest

from robot_rig.config import GuardConfig
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.errors import UserError
from robot_rig.kinematics import LINK_SPHERES
from robot_rig.safety.limits import SHOULDER_M, Limits
from robot_rig.safety.ways import Way, Ways, _room_before
from tests.safety.gate_bench import CONTROL, HOME, KINEMATICS

LIMITS = Limits.from_config(GuardConfig(), CONTROL)
POSE = KINEMATICS.pose(HOME)
ONE = np.eye(JOINTS)


@pytest.mark.parametrize("turn", [0.0, 1e-6, 0.004, 0.31, -2.0])
def test_a_way_is_looked_at_at_both_ends_and_no_more_often_than_its_length_asks(turn: float) -> None:
    looked: list[Floats] = []

    class Watched(Ways):
        def refuse_place(self, position: Floats) -> tuple[str, ...]:
            looked.append(position)
            return ()

    ways, goal = Watched(LIMITS, KINEMATICS), HOME + turn * ONE[0]
    assert ways.refuse(HOME, goal) == ()
    assert (looked[0] == goal).all()
    assert (looked[-1] == HOME).all()
    length = abs(turn) * ways._reach[0]
    assert 0 <= len(looked) - 1 - length / 0.01 <= 2


@pytest.mark.parametrize("corner", range(8))
def test_each_corner_of_the_box_must_be_in_reach(corner: int) -> None:
    """A box around the shoulder with all corners within 0.85 m of it but for one, at 0.87 m."""
    out = np.array([corner >> i & 1 for i in range(3)], dtype=bool)
    low, high = SHOULDER_M - np.where(out, 0.47, 0.50), SHOULDER_M + np.where(out, 0.50, 0.47)
    guard = GuardConfig().model_copy(update={"box_low_m": tuple(low.tolist()), "box_high_m": tuple(high.tolist())})
    with pytest.raises(UserError, match=r"a corner of the guard's box is 0\.87 m from the shoulder"):
        Limits.from_config(guard, CONTROL)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"box_low_m": (0.55, -0.02, 0.03), "box_high_m": (0.7, 0.02, 0.3)}, "0.04 m along y, from -0.02 to 0.02"),
        ({"box_low_m": (0.55, -0.2, -0.05)}, "begins at -0.05 m, lower than the table and its clearance (0.01 m)"),
        ({"keep_outs": (((1.0, 0.5, 0.0), (2.0, 0.25, 0.5)),)}, "box [1.0, 0.5, 0.0] .. [2.0, 0.25, 0.5] is inverted"),
    ],
)
def test_the_refusal_of_a_box_tells_its_numbers(changes: dict[str, object], sentence: str) -> None:
    with pytest.raises(UserError) as refused:
        Limits.from_config(GuardConfig().model_copy(update=changes), CONTROL)
    assert sentence in str(refused.value)


def test_a_way_may_begin_at_a_joints_very_limit_and_end_at_its_very_ring() -> None:
    ways = Ways(LIMITS, KINEMATICS)
    low, high = LIMITS.lower + LIMITS.soft_width, LIMITS.upper - LIMITS.soft_width
    for limit, ring, outwards in ((LIMITS.lower, low, -1.0), (LIMITS.upper, high, 1.0)):
        start, goal = HOME.copy(), HOME.copy()
        start[6], goal[6] = limit[6], ring[6]
        assert ways.refuse(start, goal) == ()
        goal[6] = np.nextafter(ring[6], outwards * 9.0)
        assert ways.refuse(start, goal) == ("joint_limit",)
        start[6], goal[6] = np.nextafter(limit[6], outwards * 9.0), ring[6]
        assert ways.refuse(start, goal) == ("joint_limit",)


def test_a_place_that_keeps_exactly_the_margin_keeps_it() -> None:
    box = np.array([[0.6, 0.06, 0.0], [0.7, 0.3, 0.3]])
    guard = GuardConfig(keep_outs=((tuple(box[0].tolist()), tuple(box[1].tolist())),))
    over = float((POSE.spheres[:, 2] - POSE.radii).min())
    for code, limits, room in (
        ("box", LIMITS, float(min((POSE.tool - LIMITS.box_low).min(), (LIMITS.box_high - POSE.tool).min()))),
        ("table", dataclasses.replace(LIMITS, floor=over - 0.01), over - (over - 0.01)),
        ("keep_out", Limits.from_config(guard, CONTROL), _room_before(POSE, box)),
    ):
        assert Ways(limits, KINEMATICS, room).refuse_place(HOME) == ()
        assert Ways(limits, KINEMATICS, np.nextafter(room, 9.0)).refuse_place(HOME) == (code,)


def test_a_way_keeps_its_own_copies_of_both_ends() -> None:
    start, goal = HOME.copy(), HOME + 0.1
    way = Way(start, goal)
    for kept, given in ((way.start, start), (way.goal, goal)):
        before = given.copy()
        given += 1.0
        assert (kept == before).all()
        assert not kept.flags.writeable
    with pytest.raises(dataclasses.FrozenInstanceError):
        way.goal = start  # type: ignore[misc]


@pytest.mark.parametrize("seed", range(5))
def test_a_turn_takes_a_point_no_further_than_the_longest_chain_from_the_joint_to_it(seed: int) -> None:
    """Summed up along the links in any posture: it does not depend on how the joints stand."""
    position = np.random.default_rng(seed).uniform(-2.0, 2.0, JOINTS)
    origins, pose = KINEMATICS.links(position)[:, :3, 3], KINEMATICS.pose(position)
    points = [*zip(pose.spheres, (link for link, _, _ in LINK_SPHERES), strict=True), (pose.tool, JOINTS - 1)]
    chains = np.zeros(JOINTS)
    for point, link in points:
        for joint in range(link + 1):
            stations = [*origins[joint : link + 1], point]
            chain = sum(math.dist(one, other) for one, other in itertools.pairwise(stations))
            chains[joint] = max(chains[joint], chain)
    assert Ways(LIMITS, KINEMATICS)._reach == pytest.approx(chains)
    fastest = np.linalg.norm([*pose.sphere_jacobians, pose.jacobian[:3]], axis=1).max(axis=0)
    assert (fastest <= chains + 1e-9).all()
