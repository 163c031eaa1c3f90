"""Configuration can only tighten: every key beyond its ceiling is refused, and so is a box that makes no sense."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.errors import UserError
from robot_rig.kinematics import LOWER_LIMITS, RATED_SPEEDS, UPPER_LIMITS
from robot_rig.safety.limits import (
    ACCELERATION_CEILINGS,
    CEILINGS,
    MINIMA,
    SLOW_CONDITION,
    STOP_CONDITION,
    STOP_TIME_S,
    Limits,
)

CONTROL = ControlConfig()


def loosened(**changes: object) -> GuardConfig:
    """A guard section that the schema's own ranges did not see."""
    return GuardConfig().model_copy(update=changes)


def test_the_defaults_are_inside_every_ceiling() -> None:
    limits = Limits.from_config(GuardConfig(), CONTROL)
    assert limits.tool_speed <= 0.25
    assert limits.image_age <= 0.4
    assert (limits.joint_speed <= 0.95 * RATED_SPEEDS).all()
    assert (limits.acceleration <= ACCELERATION_CEILINGS).all()
    assert (limits.lower > LOWER_LIMITS).all()
    assert (limits.upper < UPPER_LIMITS).all()
    assert limits.action_dim == 2
    assert limits.period == pytest.approx(0.01)


def test_the_ceilings_are_these() -> None:
    """The vendor's and the standard's numbers once more, by hand: a ceiling that moves must be noticed."""
    assert CEILINGS == {
        "tool_speed_m_s": 0.25,
        "slow_speed_m_s": 0.25,
        "joint_speed_fraction": 0.95,
        "joint_acceleration_rad_s2": 12.0,
        "reaction_time_s": 0.5,
        "image_age_limit_s": 0.4,
        "action_age_limit_s": 0.15,
        "state_age_limit_s": 0.15,
        "trail_limit_rad": 0.2,
        "push_limit_fraction": 0.6,
    }
    assert MINIMA == {"soft_ring_rad": 0.05, "stop_ring_rad": 0.02, "table_clearance_m": 0.0, "reaction_time_s": 0.01}
    assert ACCELERATION_CEILINGS.tolist() == [10.0, 8.0, 10.0, 10.0, 12.0, 12.0, 12.0]
    assert (SLOW_CONDITION, STOP_CONDITION, STOP_TIME_S) == (17.0, 30.0, 0.15)


def test_the_defaults_become_these_limits() -> None:
    limits = Limits.from_config(GuardConfig(table_height_m=-0.02), CONTROL)
    assert limits.floor == pytest.approx(-0.01)
    assert limits.lower == pytest.approx(LOWER_LIMITS + 0.05)
    assert limits.upper == pytest.approx(UPPER_LIMITS - 0.05)
    assert limits.soft_width == pytest.approx(0.15)
    assert limits.acceleration.tolist() == [8.0] * 7
    assert limits.joint_speed == pytest.approx([1.2, 1.1952, 1.2, 1.2, 1.2, 1.2, 1.2])
    assert (limits.tool_speed, limits.slow_speed, limits.reaction) == (0.25, 0.1, 0.08)
    assert (limits.image_age, limits.action_age, limits.state_age) == (0.25, 0.15, 0.15)
    assert limits.box_low.tolist() == [0.55, -0.2, 0.03]
    assert limits.box_high.tolist() == [0.75, 0.2, 0.3]


def test_each_joint_keeps_the_vendors_acceleration_and_a_share_of_its_rating() -> None:
    limits = Limits.from_config(loosened(joint_acceleration_rad_s2=12.0, joint_speed_fraction=0.5), CONTROL)
    assert limits.acceleration.tolist() == [10.0, 8.0, 10.0, 10.0, 12.0, 12.0, 12.0]
    assert limits.joint_speed == pytest.approx([0.87, 0.664, 0.9785, 0.9785, 1.7425, 1.7425, 1.8])


def test_limits_cannot_be_changed() -> None:
    limits = Limits.from_config(GuardConfig(), CONTROL)
    with pytest.raises(dataclasses.FrozenInstanceError):
        limits.tool_speed = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("key", sorted(MINIMA))
def test_the_minimum_itself_passes(key: str) -> None:
    Limits.from_config(loosened(**{"stop_ring_rad": 0.02, key: MINIMA[key]}), CONTROL)


def test_equal_rings_pass() -> None:
    assert Limits.from_config(loosened(soft_ring_rad=0.1, stop_ring_rad=0.1), CONTROL).soft_width == 0.0


