"""What a soak's events come to: was a fault recovered from as its kind should be, which steps were lost. Pure.

Called by `cli.soak.run` and `cli.soak.verdict`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from robot_rig.cli.soak.kinds import Rescue
from robot_rig.cli.soak.watch import Told

EFFECT_S = 0.4
"""A fault after which steps went on without such a pause stopped nothing, and its recovery proves nothing."""

SLACK_S = 0.5
"""An episode's first picture was exposed at most so long before the recorder said that its file is open."""


class Seen(NamedTuple):
    """What was seen of one fault: the longest pause (s) in the log from its cause to its recovery, whether practice
    went on before anybody led, the orders that the operator gave, whether the launch ended by itself, whether
    practice goes on in the end, and whether guard or camera told of this cause while it lasted.
    """

    pause_s: float
    alone: bool
    orders: int
    launch_ended: bool
    back: bool
    told: bool


def complaints(rescue: Rescue, seen: Seen) -> list[str]:
    """What is wrong with how a fault of this `rescue` was recovered from; none is a pass."""
    found = []
    if seen.pause_s < EFFECT_S:
        found.append(f"it stopped nothing: the longest pause in the log is {seen.pause_s:.1f} s")
    if not seen.told:
        found.append("neither guard nor camera told of it")
    if rescue is Rescue.ALONE and not seen.alone:
        found.append("practice did not go on alone")
    if rescue is Rescue.OPERATOR and seen.alone:
        found.append("the arm went on before a person led")
    if rescue is Rescue.RESTART and not seen.launch_ended:
        found.append("the launch did not end with a process that it requires")
    if rescue is not Rescue.RESTART and seen.launch_ended:
        found.append("the launch ended, and should not have")
    return found if seen.back else [*found, "practice did not go on at all"]


@dataclass(frozen=True)
class Outcome:
    """One fault that was caused `at_s` after the soak's begin: how long (s) after its end a step was logged again (-1:
    never), how long the log paused, the operator's orders, and complaints; `void` says why it does not count.
    """

    kind: str
    rescue: str
    seed: int
    at_s: float
    took_s: float
    pause_s: float
    orders: int
    complaints: Sequence[str] = ()
    void: str = ""

    @property
    def passed(self) -> bool:
        """Whether it counts, and for the product."""
        return not self.void and not self.complaints


@dataclass(frozen=True)
class Stop:
    """The arm rested or the launch ended `at_s` after the soak's begin though no fault was caused; `excused` says what
    the machine did meanwhile, where that explains it.
    """

    at_s: float
    what: str
    excused: str = ""


@dataclass(frozen=True)
class Logged:
    """An episode file: when its first picture was exposed (s, on the clock of `Told`), and the steps in it."""

    begun: float
    steps: int


@dataclass
class Losses:
    """Steps on disk, those lost that the recorder had said were there, and the episodes that they are missing from."""

    logged: int
    lost: int = 0
    episodes: list[Told] = field(default_factory=list)


def losses(told: Sequence[Told], files: Sequence[Logged]) -> Losses:
    """Holds what the recorder told against the `files`. Each is taken once: the one that was begun when the episode was
    opened, or soon after, for one recorder writes one file at a time.
    """
    found = Losses(sum(file.steps for file in files))
    left = sorted(files, key=lambda file: file.begun)
    for one in sorted(told, key=lambda one: one.opened):
        near = [file for file in left if one.opened - SLACK_S <= file.begun <= one.last]
        mine = min(near, key=lambda file: abs(file.begun - one.opened), default=None)
        if mine is not None:
            left.remove(mine)
        missing = one.steps - (mine.steps if mine is not None else 0)
        if missing > 0:
            found.lost += missing
            found.episodes.append(one)
    return found
