"""A thread that sends, so that the one that steps the physics never waits for the network. Called by `sim.sim_node`."""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

CAPACITY = 100
"""About half a second of reports: whoever is further behind sends old news."""

WARNING_PERIOD_S = 5.0


class Outbox:
    """Calls what is put into it, in order, in a thread of its own, until `close`."""

    def __init__(self) -> None:
        self._letters: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._lost = 0
        self._next_warning = 0.0
        self._thread = threading.Thread(target=self._send, name="outbox", daemon=True)
        self._thread.start()

    def put(self, letter: Callable[[], None]) -> bool:
        """Have `letter` called soon; thrown away, with a warning and False, when the thread has fallen behind."""
        if self._letters.qsize() < CAPACITY:
            self._letters.put(letter)
            return True
        self._lost += 1
        if time.monotonic() > self._next_warning:
            self._next_warning = time.monotonic() + WARNING_PERIOD_S
            log.warning("reports are made faster than they can be sent: %d lost so far", self._lost)
        return False

    def _send(self) -> None:
        while (letter := self._letters.get()) is not None:
            letter()

    def close(self) -> None:
        """Send what is in it and end."""
        self._letters.put(None)
        self._thread.join()
