"""`rig goals`: take, list, look at and send goal pictures. Called by `goal_commands`; the rest is in `goal_keeping`."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from robot_rig.cli.goal_sheets import save_sheet, sheet
from robot_rig.datatypes import Frame
from robot_rig.errors import UserError
from robot_rig.goal_library import GoalLibrary, StoredGoal
from robot_rig.goal_sets import GoalSets

NODE = "rig_goals"
SHEET_COLUMNS = 5
PICTURE_S = 2.0
OLDEST_PICTURE_S = 1.0
LISTENER_S = 5.0


def capture(library: GoalLibrary, name: str, run: Path | None, console: Console) -> int:
    """Keep the newest picture of the policy's camera as the goal `name`, and say what `run` makes of it."""
    require_ready(library, name, run)
    # Here and in `send`, because everything else about goals needs no ROS.
    from robot_rig.ros.convert import read_frame
    from robot_rig.ros.stamps import HostStamps, Refused
    from robot_rig.ros.topics import CAMERA_FRAME
    from robot_rig.ros.visitor import hear, visit

    with visit(NODE):
        stamps = HostStamps()
        message = hear(CAMERA_FRAME, PICTURE_S)
        frame: Frame | Refused | None = None if message is None else read_frame(message, stamps)
    if frame is None or isinstance(frame, Refused):
        why = f": {frame.reason}" if frame is not None else ""
        raise UserError(
            f"no picture on {CAMERA_FRAME.name}{why}", next_step="start camera_node, or see `rig doctor` for the camera"
        )
    if (age := time.monotonic() - frame.stamp) > OLDEST_PICTURE_S:
        raise UserError(f"the picture is {age:.1f} s old", next_step="see `rig doctor` for the camera")
    taken = datetime.datetime.fromtimestamp(stamps.wall(frame.stamp), datetime.timezone.utc)
    kept = library.capture(name, frame, taken, CAMERA_FRAME.name)
    console.print(f"{kept.path}", highlight=False, markup=False, soft_wrap=True)
    judged(library, [kept], run, console)
    return 0


def require_ready(library: GoalLibrary, name: str, run: Path | None) -> None:
    """Raise UserError when no goal `name` can be kept, or `run` could not say anything of it."""
    library.require_free(name)
    if run is not None:
        from robot_rig.cli.goal_judging import require_judge

        require_judge(run, library.calibration)


def judged(library: GoalLibrary, goals: Sequence[StoredGoal], run: Path | None, console: Console) -> None:
    """Say how new `goals` are to the robot of `run`, and draw what it makes of them; nothing without a run."""
    if run is None:
        return
    from robot_rig.cli.goal_judging import Judge

    drawn = Judge(run, library.calibration, console).look(goals, console)
    path = save_sheet(library.folder, goals[0].name if len(goals) == 1 else "all", drawn)
    console.print(f"{path}", highlight=False, markup=False, soft_wrap=True)


def table(library: GoalLibrary, console: Console) -> int:
    """The goals with their pictures' paths, and whether they can be used with this camera."""
    names = library.names()
    if not names:
        console.print(f"no goals in {library.folder}; take one with `rig goals capture NAME`", soft_wrap=True)
        return 0
    shown = Table(title=f"Goals, calibration {library.calibration}")
    sets = GoalSets(library)
    for column in ("name", "taken", "picture", "sets", "verdict"):
        shown.add_column(column, overflow="fold")
    for name in names:
        try:
            kept = library.load(name)
            shown.add_row(name, *map(escape, (kept.note.taken, str(kept.path), _sets_of(sets, name))), "[green]ok[/]")
        except UserError as error:
            shown.add_row(name, "", "", "", f"[red]{escape(error.problem)}[/]")
    console.print(shown, highlight=False)
    return 0


def _sets_of(sets: GoalSets, goal: str) -> str:
    try:
        return ", ".join(sets.holding(goal))
    except UserError:
        return "unknown: see `rig goals sets`"


def show(library: GoalLibrary, names: Sequence[str], run: Path | None, console: Console) -> int:
    """Draw the goals `names`, all of them when there are none, on one sheet; prints its path."""
    goals = [library.load(name) for name in names or library.names()]
    if not goals:
        raise UserError(f"no goals in {library.folder}", next_step="take one with `rig goals capture NAME`")
    if run is not None:
        judged(library, goals, run, console)
        return 0
    drawn = sheet([kept.picture for kept in goals], SHEET_COLUMNS)
    path = save_sheet(library.folder, goals[0].name if len(goals) == 1 else "all", drawn)
    for number, kept in enumerate(goals, start=1):
        console.print(f"{number}. {kept.name}, {kept.note.taken}", highlight=False, markup=False)
    console.print(f"{path}", highlight=False, markup=False, soft_wrap=True)
    return 0


def send(library: GoalLibrary, name: str, console: Console) -> int:
    """Show the goal `name` to whoever listens to /rig/goal now. Raises UserError when nobody does."""
    from robot_rig.ros.convert import goal_message
    from robot_rig.ros.stamps import HostStamps
    from robot_rig.ros.topics import GOAL
    from robot_rig.ros.visitor import publish_once, visit

    kept = library.load(name)
    with visit(NODE):
        message: Any = goal_message(kept.goal(time.monotonic()), HostStamps())
        listeners = publish_once(GOAL, message, LISTENER_S)
    if not listeners:
        raise UserError(f"nobody listens to {GOAL.name}", next_step="start policy_node, for example with reach.launch")
    console.print(f"{name} shown to {listeners} listener{'s' * (listeners != 1)}", highlight=False)
    return 0
