"""What came of one action: the arm loop's ticks over a policy step. Called by `sim.rig` and the recorder node."""

from __future__ import annotations

import numpy as np

from robot_rig.config import ControlConfig
from robot_rig.control.action_map import ActionMap
from robot_rig.datatypes import ArmStatus, Executed, Outcome

_SEVERITY = (Outcome.PASSED, Outcome.SCALED, Outcome.HELD, Outcome.LATCHED)


class StepAccount:
    """Collects each tick's status; `close` gives the step's `Executed` and starts the next one."""

    def __init__(self, control: ControlConfig) -> None:
        self._map = ActionMap(control)
        self._statuses: list[ArmStatus] = []

    def add(self, status: ArmStatus) -> None:
        """Count one tick in."""
        self._statuses.append(status)

    def close(self) -> Executed:
        """The mean motion as an action with its residual, the worst outcome, every reason in order of appearance.

        The joint position is the one reported last. Raises RuntimeError for a step without a tick.
        """
        statuses, self._statuses = self._statuses, []
        if not statuses:
            raise RuntimeError("a policy step without a tick of the arm loop")
        twist, worst = np.zeros(6), 0
        reasons: dict[str, None] = {}
        for status in statuses:
            twist += status.tool_velocity
            verdict = status.verdict
            if verdict.outcome is not Outcome.PASSED:
                worst = max(worst, _SEVERITY.index(verdict.outcome))
                reasons.update(dict.fromkeys(verdict.reasons))
        value, residual = self._map.explain(twist / len(statuses))
        return Executed(value, residual, _SEVERITY[worst], tuple(reasons), statuses[-1].state.position)