@pytest.mark.parametrize(
    ("changes", "passes"),
    [
        # Five centimetres is the narrowest box along an axis that actions move; elsewhere anything but flat will do.
        ({"box_low_m": (0.625, -0.2, 0.03), "box_high_m": (0.6751, 0.2, 0.3)}, True),
        ({"box_low_m": (0.625, -0.2, 0.03), "box_high_m": (0.6749, 0.2, 0.3)}, False),
        ({"box_low_m": (0.55, -0.025, 0.03), "box_high_m": (0.75, 0.025, 0.3)}, True),
        ({"box_low_m": (0.55, -0.2, 0.0599), "box_high_m": (0.75, 0.2, 0.0601)}, True),
        ({"box_low_m": (0.55, -0.2, 0.061), "box_high_m": (0.75, 0.2, 0.059)}, False),
        # The floor is the table and its clearance; the box may stand on it.
        ({"box_low_m": (0.55, -0.2, 0.01)}, True),
        ({"box_low_m": (0.55, -0.2, 0.00999)}, False),
        ({"box_low_m": (0.55, -0.2, -0.04), "table_height_m": -0.0501}, True),
        # Every corner within 0.85 m of (0.081, 0, 0.317), solved for one coordinate at a time.
        ({"box_high_m": (0.8556, 0.2, 0.3)}, True),
        ({"box_high_m": (0.8558, 0.2, 0.3)}, False),
        ({"box_low_m": (0.55, -0.4388, 0.03)}, True),
        ({"box_low_m": (0.55, -0.4389, 0.03)}, False),
        ({"box_high_m": (0.75, 0.4389, 0.3)}, False),
        ({"box_high_m": (0.75, 0.2, 0.8016)}, True),
        ({"box_high_m": (0.75, 0.2, 0.8018)}, False),
        # Home and the height of the plane may lie in a face.
        ({"box_low_m": (0.65, 0.0, 0.06), "box_high_m": (0.75, 0.2, 0.3)}, True),
        ({"box_low_m": (0.55, -0.2, 0.03), "box_high_m": (0.65, 0.0, 0.06)}, True),
        ({"box_low_m": (0.55, 0.001, 0.03)}, False),
        ({"box_high_m": (0.75, -0.001, 0.3)}, False),
        ({"box_high_m": (0.649, 0.2, 0.3)}, False),
        ({"box_high_m": (0.75, 0.2, 0.0599)}, False),
        # A keep-out has volume.
        ({"keep_outs": (((0.3, 0.3, 0.0), (0.4, 0.3, 0.1)),)}, False),
        ({"keep_outs": (((0.3, 0.3, 0.2), (0.4, 0.4, 0.1)),)}, False),
        ({"keep_outs": (((math.nan, 0.3, 0.0), (0.4, 0.4, 0.1)),)}, False),
        ({"keep_outs": (((-math.inf, 0.3, 0.0), (0.4, 0.4, 0.1)),)}, False),
        ({"table_height_m": -math.inf}, False),
    ],
)
def test_the_edges_of_what_makes_sense(changes: dict[str, object], passes: bool) -> None:
    if passes:
        Limits.from_config(loosened(**changes), CONTROL)
    else:
        with pytest.raises(UserError):
            Limits.from_config(loosened(**changes), CONTROL)


@pytest.mark.parametrize(
    ("home_z", "height", "low_z", "high_z"),
    [
        (0.20, 0.06, 0.15, 0.3),
        (0.06, 0.06, 0.15, 0.3),
        (0.06, 0.2, 0.15, 0.3),
        (0.2, 0.06, 0.03, 0.1),
        (0.06, 0.2, 0.03, 0.1),
    ],
)
def test_home_and_the_height_of_the_plane_must_both_lie_in_the_box(
    home_z: float, height: float, low_z: float, high_z: float
) -> None:
    control = CONTROL.model_copy(update={"home_tool_m": (0.65, 0.0, home_z), "tool_height_m": height})
    guard = loosened(box_low_m=(0.55, -0.2, low_z), box_high_m=(0.75, 0.2, high_z))
    with pytest.raises(UserError, match="tool_height_m"):
        Limits.from_config(guard, control)


@pytest.mark.parametrize(("low", "high"), [(0.061, 0.059), (0.06, 0.06)])
def test_along_an_axis_that_actions_do_not_move_a_box_is_anything_but_flat(low: float, high: float) -> None:
    with pytest.raises(UserError, match=r"along z(.|\n)*at least 0\.01 m"):
        Limits.from_config(loosened(box_low_m=(0.55, -0.2, low), box_high_m=(0.75, 0.2, high)), CONTROL)


def test_where_actions_move_the_height_only_home_must_lie_in_the_box() -> None:
    control = ControlConfig(axes=("x", "y", "z"), home_tool_m=(0.65, 0.0, 0.2))
    Limits.from_config(loosened(box_low_m=(0.55, -0.2, 0.15)), control)
    with pytest.raises(UserError, match="home_tool_m"):
        Limits.from_config(loosened(box_low_m=(0.55, -0.2, 0.21)), control)


