"""Who carries files to and from one machine, on a thread of its own, for as long as the learner works beside it.

Called by `cli.carriage`. A link that is cut stops nobody: it is tried again for ever, less and less often, and a person
is told once when it is lost and once when it is back. A machine that answers and does not serve us is refused when it
is first met; later on it is named as that, with what to do, and tried again.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Protocol

from robot_rig.clock import WallClock
from robot_rig.errors import UserError
from robot_rig.transport.ssh import DiskError, EntryRefusedError, LinkError, SomeFailedError, Ssh

LOOK_S = 5.0
"""How often the other machine is asked: an episode takes about as long."""

FIRST_RETRY_S, LAST_RETRY_S = 1.0, 30.0
"""How long after a failure it is tried again: twice as long each time, and no longer than this."""

TOLD_AFTER = 2
"""Failures in a row that a person hears of: a single one is a hiccup."""

LONG = 32
"""From so many files on, a person hears when all of them have come."""

ENDING_S = 5.0


class Errand(Protocol):
    """What is carried, or seen to: `pull.Pull`, `push.Push` and `thin.Thin`.

    `look` asks the other end; `carry` moves a piece of what is behind and says whether there was one. Both raise
    LinkError, EntryRefusedError and DiskError, after which they may be called again, and UserError for good.
    """

    unit: str

    @property
    def behind(self) -> int:
        """Pieces that are still to be carried, by the last look."""
        ...

    def look(self) -> None:
        """Ask what there is."""
        ...

    def carry(self) -> bool:
        """Move a piece; False when there is none."""
        ...

    def close(self) -> None:
        """Let go of what is held; may be called twice."""
        ...


class Carrier:
    """Does the `errands` to the machine of `ssh`; `say` is told, on the carrier's thread, what a person should know."""

    def __init__(self, ssh: Ssh, errands: Sequence[Errand], say: Callable[[str], None]) -> None:
        self.name = str(ssh.machine)
        self._ssh, self._errands, self._say = ssh, errands, say
        self._clock = WallClock()
        self._thread = threading.Thread(target=self._run, name=f"carrier {self.name}", daemon=True)
        self._closing, self._wake, self._turn = threading.Event(), threading.Event(), threading.Lock()
        self._begun = self._done = 0
        self._met = False
        self._failures, self._lost_at, self._told, self._patience = 0, 0.0, False, 0.0
        self._lacking = ""
        self._failure: UserError | None = None

    @property
    def behind(self) -> int:
        """Files or folders that are still to be carried, as far as is known."""
        return sum(errand.behind for errand in self._errands)

    def meet(self, patience: float) -> None:
        """Look once, on the caller's thread. Raises UserError for what a person must mend.

        A machine that cannot be reached is no error for who has the `patience` (s) to wait for it; nor is, later on, a
        disk that is full.
        """
        self._patience = patience
        try:
            self._look()
        except LinkError as error:
            if patience <= 0.0:
                raise UserError(f"{self.name} cannot be reached: {error}", next_step="see to the link") from error
            self._lost(error, TOLD_AFTER)
        else:
            if self.behind:
                self._say(f"{self.name}: {self.what_is_behind()} to carry")

    def start(self) -> None:
        """Begin to carry."""
        self._thread.start()

    def require_sound(self) -> None:
        """Raise UserError when the carrier has ended for a reason that waiting does not mend."""
        if self._failure is not None:
            raise self._failure

    def ask(self) -> Callable[[], bool]:
        """Let a round begin at once; what is returned says whether all that was there by now has been carried."""
        with self._turn:
            wanted = self._begun + 1
        self._wake.set()
        return lambda: self._done >= wanted

    def what_is_behind(self) -> str:
        """As in "12 episodes and 1 checkpoint"; "nothing" when all is there."""
        counts = [(errand.behind, errand.unit) for errand in self._errands]
        told = [f"{count} {unit}{'s' if count > 1 else ''}" for count, unit in counts if count]
        return " and ".join(told) or "nothing"

    def close(self) -> None:
        """End a transfer under way, which goes on next time, and the thread. May be called twice."""
        self._closing.set()
        self._wake.set()
        self._ssh.stop()
        if self._thread.is_alive():
            self._thread.join(ENDING_S)
        for errand in self._errands:
            errand.close()

    # Inside: on the thread.

    def _run(self) -> None:
        failure: UserError | None = UserError(
            f"the carrier to {self.name} has died", next_step="see the traceback above"
        )
        try:
            while not self._closing.is_set():
                self._wake.wait(self._round())
                self._wake.clear()
            failure = None
        except UserError as error:
            failure = error
        finally:
            self._failure = failure

    def _round(self) -> float:
        """Look, and carry all there is; returns how long to wait for the next round, s."""
        with self._turn:
            self._begun += 1
            number = self._begun
        found = 0
        try:
            self._look()
            found, what = self.behind, self.what_is_behind()
            while self._carry():
                self._well(what)
                if self._closing.is_set():
                    return 0.0
        except (LinkError, EntryRefusedError, DiskError) as error:
            if isinstance(error, DiskError | EntryRefusedError) and self._patience <= 0.0:
                raise
            if isinstance(error, EntryRefusedError) and not self._met:
                # As it would have been refused at the start, had there been a link.
                raise
            if not self._closing.is_set():
                # A link that carries something before it breaks is a bad one, but none that is lost.
                useful = isinstance(error, SomeFailedError) or self.behind < found
                self._lost(error, 0 if useful else 1)
            return self._pause()
        self._well(what)
        if found >= LONG:
            self._say(f"{self.name}: all {found} are there")
        self._done = number
        return LOOK_S

    def _look(self) -> None:
        for errand in self._errands:
            errand.look()
        self._met = True

    def _carry(self) -> bool:
        """A piece of each errand, so that a new checkpoint does not wait for a long log."""
        carried = [errand.carry() for errand in self._errands]
        return any(carried)

    def _well(self, what: str) -> None:
        """Something was carried; `what` was behind before."""
        if self._told:
            away = self._clock.now() - self._lost_at
            self._say(f"{self._lacking} is back after {away:.0f} s, {what} behind")
        self._failures, self._told = 0, False

    def _pause(self) -> float:
        """How long to wait before the next try, s."""
        # No more than that: a night of failures would be a number that no float can hold.
        doublings = min(max(0, self._failures - 1), 16)
        return min(LAST_RETRY_S, FIRST_RETRY_S * 2.0**doublings)

    def _lost(self, error: Exception, weight: int) -> None:
        """A try has failed for `error`; it counts `weight` times, 0 when it was of some use."""
        if self._failures == 0 and not self._told:
            self._lost_at = self._clock.now()
        self._failures = self._failures + weight if weight else 0
        if self._failures >= TOLD_AFTER and not self._told:
            self._told = True
            if isinstance(error, DiskError):
                self._lacking = "room on the disk"
                self._say(f"{error.problem}; it is tried again until there is room")
            elif isinstance(error, EntryRefusedError):
                self._lacking = f"the way into {self.name}"
                self._say(f"{error} It is tried again until that is mended")
            else:
                self._lacking = f"the link to {self.name}"
                self._say(f"{self._lacking} is lost ({error}); it is tried again until it is back")
