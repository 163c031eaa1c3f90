"""What a check finds, and how checks are run: all at once, none longer than its time, none with a traceback.

Called by the checks and by `rig doctor`.
"""

from __future__ import annotations

import concurrent.futures
import enum
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from robot_rig.errors import UserError

LIMIT_S = 2.0
"""How long a check may take."""


class Level(str, enum.Enum):
    """GREEN is well, YELLOW works with less, RED does not work."""

    GREEN = "green"
    YELLOW = "yellow"
    RED = "red"


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of the doctor's list. `fix`: one sentence that says what to do; only a green one may lack it."""

    name: str
    level: Level
    what: str
    fix: str = ""

    def __post_init__(self) -> None:
        if self.level is not Level.GREEN and not self.fix:
            raise ValueError(f"{self.name}: {self.what!r} without a fix")


Check = Callable[[], Sequence[Finding]]


def green(name: str, what: str) -> Finding:
    """All is well with `name`."""
    return Finding(name, Level.GREEN, what)


def yellow(name: str, what: str, fix: str) -> Finding:
    """It works with less."""
    return Finding(name, Level.YELLOW, what, fix)


def red(name: str, what: str, fix: str) -> Finding:
    """It does not work."""
    return Finding(name, Level.RED, what, fix)


def run_checks(checks: Mapping[str, Check], limit_s: float = LIMIT_S) -> list[Finding]:
    """The findings of all `checks`, in their order, run at once on threads that nobody waits for beyond `limit_s`.

    A check that takes longer or breaks is a red finding of its own.
    """
    pending = {name: _started(name, check) for name, check in checks.items()}
    deadline = time.monotonic() + limit_s
    return [finding for name, future in pending.items() for finding in _result(name, future, deadline)]


def _started(name: str, check: Check) -> concurrent.futures.Future[Sequence[Finding]]:
    # Not a pool: at the end of the process it would wait for a thread that hangs.
    future: concurrent.futures.Future[Sequence[Finding]] = concurrent.futures.Future()

    def work() -> None:
        try:
            future.set_result(check())
        except UserError as error:
            future.set_result([red(name, error.problem, error.next_step or "see the documentation")])
        except Exception as error:  # noqa: BLE001 - a broken check is a line in the list, not the end of it
            what = f"the check broke: {type(error).__name__}: {error}"
            future.set_result([red(name, what, "report this line; the other lines hold")])

    threading.Thread(target=work, name=name, daemon=True).start()
    return future


def _result(name: str, future: concurrent.futures.Future[Sequence[Finding]], deadline: float) -> Sequence[Finding]:
    try:
        return future.result(max(0.0, deadline - time.monotonic()))
    except concurrent.futures.TimeoutError:
        return [red(name, "no answer in time", "see what keeps it: network, disk or load")]
