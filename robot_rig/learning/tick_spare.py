"""An engine that may run out of its memory, and another that takes over when it does. Called by `runtime` beside a GPU.

A GPU is shared: somebody else's process may take what is left of it at any moment.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from robot_rig.datatypes import Float32s, Frame, Goal
from robot_rig.interfaces import Policy

T = TypeVar("T")

log = logging.getLogger(__name__)


class SparedPolicy:
    """Implements `interfaces.Policy`: `first`, until it raises `exhausted` twice running, and from then on `spare`.

    `free` gives back what can be spared before the second attempt. Both must answer alike (see `runtime.agreement`).
    """

    def __init__(self, first: Policy, spare: Policy, exhausted: type[Exception], free: Callable[[], None]) -> None:
        self._first, self._spare, self._exhausted, self._free = first, spare, exhausted, free
        self._acts: Policy = first
        self.action_dim = first.action_dim

    def begin(self, goal: Goal) -> None:
        """Both encode the goal, so that the spare can take over within a tick."""
        self._spare.begin(goal)
        self._attempt(lambda policy: policy.begin(goal))

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """The action float32 (A,) in [-1, 1] of whoever can answer."""
        return self._attempt(lambda policy: policy.act(frame, under_way))

    def _attempt(self, do: Callable[[Policy], T]) -> T:
        if self._acts is self._first:
            for _ in range(2):
                try:
                    return do(self._first)
                except self._exhausted:
                    self._free()
            log.error("the policy's engine is out of memory: the spare one acts from now on")
            self._acts = self._spare
        return do(self._spare)
