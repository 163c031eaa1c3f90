"""A policy step summed up: mean motion as an action, the worst outcome, every reason once."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.config import ControlConfig
from robot_rig.datatypes import ArmStatus, Mode, Outcome, Source, Verdict
from robot_rig.loops.step_accounting import StepAccount
from tests.integrated_arm import report


def status(
    twist: list[float], outcome: Outcome = Outcome.PASSED, reasons: tuple[str, ...] = (), q: float = 0.0
) -> ArmStatus:
    state = report(np.full(7, q), 0.0)
    return ArmStatus(0.0, Mode.ACTIVE, state, np.zeros(7), np.array(twist), Verdict(outcome, reasons), Source.POLICY, 1)


def test_the_mean_motion_is_the_executed_action_and_the_rest_is_residual() -> None:
    account = StepAccount(ControlConfig())
    for tick in range(10):
        account.add(status([0.17 if tick < 5 else 0.0, -0.085, 0.02, 1, 1, 1], q=0.1 * tick))
    done = account.close()
    assert done.value == pytest.approx([0.5, -0.5])
    assert done.residual == pytest.approx(0.02)
    assert done.outcome is Outcome.PASSED
    assert done.reasons == ()
    assert done.position == pytest.approx(np.full(7, 0.9))


def test_the_worst_outcome_wins_and_reasons_keep_their_order() -> None:
    account = StepAccount(ControlConfig())
    account.add(status([0] * 6, Outcome.SCALED, ("slew", "box")))
    account.add(status([0] * 6, Outcome.HELD, ("image_stale",)))
    account.add(status([0] * 6, Outcome.SCALED, ("box", "tool_speed")))
    done = account.close()
    assert done.outcome is Outcome.HELD
    assert done.reasons == ("slew", "box", "image_stale", "tool_speed")


def test_each_step_starts_from_nothing() -> None:
    account = StepAccount(ControlConfig())
    account.add(status([0.17, 0, 0, 0, 0, 0], Outcome.LATCHED, ("fault",)))
    account.close()
    account.add(status([0] * 6))
    done = account.close()
    assert done.value == pytest.approx([0.0, 0.0])
    assert done.outcome is Outcome.PASSED
    with pytest.raises(RuntimeError, match="without a tick"):
        account.close()
