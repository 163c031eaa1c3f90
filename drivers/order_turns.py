"""People's orders to the guard, one after the other, and the holds and stops that overtake them.

Called by `guard_process`. An order may have to wait for the one before it: switching motors on takes seconds, and so do
fingers. What a person has held or stopped meanwhile must not be undone by an order that was given before that.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

from robot_rig.errors import UserError

PATIENCE_S = 6.0
"""How long an order waits for the one before it; switching motors on takes the robot up to 5 s."""


class OrderTurns:
    """Hands out turns, and counts what overtakes them."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._halts = 0

    def overtake(self) -> None:
        """A hold, a stop, or what amounts to one. Waits for nobody."""
        self._halts += 1

    def overtaken_since(self, turn: int) -> bool:
        """Whether a hold or stop has come since the order of `turn` was given."""
        return self._halts != turn

    def moment(self) -> int:
        """Now, for `take_at_once`."""
        return self._halts

    def take(self) -> AbstractContextManager[int]:
        """A person's turn, by which `overtaken_since` knows when the order was given.

        UserError: the order before takes too long, or a hold or stop has come while this one waited for it.
        """
        return self._take(self._halts, PATIENCE_S)

    def take_at_once(self, given: int) -> AbstractContextManager[int]:
        """A program's turn, for an order of the moment `given`; a person's order may undo its sense, so it never waits.

        UserError: an order is being carried out, or a hold or stop has come since.
        """
        return self._take(given, 0.0)

    @contextmanager
    def _take(self, turn: int, patience_s: float) -> Iterator[int]:
        if not self._turn.acquire(timeout=patience_s):
            raise UserError("another order is still being carried out", next_step="wait for its end, then try again")
        try:
            if self.overtaken_since(turn):
                raise UserError("the arm was held or stopped meanwhile", next_step="look at it, then try again")
            yield turn
        finally:
            self._turn.release()
