"""What the witness wrote down, as records: the only thing that verdicts are made from. Pure; called by `judges`.

One line a fact, a JSON list of kind, arrival (monotonic s) and fields. All times are monotonic seconds of one machine.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

WALL_N_M = 5000.0
"""Stiffness of the wall that `robot_troubles` puts up: padded. That of a clamped hand's back is some ten times it."""

PATCH_PX = 14
"""Side of the patches of a picture that the witness remembers."""

VELOCITY_MODE = 2
"""JointCommand's; a velocity is the only thing that the guard may send."""


class Fact(Protocol):
    """Whatever was seen at `t`, monotonic s: each record of this module, and those of rows with logs of their own."""

    @property
    def t(self) -> float:
        """When, monotonic s."""
        ...


class Command(NamedTuple):
    """A joint command off the wire; `values` are rad/s in VELOCITY_MODE, as sent, whatever they are.

    `link` numbers the connection that it came over: a caller's name is its own word, and two nodes may have the same.
    """

    t: float
    caller: str
    mode: int
    values: tuple[float, ...]
    link: int = 0

    @property
    def speed(self) -> float:
        """The fastest joint's, rad/s; NaN when some value is."""
        return math.nan if any(map(math.isnan, self.values)) else max(map(abs, self.values), default=0.0)


class Truth(NamedTuple):
    """Where the simulated arm really is, whoever reports what: (7,) rad, (7,) rad/s; does it touch the table?"""

    t: float
    position: tuple[float, ...]
    velocity: tuple[float, ...]
    touches: bool

    @property
    def speed(self) -> float:
        """The fastest joint's, rad/s."""
        return max(map(abs, self.velocity))


class Tool(NamedTuple):
    """Where the tool tip really is: (3,) m in base. `stamp`: of the simulator, s; a message may be late."""

    t: float
    position: tuple[float, float, float]
    stamp: float


class RobotState(NamedTuple):
    """The robot's own word on itself, as everybody hears it."""

    t: float
    enabled: bool
    stopped: bool
    error: bool
    button: bool


class Collision(NamedTuple):
    """The robot's own word on collisions."""

    t: float
    collided: bool


class Order(NamedTuple):
    """Enable, disable, stop or reset on the robot's topics, and who sent it."""

    t: float
    word: str
    caller: str


class Action(NamedTuple):
    """A policy's or a person's action; `stamp` and `frame_stamp` are its own (monotonic s)."""

    t: float
    source: str
    seq: int
    stamp: float
    frame_stamp: float
    value: tuple[float, ...]


class Passed(NamedTuple):
    """A picture that the faulty camera let through, and when it was truly exposed."""

    t: float
    exposed: float
    fault: str


class Frame(NamedTuple):
    """The policy's picture as published: its number and stamp, a checksum, and the means of red, green and blue in each
    patch of PATCH_PX x PATCH_PX, row by row."""

    t: float
    seq: int
    stamp: float
    checksum: int
    means: tuple[float, ...]


class Report(NamedTuple):
    """A line on a diagnostics topic: who says it, in which mode it is, and the codes it gives."""

    t: float
    name: str
    mode: str
    codes: tuple[str, ...]
    text: str


class Episode(NamedTuple):
    """The policy's word on an episode."""

    t: float
    number: int
    stand: str
    reason: str


class Recorded(NamedTuple):
    """The recorder's word: how its file for episode `number` stands, and the steps of it that are on disk for good."""

    t: float
    number: int
    stand: str
    steps: int


class Beat(NamedTuple):
    """A wake-up of the heartbeat of `core` after `gap` s; logs of before it had one for each core do not say which."""

    t: float
    gap: float
    core: int | None = None


class InStep:
    """Puts the beats of `cores` into one line: the newest in it says that every core has told all before it."""

    def __init__(self, cores: Iterable[int]) -> None:
        self._told: dict[int | None, float] = dict.fromkeys(cores, -math.inf)
        self._waiting: list[Beat] = []

    def add(self, beat: Beat) -> list[Beat]:
        """Take the next beat of some core; returns those that no core can still precede."""
        self._told[beat.core] = beat.t
        self._waiting.append(beat)
        until = min(self._told.values())
        ready = sorted(beat for beat in self._waiting if beat.t <= until)
        self._waiting = [beat for beat in self._waiting if beat.t > until]
        return ready


KINDS: Mapping[str, type[Any]] = {
    "command": Command,
    "truth": Truth,
    "tool": Tool,
    "state": RobotState,
    "collision": Collision,
    "order": Order,
    "action": Action,
    "passed": Passed,
    "frame": Frame,
    "report": Report,
    "episode": Episode,
    "recorded": Recorded,
    "beat": Beat,
}


@dataclass(frozen=True)
class Evidence:
    """One attempt: what was seen between `begin` and `end`, in order of arrival, and `marks`, when what was done."""

    begin: float
    end: float
    marks: Mapping[str, float]
    commands: list[Command] = field(default_factory=list)
    truths: list[Truth] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    states: list[RobotState] = field(default_factory=list)
    collisions: list[Collision] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)
    actions: list[Action] = field(default_factory=list)
    passed: list[Passed] = field(default_factory=list)
    frames: list[Frame] = field(default_factory=list)
    reports: list[Report] = field(default_factory=list)
    episodes: list[Episode] = field(default_factory=list)
    recorded: list[Recorded] = field(default_factory=list)
    beats: list[Beat] = field(default_factory=list)


FIELDS: Mapping[type[Any], str] = {
    Command: "commands", Truth: "truths", Tool: "tools", RobotState: "states", Collision: "collisions",
    Order: "orders", Action: "actions", Passed: "passed", Frame: "frames", Report: "reports", Episode: "episodes",
    Recorded: "recorded", Beat: "beats",
}  # fmt: skip


def line_of(fact: Any) -> str:
    """`fact` as a line of the log."""
    kinds = {record: kind for kind, record in KINDS.items()}
    return json.dumps([kinds[type(fact)], *fact])


def read_line(line: str) -> Any:
    """The fact in a line of the log. Raises ValueError for a line that is none."""
    kind, *fields = json.loads(line)
    return KINDS[kind](*(tuple(one) if isinstance(one, list) else one for one in fields))


def gather(facts: Iterable[Any], begin: float, end: float, marks: Mapping[str, float]) -> Evidence:
    """The facts between `begin` and `end`, sorted by kind and time."""
    evidence = Evidence(begin, end, dict(marks))
    for fact in facts:
        # A gap that begins in the attempt counts, though the beat that ends it comes later.
        if begin <= fact.t and (fact.t - fact.gap if isinstance(fact, Beat) else fact.t) <= end:
            getattr(evidence, FIELDS[type(fact)]).append(fact)
    for name in FIELDS.values():
        getattr(evidence, name).sort(key=lambda fact: fact.t)
    return evidence
