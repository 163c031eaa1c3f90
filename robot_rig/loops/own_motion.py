"""What the policy itself has set in motion that no picture shows yet. Called by `loops.policy_loop` each tick."""

from __future__ import annotations

from collections import deque

import numpy as np

from robot_rig.datatypes import Float32s
from robot_rig.interfaces import UNDER_WAY_ROWS

HARDLY = 1e-3
"""A share of a policy period below which an action is not worth a row."""


class OwnMotion:
    """Remembers the last actions and when each began; one holds until the next, `period` s at most.

    An action counts as wished until `correct` says what the guard made of it. `lag` (s): from the sending of an action
    until a camera sees half of it, because set-point and guard slew its speed and the arm has a delay of its own. What
    was sent this long before a picture is not in it yet; left out, the arm hunts around its goal.
    """

    def __init__(self, period: float, action_dim: int, lag: float) -> None:
        self._period, self._lag = period, lag
        self._action_dim = action_dim
        self._sent: deque[tuple[int, float, Float32s]] = deque(maxlen=2 * UNDER_WAY_ROWS)

    def add(self, seq: int, now: float, value: Float32s) -> None:
        """Action `seq` with `value` (A,) goes out at `now` (s)."""
        self._sent.append((seq, now, value))

    def correct(self, seq: int, executed: Float32s) -> None:
        """What was executed of action `seq`, (A,); an action forgotten long ago is ignored."""
        for i, (sent, began, _) in enumerate(self._sent):
            if sent == seq:
                self._sent[i] = (seq, began, executed)

    def since(self, stamp: float, now: float) -> Float32s | None:
        """Motion that a picture exposed at `stamp` (s) does not show at `now` (s), as `interfaces.Policy.act` wants it.

        None when there is none, and for a picture of now, which is answered as in training: there the plant waits.
        When more actions lie between than there are rows, the newest are kept.
        """
        if now - stamp <= HARDLY * self._period:
            return None
        stamp, end = stamp - self._lag, now
        rows = []
        for _, began, value in reversed(self._sent):
            share = (min(end, began + self._period) - max(began, stamp)) / self._period
            if share > HARDLY:
                rows.append((share, *value))
            end = min(end, began)
            if end <= stamp or len(rows) == UNDER_WAY_ROWS:
                break
        if not rows:
            return None
        under_way = np.zeros((UNDER_WAY_ROWS, 1 + self._action_dim), np.float32)
        under_way[-len(rows) :] = rows[::-1]
        return under_way
