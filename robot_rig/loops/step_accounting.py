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
        self._restart()

    def _restart(self) -> None:
        self._twist = np.zeros(6)
        self._ticks = 0
        self._worst = 0
        self._reasons: dict[str, None] = {}
        self._last: ArmStatus | None = None

    def add(self, status: ArmStatus) -> None:
        """Count one tick in."""
        self._twist += status.tool_velocity
        self._ticks += 1
        verdict = status.verdict
        if verdict.outcome is not Outcome.PASSED:
            self._worst = max(self._worst, _SEVERITY.index(verdict.outcome))
        for reason in verdict.reasons:
            self._reasons[reason] = None
        self._last = status

    def close(self) -> Executed:
        """The mean motion as an action with its residual, the worst outcome, every reason in order of appearance.

        The joint position is the one reported last. Raises RuntimeError for a step without a tick.
        """
        if self._last is None:
            raise RuntimeError("a policy step without a tick of the arm loop")
        value, residual = self._map.explain(self._twist / self._ticks)
        done = Executed(value, residual, _SEVERITY[self._worst], tuple(self._reasons), self._last.state.position)
        self._restart()
        return done
