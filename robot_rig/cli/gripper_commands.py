"""The words of `rig gripper`: light signatures that `--help` reads. Called by `robot_rig.cli.dispatch`.

Every function returns the exit code. All but `status` move the fingers of a real gripper, through the arm process.
"""

from __future__ import annotations

from rich.console import Console

from robot_rig.cli.robot_commands import require_ros

FINGERS_MOVE = "The fingers open and close all the way. Is nothing between them, and nobody's hand near?"


def gripper_calibrate(yes: bool = False) -> int:
    """Let the gripper learn its way: the fingers open and close. Asks first; nothing else ever calibrates it.

    The arm must be enabled or on hold; it stands, and is a person's until it is handed back or enabled.

    Args:
        yes: Do not ask.
    """
    return _order("calibrate", FINGERS_MOVE, yes)


def gripper_open() -> int:
    """Open the fingers; the arm stands meanwhile. Refused where the task pushes with them (tool.fingers closed)."""
    return _order("open")


def gripper_close() -> int:
    """Close the fingers, on what is between them; the arm stands meanwhile."""
    return _order("close")


def gripper_status() -> int:
    """How the gripper stands: calibrated, how far open, whether it grips."""
    return _order("status")


def _order(word: str, question: str = "", yes: bool = False) -> int:
    require_ros()
    from robot_rig.cli.orders import gripper

    return gripper(word, question, Console(), "given" if yes else "ask")
