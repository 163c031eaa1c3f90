"""Configuration can only tighten: every key beyond its ceiling is refused, and so is a box that makes no sense."""

from __future__ import annotations

import math

import numpy as np
import pytest

from robot_rig.config import ControlConfig, GuardConfig
from robot_rig.errors import UserError
from robot_rig.kinematics import LOWER_LIMITS, RATED_SPEEDS, UPPER_LIMITS
from robot_rig.safety.limits import ACCELERATION_CEILINGS, CEILINGS, MINIMA, STOP_TIME_S, Limits

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
