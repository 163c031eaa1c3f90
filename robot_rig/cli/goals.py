"""`rig goals`: take, list, look at, delete and send goal pictures. Called by `robot_commands`."""

from __future__ import annotations

import datetime
import time
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from robot_rig.datatypes import Bytes, Frame
from robot_rig.errors import UserError
from robot_rig.goal_library import GoalLibrary, StoredGoal
from robot_rig.report_film import beside, enlarge
from robot_rig.vision import save_picture

NODE = "rig_goals"
SHEETS = "sheets"
SHEET_COLUMNS = 5
ENLARGEMENT = 3
PICTURE_S = 2.0
OLDEST_PICTURE_S = 1.0
LISTENER_S = 5.0


def capture(library: GoalLibrary, name: str, console: Console) -> int:
    """Keep the newest picture of the policy's camera as the goal `name`."""
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
    return 0


def table(library: GoalLibrary, console: Console) -> int:
    """The goals with their pictures' paths, and whether they can be used with this camera."""
    names = library.names()
    if not names:
        console.print(f"no goals in {library.folder}; take one with `rig goals capture NAME`", soft_wrap=True)
        return 0
    shown = Table(title=f"Goals, calibration {library.calibration}")
    for column in ("name", "taken", "picture", "verdict"):
        shown.add_column(column, overflow="fold")
    for name in names:
        try:
            kept = library.load(name)
            shown.add_row(name, kept.note.taken, escape(str(kept.path)), "[green]ok[/]")
        except UserError as error:
            shown.add_row(name, "", "", f"[red]{escape(error.problem)}[/]")
    console.print(shown, highlight=False)
    return 0


def show(library: GoalLibrary, names: Sequence[str], console: Console) -> int:
    """Draw the goals `names`, all of them when there are none, on one sheet; prints its path."""
    goals = [library.load(name) for name in names or library.names()]
    if not goals:
        raise UserError(f"no goals in {library.folder}", next_step="take one with `rig goals capture NAME`")
    path = library.folder / SHEETS / f"{goals[0].name if len(goals) == 1 else 'all'}.png"
    try:
        path.parent.mkdir(exist_ok=True)
    except OSError as error:
        raise UserError(f"cannot make {path.parent}: {error.strerror}", next_step="choose another --goals") from error
    save_picture(path, sheet(goals))
    for number, kept in enumerate(goals, start=1):
        console.print(f"{number}. {kept.name}, {kept.note.taken}", highlight=False)
    console.print(f"{path}", highlight=False, markup=False, soft_wrap=True)
    return 0


def sheet(goals: Sequence[StoredGoal]) -> Bytes:
    """The pictures enlarged, five in a row: uint8 (H, W, 3)."""
    cells = list(enlarge(np.stack([kept.picture for kept in goals]), ENLARGEMENT))
    columns = min(SHEET_COLUMNS, len(cells))
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [
        beside([cell[None] for cell in cells[start : start + columns]], axis=2)
        for start in range(0, len(cells), columns)
    ]
    drawn: Bytes = beside(rows, axis=1)[0]
    return drawn


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
