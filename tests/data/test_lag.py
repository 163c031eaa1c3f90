"""The lag of an arm is found in a log of it, whatever its scale, and not made up where there is none to find."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.data.lag import FEWEST, arm_lag
from robot_rig.datatypes import IMAGE_SHAPE, JOINTS, Action, Executed, Floats, Frame, Outcome, Source, Step
from robot_rig.errors import UserError

PERIOD_S = 0.1
FRAME = Frame(0, 0.0, np.zeros(IMAGE_SHAPE, np.uint8))


def tool(position: Floats) -> Floats:
    return position[:2]


def played(lag: float, count: int = 200, noise: float = 0.0, walls: bool = False, late: float = 0.0) -> list[Step]:
    """An arm that makes `lag` s later what is executed, fine time steps summed; at walls it stands still."""
    rng = np.random.default_rng(3)
    wanted = rng.uniform(-1, 1, (count, 2)).astype(np.float32)
    fine = 1000
    path = 0.017 * np.cumsum(np.repeat(wanted, fine, axis=0), axis=0) / fine
    steps = []
    for k in range(count):
        at_wall = walls and k % 5 == 0
        end = min(max(round((k + 1 - lag / PERIOD_S) * fine) - 1, 0), len(path) - 1)
        position = np.zeros(JOINTS)
        position[:2] = path[end] + noise * rng.standard_normal(2) + (0.05 * rng.standard_normal(2) if at_wall else 0)
        stamp = k * PERIOD_S + (late if k % 2 else 0.0)
        action = Action(k, stamp, wanted[k], Source.RANDOM, FRAME.seq, stamp)
        reasons = ("box", "slew") if at_wall else ("slew",)
        steps.append(Step(FRAME, action, Executed(wanted[k], 0.0, Outcome.SCALED, reasons, position)))
    return steps


@pytest.mark.parametrize("lag", [0.0, 0.02, 0.06, 0.095])
def test_the_lag_is_found(lag: float) -> None:
    found = arm_lag([played(lag), played(lag)], tool, PERIOD_S)
    assert found.lag_s == pytest.approx(lag, abs=1e-3)
    assert found.explained > 0.999
    assert found.moves == 2 * 2 * 198
    assert arm_lag([played(lag, noise=5e-4)], tool, PERIOD_S).lag_s == pytest.approx(lag, abs=5e-3)


def test_what_happens_at_walls_does_not_count() -> None:
    found = arm_lag([played(0.06, 400, walls=True)], tool, PERIOD_S)
    assert found.lag_s == pytest.approx(0.06, abs=1e-3)
    assert found.moves < 2 * 400 * 0.7


def test_what_cannot_be_measured_is_refused() -> None:
    with pytest.raises(UserError, match="too few"):
        arm_lag([played(0.06, FEWEST // 2)], tool, PERIOD_S)
    with pytest.raises(UserError, match="too few"):
        arm_lag([played(0.06, late=0.03)], tool, PERIOD_S)
    with pytest.raises(UserError, match="explain"):
        arm_lag([played(0.25)], tool, PERIOD_S)
    with pytest.raises(UserError, match="explain"):
        arm_lag([played(0.06)], lambda position: np.zeros(2), PERIOD_S)
