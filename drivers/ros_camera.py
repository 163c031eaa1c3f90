"""A camera that another node publishes, such as realsense2_camera, as `interfaces.Camera`. Called by camera_node.

Its pictures must be stamped with this machine's clock at exposure: the camera is plugged in here. A shortest-delay
estimate as for the robot's clock would hide the 100 ms that a picture takes to arrive.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

import rospy
from sensor_msgs.msg import CameraInfo, Image

from robot_rig.config import CameraConfig
from robot_rig.datatypes import RawFrame
from robot_rig.errors import UserError
from robot_rig.ros.images import pixels
from robot_rig.ros.node import end_if_told
from robot_rig.ros.stamps import HostStamps, Refused

IMAGE_TOPIC = "/camera/color/image_raw"
FIRST_PICTURE_S = 5.0
PERIOD_S = 0.1
"""`read` waits for the next picture no longer than this, the period of the slowest camera that is of use here."""

BUFFER_BYTES = 2**22
"""More than a picture, so that it arrives in one piece."""

FOCAL_TOLERANCE = 0.03
ONE_CAMERA_S = 1.0
"""A second publisher's picture this soon after the first one's means two cameras, not one that was started anew."""

log = logging.getLogger(__name__)


class RosCamera:
    """The colour pictures of `topic`; `camera_info` is looked for beside it. Needs an initialised ROS node.

    Raises UserError when no picture comes within five seconds, or one of another size than `config` says; `read` also
    when a second node publishes pictures there.
    """

    def __init__(self, config: CameraConfig, topic: str = IMAGE_TOPIC) -> None:
        self._config, self._topic = config, topic
        self._stamps = HostStamps()
        self._arrival = threading.Condition()
        self._message: Any = None
        self._stamp = 0.0
        self._sender, self._heard = "", -ONE_CAMERA_S
        self._seq = self._read = 0
        self._refused = self._second = ""
        self._closed = False
        self._info_seen = False
        info_topic = f"{topic.rpartition('/')[0]}/camera_info"
        self._subscribers = [
            rospy.Subscriber(topic, Image, self._take, queue_size=1, buff_size=BUFFER_BYTES, tcp_nodelay=True),
            rospy.Subscriber(info_topic, CameraInfo, self._compare, queue_size=1),
        ]
        try:
            self._check(self._first())
        except UserError:
            self.close()
            raise

    def _take(self, message: Any) -> None:
        stamp = self._stamps.local(message.header.stamp.to_sec())
        sender, now = message._connection_header.get("callerid", "somebody"), time.monotonic()
        with self._arrival:
            if sender != self._sender and now - self._heard < ONE_CAMERA_S:
                self._refused, self._second = "two nodes publish it", sender
                return
            self._sender, self._heard = sender, now
            if isinstance(stamp, Refused):
                self._refused = stamp.reason
            elif stamp <= self._stamp:
                self._refused = "exposed before the one before it"
            else:
                self._message, self._stamp = message, stamp
                self._seq += 1
                self._arrival.notify_all()

    def _compare(self, info: Any) -> None:
        """Say once where the focal length is not the configured one: that changes what the policy sees, no more."""
        if not self._info_seen and info.K[0] > 0:
            self._info_seen = True
            focal = self._config.focal_px
            if abs(info.K[0] - focal) > FOCAL_TOLERANCE * focal:
                log.warning("the camera's focal length is %.1f px, camera.focal_px says %.1f", info.K[0], focal)

    def _first(self) -> RawFrame:
        deadline = time.monotonic() + FIRST_PICTURE_S
        with self._arrival:
            while self._seq == 0 and time.monotonic() < deadline:
                end_if_told()
                self._arrival.wait(PERIOD_S)
        return self.read()

    def _check(self, frame: RawFrame) -> None:
        height, width = frame.rgb.shape[:2]
        config = self._config
        if (width, height) != (config.width_px, config.height_px):
            raise UserError(
                f"{self._topic} is {width}x{height} px, camera.width_px and height_px say"
                f" {config.width_px}x{config.height_px}",
                next_step="start the camera with that resolution, or change both and calibrate again",
            )

    def read(self) -> RawFrame:
        """The next picture if it comes within 0.1 s, else the newest again. Raises UserError when there is none.

        Also raises it for a picture whose encoding or sizes make no sense.
        """
        with self._arrival:
            self._arrival.wait_for(lambda: self._closed or self._seq > self._read, PERIOD_S)
            if self._closed:
                raise UserError("the camera is closed", next_step="open it again")
            message, stamp, seq = self._message, self._stamp, self._seq
            first, second = self._sender, self._second
            self._read = seq
        if second:
            raise UserError(
                f"both {first} and {second} publish {self._topic}, and one eye cannot look through two cameras",
                next_step="stop one of them, then start this again",
            )
        if message is None:
            because = f" ({self._refused})" if self._refused else ""
            raise UserError(
                f"no picture on {self._topic}{because}",
                next_step=f"start the camera's node and see `rostopic hz {self._topic}`",
            )
        rgb = pixels(message)
        if isinstance(rgb, Refused):
            raise UserError(
                f"{self._topic} carries {rgb.reason}", next_step="let the camera's node publish 8 bit colour, rgb8"
            )
        return RawFrame(seq, stamp, rgb)

    def close(self) -> None:
        """Unsubscribe; may be called twice."""
        with self._arrival:
            self._closed = True
            self._arrival.notify_all()
        for subscriber in self._subscribers:
            subscriber.unregister()
