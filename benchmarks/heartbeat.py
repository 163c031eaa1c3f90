"""Beats beside a timed check, on every core: was each core of the machine on time?

    python -m benchmarks.heartbeat --core 1 --period 0.001 --priority 21

A check of timing on a shared machine measures the machine too. A virtual core can stand still for 100 ms while the
other runs, and only a thread that may not leave it can see that: so one process (Python's threads would wait for each
other) is pinned to each core, at a priority above every thread of the product. Nothing of the product outranks it, so
its gap means that this core did not run it: the host took it, or interrupts or the kernel did. `benchmarks.attempts`
says what follows from a gap.

What it cannot tell: where SCHED_FIFO is not permitted, a gap may be any other program's. And where real-time threads
keep a core to themselves for a second, the kernel takes 50 ms of the next from every one of them, this one too, for the
programs that starve (its fair server, or RT throttling before Linux 6.12): gaps of 52 to 55 ms were measured so. A void
is told with the core's steal time in the attempt, where the host tells it.

What it costs: 1.9 to 3.9 % of each of 2 virtual cores, by what else ran there, mostly 3.5. Whatever is measured beside
it pays that too.

The same program at 10 Hz, on no core in particular and at the product's own lowest priority, is the bare timer loop
that the policy's missed deadlines are held against. Called by `rig latency`, `rig demo-live`, `rig bench tick`, the
witness of `rig faults` and the tests over live ROS.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import tyro

from benchmarks.attempts import Gap
from robot_rig.clock import Clock, WallClock
from robot_rig.errors import UserError
from robot_rig.ros.real_time import prepare_process, prepare_tick_thread

ABOVE_ALL = 21
"""SCHED_FIFO priority next above every thread of the product: the guard's tick has the highest, 20."""

PERIOD_S = 0.001
OVER_S = 0.005
START_S = 60.0
TOLD_EVERY_S = 0.5
"""A beat is told at least this often: that is how the reader knows that none was worth telling before it."""

TELLING_S = 5.0
"""How long the last beats of an attempt may take to be told."""

PROC_STAT = Path("/proc/stat")
STEAL_FIELD = 8
"""Of a core's line there, its name being field 0; see proc(5)."""


class Beat(NamedTuple):
    """A wake-up at `wake` (monotonic s), `gap` s after the one before and `late` s after its deadline.

    One that was told knows its `core`, if it may not leave it, and that core's steal time by then, s.
    """

    wake: float
    gap: float
    late: float
    core: int | None = None
    steal: float = 0.0


def beats(clock: Clock, period_s: float) -> Iterator[Beat]:
    """Wake at absolute deadlines for ever; after a stall the grid begins anew, so that one stall counts once."""
    last = clock.now()
    deadline = last + period_s
    while True:
        clock.sleep_until(deadline)
        wake = clock.now()
        late = wake - deadline
        yield Beat(wake, wake - last, late)
        last = wake
        deadline = deadline + period_s if late < period_s else wake + period_s


@dataclass(frozen=True)
class Options:
    """A heartbeat: tells on standard output, as `wake gap late` in s, every beat after a gap of at least `over`."""

    period: float = PERIOD_S
    """Seconds from beat to beat."""

    over: float = OVER_S
    """Shortest gap that is told, s; 0 tells every beat."""

    priority: int = 0
    """SCHED_FIFO priority where permitted; 0: normal scheduling."""

    core: int | None = None
    """The core that it never leaves; none: wherever the scheduler puts it."""


