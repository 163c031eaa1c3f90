"""Whether the arm moves as it is told: does it trail its commands, does it push against something?

Called by `loops.arm_loop` once a tick. Both are signs of a person, a cable or a wall that no message tells of; neither
can be seen by a gate that looks at commands only.
"""

from __future__ import annotations

import dataclasses
import math

import numpy as np

from robot_rig.compiled import NUMBER, PAIR, READ_1, WRITE_1, compiled
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


@compiled(WRITE_1, WRITE_1, READ_1, NUMBER, NUMBER)
def _lead(led: Floats, expected: Floats, sent: Floats, elapsed: float, delay: float) -> None:
    """Add to `led` (7,) rad where the commands of `elapsed` s lead.

    `expected` (7,) rad/s is what was `sent`, as an arm follows it whose speed lags by `delay` s.
    """
    share = 1.0 - math.exp(-elapsed / delay)
    for j in range(led.shape[0]):
        expected[j] += share * (sent[j] - expected[j])
        led[j] += expected[j] * elapsed


@compiled(WRITE_1, WRITE_1, READ_1, READ_1, NUMBER, returns=NUMBER)
def _fall_behind(behind: Floats, led: Floats, before: Floats, position: Floats, elapsed: float) -> float:
    """Add to `behind` (7,) rad what it was `led` and has not moved in `elapsed` s; the largest of it.

    It moved from `before` (7,) rad to `position` (7,) rad.
    """
    keep, worst = math.exp(-elapsed / MEMORY_S), 0.0
    for j in range(behind.shape[0]):
        behind[j] = keep * (behind[j] + led[j] - (position[j] - before[j]))
        led[j] = 0.0
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


@compiled(WRITE_1, WRITE_1, READ_1, NUMBER, NUMBER, WRITE_1, READ_1, READ_1, NUMBER, READ_1, READ_1, returns=PAIR)
def _compare(
    led: Floats,
    expected: Floats,
    sent: Floats,
    ticked: float,
    delay: float,
    behind: Floats,
    before: Floats,
    position: Floats,
    reported: float,
    push: Floats,
    limit: Floats,
) -> tuple[float, float]:
    """What `_fall_behind` and `_strain` say of a report `reported` s after the last, `_lead` of the tick included."""
    _lead(led, expected, sent, ticked, delay)
    return _fall_behind(behind, led, before, position, reported), _strain(push, limit)


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
        self._delay = DELAY_SHARE * limits.reaction
        self._led: Floats = np.zeros(JOINTS)
        self._behind: Floats = np.zeros(JOINTS)
        self._expected: Floats = np.zeros(JOINTS)
        self._seen: ArmState | None = None
        self._then = 0.0
        self._trails, self._pushed = Patience(TRAIL_PATIENCE_S), Patience(PUSH_PATIENCE_S)

    def rest(self) -> None:
        """The arm is not to move: whatever a person does with it now is no concern of this watch."""
        self._seen = None

    def look(self, now: float, state: ArmState, sent: Floats) -> tuple[str, ...]:
        """The doubt about `state` at `now` (s), as a code, or none. `sent` (7,) rad/s is the last velocity sent.

        `trailing`: some joint is further than the limit from where its commands lead. `pushed`: some motor gives more
        than the robot's model of itself explains. Time is that of the reports: while none comes, nothing is known, and
        what an arm did while it was not seen for longer than a report may be old counts neither for nor against it.
        """
        if self._seen is None:
            self._begin(now, state, sent)
        ticked, self._then = _span(now - self._then), now
        seen, self._seen = self._seen, state
        if seen is not None and state.stamp <= seen.stamp:
            _lead(self._led, self._expected, sent, ticked, self._delay)
            return ()
        before = state if seen is None else seen
        if state.stamp - before.stamp > self._limits.state_age:
            # Nobody can tell which commands of that silence it has followed, and for how long it stood still. What was
            # known before stays: else silences now and then would hide an arm that is held.
            self._led[:], self._expected[:] = 0.0, sent
            before = dataclasses.replace(before, position=state.position)
            self._pushed.exhausted(state.stamp, lasts=False)
        worst, strain = _compare(
            self._led,
            self._expected,
            sent,
            ticked,
            self._delay,
            self._behind,
            before.position,
            state.position,
            _span(state.stamp - before.stamp),
            state.push,
            self._limits.push,
        )
        if self._pushed.exhausted(state.stamp, strain > 1.0):
            return ("pushed",)
        return ("trailing",) if self._trails.exhausted(state.stamp, worst > self._limits.trail) else ()

    def _begin(self, now: float, state: ArmState, sent: Floats) -> None:
        self._led[:], self._behind[:], self._expected[:] = 0.0, 0.0, sent
        self._trails.exhausted(state.stamp, lasts=False)
        self._pushed.exhausted(state.stamp, lasts=False)
        self._then = now


def _span(seconds: float) -> float:
    return min(max(seconds, 0.0), LONGEST_TICK_S)
