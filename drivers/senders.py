"""Which running programs lead the arm: one that was started anew, or has died, may not move it on. Asked by the guard.

A program is known by its TCP connection: there is one for each, the same for all of its messages, and the kernel closes
it when the program dies, however it dies.
"""

from __future__ import annotations

from typing import Protocol

from robot_rig.datatypes import Source


class Links(Protocol):
    """The TCP connections over which machines' actions come."""

    def is_open(self, connection: object) -> bool:
        """Whether this one still stands."""
        ...

    def of(self, program: str) -> object | None:
        """The open one of the node called `program`; None when it has none."""
        ...


class Senders:
    """Who has led the arm since a person enabled it last, and who has sent it home.

    Not safe by itself among threads: its owner calls everything under one lock.
    """

    def __init__(self, links: Links) -> None:
        self._links = links
        self._connections: dict[Source, object] = {}
        self._leaders: set[Source] = set()
        self._replaced: set[Source] = set()
        self._asker: object | None = None

    def anew(self, source: Source, connection: object) -> bool:
        """Note that `source` speaks over `connection`; whether it may not go on where another program has ended.

        So it is where it led and had spoken over another connection before, and where it did not lead and one who did
        is gone.
        """
        before, self._connections[source] = self._connections.get(source), connection
        if source in self._leaders:
            if before is not connection:
                self._replaced.add(source)
            return before is not connection
        return self.lost is not None

    def follow(self, source: Source) -> None:
        """The arm follows `source` now."""
        self._leaders.add(source)

    def forget(self) -> None:
        """A person lets whoever comes lead anew."""
        self._leaders.clear()
        self._replaced.clear()
        self._asker = None

    def ask(self, program: str) -> bool:
        """The node called `program` wants to send the arm home; whether it is one that can lead it at all."""
        self._asker = self._links.of(program)
        return self._asker is not None

    @property
    def asker_lost(self) -> bool:
        """Whether the program that asked last has died or gone."""
        return self._asker is not None and not self._links.is_open(self._asker)

    @property
    def lost(self) -> Source | None:
        """One of the leaders whose program has died or gone, also where another one speaks in its place now."""
        for source in self._leaders & self._connections.keys():
            if source in self._replaced or not self._links.is_open(self._connections[source]):
                return source
        return None
