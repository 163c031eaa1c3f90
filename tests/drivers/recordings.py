"""RealSense recordings made at test time with the vendor's own software device and recorder, for test_realsense.py."""

from __future__ import annotations

import platform
import time
from functools import cache
from typing import Any

import numpy as np
import pytest

from robot_rig.config import CameraConfig
from robot_rig.datatypes import Bytes
from sim.faults.library_film import FOCAL_PX, HEIGHT, RATE_HZ, SERIAL, WIDTH, Taken, record

__all__ = [
    "CONFIG",
    "FOCAL_PX",
    "HEIGHT",
    "RATE_HZ",
    "SERIAL",
    "WIDTH",
    "Taken",
    "in_order",
    "real_library",
    "record",
    "scene",
]

CONFIG = CameraConfig()
SCENES = 7


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
