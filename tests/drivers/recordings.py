"""RealSense recordings made at test time with the vendor's own software device and recorder, for test_realsense.py."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from robot_rig.config import CameraConfig
from robot_rig.datatypes import Bytes

WIDTH, HEIGHT, RATE_HZ = 640, 480, 30
CONFIG = CameraConfig()
SERIAL = "923322071108"
SCENES = 7
FOCAL_PX, CENTER_PX = (612.0, 611.0), (318.0, 241.0)


@dataclass(frozen=True)
class Taken:
    """One picture to record: its number, its stamp in seconds since 1970, and its pixels."""

    number: int
    wall: float
    rgb: Bytes


@cache
def scene(number: int) -> Bytes:
    """A picture with a red left third and noise on the right."""
    rgb = np.random.default_rng(number).integers(20, 90, (HEIGHT, WIDTH, 3), dtype=np.uint8)
    rgb[:, : WIDTH // 3] = (200, 20, 20)
    return rgb


def in_order(count: int, wall: float = 0.0) -> list[Taken]:
    """`count` pictures in a row, the first one exposed at `wall`."""
    begin = wall or time.time()
    # Drawing noise takes longer than anything else here, so a few pictures take turns.
    return [Taken(1 + number, begin + number / RATE_HZ, scene(number % SCENES)) for number in range(count)]


def real_library() -> Any:
    """The vendor's library, which must be there; tests of it are skipped where there are no wheels of it."""
    if platform.machine() != "x86_64":
        pytest.skip("there are no wheels of pyrealsense2 for this processor", allow_module_level=True)
    import pyrealsense2

    return pyrealsense2


def colour_profile(rs: Any, sensor: Any) -> Any:
    """A 640x480 rgb8 stream of `sensor`, a D435's in all but the silicon."""
    seen = rs.intrinsics()
    seen.width, seen.height = WIDTH, HEIGHT
    (seen.fx, seen.fy), (seen.ppx, seen.ppy) = FOCAL_PX, CENTER_PX
    seen.model, seen.coeffs = rs.distortion.inverse_brown_conrady, [0.0] * 5
    stream = rs.video_stream()
    stream.type, stream.index, stream.uid = rs.stream.color, 0, 1
    stream.width, stream.height, stream.fps, stream.bpp, stream.fmt = WIDTH, HEIGHT, RATE_HZ, 3, rs.format.rgb8
    stream.intrinsics = seen
    return sensor.add_video_stream(stream)


def software_frame(rs: Any, taken: Taken, profile: Any) -> Any:
    """`taken` as a frame of the software device."""
    frame = rs.software_video_frame()
    frame.pixels = taken.rgb
    frame.stride, frame.bpp = 3 * WIDTH, 3
    frame.timestamp, frame.domain = 1000 * taken.wall, rs.timestamp_domain.system_time
    frame.frame_number, frame.profile = taken.number, profile.as_video_stream_profile()
    return frame


def record(rs: Any, path: Path, pictures: Iterable[Taken]) -> Path:
    """Write `pictures` to `path` through a real recorder."""
    device = rs.software_device()
    device.register_info(rs.camera_info.serial_number, SERIAL)
    device.register_info(rs.camera_info.name, "Intel RealSense D435")
    sensor = device.add_sensor("RGB Camera")
    profile = colour_profile(rs, sensor)
    recorder = rs.recorder(str(path), device)
    recorded = recorder.query_sensors()[0]
    queue = rs.frame_queue(50)
    recorded.open(recorded.get_stream_profiles()[0])
    recorded.start(queue)
    for taken in pictures:
        sensor.on_video_frame(software_frame(rs, taken, profile))
        # The recorder drops what comes faster than it writes.
        queue.wait_for_frame(1000)
    recorded.stop()
    recorded.close()
    del recorded, recorder
    return path
