"""The words of `rig` that speak to a robot: light signatures that `--help` reads, ROS only once a word is said.

Called by `robot_rig.cli.dispatch`. Every function returns the exit code. These may move a real arm.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro
from rich.console import Console

from robot_rig.config import Config
from robot_rig.errors import UserError

if TYPE_CHECKING:
    from robot_rig.goal_library import GoalLibrary

Overlays = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
GOALS = Path("goals")


def doctor(
    run: Path = Path("runs"),
    hours: float = 1.0,
    network: bool = False,
    json: bool = False,
    config: Overlays = (),
    set: Overlays = (),
) -> int:
    """Is everything fit for work? A list in green, yellow and red, each red with its fix; exit code 1 if any is red.

    Args:
        run: Folder that runs are to go to.
        hours: Hours of logging that there must be room for.
        network: Also ask who else can reach the ROS master.
        json: Print the list for a program.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set guard.tool_speed_m_s=0.1; may be given more than once.
    """
    from robot_rig.cli.doctor.rounds import as_json, examine, exit_code, show

    if not 0 < hours < 1e6:
        raise UserError(f"--hours {hours:g} is no such time", next_step="give more than 0, as in --hours 8")
    findings = examine(_load(config, set), run, hours, "network" if network else "usual")
    if json:
        print(as_json(findings))
    else:
        show(findings, Console())
    return exit_code(findings)


def enable(yes: bool = False) -> int:
    """Let the arm move: motors on, guard open. Shows its mode and, on a terminal, asks first.

    Args:
        yes: Do not ask.
    """
    _require_ros()
    from robot_rig.cli.orders import enable as enable_arm

    return enable_arm(Console(), "given" if yes else "ask")


def hold() -> int:
    """Let the arm come to rest and stay where it is, motors on; nothing moves it until it is enabled again."""
    return _order("hold")


def home() -> int:
    """Send the arm home, slowly, through the guard."""
    return _order("home")


def reset() -> int:
    """Clear a stop or a fault once its cause is gone; the arm is disabled then."""
    return _order("reset")


def stop() -> int:
    """Stop the arm at once, motors off, until `rig reset`. The red button is the safe way."""
    return _order("stop")


def _order(word: str) -> int:
    _require_ros()
    from robot_rig.cli.orders import order

    return order(word, Console())


def teleop(box: Path = Path("box.yaml"), config: Overlays = (), set: Overlays = ()) -> int:
    """Move the arm with the keys of this terminal, also over ssh; motion lasts while a key repeats. b marks a corner.

    Args:
        box: Where the box around the marked corners goes, as an overlay for --config.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set control.axes="[x, y, z]"; may be given more than once.
    """
    _require_ros()
    from robot_rig.nodes import teleop_node

    return teleop_node.main(["--box", str(box), *config_words(config, set)])


def box(out: Path = Path("box.yaml"), config: Overlays = (), set: Overlays = ()) -> int:
    """Make the guard's box from two or more corners shown with the tool: Enter marks where it is, q ends.

    Bring the tool there with `rig teleop` in another terminal (inside the box of now), or by hand with its cuff.

    Args:
        out: Where the box goes, as an overlay for --config.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting; may be given more than once.
    """
    _require_ros()
    from robot_rig.cli.orders import mark_box

    return mark_box(_load(config, set), out, Console(), sys.stdin)


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
    _require_ros()
    from robot_rig.cli.latency import run_latency

    return run_latency(minutes, _load(config, set).control.policy_rate_hz, Console())


def faults(
    rows: str = "",
    repeat: int = 20,
    resume: bool = False,
    json: Path | None = None,
    logs: Path = Path("runs/faults"),
    seed: int = 0,
) -> int:
    """Cause faults in a live graph around a simulated arm, and judge from an independent record what the arm did.

    Rows about files of strangers (16, 18, 19, 26, 46-50, 57, 58, 62) need no graph: a forged file, and a reader that is
    watched; nor do those about disks, links and learning (17, 20, 21, 24, 29, 30, 60, 63, 64).
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
        _require_ros()
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
    _require_ros()
    from robot_rig.cli.live.demo import newest_run, run_demo_live

    chosen = newest_run(Path("runs")) if run is None else run
    return run_demo_live(chosen, goals, chosen / "live" if out is None else out, Console())


def goals_capture(
    name: tyro.conf.Positional[str], goals: Path = GOALS, config: Overlays = (), set: Overlays = ()
) -> int:
    """Keep what the policy's camera sees now as the goal NAME: goals/NAME.png and its note, NAME.yaml."""
    _require_ros()
    from robot_rig.cli.goals import capture

    return capture(_library(goals, config, set), name, Console())


def goals_list(goals: Path = GOALS, config: Overlays = (), set: Overlays = ()) -> int:
    """The goals there are, and whether this camera can use them."""
    from robot_rig.cli.goals import table

    return table(_library(goals, config, set), Console())


def goals_show(
    names: tyro.conf.Positional[tuple[str, ...]] = (), goals: Path = GOALS, config: Overlays = (), set: Overlays = ()
) -> int:
    """Draw goals (all when none is named) on one sheet under goals/sheets and print its path; nothing moves."""
    from robot_rig.cli.goals import show

    return show(_library(goals, config, set), names, Console())


def goals_delete(name: tyro.conf.Positional[str], goals: Path = GOALS) -> int:
    """Delete the goal NAME, picture and note."""
    _library(goals, (), ()).delete(name)
    return 0


def goals_send(
    name: tyro.conf.Positional[str],
    goals: Path = GOALS,
    stay: bool = False,
    config: Overlays = (),
    set: Overlays = (),
) -> int:
    """Show the goal NAME to the policy: an arm that is enabled goes there.

    Args:
        name: Which goal.
        goals: Folder of the goals.
        stay: Keep showing it, to whoever comes later too, until Ctrl-C.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting; may be given more than once.
    """
    _require_ros()
    from robot_rig.cli.goals import send
    from robot_rig.nodes import goal_node

    library = _library(goals, config, set)
    if stay:
        return goal_node.main(["--goal", str(library.load(name).path), *config_words(config, set)])
    return send(library, name, Console())


def config_words(config: Sequence[str], sets: Sequence[str]) -> list[str]:
    """The options of a node that say the same."""
    return [*(word for one in config for word in ("--config", one)), *(word for one in sets for word in ("--set", one))]


def _load(config: Sequence[str], sets: Sequence[str]) -> Config:
    from robot_rig.config_files import load_config

    return load_config(config, sets)


def _library(folder: Path, config: Sequence[str], sets: Sequence[str]) -> GoalLibrary:
    from robot_rig.goal_library import GoalLibrary

    return GoalLibrary(folder, _load(config, sets))


def _require_ros() -> None:
    from robot_rig.cli.doctor.machine import has_ros

    if not has_ros():
        raise UserError("ROS is not installed here", next_step="see what `rig doctor` says of it")
