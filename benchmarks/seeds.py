"""The claim of the demo, with its bad seeds: every seed of training on every goal seed. Run by `rig bench seeds`."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import replace

from rich.console import Console
from rich.table import Table

from robot_rig.cli.options import RunOptions
from robot_rig.cli.session import Session
from robot_rig.cli.verdict import Verdict
from robot_rig.evaluation import in_cm


def run(options: RunOptions, seeds: Sequence[int], goal_seeds: Sequence[int]) -> None:
    """Train and examine, print the table and the last line; what `options.run` holds already is not repeated."""
    console = Console()
    table = Table(title="Tool tip to goal in xy at the last step, cm")
    for column in ("seed", "goal seed", "median", "mean", "p90", "worst 10 %", "do nothing", "steps", "wall s"):
        table.add_column(column, justify="right")
    medians, lines, refused = [], [], 0
    for seed in seeds:
        for goal_seed in goal_seeds:
            here = replace(options, run=options.run / f"seed-{seed}", seed=seed, goal_seed=goal_seed)
            with Session(here, console) as session:
                session.collect()
                if not session.train().passed:
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
            medians.append(final.median_m)
            lines.append(verdict.line("demo", wall_s))
    console.print(table)
    print(*lines, sep="\n")
    mean, worst = (in_cm(statistics.mean(medians)), in_cm(max(medians))) if medians else ("none", "none")
    print(f"bench seeds runs={len(medians)} refused={refused} mean_median_cm={mean} worst_median_cm={worst}")
