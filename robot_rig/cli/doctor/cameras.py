"""Checks of the cameras that are plugged into this machine, without opening any. Called by `rig doctor`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

from drivers.video_devices import plugged_in, realsense_on_the_bus
from robot_rig.cli.doctor.findings import Finding, green, red, yellow

ASK_S = 1.8
Answer = tuple[int, str]


def ask_library() -> Answer:
    """The exit code and the lines of a process that lists RealSenses: the vendor's library may hang, and its exit."""
    command = [sys.executable, "-m", "drivers.camera_process", "list"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=ASK_S, check=False)
    except subprocess.TimeoutExpired:
        return 3, "its library does not answer"
    return done.returncode, done.stdout.strip()


def check_cameras(
    named: Callable[[], Sequence[str]] = plugged_in,
    on_bus: Callable[[], bool] = realsense_on_the_bus,
    ask: Callable[[], Answer] = ask_library,
) -> list[Finding]:
    """What driver:=realsense and driver:=opencv would find. `named`, `on_bus`, `ask`: how it is looked for."""
    video = [green("cameras", f"driver:=opencv device:={name}") for name in named()]
    if on_bus():
        return [*_realsenses(*ask()), *video]
    return video or [green("cameras", "none is plugged in; only a real robot needs one")]


def _realsenses(code: int, lines: str) -> list[Finding]:
    if code:
        return [yellow("cameras", f"a RealSense is plugged in, but: {lines}", "see above, or replug it")]
    if not lines:
        fix = "replug it into a USB 3 port; another program may hold it"
        return [yellow("cameras", "a RealSense is plugged in, and its library does not see it", fix)]
    return [_realsense(line) for line in lines.splitlines()]


def _realsense(line: str) -> Finding:
    if line.rpartition("USB ")[2].startswith(("1", "2")):
        return red("cameras", f"{line}: too slow to rely on", "use a USB 3 port and the cable that came with it")
    return green("cameras", f"driver:=realsense, {line}")
