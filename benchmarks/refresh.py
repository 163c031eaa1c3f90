"""Does success survive when the VAE is tuned in mid-practice? Run by `rig bench refresh`.

A refresh gives the actor another encoder from one step to the next: latents of the log are recomputed, goals, which are
pictures, are encoded anew, the weights of the actor stay. The policies of right before and right after are examined on
the same goals, with the checkpoints of every 250 steps, which show how much success wanders without any refresh.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

from rich.console import Console

from robot_rig.cli.options import RunOptions
from robot_rig.cli.session import Session
from robot_rig.cli.tables import narrow_table
from robot_rig.evaluation import Summary, in_cm
from robot_rig.report_data import EncoderStretch
from robot_rig.stages.refreshes import keep, stretches
from sim.exam import require_exam

SETTINGS = ("practice.steps=1250", "practice.tune_every_steps=500", "practice.snapshot_every_steps=250")
MOST_LOST_POINTS = 10.0
"""The bar, of each refresh: points of success, right after against right before."""

LEAST_REFRESHES = 2


class Refresh(NamedTuple):
    """One refresh: after how many practice steps, from which encoder to which, and the exams around it.

    `later` is of the first policy of further practice, after so many steps more; None where there is none.
    """

    steps: int
    encoders: tuple[str, str]
    before: Summary
    after: Summary
    later: tuple[int, Summary] | None

    @property
    def change_points(self) -> float:
        """Points of success won by it; below 0: lost."""
        return points(self.after) - points(self.before)


def points(summary: Summary) -> float:
    """Success in percent."""
    return 100.0 * summary.successes / summary.n


def refreshes(curve: Sequence[EncoderStretch]) -> list[Refresh]:
    """The refreshes in the `curve` of a run, in their order."""
    found = []
    for old, new in itertools.pairwise(curve):
        (steps, before), (_, after) = old.points[-1], new.points[0]
        later = next(((then - steps, one) for then, one in new.points if then > steps), None)
        found.append(Refresh(steps, (old.encoder_id, new.encoder_id), before, after, later))
    return found


def wandering(curve: Sequence[EncoderStretch]) -> Iterator[float]:
    """The change of success, points, from each policy to the next of the same encoder: what practice alone does."""
    for stretch in curve:
        for (_, one), (_, other) in itertools.pairwise(stretch.points):
            yield points(other) - points(one)


def run(options: RunOptions, seeds: Sequence[int]) -> int:
    """Practise and examine for every seed, print table, bar and last line; nothing that is done is repeated.

    Returns the exit code: 1 when a refresh costs more than its bar, there were too few, or a VAE was refused.
    """
    require_exam(options.load())
    console = Console()
    curves: dict[int, Sequence[EncoderStretch]] = {}
    for seed in seeds:
        place = options.run / f"seed-{seed}"
        here = replace(options.unless_set(*SETTINGS), run=place, seed=seed, since_s=time.monotonic())
        with Session(here, console) as session:
            session.collect()
            if not session.train():
                continue
            session.practise(functools.partial(keep, session.run, session.config))
            curves[seed] = stretches(session.run, session.config, session.examine())
            session.report()
    show(curves, console)
    every = [refresh for curve in curves.values() for refresh in refreshes(curve)]
    worst = min((refresh.change_points for refresh in every), default=float("nan"))
    usual = min((change for curve in curves.values() for change in wandering(curve)), default=float("nan"))
    few = [seed for seed, curve in curves.items() if len(curve) <= LEAST_REFRESHES]
    missed = len(curves) < len(seeds) or bool(few) or not worst >= -MOST_LOST_POINTS
    print(f"bar: a refresh costs at most {MOST_LOST_POINTS:g} points of success: {'MISSED' if missed else 'met'}")
    print(
        f"bench refresh seeds={len(seeds)} refused={len(seeds) - len(curves)} refreshes={len(every)}"
        f" worst_change_points={worst:+.0f} worst_change_without_points={usual:+.0f}"
    )
    return 1 if missed else 0


def show(curves: dict[int, Sequence[EncoderStretch]], console: Console) -> None:
    """Print a row for each refresh of each seed, and which encoders those are."""
    headings = ("seed", "practice steps", "encoder", "right before", "right after", "points", "then", "steps later")
    rows = []
    for seed, curve in curves.items():
        for number, one in enumerate(refreshes(curve), 1):
            later, then = ("–", "–") if one.later is None else (str(one.later[0]), _cell(one.later[1]))
            change = f"{one.change_points:+.0f}"
            around = (_cell(one.before), _cell(one.after))
            rows.append((str(seed), str(one.steps), f"{number} → {number + 1}", *around, change, then, later))
    console.print(narrow_table("Goals reached, and median in cm, around each tuning", headings, rows, left=(2,)))
    for seed, curve in curves.items():
        told = ", ".join(f"{number} {stretch.encoder_id}" for number, stretch in enumerate(curve, 1))
        console.print(f"seed {seed}: encoders {told}", highlight=False, soft_wrap=True)


def _cell(summary: Summary) -> str:
    return f"{summary.successes}/{summary.n} {in_cm(summary.median_m)}"
