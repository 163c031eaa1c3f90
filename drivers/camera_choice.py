"""The camera that somebody asks for by the name of its driver. Called by camera_node."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from drivers.camera_device import RECORDINGS, Source
from drivers.held_camera import HeldCamera
from drivers.picture_watch import MOVED_RAD, NOT_MOVED_RAD
from drivers.ros_camera import IMAGE_TOPIC, RosCamera
from robot_rig.config import CameraConfig
from robot_rig.interfaces import Camera

Driver = Literal["ros", "realsense", "opencv"]

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class LookedThrough:
    """An open camera, what its pictures must do to count as frozen (see `picture_watch`), and what is told of it.

    `serial` is empty where the driver cannot tell; `counts` how often each rung was taken to bring it back.
    """

    camera: Camera
    serial: str
    repeats_after_rad: float
    told: Callable[[], Mapping[str, object]]
    counts: Callable[[], Mapping[str, int]] = dict


def opened(driver: Driver, device: str, rate_hz: int, config: CameraConfig) -> LookedThrough:
    """Open the camera. Raises UserError when there is none, or it gives no pictures of the configured size."""
    if driver == "ros":
        topic = device or IMAGE_TOPIC
        return LookedThrough(RosCamera(config, topic), "", MOVED_RAD, lambda: {"driver": driver, "device": topic})
    recording = driver == "realsense" and Path(device).suffix in RECORDINGS
    source = Source(
        driver, config.width_px, config.height_px, device, rate_hz, stamps="arrival" if recording else "exposure"
    )
    camera = HeldCamera(source, config)
    facts = camera.facts
    log.info("looks through %s %s, %s", facts.name, facts.device, facts.details)
    return LookedThrough(
        camera,
        str(facts.details.get("serial", "")),
        # A RealSense sends what its sensor saw, noise and all; other cameras smooth and squeeze until pictures repeat.
        NOT_MOVED_RAD if driver == "realsense" and not recording else MOVED_RAD,
        lambda: {"driver": driver, "device": camera.facts.device, "name": camera.facts.name, "counts": camera.counts},
        lambda: camera.counts,
    )
