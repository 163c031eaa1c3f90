"""The episodes of a log while it grows, one after the other, for weeks. Called by `stages.follow`.

A folder of a million files takes seconds to list, and a robot makes one every few seconds. So a listing serves many
episodes, and where it takes long it is followed by a rest that is far longer.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Container
from pathlib import Path

from robot_rig.clock import Clock
from robot_rig.data.episode_ids import EpisodeIds
from robot_rig.data.store import EpisodeStore, has_begun, read_final
from robot_rig.datatypes import Episode
from robot_rig.errors import UserError

AHEAD = 1000
"""Names that are kept of a listing: the first of those that are new."""

REST, SHORT = 20.0, 10_000
"""For how many times as long as the last listing took none follows, unless it had more new names than are kept, or at
most so many names that it took no time.
"""


class GrowingLog:
    """What is in `store` and not in `taken`, whose owner adds what it has had; `say` is told what cannot be read.

    In the order of the log, and never past a file that a living process on this machine is still writing. One that
    comes late, with a number that is behind those taken, is next once it is seen: at the next listing.
    """

    def __init__(self, store: EpisodeStore, taken: Container[str], clock: Clock, say: Callable[[str], None]) -> None:
        self._store, self._taken, self._clock, self._say = store, taken, clock, say
        self._refused = EpisodeIds()
        self._coming: deque[Path] = deque()
        self._newest = store.folder
        self._rests_until = -math.inf

    def next(self) -> Episode | None:
        """The next episode; None while there is none, as far as the last listing tells."""
        while self._coming or self._list():
            path = self._coming[0]
            try:
                episode = read_final(path, self._newest)
            except UserError as error:
                self._refused.add(path.stem)
                self._say(f"passed over: {error}")
            else:
                if episode is not None:
                    self._coming.popleft()
                elif not has_begun(path):
                    # It may never come under this name: what comes instead the folder knows.
                    self._coming.clear()
                return episode
            self._coming.popleft()
        return None

    def _list(self) -> bool:
        """Look what is new; whether there is anything."""
        begun = self._clock.now()
        if begun < self._rests_until:
            return False
        listing = self._store.look(AHEAD, lambda id: id not in self._taken and id not in self._refused)
        self._coming.extend(listing.first)
        self._newest = listing.newest
        if listing.in_all > SHORT and len(listing.first) < AHEAD:
            ended = self._clock.now()
            self._rests_until = ended + REST * (ended - begun)
        return bool(listing.first)