def test_every_array_is_read_only() -> None:
    limits = Limits.from_config(GuardConfig(), CONTROL)
    for name in ("box_low", "box_high", "lower", "upper", "joint_speed", "acceleration", "keep_outs"):
        assert not getattr(limits, name).flags.writeable, name


def test_every_joint_can_stop_within_the_stop_time() -> None:
    for acceleration in (1.0, 8.0, 12.0):
        limits = Limits.from_config(loosened(joint_acceleration_rad_s2=acceleration), CONTROL)
        assert (limits.joint_speed / limits.acceleration <= STOP_TIME_S + 1e-12).all()


@pytest.mark.parametrize("key", sorted(CEILINGS))
@pytest.mark.parametrize("factor", [1.0 + 1e-9, 2.0, math.inf, math.nan, 0.0, -1.0])
def test_looser_than_a_ceiling_is_refused(key: str, factor: float) -> None:
    with pytest.raises(UserError, match=key):
        Limits.from_config(loosened(**{key: CEILINGS[key] * factor}), CONTROL)


@pytest.mark.parametrize("key", sorted(CEILINGS))
def test_the_ceiling_itself_passes(key: str) -> None:
    Limits.from_config(loosened(**{key: CEILINGS[key]}), CONTROL)


@pytest.mark.parametrize("key", sorted(MINIMA))
@pytest.mark.parametrize("value", [-1e-9, -1.0, math.nan, math.inf])
def test_looser_than_a_minimum_is_refused(key: str, value: float) -> None:
    with pytest.raises(UserError, match=key):
        Limits.from_config(loosened(**{key: value if not math.isfinite(value) else MINIMA[key] + value}), CONTROL)


def test_a_soft_ring_inside_the_stop_ring_is_refused() -> None:
    with pytest.raises(UserError, match="soft_ring"):
        Limits.from_config(loosened(soft_ring_rad=0.05, stop_ring_rad=0.1), CONTROL)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"box_low_m": (0.75, -0.2, 0.03), "box_high_m": (0.55, 0.2, 0.3)}, "along x"),
        ({"box_low_m": (0.62, -0.2, 0.03), "box_high_m": (0.66, 0.2, 0.3)}, "along x"),
        ({"box_low_m": (0.55, -0.02, 0.03), "box_high_m": (0.75, 0.02, 0.3)}, "along y"),
        ({"box_low_m": (0.55, -0.2, 0.06), "box_high_m": (0.75, 0.2, 0.06)}, "along z"),
        ({"box_high_m": (1.4, 0.2, 0.3)}, "reach"),
        ({"box_low_m": (0.55, -0.2, -0.1)}, "table"),
        ({"table_height_m": 0.05}, "table"),
        ({"table_height_m": math.nan}, "finite"),
        ({"box_low_m": (math.nan, -0.2, 0.03)}, "finite"),
        ({"box_high_m": (math.inf, 0.2, 0.3)}, "finite"),
        ({"box_low_m": (0.70, -0.2, 0.03)}, "home_tool_m"),
        ({"box_low_m": (0.55, -0.2, 0.10)}, "tool_height_m"),
        ({"keep_outs": (((0.5, 0.0, 0.0), (0.4, 0.1, 0.1)),)}, "keep-out"),
        ({"keep_outs": (((0.5, 0.0, 0.0), (math.inf, 0.1, 0.1)),)}, "keep-out"),
    ],
)
def test_a_box_that_makes_no_sense_is_refused(changes: dict[str, object], word: str) -> None:
    with pytest.raises(UserError, match=word):
        Limits.from_config(loosened(**changes), CONTROL)


def test_a_thin_box_is_fine_along_an_axis_the_policy_does_not_move() -> None:
    limits = Limits.from_config(loosened(box_low_m=(0.55, -0.2, 0.05), box_high_m=(0.75, 0.2, 0.07)), CONTROL)
    assert limits.box_high[2] - limits.box_low[2] == pytest.approx(0.02)


def test_all_three_axes_use_the_home_height() -> None:
    control = ControlConfig(axes=("x", "y", "z"), home_tool_m=(0.65, 0.0, 0.15))
    assert Limits.from_config(GuardConfig(), control).action_dim == 3


def test_keep_outs_become_an_array() -> None:
    guard = GuardConfig(keep_outs=(((0.3, 0.3, 0.0), (0.4, 0.4, 0.5)), ((0.3, -0.4, 0.0), (0.4, -0.3, 0.5))))
    assert Limits.from_config(guard, CONTROL).keep_outs.shape == (2, 2, 3)
    assert Limits.from_config(GuardConfig(), CONTROL).keep_outs.shape == (0, 2, 3)


def test_teleoperation_is_never_faster_than_the_policy() -> None:
    limits = Limits.from_config(GuardConfig(tool_speed_m_s=0.05, slow_speed_m_s=0.2), CONTROL)
    assert limits.slow_speed == limits.tool_speed == np.float64(0.05)
