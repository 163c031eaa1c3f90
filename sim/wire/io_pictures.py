"""The pictures of the robot's own two cameras as ROS topics. Called by `sim.sim_node`.

Drawn in a thread of its own from copies of the positions, ten times a second, while the camera streams and somebody
looks. The lens has no distortion, so the rectified picture is the raw one.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import genpy
import rospy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from robot_rig.config import Config
from robot_rig.datatypes import Bytes, Floats
from robot_rig.errors import UserError
from sim.model import HAND_CAMERA, SENSORS
from sim.sim_camera import Picture
from sim.wire.io_cameras import RATE_HZ, exposed
from sim.wire.io_device import Device, DeviceState
from sim.wire.io_network import ROOT
from sim.wire.sawyer import Sawyer
from sim.world import World

log = logging.getLogger(__name__)

BACKLOG = 2
"""Exposures that may wait to be drawn; a slower machine drops pictures instead of ageing them."""

QUEUE = 2


class PublishedCamera:
    """The topics of one camera, and what of it must be drawn."""

    def __init__(self, device: Device) -> None:
        self.device, self.name = device, device.name
        path = f"{ROOT}/{device.node}/{device.name}"
        rectified = "image_rect" if device.name == HAND_CAMERA else "image_rect_color"
        self._pictures = [
            rospy.Publisher(f"{path}/{name}", Image, queue_size=QUEUE) for name in ("image_raw", rectified)
        ]
        self._infos = rospy.Publisher(f"{path}/camera_info", CameraInfo, queue_size=QUEUE)

    @property
    def is_watched(self) -> bool:
        """Whether it streams and somebody looks."""
        publishers = (*self._pictures, self._infos)
        return self.device["camera_streaming"] and any(one.get_num_connections() for one in publishers)

    def publish(self, picture: Bytes, stamp: genpy.Time) -> None:
        """Send `picture`, (H, W) or (H, W, 3) RGB, and its camera_info."""
        header = Header(stamp=stamp, frame_id=self.name)
        message = image_message(picture, header)
        for publisher in self._pictures:
            if publisher.get_num_connections():
                publisher.publish(message)
        self._infos.publish(camera_info(self.name, header))

    def close(self) -> None:
        """Leave the network."""
        for publisher in (*self._pictures, self._infos):
            publisher.unregister()


@dataclass(frozen=True)
class Exposure:
    """What one camera saw: when, in monotonic seconds, under which settings, and where everything was."""

    camera: PublishedCamera
    stamp: float
    settings: DeviceState
    positions: Floats


class PicturesOnNetwork:
    """Publishes what the robot's own cameras see; rospy.init_node must have been called. Draws nothing unasked."""

    def __init__(self, sawyer: Sawyer, config: Config, wall_time: Callable[[float], float]) -> None:
        self._world, self._config, self._wall_time = sawyer.world, config, wall_time
        self._cameras = [PublishedCamera(device) for device in sawyer.io.cameras]
        self._next_exposure = float("-inf")
        self._exposures: queue.Queue[Exposure | None] = queue.Queue(BACKLOG)
        self._thread = threading.Thread(target=self._draw, name="robot's cameras", daemon=True)
        self._thread.start()

    def after_step(self, stamp: float) -> None:
        """Expose when it is time, after the step that stands for `stamp` (monotonic s); the stepping thread calls."""
        if stamp < self._next_exposure:
            return
        self._next_exposure = max(self._next_exposure, stamp - 1.0 / RATE_HZ) + 1.0 / RATE_HZ
        for camera in self._cameras:
            if camera.is_watched and not self._exposures.full():
                self._exposures.put(Exposure(camera, stamp, camera.device.state(), self._world.positions()))

    def _draw(self) -> None:
        """Drawing contexts belong to one thread: this one makes, uses and frees its own."""
        mirror: World | None = None
        pictures: dict[str, Picture] = {}
        while (exposure := self._exposures.get()) is not None:
            name = exposure.camera.name
            mirror = mirror or World(self._config, seed=0)
            try:
                if name not in pictures:
                    pictures[name] = Picture(mirror, name, *SENSORS[name][:2])
                mirror.mirror(exposure.positions)
                rgb = pictures[name].draw()
            except UserError as error:
                log.warning("the robot's own cameras show nothing: %s", error)
                return
            stamp = genpy.Time.from_sec(self._wall_time(exposure.stamp))
            exposure.camera.publish(exposed(name, rgb, exposure.settings.values), stamp)
        for picture in pictures.values():
            picture.close()

    def close(self) -> None:
        """Leave the network and free the drawing contexts."""
        while self._thread.is_alive():
            try:
                self._exposures.put(None, timeout=0.1)
                break
            except queue.Full:
                continue
        self._thread.join()
        for camera in self._cameras:
            camera.close()


def image_message(picture: Bytes, header: Header) -> Image:
    """A mono8 message of `picture` (H, W), an rgb8 one of (H, W, 3)."""
    height, width = picture.shape[:2]
    encoding = "mono8" if picture.ndim == 2 else "rgb8"
    return Image(header, height, width, encoding, 0, picture[0].nbytes, picture.tobytes())


def camera_info(camera: str, header: Header) -> Any:
    """The intrinsics of `camera`, without distortion."""
    width, height, focal = SENSORS[camera]
    u, v = width / 2, height / 2
    return CameraInfo(
        header=header,
        height=height,
        width=width,
        distortion_model="plumb_bob",
        D=[0.0] * 5,
        K=[focal, 0.0, u, 0.0, focal, v, 0.0, 0.0, 1.0],
        R=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        P=[focal, 0.0, u, 0.0, 0.0, focal, v, 0.0, 0.0, 0.0, 1.0, 0.0],
    )
