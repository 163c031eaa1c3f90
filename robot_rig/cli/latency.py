"""`rig latency`: how long a policy step takes through the live graph, stage by stage. Called by `live_commands`.

`rig soak` and `rig demo-live` measure with the same pieces.

Listens only; the arm moves or rests as it did before. Imports ROS, so it is itself imported only once the word is said.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table

from benchmarks.attempts import Attempts, void_reason
from benchmarks.heartbeat import ABOVE_ALL, Beat, Heartbeat, Pulse
from drivers.sawyer import JOINT_COMMAND
from robot_rig.clock import WallClock
from robot_rig.errors import UserError
from robot_rig.loops.step_trace import (
    FRAME_TO_COMMAND,
    STAGES,
    Spread,
    Step,
    missed_deadlines,
    periods_without_picture,
    stage_durations,
)
from robot_rig.ros.real_time import prepare_process
from robot_rig.ros.step_listener import StepListener
from robot_rig.ros.visitor import visit

NODE = "rig_latency"
ATTEMPT_S = 10.0
"""A measurement is made of attempts of this length, so that one stall of the machine does not void half an hour."""

PRIORITY = 14
"""Of the bare timer: that of the policy's own connections, the lowest on the way from frame to joint command. This
onlooker runs one below it, in order to disturb nobody."""

SILENCE_S = 60.0
LATE_S = 0.015
"""The bar: from a frame's arrival to the joint command that carries its action."""


