"""The words of `rig` that speak to a robot: light signatures that `--help` reads, ROS only once a word is said.

Called by `robot_rig.cli.dispatch`. Every function returns the exit code. These may move a real arm.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro
from rich.console import Console

from robot_rig.config import Config
from robot_rig.errors import UserError

Overlays = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]


def doctor(
    run: Path = Path("runs"),
    hours: float = 1.0,
    network: bool = False,
    json: bool = False,
    calibration: Path = Path("calibrations"),
    serial: str = "",
    config: Overlays = (),
    set: Overlays = (),
) -> int:
    """Is everything fit for work? A list in green, yellow and red, each red with its fix; exit code 1 if any is red.

    Args:
        run: Folder that runs are to go to.
        hours: Hours of logging that there must be room for.
        network: Also ask who else can reach the ROS master.
        json: Print the list for a program.
        calibration: Folder of the camera's calibrations, from `rig calibrate`.
        serial: The camera's serial number, where several have been calibrated.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set guard.tool_speed_m_s=0.1; may be given more than once.
    """
    from robot_rig.cli.doctor.rounds import Camera, as_json, examine, exit_code, show

    if not 0 < hours < 1e6:
        raise UserError(f"--hours {hours:g} is no such time", next_step="give more than 0, as in --hours 8")
    scope = Camera(calibration, serial)
    findings = examine(loaded(config, set), run, hours, "network" if network else "usual", scope)
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
    require_ros()
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
    require_ros()
    from robot_rig.cli.orders import order

    return order(word, Console())


def teleop(
    device: Literal["keyboard", "gamepad", "spacemouse"] = "keyboard",
    box: Path = Path("box.yaml"),
    config: Overlays = (),
    set: Overlays = (),
) -> int:
    """Move the arm by hand: with this terminal's keys, also over ssh, a gamepad or a 3D mouse. b marks a corner.

    Motion lasts while a key repeats, or a dead-man is held. Whoever moves the arm takes it from the policy; p hands it
    back.

    Args:
        device: What moves the arm; a gamepad or 3D mouse hangs on this machine.
        box: Where the box around the marked corners goes, as an overlay for --config.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting, as in --set control.axes="[x, y, z]"; may be given more than once.
    """
    # Before the master is asked: what is wrong in them is wrong without a robot too.
    loaded(config, set)
    require_ros()
    from drivers import teleop_node

    return teleop_node.main(["--device", device, f"--box={box}", *config_words(config, set)])


def box(out: Path = Path("box.yaml"), config: Overlays = (), set: Overlays = ()) -> int:
    """Make the guard's box from two or more corners shown with the tool: Enter marks where it is, q ends.

    Bring the tool there with `rig teleop` in another terminal (inside the box of now), or by hand with its cuff.

    Args:
        out: Where the box goes, as an overlay for --config.
        config: A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once.
        set: One setting; may be given more than once.
    """
    require_ros()
    from robot_rig.cli.orders import mark_box

    return mark_box(loaded(config, set), out, Console(), sys.stdin)


def config_words(config: Sequence[str], sets: Sequence[str]) -> list[str]:
    """The options of a node that say the same."""
    return [*(word for one in config for word in ("--config", one)), *(word for one in sets for word in ("--set", one))]


def loaded(config: Sequence[str], sets: Sequence[str]) -> Config:
    """The settings that these overlays and single settings make. Raises UserError for what is wrong in them."""
    from robot_rig.config_files import load_config

    return load_config(config, sets)


def require_ros() -> None:
    """Raise UserError where ROS is not installed."""
    from robot_rig.cli.doctor.machine import has_ros

    if not has_ros():
        raise UserError("ROS is not installed here", next_step="see what `rig doctor` says of it")
