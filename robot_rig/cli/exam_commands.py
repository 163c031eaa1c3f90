"""`rig eval` and `rig compare`: light signatures that `--help` reads, heavy imports once a word is said.

Called by `robot_rig.cli.dispatch`. Every function returns the exit code.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from robot_rig.cli.options import Overlays, RunOptions
from robot_rig.cli.robot_commands import require_ros
from robot_rig.errors import UserError


def evaluate(
    run: Path | None = None,
    checkpoint: Path | None = None,
    goals: Path | None = None,
    count: Annotated[int | None, tyro.conf.arg(aliases=["-n"])] = None,
    out: Path | None = None,
    backend: Literal["sim", "ros"] = "sim",
    config: Overlays = (),
    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = (),
    seed: int | None = None,
    goal_seed: int | None = None,
) -> int:
    """Examine the frozen policy on goal pictures it has never seen (stage 4), with the baselines beside it.

    With --run alone: every checkpoint of the run, into it. With --checkpoint: that one, on a goal set of your choice,
    into a folder of its own under runs/exams; the same command goes on after Ctrl-C. `rig compare` sets two such exams
    side by side.

    With --backend ros the same exam is held at wall clock through camera, policy and guard as ROS nodes: in the graph
    of ROS_MASTER_URI where one runs, whose arm may be real, and is enabled by a person's key before a goal where it
    rests; else in a graph of its own around a simulated Sawyer. On a real arm nobody knows the tool's true place:
    distances are then between pictures and latents, and a person says by key of each goal whether it was reached (y, n;
    space: once more, not counted).

    Args:
        run: Run folder; with --checkpoint, the run whose settings hold, where the checkpoint does not lie in one.
        checkpoint: Checkpoint folder, as RUN/checkpoints/practice-001000.
        goals: A set of goals, as `rig goals sets` lists them, or a folder of goal pictures, such as `rig goals capture`
            makes; without it, the goals of --goal-seed.
        count: How many goals; of pictures, the first by name.
        out: Folder for the exam of a checkpoint.
        backend: sim: beside the simulator, in this process; ros: over a live ROS graph.
        config: A preset (rig, rig_paper, ...) or a YAML file laid over the run's settings; may be given more than once.
        set: One setting, as in --set evaluation.success_m=0.02; may be given more than once.
        seed: Seed of everything random in the run; with --checkpoint, of the arm that it is examined on.
        goal_seed: Seed of the exam's goal pictures.
    """
    options = RunOptions(run or Path(), config, set, seed, goal_seed)
    if checkpoint is not None:
        if goals is not None and goal_seed is not None:
            raise UserError("goals are pictures or drawn by a seed", choices=["--goals SET", "--goal-seed SEED"])
        from robot_rig.cli.checkpoint_exam import Wanted, run_exam

        if backend == "ros":
            require_ros()
        settings = tuple(options.settings())
        return run_exam(Wanted(checkpoint, run, goals, count, out, config, settings, backend), Console())
    if run is None:
        raise UserError("it must be said what to examine", choices=["--run RUN", "--checkpoint FOLDER"])
    if goals is not None or count is not None or out is not None or backend != "sim":
        raise UserError(
            "--goals, -n, --out and --backend are for one checkpoint",
            next_step="name it with --checkpoint, or use --set evaluation.goals=N",
        )
    return _examine_run(options)


def _examine_run(options: RunOptions) -> int:
    from robot_rig.cli.session import Session
    from robot_rig.cli.verdict import Verdict

    console = Console()
    with Session(options.begun(), console) as session:
        verdict = Verdict(session.run, session.config, session.examine())
        verdict.show(console)
        print(verdict.line("eval", session.wall_s()["eval"]))
    return 0


def compare(exams: tyro.conf.Positional[tuple[Path, ...]], report: Path | None = None) -> int:
    """Which checkpoint ended closer? Two or more exams of `rig eval --checkpoint` on the same goals, goal by goal.

    Args:
        exams: Their folders; each is held against the first.
        report: Where to put the page; a free name under runs/exams when not given.
    """
    from robot_rig.cli.compare import run_compare

    return run_compare(exams, report, Console())
