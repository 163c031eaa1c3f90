"""Action to tool velocity and back: the paper's unit, the round trip, and what no action explains."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from robot_rig.config import ControlConfig
from robot_rig.control.action_map import ActionMap

PLANAR = ActionMap(ControlConfig())
SPATIAL = ActionMap(ControlConfig(axes=("x", "y", "z")))
unit = st.floats(-1.0, 1.0, width=32)


def test_action_one_is_the_scale_in_one_policy_step() -> None:
    assert PLANAR.spread @ np.array([1.0, 0.0], np.float32) == pytest.approx([0.17, 0.0, 0.0])
    assert PLANAR.spread @ np.array([0.0, -0.5], np.float32) == pytest.approx([0.0, -0.085, 0.0])
    diagonal = PLANAR.spread @ np.array([1.0, 1.0], np.float32)
    assert math.sqrt(diagonal @ diagonal) == pytest.approx(0.2404, abs=1e-4)


def test_axes_are_taken_in_the_order_of_the_configuration() -> None:
    swapped = ActionMap(ControlConfig(axes=("z", "x")))
    assert swapped.spread @ np.array([1.0, 0.5], np.float32) == pytest.approx([0.085, 0.0, 0.17])


@given(st.tuples(unit, unit), st.tuples(*[st.floats(-1, 1)] * 3))
def test_there_and_back(action: tuple[float, float], spin: tuple[float, float, float]) -> None:
    value = np.array(action, np.float32)
    executed, residual = PLANAR.explain(np.concatenate([PLANAR.spread @ value, spin]))
    assert executed == pytest.approx(value, abs=1e-6)
    assert executed.dtype == np.float32
    assert residual == pytest.approx(0.0, abs=1e-6)


@given(st.tuples(unit, unit, unit))
def test_there_and_back_in_space(action: tuple[float, float, float]) -> None:
    value = np.array(action, np.float32)
    executed, residual = SPATIAL.explain(np.concatenate([SPATIAL.spread @ value, np.zeros(3)]))
    assert executed == pytest.approx(value, abs=1e-6)
    assert residual == pytest.approx(0.0, abs=1e-6)


def test_the_residual_is_what_no_action_explains() -> None:
    executed, residual = PLANAR.explain(np.array([0.17, 0.0, 0.03, 9.0, 9.0, 9.0]))
    assert executed == pytest.approx([1.0, 0.0])
    assert residual == pytest.approx(0.03)
    assert ActionMap(ControlConfig(axes=("z", "x"))).explain(np.array([0.17, 0.0, -0.17, 0.0, 0.0, 0.0])) == (
        pytest.approx([-1.0, 1.0]),
        pytest.approx(0.0),
    )
    executed, residual = PLANAR.explain(np.array([0.21, 0.0, 0.03, 0.0, 0.0, 0.0]))
    assert executed == pytest.approx([1.0, 0.0])
    assert residual == pytest.approx(0.05)
