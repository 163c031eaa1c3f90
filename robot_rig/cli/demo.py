"""`rig demo`: the whole way, from an arm that knows nothing to a report. Called by `robot_rig.cli.commands`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console
from rich.table import Table

from robot_rig.cli.options import RunOptions
from robot_rig.cli.session import Session
from robot_rig.errors import UserError
from robot_rig.evaluation import Summary, in_cm, summarise
from robot_rig.stages.examine import DO_NOTHING
from robot_rig.stages.reporting import count_steps
from robot_rig.stages.shipping import checkpoints

RUNS = Path("runs")


def demo_folder(chosen: Path | None, resume: bool) -> Path:
    """The run to work in: `chosen`, or the newest demo under runs/ to resume, or a free name there.

    Raises UserError when there is nothing to resume, or the chosen folder holds a run that is not to be resumed.
    """
    if chosen is not None:
        if (chosen / "run.json").exists() and not resume:
            raise UserError(f"{chosen} holds a run already", next_step="add --resume to go on, or choose another --run")
        return chosen
    taken = sorted(RUNS.glob("demo-[0-9]*/run.json"), key=lambda path: path.stat().st_mtime)
    if resume:
        if not taken:
            raise UserError("there is no demo under runs/ to resume", next_step="start one with `rig demo`")
        return taken[-1].parent
    number = 1
    while (RUNS / f"demo-{number}").exists():
        number += 1
    return RUNS / f"demo-{number}"


def run_demo(options: RunOptions, console: Console) -> int:
    """Every stage in turn; what is done already is passed over. Returns 1 when the VAE is not fit to practise on."""
    console.print(f"run: {options.run}", highlight=False, soft_wrap=True)
    with Session(options, console) as session:
        session.collect()
        if not session.train().passed:
            return 1
        session.practise()
        found = session.examine()
        session.report()
        success_m = session.config.evaluation.success_m
        summaries = {name: summarise(evaluation.final_m, success_m) for name, evaluation in found.items()}
        names = [path.name for path in checkpoints(session.run).values()]
        steps = count_steps(session.run)
        console.print(_table(summaries, success_m))
        total = sum(steps.values())
        minutes = total / session.config.control.policy_rate_hz / 60
        counted = ", ".join(f"{purpose} {count}" for purpose, count in steps.items())
        console.print(f"environment steps in all: {total} ({counted}) = {minutes:.1f} robot minutes", highlight=False)
        print(_last_line(session, summaries[names[-1]], summaries[DO_NOTHING], total))
    return 0


def _table(summaries: dict[str, Summary], success_m: float) -> Table:
    table = Table(title="Tool tip to goal in xy at the last step, cm")
    table.add_column("policy", no_wrap=True)
    for column in ("median", "mean", "p90", "worst 10 %", f"in {100 * success_m:g} cm", "95 %"):
        table.add_column(column, justify="right")
    for name, s in summaries.items():
        distances = [in_cm(value) for value in (s.median_m, s.mean_m, s.p90_m, s.worst_decile_m)]
        interval = f"{s.wilson_low:.0%} to {s.wilson_high:.0%}"
        table.add_row(name, *distances, f"{s.successes} of {s.n}", interval)
    return table


def _last_line(session: Session, final: Summary, nothing: Summary, env_steps: int) -> str:
    return (
        f"demo median_cm={in_cm(final.median_m)} p90_cm={in_cm(final.p90_m)}"
        f" worst_decile_cm={in_cm(final.worst_decile_m)} donothing_cm={in_cm(nothing.median_m)}"
        f" env_steps={env_steps} wall_s={sum(session.wall_s().values()):.0f}"
        f" seed={session.config.seed} goal_seed={session.config.evaluation.goal_seed}"
    )
