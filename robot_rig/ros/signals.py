"""SIGINT and SIGTERM end a node in a thread of their own. Called by `ros.node`.

rospy ends a node inside the signal's handler: on top of whatever the main thread is at, with the locks that it holds.
What a closing then waits for may be just that, and the node hangs until somebody kills it.
"""

from __future__ import annotations

import os
import signal
import threading

import rospy

SIGNALS = (signal.SIGINT, signal.SIGTERM)
OVER = b"\0"
"""No signal has this number."""


class SignalsEndRos:
    """While this is open, either signal calls `rospy.signal_shutdown`, once; a context manager for the main thread.

    Leaving waits for an end that is under way.
    """

    def __init__(self) -> None:
        # The interpreter itself writes the signal's number there, whatever the main thread waits for.
        self._asked, self._ask = os.pipe()
        os.set_blocking(self._ask, False)
        self._thread = threading.Thread(target=self._await, name="end on signal", daemon=True)

    def __enter__(self) -> SignalsEndRos:
        self._wakeup = signal.set_wakeup_fd(self._ask, warn_on_full_buffer=False)
        self._thread.start()
        self._handlers = {number: signal.signal(number, lambda *_: None) for number in SIGNALS}
        return self

    def __exit__(self, *_: object) -> None:
        os.write(self._ask, OVER)
        self._thread.join()
        signal.set_wakeup_fd(self._wakeup)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        os.close(self._ask)
        os.close(self._asked)

    def _await(self) -> None:
        while (number := os.read(self._asked, 1)) != OVER:
            if ord(number) in SIGNALS:
                rospy.signal_shutdown(signal.Signals(ord(number)).name)
