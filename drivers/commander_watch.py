"""Who else may command the arm. Asked by arm_node some times a second, outside the tick.

ROS lets anybody publish joint commands and mixes them; so the guard looks at the master's list of publishers. What was
there at the start may be confirmed by a person; whoever comes later is a second commander.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable

from robot_rig.errors import UserError

SIGHT_S = 1.0
"""Age of the last look beyond which it says nothing about now."""


class CommanderWatch:
    """Compares the publishers of joint commands with `own`, this node's name, and those a person `confirmed`.

    `topic` is what it says in a refusal; `clock` (s) tells how old the last look is, should nobody look any more.
    """

    def __init__(
        self, own: str, confirmed: Iterable[str], topic: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._allowed = frozenset({_slashed(own), *(_slashed(name) for name in confirmed)})
        self._topic, self._clock = topic, clock
        self._looked = clock()
        self._strangers: tuple[str, ...] = ()
        self._disarmed = False
        self._blind = "the ROS master has not been asked yet"

    @property
    def strangers(self) -> tuple[str, ...]:
        """The other commanders seen last, by node name."""
        return self._strangers

    @property
    def blind(self) -> str:
        """Why nobody can be seen now; empty while the last look is good for now."""
        age = self._clock() - self._looked
        return self._blind or (f"nobody has looked for {age:.0f} s" if age > SIGHT_S else "")

    @property
    def codes(self) -> tuple[str, ...]:
        """What there is to tell people, as codes of `safety.reasons`."""
        if not self._strangers:
            return ()
        return ("second_commander",) if self._disarmed else ("other_commander_seen",)

    def look(self, publishers: Collection[str]) -> tuple[str, ...]:
        """The strangers among `publishers` that the look before this one had not seen."""
        strangers = tuple(sorted({_slashed(name) for name in publishers} - self._allowed))
        fresh = tuple(name for name in strangers if name not in self._strangers)
        self._strangers, self._blind, self._looked = strangers, "", self._clock()
        self._disarmed = self._disarmed and bool(strangers) and not fresh
        return fresh

    def disarmed(self) -> None:
        """Because of the strangers seen last the arm's motors were switched off, and went off."""
        self._disarmed = True

    def lose_sight(self, why: str) -> None:
        """Nobody can be seen now, because of `why`."""
        self._blind = why

    def check(self) -> None:
        """Raise UserError while there is another commander, or no telling whether there is."""
        if blind := self.blind:
            raise UserError(f"who else commands the arm cannot be seen: {blind}", next_step="see `rig doctor`")
        if self._strangers:
            first = self._strangers[0]
            raise UserError(
                f"{', '.join(self._strangers)} can also command the arm over {self._topic}",
                next_step=f"stop it (`rosnode cleanup` if it is dead), or start with --confirm-publisher {first}",
            )


def _slashed(name: str) -> str:
    return name if name.startswith("/") else f"/{name}"