class Pulse:
    """One process that beats, and what it has told; a context manager.

    Raises UserError when it does not begin to beat.
    """

    def __init__(self, priority: int, period_s: float, over_s: float, core: int | None = None) -> None:
        words = ["--period", period_s, "--over", over_s, "--priority", priority]
        words += [] if core is None else ["--core", core]
        self.core = core
        self._told: list[Beat] = []
        self._news = threading.Condition()
        self.scheduling = ""
        """What the process says of its own scheduling."""

        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.pid = self._process.pid
        threading.Thread(target=self._read, name="heartbeat", daemon=True).start()

    def __enter__(self) -> Pulse:
        try:
            with self._news:
                begun = self._news.wait_for(lambda: self._told, START_S)
            if not begun:
                raise UserError("the heartbeat does not begin", next_step="try again when the machine has less to do")
        except BaseException:  # Ctrl-C too: nothing may go on beating
            self.end()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.end()

    @property
    def alive(self) -> bool:
        """Whether the process still runs."""
        return self._process.poll() is None

    def end(self) -> None:
        """End the process, whatever it is at."""
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.scheduling = self._process.stdout.readline().strip()
        for line in self._process.stdout:
            # Asked here, because it takes 0.2 ms, which the beating process must not take from its core.
            steal = 0.0 if self.core is None else steal_s(self.core, PROC_STAT.read_text())
            if not line.endswith("\n"):
                # Killed in the middle of a word.
                break
            wake, gap, late = map(float, line.split())
            with self._news:
                self._told.append(Beat(wake, gap, late, self.core, steal))
                self._news.notify_all()

    def told(self, since: float, until: float) -> list[Beat]:
        """The told beats whose gap overlaps `since` to `until` (monotonic s), once `until` is past.

        Raises UserError when the process has died.
        """
        with self._news:
            complete = self._news.wait_for(lambda: self._told[-1].wake > until, TELLING_S)
            if not complete:
                raise UserError("the heartbeat has died", next_step="measure again")
            return [beat for beat in self._told if beat.wake >= since and beat.wake - beat.gap <= until]

    def worst_gap(self, since: float, until: float) -> Gap:
        """The longest gap between two beats that overlaps `since` to `until`; 0 when there was none to tell."""
        longest = max((beat.gap for beat in self.told(since, until)), default=0.0)
        with self._news:
            wakes = [beat.wake for beat in self._told]
            before = self._told[max(0, bisect_left(wakes, since) - 1)]
            return Gap(longest, self.core, self._told[bisect_right(wakes, until)].steal - before.steal)


class Heartbeat:
    """A pulse on every core that this process may use; a context manager.

    Raises UserError when one does not begin to beat.
    """

    def __init__(self, priority: int, period_s: float = PERIOD_S) -> None:
        self.pulses: list[Pulse] = []
        try:
            for core in sorted(os.sched_getaffinity(0)):
                self.pulses.append(Pulse(priority, period_s, OVER_S, core))
        except BaseException:
            self.__exit__()
            raise

    def __enter__(self) -> Heartbeat:
        try:
            for pulse in self.pulses:
                pulse.__enter__()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for pulse in self.pulses:
            pulse.end()

    @property
    def alive(self) -> bool:
        """Whether every one of the processes still runs."""
        return all(pulse.alive for pulse in self.pulses)

    @property
    def scheduling(self) -> str:
        """What the processes say of their own scheduling, and which cores they beat on."""
        kinds = dict.fromkeys(pulse.scheduling for pulse in self.pulses)
        return f"{'; '.join(kinds)}, on each of the cores {', '.join(str(pulse.core) for pulse in self.pulses)}"

    def worst_gap(self, since: float, until: float) -> Gap:
        """The longest gap of any core that overlaps `since` to `until` (monotonic s), once all have told of it."""
        return max(pulse.worst_gap(since, until) for pulse in self.pulses)


def steal_s(core: int, proc_stat: str) -> float:
    """What the host has taken of `core` since the machine began, s, by `proc_stat`; 0 where it does not tell.

    Not psutil's: that counts the cores that are switched on, and so misnames those behind one that is off.
    """
    name = f"cpu{core} "
    fields = next((line.split() for line in proc_stat.splitlines() if line.startswith(name)), [])
    return int(fields[STEAL_FIELD]) / os.sysconf("SC_CLK_TCK") if len(fields) > STEAL_FIELD else 0.0


def worth_telling(wakes: Iterable[Beat], over_s: float) -> Iterator[Beat]:
    """The beats after a gap of at least `over_s`, and one every half second."""
    told = -TOLD_EVERY_S
    for beat in wakes:
        if beat.gap >= over_s or beat.wake - told >= TOLD_EVERY_S:
            told = beat.wake
            yield beat


def main() -> None:
    """Beat until somebody ends this process."""
    options = tyro.cli(Options)
    # The priority first: a core that real-time threads keep busy would not let anything else begin.
    prepare_process(options.priority)
    if options.core is not None:
        os.sched_setaffinity(0, {options.core})
    clock = WallClock()
    print(prepare_tick_thread(options.priority, ())[0].removeprefix("tick: "), flush=True)
    for beat in worth_telling(beats(clock, options.period), options.over):
        # Ends with its reader: a broken pipe is the ordinary way out.
        print(beat.wake, beat.gap, beat.late, flush=True)


if __name__ == "__main__":
    main()
