"""Causes faults again and again and has them judged. Called by `live_commands.faults`."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from rich.console import Console

from robot_rig.cli.faults.results import Attempt, Results, RowResult
from robot_rig.cli.live.ending import ended_in_order
from robot_rig.errors import UserError
from robot_rig.versions import versions
from sim.faults.evidence import Beat
from sim.faults.judges import void_reason
from sim.faults.rows import NotPermittedError, Row, VoidError
from sim.faults.rows_alone import AloneRow
from sim.faults.rows_files import FileRow
from sim.faults.table import AnyRow
from sim.strangers import attack

if TYPE_CHECKING:
    from robot_rig.cli.faults.stage import LiveStage

BEFORE_S = 0.8
"""Of the attempt before the fault comes: the arm has moved for a second by then."""

LAST_BEAT_S = 2.0
NOT_PERMITTED = "not permitted here"


class Attempts:
    """Makes attempts at rows on a stage, a new one where the last one is spoilt. A context manager."""

    def __init__(self, folder: Path, seed: int, console: Console) -> None:
        self._folder, self._seed, self._console = folder, seed, console
        self._revision = versions()["git"]
        self._stack = ExitStack()
        self._stage: LiveStage | None = None
        self._served = False
        self._graphs = 0

    def __enter__(self) -> Attempts:
        return self

    def __exit__(self, *_: object) -> None:
        self._take_down()

    def _take_down(self) -> None:
        self._stage, self._served = None, False
        self._stack.close()

    def _up(self) -> LiveStage:
        if self._stage is None:
            # Here, because the other rows need no ROS.
            from robot_rig.cli.faults.stage import LiveStage

            self._graphs += 1
            self._revision = versions()["git"]
            folder = self._folder / f"graph-{self._graphs}"
            self._stage = self._stack.enter_context(LiveStage(folder, self._seed))
        return self._stage

    def make(self, row: AnyRow, seed: int) -> Attempt:
        """One attempt at `row`."""
        return replace(self._made(row, seed), revision=self._revision)

    def _made(self, row: AnyRow, seed: int) -> Attempt:
        if isinstance(row, FileRow):
            return _forged(row, seed)
        if isinstance(row, AloneRow):
            return _alone(row, seed, self._folder / f"row-{row.number}-{seed}")
        return self._live(row, seed)

    def _live(self, row: Row, seed: int) -> Attempt:
        stage = self._up()
        try:
            stage.reseed(seed)
            stage.prepare(row)
        except UserError as error:
            served = self._served
            self._take_down()
            # A graph that never came up says nothing of the fault; one that does not come back does of the one before.
            if served:
                return Attempt(seed, "", (f"after the attempt before, the graph did not come back: {error}",), {}, {})
            return Attempt(seed, f"the graph was not ready: {error}", (), {}, {})
        self._served = True
        begin = stage.now() - BEFORE_S
        try:
            row.inject(stage)
        except NotPermittedError as error:
            return Attempt(seed, f"{NOT_PERMITTED}: {error}", (), {}, stage.marks)
        except UserError as error:
            self._take_down()
            return Attempt(seed, "", (str(error),), {}, dict(stage.marks))
        attempt = self._judged(row, seed, stage, begin, stage.now())
        if row.ends_graph:
            self._take_down()
        return attempt

    def _judged(self, row: Row, seed: int, stage: LiveStage, begin: float, end: float) -> Attempt:
        def told() -> bool:
            beat = stage.seen(Beat)
            return beat is not None and beat.t > end

        try:
            stage.until("the heartbeat tells", told, LAST_BEAT_S)
        except UserError as error:
            self._take_down()
            return Attempt(seed, str(error), (), {}, {})
        evidence = stage.feed.evidence(begin, end, stage.marks)
        void = void_reason(evidence)
        verdict = row.judge(evidence)
        return Attempt(seed, void, tuple(verdict.complaints), verdict.figures, dict(stage.marks))


def _forged(row: FileRow, seed: int) -> Attempt:
    """A forged file, read by a process that is watched."""
    found = attack(row.number, seed)
    complaints = () if found.passed else (f"{found.attack}: {found.message}",)
    return Attempt(seed, "", complaints, {"answer ms": 1e3 * found.seconds, "memory MiB": found.rss_growth_mib}, {})


def _alone(row: AloneRow, seed: int, folder: Path) -> Attempt:
    """A fault in a folder of its own, which stays where something is wrong."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        verdict = row.attempt(np.random.default_rng([row.number, seed]), folder)
    except NotPermittedError as error:
        return Attempt(seed, f"{NOT_PERMITTED}: {error}", (), {}, {})
    except VoidError as error:
        return Attempt(seed, str(error), (), {}, {})
    except UserError as error:
        return Attempt(seed, "", (str(error),), {}, {})
    if verdict.passed:
        shutil.rmtree(folder, ignore_errors=True)
    return Attempt(seed, "", tuple(verdict.complaints), verdict.figures, {})


def run_faults(
    rows: Sequence[AnyRow], repeat: int, resume: bool, out: Path | None, logs: Path, seed: int, console: Console
) -> int:
    """`repeat` valid attempts at each of `rows`; exit code 1 unless every row has passed."""
    results = Results(out)
    again = [str(row.number) for row in rows if row.number in results.rows and not resume]
    if again:
        told = f"without --resume, what {out} holds of these rows is replaced: {', '.join(again)}"
        console.print(told, markup=False, highlight=False, soft_wrap=True)
    for row in rows:
        before = results.rows.get(row.number)
        kept = before.attempts if resume and before is not None else []
        results.rows[row.number] = RowResult(row.sentence, repeat, list(kept))
    with ended_in_order(), Attempts(logs.absolute(), seed, console) as attempts:
        for row in rows:
            _repeat(
                row,
                results,
                attempts,
                seed,
                lambda line: console.print(line, markup=False, highlight=False, soft_wrap=True),
            )
    numbers = [row.number for row in rows]
    console.print(results.revisions(numbers), markup=False, highlight=False, soft_wrap=True)
    print(results.last_line(numbers))
    return 0 if all(results.rows[number].passed for number in numbers) else 1


def _repeat(row: AnyRow, results: Results, attempts: Attempts, seed: int, say: Callable[[str], None]) -> None:
    result = results.rows[row.number]
    while result.wanting:
        attempt = attempts.make(row, seed + 1000 * row.number + len(result.attempts))
        result.attempts.append(attempt)
        results.save()
        say(described(row, attempt, result))
        if attempt.void.startswith(NOT_PERMITTED):
            break
    worst = result.worst("stop ms")
    stop = f", worst stop {worst:.0f} ms" if math.isfinite(worst) else ""
    say(f"row {row.number}, {row.sentence}: {result.successes} of {result.valid} passed, {result.voids} void{stop}")


def described(row: AnyRow, attempt: Attempt, result: RowResult) -> str:
    """One line on one attempt."""
    what = "; ".join(attempt.complaints) or "passed"
    what = f"void: {attempt.void} (else: {what})" if attempt.void else what
    numbers = ", ".join(f"{name} {value:.0f}" for name, value in attempt.figures.items())
    return (
        f"row {row.number} attempt {len(result.attempts)} (seed {attempt.seed}): {what}"
        f"{f' [{numbers}]' if numbers else ''}; load {os.getloadavg()[0]:.1f}"
    )
