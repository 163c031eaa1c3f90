"""Reads a person's hand device while the teleop node lives, and opens anew one that was lost. No ROS in here."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from drivers.hands import Hand
from robot_rig.errors import UserError
from robot_rig.loops.hand_loop import HandLoop, HandReport
from robot_rig.loops.key_strokes import Stroke

READ_S = 0.02
"""How long one read waits for a word."""

RETRY_S = 1.0


class HandWatch:
    """Feeds `loop`, whose lock is `lock`, from `hand`; `open_again` opens one like it.

    `released` is called when a person's motion ends, so that the zero need not wait for the next tick; `obey` with the
    strokes of the device, and `say` with what a person should read.
    """

    def __init__(
        self,
        hand: Hand,
        open_again: Callable[[], Hand],
        loop: HandLoop,
        lock: threading.Lock,
        released: Callable[[], None],
        obey: Callable[[Stroke], None],
        say: Callable[[str], None],
    ) -> None:
        self._hand, self._open_again, self._loop, self._lock = hand, open_again, loop, lock
        self._released, self._obey, self._say = released, obey, say
        self._closing = threading.Event()

    def run(self) -> None:
        """Read until `close`."""
        while not self._closing.is_set():
            try:
                self._follow()
            except OSError:
                self._lose()
                self._find()
        self._hand.close()

    def _follow(self) -> None:
        """Read until `close`, or until the device is gone, which raises OSError."""
        first = self._hand.begin()
        with self._lock:
            self._loop.begin(time.monotonic(), first)
        while not self._closing.is_set():
            reports = self._hand.read(READ_S)
            for report in reports:
                self._take(report)
            with self._lock:
                self._loop.look(time.monotonic(), self._hand.speech)

    def _take(self, report: HandReport) -> None:
        now = time.monotonic()
        with self._lock:
            before = self._loop.moving(now)
            self._loop.feel(now, report)
            for stroke in report.strokes:
                self._loop.press(now, stroke)
            ended = before and not self._loop.moving(now)
        if ended:
            self._released()
        for stroke in report.strokes:
            self._obey(stroke)

    def _lose(self) -> None:
        with self._lock:
            held = self._loop.held(time.monotonic())
            self._loop.lose()
        self._released()
        said = f"{self._hand.name} is gone. Plug it in again"
        if held:
            # Who is left with empty hands has not given the arm to anybody.
            self._obey(Stroke.HOLD)
            said += "; the arm is put on hold, e enables it"
        self._say(said)
        self._hand.close()

    def _find(self) -> None:
        while not self._closing.wait(RETRY_S):
            try:
                self._hand = self._open_again()
            except (UserError, OSError):
                continue
            self._say(f"{self._hand.name} is back")
            return

    def close(self) -> None:
        """End `run`; may be called twice."""
        self._closing.set()
