"""Which running programs lead the arm: one that was started anew, or has died, may not move it on. Asked by the guard.

A program is known by its TCP connection: there is one for each, the same for all of its messages, and the kernel closes
it when the program dies, however it dies.
"""

from __future__ import annotations

from collections.abc import Callable

from robot_rig.datatypes import Source


class Senders:
    """The connections over which actions come. `is_open` tells whether one of them still stands.

    Not safe by itself among threads: its owner calls everything under one lock.
    """

    def __init__(self, is_open: Callable[[object], bool]) -> None:
        self._is_open = is_open
        self._connections: dict[Source, object] = {}
        self._leaders: set[Source] = set()

    def restarted(self, source: Source, connection: object) -> bool:
        """Note that `source` speaks over `connection`; whether it leads and had spoken over another one before."""
        before, self._connections[source] = self._connections.get(source), connection
        return before is not None and before is not connection and source in self._leaders

    def follow(self, source: Source) -> None:
        """The arm follows `source` now."""
        self._leaders.add(source)

    def forget_leaders(self) -> None:
        """A person lets whoever comes lead anew."""
        self._leaders.clear()

    @property
    def lost(self) -> Source | None:
        """One of the leaders whose program has died or gone."""
        for source in self._leaders & self._connections.keys():
            if not self._is_open(self._connections[source]):
                return source
        return None
