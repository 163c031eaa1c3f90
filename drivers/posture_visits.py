"""The postures that a program asks the arm to visit, and whether that program still means it. Asked by `guard_process`.

A program says where it wants the arm twenty times a second, over one TCP connection. While it leads, that is its pulse:
silence, a closed connection, or a second program that asks as well ends the visits, and no word of it resumes them.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from drivers.senders import Links
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError

SILENT_S = 0.3
"""How old a program's newest word may be; six of its periods, for a machine that is busy."""


@dataclass(frozen=True, slots=True)
class PostureWish:
    """That the joints be at `position` (7,) rad, said at `stamp` (s) over `connection`; each has its number."""

    number: int
    stamp: float
    position: Floats
    connection: object


class PostureVisits:
    """Whose wishes count. Not safe by itself among threads but for `offer`, which waits for nobody."""

    def __init__(self, links: Links) -> None:
        self._links = links
        self._lock = threading.Lock()
        self._newest: dict[int, PostureWish] = {}
        self._begun: PostureWish | None = None

    def offer(self, wish: PostureWish) -> None:
        """Take what came in."""
        with self._lock:
            self._newest[id(wish.connection)] = wish
            # A closed connection's memory may become another one's.
            self._newest = {key: one for key, one in self._newest.items() if wish.stamp - one.stamp <= 10 * SILENT_S}

    def next_of(self, program: str, now: float) -> PostureWish:
        """What the node `program` asks for at `now` (s). UserError: it says nothing, or nothing but what it has had."""
        connection = self._links.of(program)
        wish = None if connection is None else self._of(connection)
        if wish is None or now - wish.stamp > SILENT_S:
            raise UserError(
                f"{program} does not say which posture it wants", next_step="publish it while it is visited"
            )
        begun = self._begun
        if begun is not None and begun.connection is connection and begun.number == wish.number:
            raise UserError(f"{program} wants no other posture than before", next_step="give the next one its number")
        return wish

    def has_new(self, program: str, now: float) -> bool:
        """Whether `next_of` would give something."""
        try:
            self.next_of(program, now)
        except UserError:
            return False
        return True

    def leads(self, wish: PostureWish) -> bool:
        """Whether the visits that are under way are those of this wish's program."""
        return self._begun is not None and self._begun.connection is wish.connection

    def begin(self, wish: PostureWish) -> None:
        """The arm goes to `wish` now."""
        self._begun = wish

    def silent(self, now: float) -> bool:
        """Whether the program that leads has died, gone or fallen silent at `now` (s)."""
        begun = self._begun
        wish = None if begun is None else self._of(begun.connection)
        return wish is None or now - wish.stamp > SILENT_S or not self._links.is_open(wish.connection)

    def crowded(self, now: float) -> bool:
        """Whether at `now` (s) another program than the one that leads asks for postures as well."""
        with self._lock:
            wishes = list(self._newest.values())
        others = [one for one in wishes if now - one.stamp <= SILENT_S and not self.leads(one)]
        return any(self._links.is_open(one.connection) for one in others)

    def _of(self, connection: object) -> PostureWish | None:
        with self._lock:
            wish = self._newest.get(id(connection))
        return wish if wish is not None and wish.connection is connection else None
