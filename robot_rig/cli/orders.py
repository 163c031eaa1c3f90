"""`rig enable`, `hold`, `home`, `reset`, `stop`, `box` and `gripper`: a person and the arm process.

Called by `robot_commands` and `gripper_commands`.

Imports ROS, so it is itself imported only once one of these words is said.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from rich.console import Console

from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.nodes.corners import Corners
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.orders import give_order
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import ARM_STATUS
from robot_rig.ros.visitor import hear, visit
from robot_rig.safety.reasons import explained

NODE = "rig_order"
REPORT_S = 1.0
YES = ("y", "yes")


def order(word: str, console: Console) -> int:
    """Tell the arm process to `word`; returns the exit code. Raises UserError when it is not there or refuses."""
    with visit(NODE):
        console.print(give_order(word), highlight=False, markup=False, soft_wrap=True)
    return 0


def enable(console: Console, confirmation: Literal["ask", "given"]) -> int:
    """Enable the arm, after its mode has been shown and a person has said yes, here or with `confirmation`.

    Raises UserError where nobody can be asked, as in a script or over ssh without a terminal.
    """
    with visit(NODE):
        for line in standing(_report()):
            console.print(line, highlight=False, markup=False, soft_wrap=True)
        if not agreed(
            "The arm may move from now on. Is nobody in its reach, the red button at hand?", console, confirmation
        ):
            console.print("not enabled")
            return 1
        console.print(give_order("enable"), highlight=False, markup=False, soft_wrap=True)
    return 0


def agreed(question: str, console: Console, confirmation: Literal["ask", "given"]) -> bool:
    """Whether a person says yes to `question`, here or with `confirmation`.

    Raises UserError where nobody can be asked, as in a script or over ssh without a terminal.
    """
    if confirmation == "given":
        return True
    if not sys.stdin.isatty():
        raise UserError("nobody can be asked here: this is no terminal", next_step="look at the arm, then add --yes")
    console.print(f"{question} \\[y/N] ", end="", soft_wrap=True)
    return sys.stdin.readline().strip().lower() in YES


def gripper(word: str, question: str, console: Console, confirmation: Literal["ask", "given"]) -> int:
    """Have the arm process move the gripper, or say how it stands; where there is a `question`, after a person's yes.

    Returns the exit code. Raises UserError when the arm process is not there or refuses.
    """
    with visit(NODE):
        if question and not agreed(question, console, confirmation):
            console.print("nothing was moved")
            return 1
        console.print(give_order(f"gripper_{word}"), highlight=False, markup=False, soft_wrap=True)
    return 0


def _report() -> ArmReport | None:
    message = hear(ARM_STATUS, REPORT_S)
    report = None if message is None else read_report(message, HostStamps())
    return None if isinstance(report, Refused) else report


def standing(report: ArmReport | None) -> list[str]:
    """How the guard stands, for a person."""
    if report is None:
        return ["the arm process does not report"]
    lines = [f"mode {report.mode.value}, {'at home' if report.at_home else 'not at home'}"]
    lines += [f"  {code}: {sentence}" for code, sentence in explained(report.why).items()]
    return lines if report.master == "ok" else [*lines, f"  {report.master}"]


def mark_box(config: Config, path: Path, console: Console, lines: Iterable[str]) -> int:
    """Mark a corner at each empty one of `lines` until one says q; returns 1 when no box came of it.

    Raises UserError at once where `path` exists already.
    """
    corners, stamps = Corners(config, path), HostStamps()
    corners.refuse_taken()
    console.print("Bring the tool to a corner, by `rig teleop` or by its cuff. Enter marks it, q ends.")
    with visit(NODE):
        for line in lines:
            if line.strip().lower() in ("q", "quit"):
                break
            message = hear(ARM_STATUS, REPORT_S)
            if message is None:
                raise UserError(f"{ARM_STATUS.name} is silent", next_step="start the arm process with a launch file")
            report = read_report(message, stamps)
            if isinstance(report, Refused):
                raise UserError(f"the arm's report is not used: {report.reason}", next_step="see `rig doctor`")
            if report.tool is None:
                raise UserError("the arm process does not say where its tool is", next_step="start this version of it")
            said = corners.mark(report.tool)
            console.print(said, highlight=False, markup=False, soft_wrap=True)
    if corners.box is None:
        console.print("no box was made", highlight=False)
    return 0 if corners.box is not None else 1
