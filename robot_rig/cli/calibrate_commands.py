"""The words of `rig calibrate`: light signatures that `--help` reads, heavy imports only once a word is said.

Called by `robot_rig.cli.dispatch`. Every function returns the exit code. `poses` and `wiggle` move the arm, through the
guard and after a person's `rig enable`; none of the others does.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro
from rich.console import Console

from robot_rig.cli.options import Overlays
from robot_rig.errors import UserError

if TYPE_CHECKING:
    from calibration.board import Board
    from calibration.results import Results
    from robot_rig.config import Config

Settings = Annotated[tuple[str, ...], tyro.conf.UseAppendAction]
Picture = tyro.conf.Positional[Path]


@dataclass(frozen=True)
class BoardOptions:
    """Which board: what `rig calibrate board` printed, and what a ruler says of it."""

    columns: int = 7
    """Squares across."""

    rows: int = 5
    """Squares down."""

    square_mm: float = 34.0
    """Width of a square, as measured on the print."""

    marker_share: float = 22.0 / 34.0
    """Width of a marker, as a share of a square's."""

    def made(self) -> Board:
        """The board. Raises UserError for one that cannot be."""
        from calibration.board import Board

        return Board(self.columns, self.rows, 1e-3 * self.square_mm, 1e-3 * self.square_mm * self.marker_share)


@dataclass(frozen=True)
class SettingsOptions:
    """The settings."""

    config: Overlays = ()
    """A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once."""

    set: Settings = ()
    """One setting, as in --set camera.width_px=1280; may be given more than once."""

    def load(self) -> Config:
        """The resolved settings."""
        from robot_rig.config_files import load_config

        return load_config(self.config, self.set)


@dataclass(frozen=True, kw_only=True)
class CameraOptions(SettingsOptions):
    """Which camera, and where its calibrations are."""

    serial: str
    """Serial number of the camera, as it stands on it."""

    calibrations: Path = Path("calibrations")
    """Folder of the results."""

    def results(self) -> Results:
        """The results there are. Raises UserError for a serial number that is none, and for a folder that is none."""
        from calibration.results import Results, check_serial

        check_serial(self.serial)
        if self.calibrations.exists() and not self.calibrations.is_dir():
            raise UserError(
                f"{self.calibrations} is not a folder", next_step="name the folder of the results with --calibrations"
            )
        return Results(self.calibrations)


TheBoard = Annotated[BoardOptions, tyro.conf.arg(name="")]
TheCamera = Annotated[CameraOptions, tyro.conf.arg(name="")]
TheSettings = Annotated[SettingsOptions, tyro.conf.arg(name="")]
SEVEN_BY_FIVE, AS_THEY_ARE = BoardOptions(), SettingsOptions()


def board(
    out: Path = Path("board.pdf"), paper: Literal["a4", "letter"] = "a4", chosen: TheBoard = SEVEN_BY_FIVE
) -> int:
    """Make the PDF of a ChArUco board, to be printed in true size.

    Args:
        out: Where the PDF goes.
        paper: The sheet, its long side across.
        chosen: The board.
    """
    from robot_rig.cli.calibrate import board as make

    return make(chosen.made(), paper, out, Console())


def capture(
    views: Path = Path("views"), topic: str = "/camera/color/image_raw", settings: TheSettings = AS_THEY_ARE
) -> int:
    """Keep what the camera sees, and where the arm's joints are, at each Enter; q ends. The arm must rest meanwhile.

    Move board or arm between two views by hand, with the cuff, or with `rig teleop`.

    Args:
        views: Folder of the views.
        topic: The camera driver's colour pictures.
        settings: The settings.
    """
    from robot_rig.cli.calibrate_capture import capture as take
    from robot_rig.cli.robot_commands import require_ros

    require_ros()
    return take(views, topic, settings.load(), Console(), sys.stdin)


def poses(
    camera: TheCamera,
    views: Path = Path("hand"),
    topic: str = "/camera/color/image_raw",
    count: int = 15,
    chosen: TheBoard = SEVEN_BY_FIVE,
) -> int:
    """Let the arm hold the board before the camera at planned poses and keep a view at each, for `handeye`.

    Waits for `rig enable`. Moves slowly, through the guard, where the whole way is free; Ctrl-C, `rig hold`, a hand on
    teleop or anybody else who moves the arm ends it in hold, `rig home` at home, and the same command goes on where it
    was. The settings say where the camera is, roughly: sim.camera_position_m and sim.camera_target_m.

    Args:
        camera: The camera, its lens calibrated; the board on the gripper in its sight.
        views: Folder of the views, and of the plan.
        topic: The camera driver's colour pictures.
        count: How many poses to plan.
        chosen: The board.
    """
    from robot_rig.cli.robot_commands import require_ros

    require_ros()
    from robot_rig.cli.calibrate_poses import poses as collect

    if not 8 <= count <= 100:
        raise UserError(f"--count {count} is not from 8 to 100", next_step="15 are a good number")
    results = camera.results()
    return collect(views, camera.serial, topic, count, chosen.made(), camera.load(), results, Console())


