"""`rig calibrate capture`: views of the board with the joints that held it, one at each Enter.

Imports ROS, so it is itself imported only once that word is said, or `poses`, which takes its views here too. It only
listens: people move arm and board.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from calibration.views import keep_description, keep_view
from robot_rig.cli.calibrate import say
from robot_rig.config import CameraConfig, Config
from robot_rig.datatypes import Bytes, Floats, RawFrame
from robot_rig.errors import UserError
from robot_rig.ros.convert import read_state
from robot_rig.ros.images import pixels
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import ARM_STATE, CAMERA_RAW
from robot_rig.ros.visitor import check_topic, hear, listen, parameter, visit
from robot_rig.vision import check_raw

NODE = "rig_calibrate"
PICTURE_S, STATE_S = 2.0, 0.5
SETTLE_S = 0.4
"""A picture shows the past: the arm must have been at rest for longer than a picture's age."""

AT_REST_RAD = 0.002
"""How far a joint may go in that time."""


@dataclass(frozen=True, slots=True)
class View:
    """A picture uint8 (H, W, 3), and the joints (7,) rad at which it was taken; None: the arm process is silent."""

    rgb: Bytes
    joints: Floats | None


def capture(folder: Path, topic: str, config: Config, console: Console, lines: Iterable[str]) -> int:
    """Keep a view at each of `lines` until one says q; returns 1 when none was kept."""
    check_topic(topic)
    if folder.exists() and not folder.is_dir():
        raise UserError(f"{folder} is not a folder", next_step="name the folder of the views with --views")
    say(console, "At each Enter what the camera sees is kept: let board and arm rest. q ends.")
    kept, stamps = 0, HostStamps()
    with visit(NODE):
        keep_arm(folder)
        for line in lines:
            if line.strip().lower() in ("q", "quit"):
                break
            view = settled_view(topic, config.camera, stamps)
            if view is None:
                say(console, "not kept: the arm moves")
                continue
            path = keep_view(folder, view.rgb, view.joints)
            kept += 1
            say(console, f"{path}{'' if view.joints is not None else ', without joints: the arm process is silent'}")
    if not kept:
        say(console, "no view was kept")
    return 0 if kept else 1


def keep_arm(folder: Path) -> None:
    """Write the arm's own description, where there is one, beside the views that will be taken in `folder`."""
    if urdf := str(parameter("/robot_description", "")):
        keep_description(folder, urdf)


def settled_view(topic: str, camera: CameraConfig, stamps: HostStamps) -> View | None:
    """What is seen now on `topic` of an arm that rests; None while it moves. UserError: no picture, or another size."""
    before = _joints(stamps)
    heard = _settled_pictures(topic)
    after = _joints(stamps)
    if not heard:
        raise no_picture(topic)
    rgb = pixels(heard[-1][1])
    if isinstance(rgb, Refused):
        raise UserError(f"{topic} carries {rgb.reason}", next_step="let the camera publish rgb8")
    check_raw(RawFrame(0, time.monotonic(), rgb), camera)
    if before is None or after is None:
        return View(rgb, None)
    # Joints count only where both looks say that the arm rested.
    return View(rgb, after) if np.abs(after - before).max() <= AT_REST_RAD else None


def no_picture(topic: str) -> UserError:
    """What to say where nothing comes on `topic`."""
    return UserError(
        f"no picture on {topic}",
        next_step=f"start the camera's node, or name the --topic: {CAMERA_RAW.name} with driver realsense or opencv",
    )


def _settled_pictures(topic: str) -> list[tuple[float, Any]]:
    """What comes on `topic` until one has come that is later than any that could show the arm before it rested."""
    begin = time.monotonic()
    return listen(topic, CAMERA_RAW.message, PICTURE_S, lambda arrived: arrived[-1][0] > begin + SETTLE_S)


def _joints(stamps: HostStamps) -> Floats | None:
    """(7,) rad that the arm reports now; None while its process is silent. UserError: no numbers."""
    message = hear(ARM_STATE, STATE_S)
    state = None if message is None else read_state(message, stamps)
    if state is None or isinstance(state, Refused):
        return None
    if not np.isfinite(state.position).all():
        raise UserError("the arm reports joints that are no numbers", next_step="see `rig doctor` for the robot")
    return state.position
