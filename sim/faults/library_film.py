"""RealSense recordings, made with the vendor's own software device and recorder. Called by `library_eye`, and by tests.

The library plays a recording at the pace at which it was made; its pictures' stamps and numbers are those given here.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from robot_rig.clock import WallClock
from robot_rig.datatypes import Bytes

WIDTH, HEIGHT, RATE_HZ = 640, 480, 30
SERIAL = "923322071108"
FOCAL_PX, CENTER_PX = (612.0, 611.0), (318.0, 241.0)
BYTES_PER_PX = {"rgb8": 3, "bgr8": 3, "yuyv": 2, "y8": 1}
WAIT_MS = 1000


@dataclass(frozen=True)
class Taken:
    """One picture to record: its number, its stamp (s since 1970), its pixels as its stream's format has them.

    `due`: seconds from the first picture when it is recorded, and so played; None: at once.
    """

    number: int
    wall: float
    rgb: Bytes
    due: float | None = None


def colour_profile(rs: Any, sensor: Any, form: str = "rgb8") -> Any:
    """A 640x480 stream of `sensor` in the format `form`, a D435's in all but the silicon."""
    seen = rs.intrinsics()
    seen.width, seen.height = WIDTH, HEIGHT
    (seen.fx, seen.fy), (seen.ppx, seen.ppy) = FOCAL_PX, CENTER_PX
    seen.model, seen.coeffs = rs.distortion.inverse_brown_conrady, [0.0] * 5
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid = rs.stream.color, 0, 1
    stream.width, stream.height, stream.fps = WIDTH, HEIGHT, RATE_HZ
    stream.bpp, stream.fmt = BYTES_PER_PX[form], getattr(rs.format, form)
    stream.intrinsics = seen
    return sensor.add_video_stream(stream)


def software_frame(rs: Any, taken: Taken, profile: Any, form: str = "rgb8") -> Any:
    """`taken` as a frame of the software device."""
    frame = rs.software_video_frame()
    frame.pixels = np.ascontiguousarray(taken.rgb)
    frame.stride, frame.bpp = BYTES_PER_PX[form] * WIDTH, BYTES_PER_PX[form]
    frame.timestamp, frame.domain = 1000 * taken.wall, rs.timestamp_domain.system_time
    frame.frame_number, frame.profile = taken.number, profile.as_video_stream_profile()
    return frame


def record(rs: Any, path: Path, pictures: Iterable[Taken], form: str = "rgb8") -> Path:
    """Write `pictures` to `path` through a real recorder of `rs`, the vendor's library."""
    device = rs.software_device()
    device.register_info(rs.camera_info.serial_number, SERIAL)
    device.register_info(rs.camera_info.name, "Intel RealSense D435")
    sensor = device.add_sensor("RGB Camera")
    profile = colour_profile(rs, sensor, form)
    recorder = rs.recorder(str(path), device)
    recorded = recorder.query_sensors()[0]
    queue = rs.frame_queue(50)
    recorded.open(recorded.get_stream_profiles()[0])
    recorded.start(queue)
    clock = WallClock()
    began = clock.now()
    for taken in pictures:
        if taken.due is not None:
            clock.sleep_until(began + taken.due)
        sensor.on_video_frame(software_frame(rs, taken, profile, form))
        # The recorder drops what comes faster than it writes.
        queue.wait_for_frame(WAIT_MS)
    recorded.stop()
    recorded.close()
    del recorded, recorder
    return path
