"""Which of the newest actions the arm loop sees. Fed by arm_node's subscribers, asked once a tick.

The arm loop takes one action; people and machines send at the same time. The gate's lease decides who moves; this only
keeps the holder's actions in front of it, so that a second sender cannot make the arm stutter.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Collection

from robot_rig.datatypes import Action, Source

MACHINES = frozenset({Source.POLICY, Source.RANDOM})
PEOPLE = frozenset({Source.HUMAN})


class ActionChoice:
    """The newest action of every source; `fresh_s` is the age up to which one may move the arm."""

    def __init__(self, fresh_s: float) -> None:
        self._fresh_s = fresh_s
        self._newest: dict[Source, Action] = {}
        self._forgotten: dict[Source, float] = {}
        self._lock = threading.Lock()

    def offer(self, action: Action, allowed: Collection[Source]) -> bool:
        """Take what came over a channel that carries the sources `allowed`; False when it claims to be another."""
        if action.source not in allowed:
            return False
        with self._lock:
            if action.stamp > self._forgotten.get(action.source, -math.inf):
                self._newest[action.source] = action
        return True

    def forget(self, sources: Collection[Source], until: float) -> None:
        """What `sources` sent up to `until` (s) counts no more, nor does what of it is still on its way."""
        with self._lock:
            for source in sources:
                self._newest.pop(source, None)
                self._forgotten[source] = until

    def choose(self, now: float, holder: Source | None) -> Action | None:
        """The action to show the arm loop at `now` (s) while `holder` has the lease; None before the first.

        A person comes first while the last word is fresh, and keeps the arm even when silent; then the machine that has
        the lease, then the newest of all. A stale action is shown too: the gate says why it is not followed.
        """
        with self._lock:
            newest = dict(self._newest)
        human = newest.get(Source.HUMAN)
        if human is not None and (holder is Source.HUMAN or self.fresh(now, human)):
            return human
        machines = [action for source, action in newest.items() if source is not Source.HUMAN]
        held = newest.get(holder) if holder is not None else None
        if held is not None and self.fresh(now, held):
            return held
        return max(machines, key=lambda action: action.stamp, default=human)

    def fresh(self, now: float, action: Action) -> bool:
        """Whether `action` may move the arm at `now` (s)."""
        return now - action.stamp <= self._fresh_s