def intrinsics(views: Picture, camera: TheCamera, chosen: TheBoard = SEVEN_BY_FIVE) -> int:
    """Find the lens from pictures of the board: focal length, centre, distortion; each view with its residual.

    Args:
        views: Folder of 15 or more pictures, the board near, turned, and in every part of the picture.
        camera: The camera.
        chosen: The board.
    """
    from robot_rig.cli.calibrate import intrinsics as solve

    return solve(views, camera.serial, chosen.made(), camera.load(), camera.results(), Console())


def handeye(views: Picture, camera: TheCamera, chosen: TheBoard = SEVEN_BY_FIVE) -> int:
    """Find where the camera is, from views of the board on the gripper: five solvers side by side, the best refined.

    Args:
        views: Folder of 12 or more views with their joints, from `rig calibrate poses` or `capture`.
        camera: The camera, its lens calibrated.
        chosen: The board.
    """
    from robot_rig.cli.calibrate import handeye as solve

    return solve(views, camera.serial, chosen.made(), camera.load(), camera.results(), Console())


def crop(
    picture: Picture, camera: TheCamera, factor: int | None = None, left: int | None = None, top: int | None = None
) -> int:
    """Choose the policy's window and keep the picture as the reference that every start is compared with.

    Args:
        picture: A picture of the camera, the arm at home and nobody in it.
        camera: The camera.
        factor: The window is this many times 84 px wide; the largest that fits when not given.
        left: Its left edge, px; in the middle when not given.
        top: Its upper edge, px; in the middle when not given.
    """
    from robot_rig.cli.calibrate import crop as choose

    return choose(picture, camera.serial, (factor, left, top), camera.load(), camera.results(), Console())


def wiggle(
    bag: Path = Path("wiggle.bag"),
    topic: str = "/camera/color/image_raw",
    along: Literal["x", "y", "z"] = "y",
    seconds: float | None = None,
    settings: TheSettings = AS_THEY_ARE,
) -> int:
    """Let the tool wiggle before the camera and record it, for `latency`. On the machine that the camera hangs on.

    Waits for `rig enable`. A person takes the arm at any time; Ctrl-C holds it.

    Args:
        bag: The rosbag; 30 MB a second.
        topic: The camera driver's colour pictures.
        along: The line, in base; the one that goes most nearly across the picture.
        seconds: How long; by default 12, and up to 50 where pictures come seldom, as 5 a second on /rig/camera/raw do.
        settings: The settings.
    """
    from robot_rig.cli.robot_commands import require_ros

    require_ros()
    from robot_rig.cli.calibrate_wiggle import wiggle as play

    if seconds is not None and not 6 <= seconds <= 60:
        raise UserError(f"--seconds {seconds:g} is not from 6 to 60", next_step="leave it out: the pictures decide")
    return play(bag, topic, along, seconds, settings.load(), Console())


def latency(bag: Picture, camera: TheCamera, picture: str = "/camera/color/image_raw") -> int:
    """How old pictures are when they arrive, and how late the arm is, from a rosbag of the arm wiggling.

    Args:
        bag: From `rig calibrate wiggle`, or recorded by hand on the camera's machine: rosbag record
            /camera/color/image_raw /rig/arm/state /rig/arm/executed.
        camera: The camera.
        picture: The topic of its pictures; /rig/camera/raw with the drivers realsense and opencv.
    """
    from robot_rig.cli.calibrate_latency import latency as solve

    return solve(bag, camera.serial, picture, camera.load(), camera.results(), Console())


def workspace(picture: Picture, camera: TheCamera, out: Path = Path("workspace.png")) -> int:
    """Draw the guard's box over a picture; exit code 1 when the policy's window does not show all of it.

    Args:
        picture: A picture of the camera.
        camera: The camera, its lens and place calibrated; the box of `rig box` comes with --config box.yaml.
        out: Where the drawing goes.
    """
    from robot_rig.cli.calibrate import workspace as draw

    return draw(picture, camera.serial, camera.load(), camera.results(), out, Console())


def check(picture: Picture, camera: TheCamera) -> int:
    """Is this the calibrated camera, and does it stand where it stood? What a real arm's camera node asks at its start.

    Args:
        picture: A picture of the camera, of now.
        camera: The camera.
    """
    from robot_rig.cli.calibrate import check as compare

    return compare(picture, camera.serial, camera.load(), camera.results(), Console())


def settings(camera: TheCamera, out: Path = Path("camera.yaml")) -> int:
    """Write the newest results of a camera as settings, for --config: window, lens, and the simulator's like of it.

    Args:
        camera: The camera.
        out: Where they go.
    """
    from robot_rig.cli.calibrate_latency import settings as write

    return write(camera.serial, camera.results(), out, Console())