@dataclass(frozen=True, slots=True)
class Timing:
    """What was measured in the valid attempts: the steps, and the bare timer's beats beside them."""

    steps: Sequence[Step]
    timer: Sequence[Beat]
    period_s: float

    @property
    def missed(self) -> int:
        """Policy periods that ended without a command of their own."""
        return missed_deadlines(self.steps, self.period_s)

    @property
    def blind(self) -> int:
        """Those of them in which no picture came that could be answered: the camera's, not the policy's."""
        return periods_without_picture(self.steps, self.period_s)

    @property
    def late(self) -> int:
        """Steps whose joint command came later than `LATE_S` after their frame."""
        return int((stage_durations(self.steps)[FRAME_TO_COMMAND] > LATE_S).sum())

    @property
    def timer_missed(self) -> int:
        """Periods in which the bare timer did not wake."""
        return sum(int(beat.late // self.period_s) for beat in self.timer)


def run_latency(minutes: float, rate_hz: float, console: Console) -> int:
    """Measure for `minutes` of valid attempts a policy of `rate_hz`.

    Exit code 1 when the policy was not on time, or too many attempts are void for anybody to say.
    """
    period_s = 1.0 / rate_hz
    # The instruments begin first: programs that this one starts would load at its own priority, ahead of a log and a
    # simulator that have none, and stop a moving arm for half a second.
    with visit(NODE), Heartbeat(ABOVE_ALL) as heart, Pulse(PRIORITY, period_s, 0.0) as timer:
        console.print("; ".join(prepare_process(PRIORITY - 1)), highlight=False, soft_wrap=True)
        console.print(f"heartbeat: {heart.scheduling}; timer: {timer.scheduling}", highlight=False, soft_wrap=True)
        with contextlib.closing(StepListener(JOINT_COMMAND)) as listener:
            attempts, timing = _measure(minutes, listener, heart, timer, period_s, console)
    show(timing, console)
    console.print(f"{attempts}", highlight=False)
    print(line(timing, attempts))
    return 0 if on_time(timing) and not attempts.failed else 1


def _measure(
    minutes: float, listener: StepListener, heart: Heartbeat, timer: Pulse, period_s: float, console: Console
) -> tuple[Attempts, Timing]:
    clock = WallClock()
    wanted = max(1, round(60.0 * minutes / ATTEMPT_S))
    attempts, steps, beats = Attempts(wanted), list[Step](), list[Beat]()
    _await_steps(listener, clock)
    started = clock.now()
    while attempts.wanting and not attempts.failed:
        begin = clock.now()
        clock.sleep_until(begin + ATTEMPT_S)
        end = clock.now()
        # The last step of the attempt may still be on its way.
        clock.sleep_until(end + period_s)
        name = f"attempt {attempts.made + 1}"
        if attempts.add(name, void_reason(heart.worst_gap(begin, end))):
            timing = timed(listener, timer, period_s, begin, end)
            if told := misses(timing):
                console.print(f"{name}, {end - started:.0f} s from the start: {told}", highlight=False)
            steps += timing.steps
            beats += timing.timer
        else:
            console.print(f"void, repeated: {attempts.voids[-1]}", highlight=False)
    return attempts, Timing(steps, beats, period_s)


def timed(listener: StepListener, timer: Pulse, period_s: float, begin: float, end: float) -> Timing:
    """What was measured between `begin` and `end` (monotonic s), the last of which is a period ago or more."""
    own = within(listener.trace.steps(begin), begin, end)
    return Timing(own, [beat for beat in timer.told(begin, end) if begin <= beat.wake < end], period_s)


def on_time(timing: Timing) -> bool:
    """Whether the p99 from frame to joint command is within its limit, and no more deadlines were missed than a bare
    timer missed beside it; False without a step.
    """
    spread = Spread.of(stage_durations(timing.steps)[FRAME_TO_COMMAND])
    return 1e-3 * spread.p99 <= LATE_S and timing.missed <= timing.timer_missed


def misses(timing: Timing) -> str:
    """What was missed, in words; empty when nothing was."""
    if not timing.missed and not timing.timer_missed:
        return ""
    late = [step for step in timing.steps if step.command - step.frame > timing.period_s]
    slow = [
        f"{1e3 * (getattr(step, to) - getattr(step, since)):.0f} ms {stage}"
        for step in late
        for stage, (since, to) in itertools.islice(STAGES.items(), 1, 5)
        if getattr(step, to) - getattr(step, since) > LATE_S
    ]
    lost = sum(not step.complete for step in timing.steps)
    told = [f"{timing.missed} missed", f"{timing.blind} without a picture", f"{lost} not followed", *slow]
    return f"{', '.join(told)}; the bare timer {timing.timer_missed}"


def within(steps: Iterable[Step], begin: float, end: float) -> list[Step]:
    """The steps whose frame arrived between `begin` and `end`; the first one follows none, so it counts as opening."""
    chosen = [step for step in steps if begin <= step.frame < end]
    return [step._replace(first=step.first or i == 0) for i, step in enumerate(chosen)]


def _await_steps(listener: StepListener, clock: WallClock) -> None:
    deadline = clock.now() + SILENCE_S
    while not listener.trace.steps():
        if clock.now() > deadline:
            raise UserError(
                f"no policy has acted for {SILENCE_S:g} s",
                next_step="send a goal, or start policy_node --source random",
            )
        clock.sleep_until(clock.now() + 0.1)


def rows(timing: Timing) -> list[tuple[str, Spread]]:
    """Name and spread of every stage, and of the bare timer's lateness."""
    measured = [(name, Spread.of(durations)) for name, durations in stage_durations(timing.steps).items()]
    return [*measured, ("bare timer, lateness", Spread.of(beat.late for beat in timing.timer))]


def show(timing: Timing, console: Console) -> None:
    """The table for people."""
    table = Table(title="From exposure to joint command, ms")
    table.add_column("stage", no_wrap=True)
    for column in ("n", "p50", "p99", "p99.9", "max"):
        table.add_column(column, justify="right")
    for name, spread in rows(timing):
        values = (f"{value:.2f}" for value in (spread.p50, spread.p99, spread.p999, spread.max))
        table.add_row(name, str(spread.n), *values)
    console.print(table)
    incomplete = sum(not step.complete for step in timing.steps)
    console.print(
        f"{len(timing.steps)} actions, {incomplete} not followed; missed deadlines: {timing.missed}, "
        f"{timing.blind} of them without a picture; a bare timer loop beside it {timing.timer_missed}",
        highlight=False,
    )


def line(timing: Timing, attempts: Attempts) -> str:
    """The last line: names and numbers that a program can read."""
    durations = stage_durations(timing.steps)
    spread = Spread.of(durations[FRAME_TO_COMMAND])
    age = 1e3 * median(durations["exposure -> frame"].tolist() or [float("nan")])
    return (
        f"latency frame_to_command_p99_ms={spread.p99:.2f} p50_ms={spread.p50:.2f} max_ms={spread.max:.2f}"
        f" steps={len(timing.steps)} late={timing.late} missed={timing.missed} no_picture={timing.blind}"
        f" timer_missed={timing.timer_missed} image_age_p50_ms={age:.0f}"
        f" voids={len(attempts.voids)} attempts={attempts.made}"
    )
