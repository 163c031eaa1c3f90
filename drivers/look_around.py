"""The slow look at the ROS master beside the tick: second commanders, a new master, a dead tick. A thread of arm_node.

It never ends unnoticed: what goes wrong while looking is told, keeps the arm from being enabled, and is tried again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from typing import Protocol

from drivers.commander_watch import SIGHT_S, CommanderWatch
from drivers.guard_process import GuardProcess
from robot_rig.errors import UserError

LOOK_PERIOD_S = 0.1
TELL_PERIOD_S = 5.0

log = logging.getLogger(__name__)


class MasterAnswer(Protocol):
    """One answer of the master, as old as `stamp` (monotonic s)."""

    @property
    def stamp(self) -> float:
        """When the master was asked."""
        ...

    def publishers_of(self, topic: str) -> tuple[str, ...]:
        """The names of the nodes that publish `topic`."""
        ...


class MasterSight(Protocol):
    """What `robot_rig.ros.master.MasterWatch` shows of the master."""

    @property
    def latest(self) -> MasterAnswer | None:
        """The last answer."""
        ...

    @property
    def trouble(self) -> str:
        """Why there is none now."""
        ...

    @property
    def changed(self) -> bool:
        """Whether another master answers than at first."""
        ...


class LookAround:
    """Looks for `process` at who publishes `topic`; `fail` ends the node where going on makes no sense."""

    def __init__(
        self,
        process: GuardProcess,
        commanders: CommanderWatch,
        master: MasterSight,
        topic: str,
        fail: Callable[[UserError], None],
    ) -> None:
        self._process, self._commanders, self._master, self._topic = process, commanders, master, topic
        self._fail = fail
        self._closing = threading.Event()
        self._told = -TELL_PERIOD_S

    def run(self) -> None:
        """Look ten times a second until `close`."""
        while not self._closing.wait(LOOK_PERIOD_S):
            self.look()

    def close(self) -> None:
        """End `run`; may be called twice."""
        self._closing.set()

    def look(self) -> None:
        """One look. Never raises: a watch that ends silently would be worse than any error.

        One that nobody foresaw is blindness, told, and gone with the next good look.
        """
        try:
            self._look()
        except UserError as error:
            self._fail(error)
        except Exception as error:
            self._commanders.lose_sight(f"looking around failed ({type(error).__name__}: {str(error)[:120]})")
            if time.monotonic() - self._told > TELL_PERIOD_S:
                self._told = time.monotonic()
                log.exception("looking around failed; the arm is not enabled until it works again")

    def _look(self) -> None:
        process, master = self._process, self._master
        if process.failed:
            raise UserError(
                "the tick has failed and the arm was stopped",
                next_step="read the log above, then start this node again",
            )
        if master.changed:
            process.hold()
            raise UserError(
                "the ROS master was restarted and knows nobody any more; the arm holds",
                next_step="start the launch file again",
            )
        answer = master.latest
        if answer is None or master.trouble or time.monotonic() - answer.stamp > SIGHT_S:
            self._commanders.lose_sight(master.trouble or "the ROS master has not answered lately")
        else:
            process.see_commanders(answer.publishers_of(self._topic))

    @property
    def codes(self) -> tuple[str, ...]:
        """What is wrong with who else commands and with the master, as codes of `safety.reasons`."""
        # Before its first answer it has not been asked.
        silent = self._master.trouble and self._master.latest is not None
        return (*self._commanders.codes, *(("master_silent",) if silent else ()))

    def word(self) -> str:
        """How the master and the look at it are, in a word or a sentence."""
        if self._commanders.strangers:
            return f"second commander: {', '.join(self._commanders.strangers)}"
        return self._master.trouble or self._commanders.blind or "ok"
