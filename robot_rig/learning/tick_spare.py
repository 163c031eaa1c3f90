"""An engine that may fail, and another that takes over when it does. Called by `runtime` beside a GPU.

A GPU is shared: somebody else's process may take the memory that is left at any moment, or bring the device down.
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
    """Implements `interfaces.Policy`: `first`, until it raises `failure` twice running, and from then on `spare`.

    `free` gives back what can be spared before the second attempt. Both must answer alike (see `runtime.agreement`).
    """

    def __init__(self, first: Policy, spare: Policy, failure: type[Exception], free: Callable[[], None]) -> None:
        self._first, self._spare, self._failure, self._free = first, spare, failure, free
        self._acts: Policy = first
        self.action_dim = first.action_dim

    @property
    def spared(self) -> bool:
        """Whether the first has failed, and the spare acts."""
        return self._acts is self._spare

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
                except self._failure as error:
                    log.warning("the policy's engine fails: %s", str(error).partition("\n")[0])
                    self._free()
            log.error("the policy's engine has failed twice: the spare one acts from now on")
            self._acts = self._spare
        return do(self._spare)
