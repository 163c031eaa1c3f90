"""Progress bars with an ETA on a terminal, one line every few seconds in a log file. Called by every slow command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

LOG_PERIOD_S = 10.0

Advance = Callable[[int, str], None]
"""(done so far, a short note such as a loss)."""


@contextmanager
def stage_bar(console: Console, title: str, total: int) -> Iterator[Advance]:
    """A bar called `title` that counts to `total`; yields the function that moves it."""
    if console.is_terminal:
        yield from _terminal_bar(console, title, total)
    else:
        yield from _log_lines(console, title, total)


def _terminal_bar(console: Console, title: str, total: int) -> Iterator[Advance]:
    columns = (
        TextColumn("{task.description:<26}"),
        BarColumn(bar_width=28),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("eta"),
        TimeRemainingColumn(compact=True),
        TextColumn("[dim]{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(title, total=total, note="")
        yield lambda done, note: progress.update(task, completed=done, note=note)


def _log_lines(console: Console, title: str, total: int) -> Iterator[Advance]:
    started = spoken = time.monotonic()

    def advance(done: int, note: str) -> None:
        nonlocal spoken
        now = time.monotonic()
        if done >= total or now - spoken >= LOG_PERIOD_S:
            spoken = now
            eta = (now - started) * (total - done) / max(done, 1)
            console.print(f"{title}: {done}/{total}, {now - started:.0f} s, eta {eta:.0f} s  {note}", highlight=False)

    yield advance
