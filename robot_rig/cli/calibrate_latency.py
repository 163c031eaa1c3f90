"""`rig calibrate latency` and `settings`: a recorded wiggle as numbers, and all results as settings.

Called by `calibrate_commands`.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console

from calibration.check import outdated
from calibration.latency import camera_latency, picture_motion
from calibration.recording import read_recording, recorded_pictures
from calibration.records import KINDS, HandEyeRecord, LatencyRecord, Record
from calibration.results import Results, now
from calibration.servo_lag import identify_trail
from robot_rig.cli.calibrate import keep, say
from robot_rig.cli.progress import stage_bar
from robot_rig.config import CameraConfig, Config
from robot_rig.config_files import load_config
from robot_rig.data.bag import open_bag
from robot_rig.datatypes import IMAGE_SIZE, Bytes
from robot_rig.disk import appearing, write_atomically
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.picture_files import MAX_SIDE_PX
from robot_rig.vision import decode_picture, unpack_picture


def latency(path: Path, serial: str, topic: str, config: Config, results: Results, console: Console) -> int:
    """How old pictures are and how late the arm is, from the rosbag `path` of a wiggle."""
    arm = Kinematics(config.control.tool_offset_m)
    with open_bag(path) as bag:
        found = read_recording(bag, topic)
        pictures = recorded_pictures(bag, topic, lambda name, message: _unpacked(name, message, config.camera))
        first = next(pictures)
        size = _useful_size(first)
        with stage_bar(console, "looking at the pictures", len(found.stamped_at)) as advance:
            motion = picture_motion(_counted(itertools.chain([first], pictures), size, advance))
    tool = np.array([arm.pose(position).tool for position in found.position])
    seen = camera_latency(found.state_at, tool, found.arrived_at, found.stamped_at, motion)
    trail = identify_trail(found.sent_at, found.sent, found.state_at, found.position)
    say(
        console,
        f"camera: pictures are {1e3 * seen.camera_s:.0f} ms old when they arrive ({1e3 * seen.low_s:.0f} to "
        f"{1e3 * seen.high_s:.0f}), stamped {1e3 * seen.stamp_error_s:.0f} ms after exposure, known to "
        f"{1e3 * seen.sure_s:.1f} ms; match {seen.match:.1%}",
    )
    joints = ", ".join(f"j{joint} {1e3 * late:.0f}" for joint, late in trail.joints.items())
    say(
        console,
        f"arm: joints trail what they are sent by {1e3 * trail.seconds:.0f} ms ({joints}); match {trail.match:.1%}",
    )
    if seen.high_s > config.guard.image_age_limit_s:
        say(
            console,
            f"guard.image_age_limit_s is {config.guard.image_age_limit_s:g}: with pictures this old the arm rests",
        )
    record = LatencyRecord(
        taken=now(),
        serial=serial,
        width_px=size[0],
        height_px=size[1],
        camera_s=seen.camera_s,
        camera_low_s=seen.low_s,
        camera_high_s=seen.high_s,
        stamp_error_s=seen.stamp_error_s,
        arm_s=trail.seconds,
        camera_match=min(seen.match, 1.0),
        arm_match=min(trail.match, 1.0),
        pictures=len(motion),
    )
    return keep(results, record, console)


def _useful_size(rgb: Bytes) -> tuple[int, int]:
    """(W, H) px of `rgb`. Raises UserError for one that no camera of a rig has."""
    height, width = rgb.shape[:2]
    if not IMAGE_SIZE <= min(width, height) <= max(width, height) <= MAX_SIDE_PX:
        raise UserError(
            f"the pictures are {width}x{height} px, and {IMAGE_SIZE} to {MAX_SIDE_PX} are of use",
            next_step="name the topic of the camera's own pictures with --picture",
        )
    return width, height


def _counted(pictures: Iterable[Bytes], size: tuple[int, int], advance: Any) -> Iterator[Bytes]:
    for done, picture in enumerate(pictures, 1):
        if picture.shape[1::-1] != size:
            raise UserError(f"picture {done - 1} is of another size than the first", next_step="record one camera only")
        yield picture
        advance(done, "")


def _unpacked(name: str, message: Any, camera: CameraConfig) -> Bytes:
    if hasattr(message, "encoding"):
        return unpack_picture(name, message.encoding, (message.width, message.height), message.step, message.data)
    return decode_picture(name, message.data.tobytes(), (camera.width_px, camera.height_px))


def settings(serial: str, results: Results, out: Path, console: Console) -> int:
    """Write what was calibrated of a camera as an overlay for --config."""
    found: list[Record] = [one for kind in KINDS.values() if (one := results.newest(serial, kind)) is not None]
    for one in [one for one in found if isinstance(one, HandEyeRecord) and outdated(results, one)]:
        say(console, f"{outdated(results, one)}; it is left out")
        found.remove(one)
    if not found:
        raise UserError(
            f"the camera {serial} is not calibrated in {results.folder}",
            choices=results.serials(),
            next_step="`rig calibrate crop`, or another --serial or --calibrations",
        )
    lines = [f"# Camera {serial}, from `rig calibrate`: {', '.join(f'{one.kind_name} {one.taken}' for one in found)}."]
    sections: dict[str, dict[str, object]] = {}
    for one in found:
        for key, value in one.settings().items():
            section, _, name = key.partition(".")
            sections.setdefault(section, {})[name] = value
    for section, values in sections.items():
        lines += [f"{section}:", *(f"  {name}: {json.dumps(value)}" for name, value in values.items())]
    with appearing(out) as fresh:
        write_atomically(fresh, ("\n".join(lines) + "\n").encode())
    try:
        load_config([out], [])
    except UserError as error:
        out.unlink()
        raise UserError(f"these results do not go together: {error.problem}", next_step=error.next_step) from error
    say(console, f"{out}: give it with --config, before your own")
    return 0
