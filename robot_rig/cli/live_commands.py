"""The words of `rig` that measure a live graph, or bring one up and break it: light signatures that `--help` reads.

Called by `robot_rig.cli.dispatch`. Every function returns the exit code. Only `latency` looks at a graph of others, and
it moves nothing; the rest is in graphs of its own around simulated arms.
"""

from __future__ import annotations

import math
from pathlib import Path

from rich.console import Console

from robot_rig.cli.robot_commands import Overlays, loaded, require_ros
from robot_rig.errors import UserError

LONGEST_H = 1000.0


def latency(minutes: float = 1.0, config: Overlays = (), set: Overlays = ()) -> int:
    """How long a step takes through the live graph: exposure, frame, policy, action, guard, joint command.

    Only listens; something must act meanwhile, as policy_node --source random or goals do. Attempts of 10 s in which
    this machine was away for more than 20 ms are void and repeated. Exit code 1 when more than a fifth are, when the
    p99 from frame to joint command is above 15 ms, or when more deadlines were missed than by a bare timer beside it.

    Args:
        minutes: How long to measure, voids apart.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set control.policy_rate_hz=5; may be given more than once.
    """
    if not minutes > 0:
        raise UserError(f"--minutes {minutes:g} is no time", next_step="give more than 0")
    require_ros()
    from robot_rig.cli.latency import run_latency

    return run_latency(minutes, loaded(config, set).control.policy_rate_hz, Console())


def faults(
    rows: str = "",
    repeat: int = 20,
    resume: bool = False,
    json: Path | None = None,
    logs: Path = Path("runs/faults"),
    seed: int = 0,
) -> int:
    """Cause faults in a live graph around a simulated arm, and judge from an independent record what the arm did.

    Rows about files of strangers (16, 18, 19, 26, 46-51, 57, 58, 62) need no graph: a forged file, and a reader that is
    watched; nor do those about disks, links, learning and the computer itself (17, 20, 21, 24, 29, 30, 45, 60, 63, 64),
    nor 101-109: rows 1-9 through the RealSense library, on recordings that have the fault in them.
    Attempts in which this machine was away for more than 20 ms are void and repeated; exit code 1 unless every row
    passed every time.

    Args:
        rows: Rows of the table of faults, as in 1-3,12; all of them when not given.
        repeat: Valid attempts at each row.
        resume: Go on where the JSON file ends; without it the named rows begin anew.
        json: Where results accumulate.
        logs: Folder of the nodes' logs and of the witness's record.
        seed: Seed of when and how faults come.
    """
    if repeat < 1:
        raise UserError(f"--repeat {repeat} proves nothing", next_step="give 1 or more")
    from sim.faults.rows import Row
    from sim.faults.table import chosen

    wanted = chosen(rows)
    if any(isinstance(row, Row) for row in wanted):
        require_ros()
    from robot_rig.cli.faults.attempts import run_faults

    return run_faults(wanted, repeat, resume, json, logs, seed, Console())


def demo_live(run: Path | None = None, goals: int = 5, out: Path | None = None) -> int:
    """Reach goal pictures in real time: ROS nodes around a simulated Sawyer, with the policy of the last `rig demo`.

    The graph is this command's own and ends with it. The report with film and latency table is OUT/report.html.

    Args:
        run: Run folder with a checkpoint; the last demo under runs/ when not given.
        goals: How many pictures; with 20 or more, exit code 1 when the median distance is above 2 cm.
        out: Folder of the results; RUN/live when not given.
    """
    if goals < 1:
        raise UserError(f"--goals {goals} shows nothing", next_step="give 1 or more")
    require_ros()
    from robot_rig.cli.live.demo import newest_run, run_demo_live

    chosen = newest_run(Path("runs")) if run is None else run
    return run_demo_live(chosen, goals, chosen / "live" if out is None else out, Console())


def soak(
    hours: float = 1.0,
    each: int = 3,
    out: Path = Path("runs/soak"),
    seed: int = 0,
    config: Overlays = (),
    set: Overlays = (),
) -> int:
    """Practise without a person for hours, on a simulated arm at wall clock, while faults are caused.

    Starts practice.launch as a person would, in a graph of its own. Kinds of faults: those that practice recovers from
    alone (pictures that are missing, frozen, dark, over-exposed, of a wrong size or time; policy or recorder hanging),
    those that take a reset or an enable, and killed processes, after which the launch is started again; the last two
    by a scripted operator, who is counted. Where the time is too short for all, as many as fit: 0.05 hours are a smoke
    test. After Ctrl-C the same command goes on. The record is OUT/soak.json, the practised run OUT/run.

    Exit code 1 unless: every fault that was planned was told of by guard or camera, and recovered from as its kind
    should be, at most a fifth of them and of no kind all void (the machine was away for more than 20 ms); nothing
    stopped practice otherwise, unless, now and then, the machine was away; no step is lost that the recorder had said
    was on disk; between faults at most 1 % of steps took more than 15 ms from frame to joint command, and no more
    policy periods were missed than by a bare timer beside it; no process but the trainer, whose replay grows
    until it is full, grows by more than 1 MiB/h with 95 % certainty; none opens more and more files; and, in half an
    hour or more, there are checkpoints, whole episodes, and lives of each process that say whether it grows.

    Args:
        hours: How long, in all sittings together.
        each: Faults of each kind; 0 only watches.
        out: Folder of record, logs and the practised run.
        seed: Seed of the plan, and of how faults come.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set sim.multisamples=0; may be given more than once.
    """
    if not (math.isfinite(hours) and 0 < hours <= LONGEST_H):
        raise UserError(f"--hours {hours:g} is no such time", next_step=f"give more than 0, up to {LONGEST_H:g}")
    if each < 0:
        raise UserError(f"--each {each} is no number of faults", next_step="give 0 or more")
    if seed < 0:
        raise UserError(f"--seed {seed} is no seed", next_step="give 0 or more")
    require_ros()
    from robot_rig.cli.soak.record import Paper
    from robot_rig.cli.soak.run import run_soak

    return run_soak(Paper(hours, each, seed, config, set), out, Console())
