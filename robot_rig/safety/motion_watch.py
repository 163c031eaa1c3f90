"""Whether the arm moves as it is told: does it trail its commands, does it push against something?

Called by `loops.arm_loop` once a tick. Both are signs of a person, a cable or a wall that no message tells of; neither
can be seen by a gate that looks at commands only.
"""

from __future__ import annotations

import math

import numpy as np

from robot_rig.compiled import NUMBER, READ_1, WRITE_1, compiled
from robot_rig.datatypes import JOINTS, ArmState, Floats
from robot_rig.safety.limits import Limits

MEMORY_S = 2.0
"""Time constant with which an old difference is forgotten: a servo's constant error does not add up."""

TRAIL_PATIENCE_S = 0.2
PUSH_PATIENCE_S = 0.03
"""How long either lasts before it counts: longer than the jitter of reports, and than the jolt of a start."""

DELAY_SHARE = 0.5
"""Of the arm's identified delay, by which its motion is expected to lag: half-way between none and all of it."""

LONGEST_TICK_S = 0.2
"""The robot's own controller stops following a velocity that has not been renewed for this long."""


@compiled(WRITE_1, WRITE_1, READ_1, READ_1, NUMBER, NUMBER, returns=NUMBER)
def _fall_behind(behind: Floats, expected: Floats, sent: Floats, moved: Floats, elapsed: float, delay: float) -> float:
    """Add to `behind` (7,) rad what should have `moved` (7,) rad in `elapsed` s and did not; the largest of it.

    `expected` (7,) rad/s is what was `sent`, as an arm follows it whose speed lags by `delay` s.
    """
    keep, share, worst = math.exp(-elapsed / MEMORY_S), 1.0 - math.exp(-elapsed / delay), 0.0
    for j in range(behind.shape[0]):
        expected[j] += share * (sent[j] - expected[j])
        behind[j] = keep * (behind[j] + expected[j] * elapsed - moved[j])
        worst = max(worst, abs(behind[j]))
    return worst


@compiled(READ_1, READ_1, returns=NUMBER)
def _strain(push: Floats, limit: Floats) -> float:
    """The largest |push| as a share of its `limit` (7,) N·m; infinite where one is no number."""
    worst = 0.0
    for j in range(push.shape[0]):
        share = abs(push[j]) / limit[j]
        if math.isnan(share):
            return math.inf
        worst = max(worst, share)
    return worst


class Patience:
    """How long something has lasted, against a limit in s."""

    def __init__(self, limit: float) -> None:
        self._limit = limit
        self._since: float | None = None

    def exhausted(self, now: float, lasts: bool) -> bool:
        """Whether it `lasts` at `now` (s), and has for longer than the limit."""
        if not lasts:
            self._since = None
            return False
        self._since = now if self._since is None else self._since
        return now - self._since >= self._limit


class MotionWatch:
    """Remembers how far the arm is behind what was sent to it."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._behind: Floats = np.zeros(JOINTS)
        self._expected: Floats = np.zeros(JOINTS)
        self._before: Floats | None = None
        self._then = 0.0
        self._trails, self._pushed = Patience(TRAIL_PATIENCE_S), Patience(PUSH_PATIENCE_S)

    def rest(self) -> None:
        """The arm is not to move: whatever a person does with it now is no concern of this watch."""
        self._before = None

    def look(self, now: float, state: ArmState, sent: Floats) -> tuple[str, ...]:
        """The doubt about `state` at `now` (s), as a code, or none. `sent` (7,) rad/s is the last velocity sent.

        `trailing`: some joint is further than the limit from where its commands lead. `pushed`: some motor gives more
        than the robot's model of itself explains.
        """
        if self._before is None:
            self._behind[:], self._expected[:] = 0.0, sent
            self._trails.exhausted(now, lasts=False)
            self._pushed.exhausted(now, lasts=False)
            self._before, self._then = state.position, now
        elapsed = min(max(now - self._then, 0.0), LONGEST_TICK_S)
        moved = state.position - self._before
        worst = _fall_behind(self._behind, self._expected, sent, moved, elapsed, DELAY_SHARE * self._limits.reaction)
        self._before, self._then = state.position, now
        if self._pushed.exhausted(now, _strain(state.push, self._limits.push) > 1.0):
            return ("pushed",)
        return ("trailing",) if self._trails.exhausted(now, worst > self._limits.trail) else ()
