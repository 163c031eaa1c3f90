"""A person's orders, carried out in the order in which their keys were pressed. Called by the teleop node.

An order takes as long as the arm process takes to answer, seconds for the motors, and keys do not wait for that. Each
on a thread of its own, two orders could arrive the wrong way round. STOP and HOLD wait for nobody.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from robot_rig.loops.key_strokes import Stroke

AT_ONCE = frozenset({Stroke.STOP, Stroke.HOLD})


class PersonOrders:
    """Calls `carry_out` with each order, one at a time, on a thread of its own; `AT_ONCE` has a thread for each."""

    def __init__(self, carry_out: Callable[[Stroke], None]) -> None:
        self._carry_out = carry_out
        self._changed = threading.Condition()
        self._waiting: deque[Stroke] = deque()
        self._hurrying = 0
        self._busy = False
        threading.Thread(target=self._run, daemon=True, name="orders").start()

    def give(self, stroke: Stroke) -> None:
        """Carry `stroke` out after those before it; one of `AT_ONCE` at once, in place of those that wait."""
        with self._changed:
            if stroke not in AT_ONCE:
                self._waiting.append(stroke)
                self._changed.notify_all()
                return
            self._waiting.clear()
            if self._busy:
                # The order that is being carried out may arrive behind this one; then this one must come once more.
                self._waiting.append(stroke)
            self._hurrying += 1
        threading.Thread(target=self._hurry, args=[stroke], daemon=True, name=stroke.value).start()

    def _hurry(self, stroke: Stroke) -> None:
        try:
            self._carry_out(stroke)
        finally:
            with self._changed:
                self._hurrying -= 1
                self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                # What was ordered after a HOLD must not arrive before it.
                self._changed.wait_for(lambda: self._waiting and not self._hurrying)
                stroke = self._waiting.popleft()
                self._busy = True
            self._carry_out(stroke)
