"""How practice goes, from what its nodes say: does it log steps, in which mode is the arm, what is on disk for good.

Pure but for a lock, because several threads feed it. Fed by `cli.soak.onlooker`; read by `cli.soak.run`.
"""

from __future__ import annotations

import math
import threading
from collections import Counter, deque
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from robot_rig.datatypes import Mode
from robot_rig.loops.collect_watch import MOVING
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording, Stand

SILENT_S = 1.0
"""An arm process that says nothing for so long stands in no mode."""

FRESH_S = 0.5
YOUNG_STEPS = 10
"""So young an episode of 50 steps outlasts the longest short fault: what stops it is the fault and not its end."""

EpisodeKey = tuple[str, int]
NO_EPISODE: EpisodeKey = ("", 0)

KEPT = 5000
"""Steps and changes of mode to look back on: some minutes."""


@dataclass(frozen=True)
class Told:
    """What the recorder said of one episode: from when to when (s) it was open, and the steps on disk by then."""

    opened: float
    last: float
    steps: int


class PracticeWatch:
    """`report`, `codes`, `recorder`, `episode` take what arrives at `now` (monotonic s); ask the rest at any time."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._modes: deque[tuple[float, Mode]] = deque(maxlen=KEPT)
        self._reported = -math.inf
        self._codes: deque[tuple[float, str]] = deque(maxlen=KEPT)
        self._steps: deque[tuple[float, EpisodeKey]] = deque(maxlen=KEPT)
        self._key = NO_EPISODE
        self._opened = self._last = 0.0
        self._count = 0
        self._told: list[Told] = []
        self._ended: set[tuple[str, int]] = set()
        self.endings: Counter[Stand] = Counter()
        """How episodes ended."""

    def codes(self, now: float, codes: Iterable[str]) -> None:
        """Arm or camera process says why nothing moves, in codes of `safety.reasons`."""
        with self._lock:
            self._codes.extend((now, code) for code in codes if code)

    def told(self, since: float, until: float) -> set[str]:
        """The codes that came between the two."""
        with self._lock:
            return {code for when, code in self._codes if since <= when <= until}

    def report(self, now: float, mode: Mode) -> None:
        """The arm process says how it stands."""
        with self._lock:
            self._reported = now
            if not self._modes or self._modes[-1][1] is not mode:
                self._modes.append((now, mode))

    def episode(self, episode: EpisodeState) -> None:
        """The policy process says how its episode stands; each ending counts once."""
        with self._lock:
            if episode.stand is not Stand.RUNNING and episode.key not in self._ended:
                self._ended.add(episode.key)
                self.endings[episode.stand] += 1

    def recorder(self, now: float, state: RecorderState) -> None:
        """The recorder says how it stands."""
        with self._lock:
            if state.stand is not Recording.OPEN:
                self._close()
                return
            if state.key != self._key:
                self._close()
                self._key, self._opened, self._count = state.key, now, 0
            if state.steps > self._count:
                self._steps.append((now, state.key))
            self._count, self._last = state.steps, now

    def _close(self) -> None:
        """The episode that was open is over, whatever became of it."""
        if self._count:
            self._told.append(Told(self._opened, self._last, self._count))
        self._key, self._count = NO_EPISODE, 0

    def take_told(self) -> list[Told]:
        """The episodes that have ended since the last call; one that is open counts as ended when its process has."""
        with self._lock:
            told, self._told = self._told, []
            return told

    def end_of_process(self) -> None:
        """The recorder's process has ended: what it had open is over."""
        with self._lock:
            self._close()

    def acts(self, now: float) -> bool:
        """Whether an episode is under way and young: what comes in the next seconds comes while the arm moves."""
        with self._lock:
            return self._key != NO_EPISODE and now - self._last <= FRESH_S and 1 <= self._count <= YOUNG_STEPS

    def mode(self, now: float) -> Mode | None:
        """The arm's mode, None where the arm process is silent."""
        with self._lock:
            return self._modes[-1][1] if self._modes and now - self._reported <= SILENT_S else None

    def rests(self, now: float) -> bool:
        """Whether the arm process says that the arm stands still until a person leads on."""
        mode = self.mode(now)
        return mode is not None and mode not in MOVING

    def left_motion(self, since: float, until: float) -> bool:
        """Whether the arm came into a mode that only a person leads out of, between the two."""
        with self._lock:
            return any(since < when <= until and mode not in MOVING for when, mode in self._modes)

    @property
    def open_episode(self) -> EpisodeKey:
        """The episode that the recorder has open; that of nobody when it has none."""
        with self._lock:
            return self._key

    def step_after(self, when: float, besides: EpisodeKey = NO_EPISODE) -> float | None:
        """When the first step after `when` was logged, in another episode than `besides`; None while there is none."""
        with self._lock:
            return next((step for step, key in self._steps if step > when and key != besides), None)

    def longest_pause(self, since: float, until: float) -> float:
        """The longest time (s) without a logged step between the two."""
        with self._lock:
            times = [since, *(step for step, _ in self._steps if since < step < until), until]
        return max(later - earlier for earlier, later in pairwise(times))
