"""The claim of the demo, with its bad seeds: every seed of training on every goal seed. Run by `rig bench seeds`."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from robot_rig.cli.options import RunOptions
from robot_rig.cli.session import Session
from robot_rig.cli.verdict import Verdict
from robot_rig.evaluation import Summary, in_cm
from sim.exam import require_exam

MOST_MEDIAN_M, MOST_P90_M, MOST_WORST_DECILE_M, MOST_MEAN_MEDIAN_M = 0.013, 0.03, 0.045, 0.011
MOST_STEPS = 2500
"""The bars: for every run, for the mean over the runs' medians, and for the environment steps of every run."""


class Outcome(NamedTuple):
    """One exam of one run: how far the final policy ended from the goals, and the environment steps it took."""

    seed: int
    goal_seed: int
    final: Summary
    steps: int


def run(options: RunOptions, seeds: Sequence[int], goal_seeds: Sequence[int]) -> int:
    """Train and examine, print table, bars and last line; what `options.run` holds already is not repeated.

    Returns the exit code: 1 when a bar is missed.
    """
    require_exam(options.load())
    console = Console()
    table = Table(title="Tool tip to goal in xy at the last step, cm")
    for column in ("seed", "goal seed", "median", "mean", "p90", "worst 10 %", "do nothing", "steps", "wall s"):
        table.add_column(column, justify="right")
    outcomes: list[Outcome] = []
    lines, refused = [], 0
    for seed in seeds:
        for goal_seed in goal_seeds:
            here = replace(
                options, run=options.run / f"seed-{seed}", seed=seed, goal_seed=goal_seed, since_s=time.monotonic()
            )
            with Session(here, console) as session:
                session.collect()
                if not session.train():
                    table.add_row(str(seed), str(goal_seed), "VAE refused")
                    refused += 1
                    continue
                session.practise()
                verdict = Verdict(session.run, session.config, session.examine())
                session.report()
                wall_s = sum(session.wall_s().values())
            final, nothing = verdict.final, verdict.nothing
            distances = (final.median_m, final.mean_m, final.p90_m, final.worst_decile_m, nothing.median_m)
            steps = sum(verdict.steps.values())
            table.add_row(str(seed), str(goal_seed), *map(in_cm, distances), str(steps), f"{wall_s:.0f}")
            outcomes.append(Outcome(seed, goal_seed, final, steps))
            lines.append(verdict.line("demo", wall_s))
    console.print(table)
    print(*lines, sep="\n")
    shortfalls = missed(outcomes, refused)
    bars = ", ".join(map(in_cm, (MOST_MEDIAN_M, MOST_P90_M, MOST_WORST_DECILE_M)))
    print(f"bars: median, p90, worst 10 % at most {bars} cm in {MOST_STEPS} steps; ", end="")
    print(f"mean of the medians at most {in_cm(MOST_MEAN_MEDIAN_M)} cm: {'MISSED' if shortfalls else 'met'}")
    print(*shortfalls, sep="\n", end="\n" if shortfalls else "")
    medians = [outcome.final.median_m for outcome in outcomes]
    mean, worst = ("none", "none") if refused else (in_cm(statistics.mean(medians)), in_cm(max(medians)))
    print(f"bench seeds runs={len(medians)} refused={refused} mean_median_cm={mean} worst_median_cm={worst}")
    return 1 if shortfalls else 0


def missed(outcomes: Sequence[Outcome], refused: int) -> list[str]:
    """What falls short of the bars, one line each; `refused` counts runs whose VAE failed its check."""
    found = [f"{refused} refused: a run without a policy meets no bar"] if refused else []
    for seed, goal_seed, final, steps in outcomes:
        measured = (
            ("median", final.median_m, MOST_MEDIAN_M),
            ("p90", final.p90_m, MOST_P90_M),
            ("worst 10 %", final.worst_decile_m, MOST_WORST_DECILE_M),
        )
        here = f"seed {seed}, goal seed {goal_seed}"
        found += [f"{here}: {name} {in_cm(value)} cm" for name, value, most in measured if value > most]
        found += [f"{here}: {steps} environment steps"] if steps > MOST_STEPS else []
    mean = statistics.mean(outcome.final.median_m for outcome in outcomes) if outcomes else 0.0
    return found + ([f"mean of the medians {in_cm(mean)} cm"] if mean > MOST_MEAN_MEDIAN_M else [])
