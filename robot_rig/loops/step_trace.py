"""When each policy step passed each station, from exposure to joint command, and what that says in numbers. Pure.

Fed by `ros.step_listener` with what an onlooker hears, in monotonic seconds; read by `rig latency` and the live demo.
Nothing here is guessed from timing: frame and action numbers that travel in the messages tie the stations together.
"""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from robot_rig.datatypes import Floats

COMMAND_LIMIT_S = 0.05
"""A joint command later than this after the guard's tick is not that tick's."""

SKEW_S = 0.001
"""By how much two readings of one clock in two processes may seem out of order."""


class Step(NamedTuple):
    """The times (monotonic s) at which one step passed: exposure, arrival of the frame, the policy's look at it, the
    action's arrival, the guard's tick that took it, the joint command of that tick; the last two are NaN where there
    were none. `seq` is the action's number and `first` whether it opened an episode.
    """

    seq: int
    first: bool
    exposure: float
    frame: float
    policy: float
    action: float
    guard: float
    command: float

    @property
    def complete(self) -> bool:
        """Whether the step ended in a joint command."""
        return not math.isnan(self.command)


STAGES = {
    "exposure -> frame": ("exposure", "frame"),
    "frame -> policy": ("frame", "policy"),
    "policy -> action": ("policy", "action"),
    "action -> guard": ("action", "guard"),
    "guard -> joint_command": ("guard", "command"),
    "frame -> joint_command": ("frame", "command"),
    "exposure -> joint_command": ("exposure", "command"),
}
"""Name of a stage -> the stations that it lies between; the first five in a row, then sums."""

FRAME_TO_COMMAND = "frame -> joint_command"


@dataclass(frozen=True, slots=True)
class _Action:
    seq: int
    frame_seq: int
    exposure: float
    stamp: float
    arrival: float


class StepTrace:
    """Collects what is heard, in any order; `steps` ties it together. Called from several threads: it only appends."""

    def __init__(self) -> None:
        self._frames: dict[int, list[tuple[float, float]]] = {}
        self._actions: list[_Action] = []
        self._ticks: dict[int, list[float]] = {}
        self._commands: list[float] = []
        self._firsts: set[int] = set()

    def add_frame(self, seq: int, exposure: float, arrival: float) -> None:
        """Frame `seq`, exposed at `exposure`, was there at `arrival`."""
        self._frames.setdefault(seq, []).append((exposure, arrival))

    def add_action(self, seq: int, frame_seq: int, exposure: float, stamp: float, arrival: float) -> None:
        """Action `seq` answers frame `frame_seq`; the policy looked at `stamp`, the action was there at `arrival`."""
        self._actions.append(_Action(seq, frame_seq, exposure, stamp, arrival))

    def add_tick(self, seq: int, stamp: float) -> None:
        """The guard followed action `seq` in its tick at `stamp`."""
        self._ticks.setdefault(seq, []).append(stamp)

    def add_command(self, stamp: float) -> None:
        """A joint command was sent at `stamp`."""
        self._commands.append(stamp)

    def begin_episode(self, first_action: int) -> None:
        """An episode begins with action `first_action`; the pause before it is no missed deadline."""
        self._firsts.add(first_action)

    def steps(self, since: float = -math.inf) -> list[Step]:
        """Every action heard of, by the time of the policy's look, from `since` on.

        Ask for what is new: to tie all of half an hour together takes as long as a period.
        """
        commands = sorted(stamp for stamp in self._commands if stamp >= since - 2 * SKEW_S)
        actions = [action for action in self._actions if action.stamp >= since]
        return [self._step(action, commands) for action in sorted(actions, key=lambda action: action.stamp)]

    def _step(self, action: _Action, commands: Sequence[float]) -> Step:
        frame = self._arrival(action)
        guard = min((tick for tick in self._ticks.get(action.seq, ()) if tick >= action.stamp - SKEW_S), default=np.nan)
        command = _first_within(commands, guard - SKEW_S, COMMAND_LIMIT_S)
        # An onlooker may hear of something after it has already been acted upon.
        arrival = action.arrival if math.isnan(guard) else min(action.arrival, guard)
        first = action.seq in self._firsts
        return Step(action.seq, first, action.exposure, frame, action.stamp, arrival, guard, command)

    def _arrival(self, action: _Action) -> float:
        """When the frame that `action` answers was there; the policy's own look at it where the onlooker was later."""
        seen = self._frames.get(action.frame_seq, ())
        heard = [arrival for exposure, arrival in seen if abs(exposure - action.exposure) < SKEW_S]
        return min([*heard, action.stamp])


def _first_within(times: Sequence[float], since: float, span: float) -> float:
    """The first of the rising `times` in [since, since + span], or NaN."""
    if math.isnan(since):
        return math.nan
    index = bisect.bisect_left(times, since)
    return times[index] if index < len(times) and times[index] <= since + span else math.nan


@dataclass(frozen=True, slots=True)
class Spread:
    """Of N durations, ms: percentiles as the field gives them, by linear interpolation, and the largest."""

    n: int
    p50: float
    p99: float
    p999: float
    max: float

    @classmethod
    def of(cls, durations_s: Iterable[float]) -> Spread:
        """The spread of durations in s; all NaN when there are none."""
        values = 1e3 * np.fromiter(durations_s, np.float64)
        if not len(values):
            return cls(0, math.nan, math.nan, math.nan, math.nan)
        return cls(len(values), *(float(value) for value in np.percentile(values, [50, 99, 99.9, 100])))


def stage_durations(steps: Iterable[Step]) -> dict[str, Floats]:
    """Stage -> seconds of every step that ended in a joint command, in the order of STAGES."""
    whole = [step for step in steps if step.complete]
    return {
        name: np.array([getattr(step, to) - getattr(step, since) for step in whole], np.float64)
        for name, (since, to) in STAGES.items()
    }


def missed_deadlines(steps: Sequence[Step], period_s: float) -> int:
    """Policy periods of episodes that ended without a joint command of their own: no frame was answered in them, the
    action was not followed, or its command came later than a period after the frame. `steps` as from `StepTrace.steps`.
    """
    late = sum(not step.complete or step.command - step.frame > period_s for step in steps)
    return late + periods_without_picture(steps, period_s)


def periods_without_picture(steps: Sequence[Step], period_s: float) -> int:
    """Policy periods between the exposures of answered frames of one episode in which there was none to answer."""
    missed = 0
    for before, step in itertools.pairwise(steps):
        if not step.first and step.seq == before.seq + 1:
            missed += max(0, round((step.exposure - before.exposure) / period_s) - 1)
    return missed
