"""What the policy process and the recorder tell each other about an episode. Made by `live_episodes`, `live_recorder`.

Each is the whole state and not an event, so that it may be said twice, or missed and said again.
"""

from __future__ import annotations

import enum
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from robot_rig.datatypes import Goal, Source


class Stand(str, enum.Enum):
    """How an episode stands. COMPLETE has all its steps; CUT_SHORT ended before, and what was logged counts."""

    RUNNING = "running"
    COMPLETE = "complete"
    CUT_SHORT = "cut short"


@dataclass(frozen=True, slots=True)
class EpisodeState:
    """An episode of the policy process.

    `session` names the process and `number` counts its episodes from 1. `goal` is a `goal_key`, empty for goalless
    play. Its actions are `first_action` to `last_action` (first_action - 1 while there is none), and `last_frame` is
    the number of the frame that the last one led to, -1 where there is none, and `last_stamp` when that was exposed,
    monotonic s: a camera that is started anew uses the number again. `reason`: why it was cut short.
    """

    session: str
    number: int
    stand: Stand
    source: Source
    goal: str
    first_action: int
    last_action: int
    last_frame: int = -1
    reason: str = ""
    meta: Mapping[str, str] = field(default_factory=dict)
    last_stamp: float = 0.0

    @property
    def key(self) -> tuple[str, int]:
        """What tells it from every other episode."""
        return self.session, self.number


def goal_key(goal: Goal) -> str:
    """Name and checksum of a goal picture: two processes that got it over two connections mean the same one."""
    return f"{goal.id}:{zlib.crc32(goal.image.tobytes()):08x}"


class Recording(str, enum.Enum):
    """How the recorder stands."""

    IDLE = "idle"
    OPEN = "open"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class RecorderState:
    """What the recorder does: `stand` of its file for the episode (`session`, `number`), `steps` of it that are on disk
    for good, and, when FAILED, the reason for a person. `stamp` is when it was said, monotonic s.
    """

    stamp: float
    stand: Recording
    session: str = ""
    number: int = 0
    steps: int = 0
    reason: str = ""

    @property
    def key(self) -> tuple[str, int]:
        """The episode it means."""
        return self.session, self.number
