"""`rig doctor` itself: every check there is reason for, and the list for a person or a program.

Called by `robot_rig.cli.robot_commands`.
"""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Literal, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from robot_rig.cli.doctor import network
from robot_rig.cli.doctor.cameras import check_cameras
from robot_rig.cli.doctor.findings import Check, Finding, Level, run_checks, yellow
from robot_rig.cli.doctor.machine import has_ros, machine_checks
from robot_rig.config import Config
from robot_rig.errors import UserError

NODE = "rig_doctor"
MARKS = {Level.GREEN: "[green]ok[/]", Level.YELLOW: "[yellow]less[/]", Level.RED: "[red]RED[/]"}


class Camera(NamedTuple):
    """Which camera is to be held against which calibration: folder of `rig calibrate`, serial number or nothing."""

    folder: Path = Path("calibrations")
    serial: str = ""


THE_CAMERA = Camera()


def examine(
    config: Config, run: Path, hours: float, scope: Literal["usual", "network"], camera: Camera = THE_CAMERA
) -> list[Finding]:
    """All findings; takes 5 s at most. `scope` network: also who else can reach the master."""
    checks: dict[str, Check] = dict(machine_checks(config, run, hours))
    checks["cameras"] = check_cameras
    own = network.interfaces()
    checks["master"] = lambda: network.check_master(os.environ, own)
    if scope == "network":
        checks["exposure"] = lambda: network.check_exposure(os.environ, own)
    findings = run_checks(checks)
    if any(finding.name == "master" and finding.level is Level.GREEN for finding in findings):
        findings += _in_the_graph(config, camera)
    else:
        findings.append(yellow("robot", "not looked for: there is no ROS master", "see the line on the master"))
    return findings


def _in_the_graph(config: Config, camera: Camera) -> list[Finding]:
    if not has_ros():
        return [yellow("robot", "not looked for: there is no ROS here", "see the line on ros")]
    # Only here, because this needs ROS.
    from robot_rig.cli.doctor.robot import robot_checks
    from robot_rig.ros.visitor import visit

    try:
        with visit(NODE):
            return run_checks(robot_checks(config, camera.folder, camera.serial))
    except UserError as error:
        return [yellow("robot", error.problem, error.next_step)]


def show(findings: list[Finding], console: Console) -> None:
    """The list as a table, and below it what to do."""
    table = Table(title="rig doctor")
    for name in ("", "what", "finding", "fix"):
        table.add_column(name, overflow="fold")
    for finding in findings:
        table.add_row(MARKS[finding.level], *map(escape, (finding.name, finding.what, finding.fix)))
    console.print(table, highlight=False)
    counts = {level: sum(finding.level is level for finding in findings) for level in Level}
    console.print(", ".join(f"{count} {level.value}" for level, count in counts.items()), highlight=False)


def as_json(findings: list[Finding]) -> str:
    """The list for a program: objects of name, level, what and fix."""
    return json.dumps([dataclasses.asdict(finding) for finding in findings], indent=1)


def exit_code(findings: list[Finding]) -> int:
    """1 when any finding is red."""
    return int(any(finding.level is Level.RED for finding in findings))
