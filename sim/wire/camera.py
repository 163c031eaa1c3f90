"""The room's colour camera as ROS topics, named and shaped like realsense2_camera's. Called by `sim.sim_node`.

Pictures are drawn in a thread of its own from copies of the positions, so that drawing never delays a physics step; and
delivered in another, so that a picture may be as old on arrival as a real camera's.
"""

from __future__ import annotations

import logging
import queue
import threading
from collections.abc import Callable
from typing import NamedTuple

import genpy
import numpy as np
import rospy
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Header

from robot_rig.clock import Clock, ManualClock
from robot_rig.config import CameraConfig, Config
from robot_rig.datatypes import Floats
from robot_rig.errors import UserError
from robot_rig.ros.images import image
from sim.sim_camera import SimCamera
from sim.world import World

log = logging.getLogger(__name__)

IMAGE, INFO = "/camera/color/image_raw", "/camera/color/camera_info"
OPTICAL_FRAME = "camera_color_optical_frame"
RATE_HZ = 30.0
BACKLOG = 3
"""Exposures that may wait to be drawn; a slower machine drops pictures instead of ageing them."""

WARNING_PERIOD_S = 5.0


class Exposure(NamedTuple):
    """When, in monotonic seconds, and where everything was."""

    stamp: float
    positions: Floats


class Delivery(NamedTuple):
    """A picture and the monotonic time at which it reaches the network."""

    due: float
    picture: Image


class CameraOnNetwork:
    """Publishes what the camera of `world` sees, `image_age_s` = (least, most) seconds after the exposure.

    rospy.init_node must have been called. `seed` draws the ages. Nothing is drawn while nobody subscribes. Raises
    UserError when nothing can draw, or for ages that are none.
    """

    def __init__(
        self,
        world: World,
        config: Config,
        image_age_s: tuple[float, float],
        seed: int,
        clock: Clock,
        wall_time: Callable[[float], float],
    ) -> None:
        if not 0.0 <= image_age_s[0] <= image_age_s[1] <= 1.0:
            raise UserError(
                f"an image age from {image_age_s[0]} to {image_age_s[1]} s makes no sense", choices=["0..1 s"]
            )
        self._world, self._config, self._clock, self._wall_time = world, config, clock, wall_time
        self._age, self._random = image_age_s, np.random.default_rng(seed)
        self._next_exposure = self._said = -np.inf
        self._last_due = 0.0
        self._exposures: queue.Queue[Exposure | None] = queue.Queue(BACKLOG)
        self._deliveries: queue.SimpleQueue[Delivery | None] = queue.SimpleQueue()
        self._started: queue.SimpleQueue[UserError | None] = queue.SimpleQueue()
        self._images = rospy.Publisher(IMAGE, Image, queue_size=2)
        self._infos = rospy.Publisher(INFO, CameraInfo, queue_size=2)
        self._threads = [
            threading.Thread(target=self._draw, name="camera draws", daemon=True),
            threading.Thread(target=self._deliver, name="camera delivers", daemon=True),
        ]
        for thread in self._threads:
            thread.start()
        error = self._started.get()
        if error is not None:
            raise error

    def after_step(self, stamp: float) -> None:
        """Expose when it is time, after the step that stands for `stamp` (monotonic s); the stepping thread calls."""
        if stamp < self._next_exposure:
            return
        self._next_exposure = max(self._next_exposure, stamp - 1.0 / RATE_HZ) + 1.0 / RATE_HZ
        if self._images.get_num_connections() or self._infos.get_num_connections():
            try:
                self._exposures.put_nowait(Exposure(stamp, self._world.positions()))
            except queue.Full:
                self._say_dropped(stamp)

    def _say_dropped(self, stamp: float) -> None:
        if stamp - self._said > WARNING_PERIOD_S:
            self._said = stamp
            log.warning("this machine draws fewer than %.0f pictures a second: some are left out", RATE_HZ)

    def _draw(self) -> None:
        """Drawing contexts belong to one thread: this one makes, uses and frees its own."""
        clock = ManualClock()
        try:
            mirror = World(self._config, seed=0)
            camera = SimCamera(mirror, clock, self._config)
        except UserError as error:
            self._started.put(error)
            return
        self._started.put(None)
        while (exposure := self._exposures.get()) is not None:
            mirror.mirror(exposure.positions)
            clock.set_now(exposure.stamp)
            picture = image(camera.read().rgb)
            picture.header = self._header(exposure.stamp)
            # Ages differ, and pictures still arrive in order.
            self._last_due = max(self._last_due, exposure.stamp + self._random.uniform(*self._age))
            self._deliveries.put(Delivery(self._last_due, picture))
        camera.close()

    def _header(self, stamp: float) -> Header:
        return Header(stamp=genpy.Time.from_sec(self._wall_time(stamp)), frame_id=OPTICAL_FRAME)

    def _deliver(self) -> None:
        while (delivery := self._deliveries.get()) is not None:
            self._clock.sleep_until(delivery.due)
            self._images.publish(delivery.picture)
            self._infos.publish(camera_info(self._config.camera, delivery.picture.header))

    def close(self) -> None:
        """Leave the network and free the drawing context."""
        self._exposures.put(None)
        self._threads[0].join()
        self._deliveries.put(None)
        self._threads[1].join()
        self._images.unregister()
        self._infos.unregister()


def camera_info(camera: CameraConfig, header: Header) -> CameraInfo:
    """The intrinsics of `camera`, without distortion."""
    focal, u, v = camera.focal_px, camera.center_u_px, camera.center_v_px
    return CameraInfo(
        header=header,
        height=camera.height_px,
        width=camera.width_px,
        distortion_model="plumb_bob",
        D=[0.0] * 5,
        K=[focal, 0.0, u, 0.0, focal, v, 0.0, 0.0, 1.0],
        R=[1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0],
        P=[focal, 0.0, u, 0.0, 0.0, focal, v, 0.0, 0.0, 0.0, 1.0, 0.0],
    )
