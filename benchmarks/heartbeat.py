"""Beats in a process of their own beside a timed check: was the machine itself on time? And what a void attempt is.

    python -m benchmarks.heartbeat --period 0.001 --priority 20

A check of timing on a shared machine measures the machine too. A 1 kHz heartbeat of the same priority says when the
machine was away: an attempt with a gap of more than 20 ms is void and repeated, voids are told, and more than a fifth
of them fail. The same program at 10 Hz is the bare timer loop that the policy's missed deadlines are held against.
Called by `rig latency` and `rig demo-live`.
"""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

import tyro

from robot_rig.clock import Clock, WallClock
from robot_rig.errors import UserError
from robot_rig.ros.real_time import prepare_process, prepare_tick_thread

PERIOD_S = 0.001
GAP_LIMIT_S = 0.020
VOID_SHARE = 0.20
START_S = 60.0
TOLD_EVERY_S = 0.5
"""A beat is told at least this often: that is how the reader knows that none was worth telling before it."""

TELLING_S = 5.0
"""How long the last beats of an attempt may take to be told."""


class Beat(NamedTuple):
    """A wake-up at `wake` (monotonic s), `gap` s after the one before and `late` s after its deadline."""

    wake: float
    gap: float
    late: float


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

    over: float = 0.005
    """Shortest gap that is told, s; 0 tells every beat."""

    priority: int = 0
    """SCHED_FIFO priority where permitted; 0: normal scheduling."""


class Heartbeat:
    """The process, and what it has told; a context manager. Raises UserError when it does not begin to beat."""

    def __init__(self, priority: int, period_s: float = PERIOD_S, over_s: float = 0.005) -> None:
        options = Options(period_s, over_s, priority)
        words = [word for name, value in vars(options).items() for word in (f"--{name}", str(value))]
        self._told: list[Beat] = []
        self._news = threading.Condition()
        self.scheduling = ""
        """What the process says of its own scheduling."""
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, *words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self._reader = threading.Thread(target=self._read, name="heartbeat", daemon=True)

    def __enter__(self) -> Heartbeat:
        self._reader.start()
        with self._news:
            begun = self._news.wait_for(lambda: self._told, START_S)
        if not begun:
            self._end()
            raise UserError("the heartbeat does not begin", next_step="try again when the machine has less to do")
        return self

    def __exit__(self, *_: object) -> None:
        self._end()

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()

    def _read(self) -> None:
        assert self._process.stdout is not None
        self.scheduling = self._process.stdout.readline().strip()
        for line in self._process.stdout:
            with self._news:
                self._told.append(Beat(*map(float, line.split())))
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

    def worst_gap(self, since: float, until: float) -> float:
        """The longest gap between two beats (s) that overlaps `since` to `until`; 0 when there was none to tell."""
        return max((beat.gap for beat in self.told(since, until)), default=0.0)


def void_reason(worst_gap_s: float) -> str:
    """Why an attempt with that gap is void, or nothing."""
    if worst_gap_s <= GAP_LIMIT_S:
        return ""
    return f"the machine was away for {1e3 * worst_gap_s:.0f} ms"


class Attempts:
    """Counts attempts and voids on the way to `wanted` valid ones."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self.made = 0
        self.voids: list[str] = []

    def add(self, name: str, reason: str) -> bool:
        """Count the attempt `name`, void for `reason` unless that is empty; returns whether it is valid."""
        self.made += 1
        if reason:
            self.voids.append(f"{name}: {reason}")
        return not reason

    @property
    def failed(self) -> bool:
        """Whether more than a fifth are void, even if every attempt that is still wanted were valid."""
        return len(self.voids) > VOID_SHARE * (self._wanted + len(self.voids))

    @property
    def wanting(self) -> bool:
        """Whether valid attempts are still wanted."""
        return self.made - len(self.voids) < self._wanted

    def __str__(self) -> str:
        return f"{len(self.voids)} of {self.made} attempts void"


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
    prepare_process(options.priority)
    clock = WallClock()
    print(prepare_tick_thread(options.priority, ())[0].removeprefix("tick: "), flush=True)
    for beat in worth_telling(beats(clock, options.period), options.over):
        # Ends with its reader: a broken pipe is the ordinary way out.
        print(*beat, flush=True)


if __name__ == "__main__":
    main()
