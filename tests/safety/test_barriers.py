"""The barrier table at its edges: which row is what, each face of a keep-out, the way back, the slack of stage 8."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robot_rig.config import GuardConfig
from robot_rig.datatypes import JOINTS, Floats
from robot_rig.kinematics import LINK_SPHERES, LOWER_LIMITS, UPPER_LIMITS
from robot_rig.safety.barriers import Barriers
from robot_rig.safety.limits import Limits
from tests.safety.gate_bench import CONTROL, HOME, KINEMATICS

POSE = KINEMATICS.pose(HOME)
STILL = np.zeros(JOINTS)
LINKS = len(LINK_SPHERES)
FAR = ((-0.9, 0.5, 0.0), (-0.7, 0.7, 0.1))


def measured(position: Floats = HOME, guard: GuardConfig | None = None) -> Barriers:
    barriers = Barriers(Limits.from_config(guard or GuardConfig(), CONTROL))
    barriers.measure(KINEMATICS.pose(position), STILL)
    return barriers


@pytest.mark.parametrize("boxes", [0, 1, 3])
def test_there_is_a_row_for_each_limit_face_link_and_pair_of_box_and_link(boxes: int) -> None:
    barriers = measured(guard=GuardConfig(keep_outs=(FAR,) * boxes))
    assert barriers.rows.shape == (7 + 7 + 6 + LINKS + boxes * (LINKS + 1), 7)
    assert barriers.rows[:14] == pytest.approx(np.vstack([np.eye(7), -np.eye(7)]))
    assert barriers.rows[14:20] == pytest.approx(np.vstack([POSE.jacobian[:3], -POSE.jacobian[:3]]))
    assert barriers.rows[20 : 20 + LINKS] == pytest.approx(-POSE.sphere_jacobians[:, 2])
    gaps = np.linalg.norm(POSE.spheres - np.clip(POSE.spheres, *np.array(FAR)), axis=1) - POSE.radii
    for box in range(boxes):
        first = 20 + LINKS + box * (LINKS + 1)
        assert barriers.distance[first : first + LINKS] == pytest.approx(gaps)


@pytest.mark.parametrize("axis", range(3))
@pytest.mark.parametrize("side", [-1.0, 1.0])
@pytest.mark.parametrize("depth", [0.01, 0.1])
def test_the_way_out_of_a_keep_out_is_through_the_nearest_of_its_six_faces(
    axis: int, side: float, depth: float
) -> None:
    low, high = POSE.tool - 0.3, POSE.tool + 0.3
    (high if side > 0 else low)[axis] = POSE.tool[axis] + side * depth
    barriers = measured(guard=GuardConfig(keep_outs=((tuple(low.tolist()), tuple(high.tolist())),)))
    assert barriers.distance[-1] == pytest.approx(-depth - 0.02)  # the fingers: 2 cm around the tip
    assert barriers.rows[-1] == pytest.approx(-side * POSE.jacobian[axis])


def test_at_the_very_face_of_a_keep_out_the_tip_is_its_own_radius_too_deep() -> None:
    x, y, z = POSE.tool.tolist()
    barriers = measured(guard=GuardConfig(keep_outs=(((x, y - 0.3, z - 0.3), (x + 0.3, y + 0.3, z + 0.3)),)))
    assert barriers.distance[-1] == pytest.approx(-0.02)
    assert barriers.rows[-1] == pytest.approx(POSE.jacobian[0])


@pytest.mark.parametrize("depth", [0.001, 0.2])
def test_the_way_back_is_as_fast_as_the_depth_asks_and_at_most_a_fifth_of_what_is_wanted(depth: float) -> None:
    position = HOME.copy()
    position[6] = 4.7124 - 0.05 + depth
    wish = np.array([0.0, 0.0, 0.3, 0.0, 0.4, 0.0, 0.0])
    allowed = measured(position).allowed(0.08, 0.06, STILL, wish)[0]
    by_depth, by_wish = -depth / 0.11, -0.2 * 0.5
    assert allowed[6] == pytest.approx(max(by_depth, by_wish))
    assert (by_depth > by_wish) == (depth == 0.001)


def test_at_a_barrier_itself_nothing_approaches_and_nothing_must_lead_back() -> None:
    position = HOME.copy()
    position[0] = 3.0503 - 0.05
    barriers = measured(position)
    assert barriers.distance[0] == pytest.approx(0.0, abs=1e-15)
    barriers.distance[0] = 0.0
    assert barriers.allowed(0.08, 0.06, STILL, np.ones(7))[0][0] == 0.0


def test_what_is_under_way_away_from_a_barrier_gives_no_room() -> None:
    barriers = measured()
    away, towards = -barriers.rows[14] * 0.05, barriers.rows[14] * 0.05
    coming = float(barriers.rows[14] @ towards)
    room = float(barriers.distance[14])
    assert barriers.allowed(0.0, 0.06, away, STILL)[0][14] == pytest.approx(min(room / 0.03, room / 0.04))
    assert barriers.allowed(0.0, 0.06, towards, STILL)[0][14] == pytest.approx((room - coming) / 0.04)


@pytest.mark.parametrize("joint", range(7))
@pytest.mark.parametrize("upper", [False, True])
def test_the_soft_ring_slows_each_joint_by_its_own_speed_and_never_the_tool(joint: int, upper: bool) -> None:
    position = HOME.copy()
    position[joint] = UPPER_LIMITS[joint] - 0.08 if upper else LOWER_LIMITS[joint] + 0.08
    barriers = measured(position)
    allowed = barriers.allowed(0.001, 0.001, STILL, STILL)[0]
    row = joint if upper else 7 + joint
    assert allowed[row] == pytest.approx(0.03 / 0.15 * (1.1952 if joint == 1 else 1.2))
    barriers.distance[:] = 0.1
    assert barriers.allowed(0.001, 0.001, STILL, STILL)[0][14:] == pytest.approx(0.1 / 0.0105)


def test_without_a_soft_ring_a_joint_brakes_by_its_stopping_distance_alone() -> None:
    position = HOME.copy()
    position[6] = 4.7124 - 0.05 - 0.03
    guard = GuardConfig().model_copy(update={"soft_ring_rad": 0.05})
    with np.errstate(all="raise"):
        assert Barriers(Limits.from_config(guard, CONTROL)).rows.any()
    assert measured(position, guard).allowed(0.08, 0.06, STILL, STILL)[0][6] == pytest.approx(0.03 / 0.11)


def test_a_speed_exceeds_what_is_allowed_only_beyond_it_and_a_nan_always() -> None:
    barriers = measured()
    barriers.distance[:] = 100.0
    for row, joint, sign in ((14, 0, 1.0), (19, 6, -1.0)):
        barriers.rows[row], barriers.distance[row] = sign * np.eye(7)[joint], 0.1
        for share, over in ((1.0 - 1e-12, False), (1.0 + 1e-12, True)):
            allowed, exceeded = barriers.allowed(0.2, 0.1, STILL, sign * share * 0.4 * np.eye(7)[joint])
            assert allowed[row] == pytest.approx(0.1 / 0.25)
            assert exceeded == over
        barriers.distance[row] = 100.0
    assert not barriers.allowed(0.2, 0.1, STILL, STILL)[1]
    assert barriers.allowed(0.2, 0.1, STILL, np.full(7, math.nan))[1]


@pytest.mark.parametrize(("row", "slack"), [(0, 0.02), (6, 0.02), (7, 0.02), (13, 0.02), (14, 0.004), (19, 0.004)])
@pytest.mark.parametrize("inside", [0.05, 0.0, -0.03])
def test_a_stop_may_end_beyond_a_barrier_by_its_slack_and_no_more(row: int, slack: float, inside: float) -> None:
    """Half a second after the delay at the mean of an even stop; found beyond, the slack counts from there."""
    barriers = measured()
    barriers.distance[:] = 100.0
    barriers.distance[row] = inside
    along = barriers.rows[row]
    one = along / (along @ along)
    for share, over in ((0.999, False), (1.001, True)):
        speed = (max(inside, 0.0) + share * slack) / (0.3 + 0.5 * 0.4)
        assert barriers.overshoots(speed * one, 0.3, 0.4) == over
