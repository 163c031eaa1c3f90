"""Verdicts on an attempt, from the witness's log alone. Pure functions; called by the rows.

A judge returns complaints, and none is a pass. Numbers that people should see go into `Verdict.figures`.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import TypeVar

from sim.faults.evidence import VELOCITY_MODE, Action, Command, Evidence, Fact, RobotState, Truth

AnyFact = TypeVar("AnyFact", bound=Fact)

GAP_LIMIT_S = 0.020
"""A core of the machine was away for longer: the attempt is void."""

STARTING_GAP_S = 0.250
"""So long may nothing have run on a core while a whole stack starts: seven processes that all load their libraries."""

HOLE_LIMIT_S = 0.100
"""The simulator told nothing for longer, though it tells 100 times a second: void."""

ZERO_LIMIT_S = 0.100
"""From a fault's deadline to the zero command."""

REST_LIMIT_S = 0.300
"""From a fault's deadline until every joint is slower than REST_RAD_S."""

PERIOD_S = 0.010
REST_RAD_S = 0.01
HELD_RAD_S = 0.05
RING = 0.2
"""The share of a step by which the simulated servo goes beyond it."""

FASTEST_M_S = (1.0 + RING) * 0.25
"""The cap on the tool's speed, and what the servo adds to it: .29 m/s was seen, .25 told."""

REVERSED_M_S = (1.0 + 2.0 * RING) * 0.25
"""The same where full speed may be reversed: a step twice as large, which rings twice as far. .31 m/s was seen."""

ROBOT_TIMEOUT_S = 0.2
TOLD_LIMIT_S = 0.100
REPORT_PERIOD_S = 0.100
TOLD_S = TOLD_LIMIT_S + REPORT_PERIOD_S
"""A code is raised within TOLD_LIMIT_S, and the next report of the guard carries it."""

MOVES_BEFORE_S = 0.3
"""A fault counts only if the arm was told to move, and did, in the last so many seconds before it."""


@dataclass
class Verdict:
    """Complaints (none: passed) and figures; a figure's name ends with its unit."""

    complaints: list[str] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)

    @property
    def passed(self) -> bool:
        """Whether there is nothing to complain of."""
        return not self.complaints

    def add(self, complaints: Iterable[str]) -> Verdict:
        """Take further complaints."""
        self.complaints.extend(complaints)
        return self

    def figure(self, name: str, seconds: float) -> None:
        """Keep the worst `name`, in ms."""
        key = f"{name} ms"
        self.figures[key] = max(self.figures.get(key, -math.inf), round(1e3 * seconds, 1))


def void_reason(evidence: Evidence) -> str:
    """Why the attempt proves nothing, or nothing: the machine was away, or the simulator was.

    While a row has ended the stack on purpose and starts it anew, from mark `dark` to mark `back`, the simulator is not
    expected to say anything, and the machine to be on time to `STARTING_GAP_S` only: of that span a row judges seconds.
    """
    beats = [beat for beat in evidence.beats if beat.t >= evidence.begin]
    if not beats:
        return "no heartbeat"
    dark, back = evidence.marks.get("dark", math.inf), evidence.marks.get("back", math.inf)
    late = [
        beat for beat in beats
        if beat.gap > (STARTING_GAP_S if dark <= beat.t - beat.gap and beat.t <= back else GAP_LIMIT_S)
    ]  # fmt: skip
    if late:
        worst = max(late, key=lambda beat: beat.gap)
        who = "the machine" if worst.core is None else f"core {worst.core} of the machine"
        return f"{who} was away for {1e3 * worst.gap:.0f} ms"
    times = [evidence.begin, *(truth.t for truth in evidence.truths), evidence.end]
    holes = ((later - earlier, max(0.0, min(later, back) - max(earlier, dark))) for earlier, later in pairwise(times))
    hole = max(length - excused for length, excused in holes)
    return f"the simulator was silent for {1e3 * hole:.0f} ms" if hole > HOLE_LIMIT_S else ""


def between(facts: Sequence[AnyFact], since: float, until: float = math.inf) -> list[AnyFact]:
    """The facts with since < t <= until."""
    return [fact for fact in facts if since < fact.t <= until]


