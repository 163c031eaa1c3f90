"""The camera as a ROS node: the picture that the policy sees, and the whole one for people.

    python -m drivers.camera_node --config reach --driver ros --device /camera/color/image_raw
    python -m drivers.camera_node --config reach --driver realsense

Everybody learns from and acts on the topic of this node, so that there is one eye. Started by launch files.
"""

from __future__ import annotations

import logging
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from calibration.check import Checked, check_camera
from calibration.results import Results
from drivers.camera_again import CheckedAgain
from drivers.camera_choice import LookedThrough, opened
from drivers.looking import Looking
from drivers.picture_watch import Lit, PictureWatch
from robot_rig.config import CameraConfig, Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import RawFrame
from robot_rig.errors import UserError
from robot_rig.interfaces import Camera
from robot_rig.ros.camera_report import NOT_ASKED, camera_message
from robot_rig.ros.connect import advertise, subscribe
from robot_rig.ros.convert import frame_message, read_state
from robot_rig.ros.node import Node, run
from robot_rig.ros.real_time import prepare_process
from robot_rig.ros.stamps import Refused
from robot_rig.ros.topics import ARM_STATE, CAMERA_FRAME, CAMERA_RAW, CAMERA_STATUS
from robot_rig.vision import preprocess

NODE = "rig_camera"
RAW_PERIOD_S = 0.2

log = logging.getLogger("drivers.camera_node")


@dataclass(frozen=True)
class CameraNodeOptions:
    """The camera and its 84x84 picture as a ROS node."""

    config: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set camera.crop_left_px=100; may be given more than once."""

    driver: Literal["ros", "realsense", "opencv"] = "ros"
    """ros: another node owns the camera and publishes its pictures; else this one does, through that library."""

    device: str = ""
    """ros: the topic of a camera that is plugged into this machine, usually /camera/color/image_raw. realsense: the
    serial number, or a recording. opencv: a name from /dev/v4l/by-id, or a video file. Empty: the usual or only one."""

    rate_hz: Literal[30, 60] = 30
    """Pictures a second, for realsense and opencv."""

    calibration: Path | None = None
    """Folder of calibrations: the camera must be one of them, unmoved, or this does not start. Without: no check, for a
    camera that stands where the settings say."""

    serial: str = ""
    """The camera's serial number, where several have been calibrated and the driver cannot tell: ros and opencv."""

    priority: int = 15
    """SCHED_FIFO priority of the whole process; 0: normal scheduling. As the policy's tick, below the arm's."""


class CameraNode:
    """Reads a camera on a thread of its own and publishes each new picture once, unless it is not to be believed."""

    def __init__(
        self, eye: LookedThrough, config: Config, node: Node, calibration: str, light: Lit | None = None
    ) -> None:
        self._calibration = calibration
        self._eye, self._config, self._node = eye, config.camera, node
        self._frames, self._raws, self._status = (advertise(one) for one in (CAMERA_FRAME, CAMERA_RAW, CAMERA_STATUS))
        self._watch = PictureWatch(eye.repeats_after_rad, config.guard.image_age_limit_s, light)
        self._looking = Looking(eye.camera, self._watch, self._publish, self._say)
        self._closing = threading.Event()
        self._next_raw = 0.0
        node.closing(eye.camera.close)
        node.closing(self._closing.set)
        subscribe(ARM_STATE, self._take_arm)
        threading.Thread(target=self._run, name="camera", daemon=True).start()

    def _run(self) -> None:
        try:
            while not self._closing.is_set():
                self._looking.look()
        except UserError as error:
            if not self._closing.is_set():
                self._looking.refuse(error)
                self._node.fail(error)
        finally:
            # What nobody foresaw: a node that lives on without its eye would tell nobody. The first error counts.
            if not self._closing.is_set():
                self._node.fail(UserError("the camera's thread has died", next_step="see the traceback above"))

    def _take_arm(self, message: Any) -> None:
        state = read_state(message, self._node.stamps)
        if not isinstance(state, Refused):
            self._watch.moved(state.stamp, state.position)

    def _say(self, code: str, now: float) -> None:
        told = {**self._eye.told(), "calibration": self._calibration}
        self._status.publish(camera_message(code, self._node.stamps, now, told))

    def _publish(self, raw: RawFrame, now: float) -> None:
        self._frames.publish(frame_message(preprocess(raw, self._config), self._node.stamps))
        if now >= self._next_raw and self._raws.get_num_connections():
            self._next_raw = now + RAW_PERIOD_S
            self._raws.publish(frame_message(raw, self._node.stamps))


def wire(options: CameraNodeOptions, node: Node) -> None:
    """Build the node and let it run. Raises UserError where another node is the eye already."""
    config = load_config(options.config, options.set)
    if others := node.others_that_publish(CAMERA_FRAME.name):
        raise UserError(
            f"{', '.join(others)} publishes {CAMERA_FRAME.name} already, and whoever acts would look through both",
            next_step="stop it, or do without this one",
        )
    for line in prepare_process(options.priority):
        log.info(line)
    eye = opened(options.driver, options.device, options.rate_hz, config.camera)
    said = NOT_ASKED
    light: Lit | None = None
    try:
        if options.calibration is not None:
            checked = standing(options.calibration, eye.serial or options.serial, eye.camera, config.camera)
            said, light = sentence(checked), checked.light.lasting_doubt
            log.info(said)
    except UserError:
        eye.camera.close()
        raise
    looking = eye if options.calibration is None else checked_again(eye, options, config.camera)
    CameraNode(looking, config, node, said, light)


def checked_again(eye: LookedThrough, options: CameraNodeOptions, config: CameraConfig) -> LookedThrough:
    """`eye`, whose place is checked again whenever it was opened anew: somebody may have pushed it."""

    def check() -> None:
        assert options.calibration is not None
        log.info(sentence(standing(options.calibration, eye.serial or options.serial, eye.camera, config)))

    return replace(eye, camera=CheckedAgain(eye.camera, eye.counts, check))


def standing(folder: Path, serial: str, camera: Camera, config: CameraConfig) -> Checked:
    """What `folder` says of `camera`, which has not moved since. Raises UserError when it is not so."""
    return check_camera(Results(folder), serial, camera.read().rgb, config)


def sentence(checked: Checked) -> str:
    """That the camera stands where it stood."""
    eye, moved = checked.eye, checked.shift.pixels
    return f"the camera {eye.serial} stands where it stood on {eye.taken}: its picture is shifted by {moved:.1f} px"


def main() -> int:
    """Run the node; returns the exit code."""
    return run(NODE, CameraNodeOptions, wire)


if __name__ == "__main__":
    sys.exit(main())
