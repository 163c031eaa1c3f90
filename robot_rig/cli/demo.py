"""`rig demo`: the whole way, from an arm that knows nothing to a report. Called by `robot_rig.cli.commands`."""

from __future__ import annotations

from pathlib import Path

from rich.console import Console

from robot_rig.cli.options import RunOptions
from robot_rig.cli.session import Session
from robot_rig.cli.verdict import Verdict
from robot_rig.errors import UserError
from sim.exam import require_exam

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
    require_exam(options.load())
    console.print(f"run: {options.run}", highlight=False, soft_wrap=True)
    with Session(options, console) as session:
        session.collect()
        if not session.train():
            return 1
        session.practise()
        found = session.examine()
        session.report()
        verdict = Verdict(session.run, session.config, found)
        verdict.show(console)
        print(verdict.line("demo", sum(session.wall_s().values())))
    return 0