def is_zero(command: Command) -> bool:
    """Whether it asks for no motion: a velocity of exactly zero."""
    return command.mode == VELOCITY_MODE and command.speed == 0.0


def moved_before(evidence: Evidence, when: float) -> list[str]:
    """A stop proves nothing about an arm that stood still."""
    told = any(not is_zero(command) for command in between(evidence.commands, when - MOVES_BEFORE_S, when))
    went = any(truth.speed >= REST_RAD_S for truth in between(evidence.truths, when - MOVES_BEFORE_S, when))
    return [] if told and went else ["the arm was not moving when the fault came"]


def last_motion(evidence: Evidence, since: float, until: float) -> float:
    """When the last command for motion in `since` to `until` came; `since` when there was none."""
    return max(
        (command.t for command in between(evidence.commands, since, until) if not is_zero(command)), default=since
    )


def stopped(evidence: Evidence, verdict: Verdict, deadline: float, until: float = math.inf) -> None:
    """STOP: zero command within 0.1 s of `deadline`, joints at rest within 0.3 s, and nothing moves up to `until`.

    Zero is the first zero command after the last one for motion. A guard that falls silent has stopped nothing.
    """
    until = min(until, evidence.end)
    if not _zeros(evidence, last_motion(evidence, deadline - 10.0, until), until):
        verdict.add(["no zero was commanded: if the arm stopped, then by the robot's own time-out"])
    ended(evidence, verdict, deadline, until)


def _zeros(evidence: Evidence, since: float, until: float) -> list[float]:
    """When zero was commanded."""
    return [command.t for command in between(evidence.commands, since, until) if is_zero(command)]


def ended(evidence: Evidence, verdict: Verdict, deadline: float, until: float = math.inf) -> None:
    """As `stopped`, by a guard that may fall silent instead, because the fault ends it: the robot's time-out counts."""
    until = min(until, evidence.end)
    last = last_motion(evidence, deadline - 10.0, until)
    follow = _zeros(evidence, last, until)
    zero = follow[0] if follow else last + ROBOT_TIMEOUT_S
    verdict.figure("stop", zero - deadline)
    if zero - deadline > ZERO_LIMIT_S:
        verdict.add([f"zero command {1e3 * (zero - deadline):.0f} ms after the deadline"])
    resting(evidence, verdict, deadline, until)


def held(evidence: Evidence, verdict: Verdict, since: float, limit_s: float) -> None:
    """The robot's own position hold has the joints below HELD_RAD_S `limit_s` after `since`, for good.

    It settles on its path within the next tenth of a second, which no commander can hasten: so not REST_RAD_S.
    """
    moving = [truth.t for truth in between(evidence.truths, since) if truth.speed >= HELD_RAD_S]
    rest = max(moving, default=since) - since
    verdict.figure("held", rest)
    if rest > limit_s:
        verdict.add([f"joints still faster than {HELD_RAD_S} rad/s {1e3 * rest:.0f} ms after the fault"])
    resting(evidence, verdict, since, limit_s=limit_s + REST_LIMIT_S)


def resting(
    evidence: Evidence, verdict: Verdict, since: float, until: float = math.inf, limit_s: float = REST_LIMIT_S
) -> None:
    """The joints are at rest `limit_s` after `since`, and stay so up to `until`."""
    until = min(until, evidence.end)
    truths = between(evidence.truths, since, until)
    if not truths:
        verdict.add(["nobody saw the arm after the fault"])
        return
    moving = [truth.t for truth in truths if truth.speed >= REST_RAD_S]
    rest = max(moving, default=since) - since
    verdict.figure("rest", rest)
    if rest > limit_s:
        verdict.add([f"joints still faster than {REST_RAD_S} rad/s {1e3 * rest:.0f} ms after the deadline"])


def told(evidence: Evidence, codes: Iterable[str], since: float, until: float) -> list[str]:
    """One of `codes` stands on a diagnostics topic between `since` and `until`."""
    wanted = set(codes)
    heard = {code for report in between(evidence.reports, since, until) for code in report.codes}
    return (
        []
        if heard & wanted
        else [f"none of {', '.join(sorted(wanted))} was told; heard: {', '.join(sorted(heard)) or 'nothing'}"]
    )


def no_enables(evidence: Evidence, since: float, until: float = math.inf) -> list[str]:
    """Nobody switches motors on, or resets the robot: both are a person's to do."""
    orders = [order for order in between(evidence.orders, since, until) if order.word in ("enable", "reset")]
    return [f"{one.caller} sent {one.word} {one.t - since:.2f} s after the fault" for one in orders[:1]]


def made_at(action: Action) -> float:
    """When an action was made: by its own word, but not after it came."""
    return min(action.stamp, action.t)


def one_commander(evidence: Evidence, allowed: str) -> list[str]:
    """Nobody but `allowed` commanded the arm, and that over one connection: a double has the same name."""
    others = sorted({command.caller for command in evidence.commands} - {allowed})
    links = {command.link for command in evidence.commands if command.caller == allowed}
    complaints = [f"joint commands of {', '.join(others)}"] if others else []
    return [*complaints, f"{len(links)} of the name {allowed} commanded"] if len(links) > 1 else complaints


def sane_commands(commands: Sequence[Command], speed_caps: Sequence[float]) -> list[str]:
    """Every command is seven finite velocities within `speed_caps` (7,) rad/s."""
    for command in commands:
        if command.mode != VELOCITY_MODE or len(command.values) != len(speed_caps):
            return [f"a command of mode {command.mode} with {len(command.values)} values"]
        for joint, (value, cap) in enumerate(zip(command.values, speed_caps, strict=True)):
            if not abs(value) <= cap:
                return [f"joint {joint} was told {value} rad/s, more than {cap:.3f}"]
    return []


def within_box(evidence: Evidence, low: Sequence[float], high: Sequence[float], slack_m: float) -> list[str]:
    """The true tool tip is never more than `slack_m` outside the box (3,) m."""
    worst = max(
        (max(lo - p, p - hi) for tool in evidence.tools for p, lo, hi in zip(tool.position, low, high, strict=True)),
        default=math.nan,
    )
    if math.isnan(worst):
        return ["nobody saw the tool"]
    return [f"the tool was {1e3 * worst:.1f} mm outside its box"] if worst > slack_m else []


def within_joint_limits(evidence: Evidence, lower: Sequence[float], upper: Sequence[float]) -> list[str]:
    """No true joint angle is past a limit (7,) rad."""
    for truth in evidence.truths:
        for joint, (angle, lo, hi) in enumerate(zip(truth.position, lower, upper, strict=True)):
            if not lo <= angle <= hi:
                return [f"joint {joint} was at {angle:.4f} rad, beyond {lo:.4f} .. {hi:.4f}"]
    return [] if evidence.truths else ["nobody saw the arm"]


def no_contact(evidence: Evidence) -> list[str]:
    """The arm never touches the table, nor for less than the time between two truths: the robot tells of that."""
    touches = sum(truth.touches for truth in evidence.truths) + sum(told.collided for told in evidence.collisions)
    return [f"{touches} contacts with the table"] if touches else []


def command_gap(evidence: Evidence, since: float, until: float) -> float:
    """The longest time (s) without a command between `since` and `until`."""
    times = [since, *(command.t for command in between(evidence.commands, since, until)), until]
    return max(later - earlier for earlier, later in pairwise(times))


def true_speed(evidence: Evidence, since: float = -math.inf) -> float:
    """The fastest that the true tool tip went after `since`, m/s, over 50 ms of the simulator's own time."""
    tools = between(evidence.tools, since)
    pairs = zip(tools, tools[5:], strict=False)
    return max((math.dist(a.position, b.position) / (b.stamp - a.stamp) for a, b in pairs), default=0.0)


def first_state(evidence: Evidence, since: float, which: Callable[[RobotState], bool]) -> float | None:
    """When the robot first said so after `since`."""
    return next((state.t for state in between(evidence.states, since) if which(state)), None)


def moves(evidence: Evidence, since: float, until: float) -> bool:
    """Whether any motion was asked for."""
    return any(not is_zero(command) for command in between(evidence.commands, since, until))


def at(truths: Sequence[Truth], when: float) -> Truth | None:
    """The last truth up to `when`."""
    index = bisect.bisect_right([truth.t for truth in truths], when) - 1
    return truths[index] if index >= 0 else None
