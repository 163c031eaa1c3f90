"""A camera on the network keeps the camera's contract, and what is no colour picture is refused by name."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np
import pytest
import rospy
from sensor_msgs.msg import CameraInfo, Image

from drivers.ros_camera import IMAGE_TOPIC, ONE_CAMERA_S, RosCamera
from robot_rig.config import CameraConfig
from robot_rig.errors import UserError
from robot_rig.ros.convert import ros_time
from robot_rig.ros.images import image
from tests.children import die_with_parent
from tests.contracts.camera_contract import CameraBench, CameraContract
from tests.live_robot import live_robot
from tests.ros_graph import Master, eventually

CONFIG = CameraConfig(width_px=120, height_px=90, crop_px=84, crop_left_px=10, crop_top_px=3)
TOPIC = "/test_camera/image_raw"


class Source:
    """A camera's driver as it appears on the network; the left edge of its picture is red."""

    def __init__(self) -> None:
        self.images = rospy.Publisher(TOPIC, Image, queue_size=1)
        self.infos = rospy.Publisher("/test_camera/camera_info", CameraInfo, queue_size=1)
        self.width, self.height = CONFIG.width_px, CONFIG.height_px
        self.change: Callable[[Image], None] = lambda message: None
        self.age = 0.05
        self.silent = False
        self._timer = rospy.Timer(rospy.Duration(0.02), self._send)

    def _send(self, _: object) -> None:
        rgb = np.full((self.height, self.width, 3), 30, np.uint8)
        rgb[:, :10] = (200, 20, 20)
        rgb[:, 50:] = np.random.default_rng(0).integers(0, 90, (self.height, self.width - 50, 3))
        message = image(rgb)
        message.header.stamp = ros_time(time.time() - self.age)
        self.change(message)
        if not self.silent:
            self.images.publish(message)
            self.infos.publish(CameraInfo(K=[700.0, 0, 60, 0, 700.0, 45, 0, 0, 1]))

    def close(self) -> None:
        self._timer.shutdown()
        self._timer.join()
        self.images.unregister()
        self.infos.unregister()


@pytest.fixture
def source(ros_node: str) -> Iterator[Source]:
    made = Source()
    yield made
    made.close()


@pytest.mark.usefixtures("source")
class TestRosCamera(CameraContract):
    def make(self) -> CameraBench:
        return CameraBench(RosCamera(CONFIG, TOPIC), CONFIG, time.sleep, red=(40, 3))


SECOND = """
import sys, time
import numpy as np
import rospy
from sensor_msgs.msg import Image
from robot_rig.ros.convert import ros_time
from robot_rig.ros.images import image
rospy.init_node("second_camera")
sender = rospy.Publisher(sys.argv[1], Image, queue_size=1)
while not rospy.is_shutdown():
    message = image(np.zeros((90, 120, 3), np.uint8))
    message.header.stamp = ros_time(time.time())
    sender.publish(message)
    time.sleep(0.02)
"""


def test_two_cameras_on_one_topic_are_no_eye(source: Source, ros_master: Master) -> None:
    camera = RosCamera(CONFIG, TOPIC)

    def seen() -> str:
        try:
            camera.read()
        except UserError as error:
            return str(error)
        return ""

    assert not seen()
    second = subprocess.Popen(
        [sys.executable, "-c", SECOND, TOPIC], env=ros_master.environment, preexec_fn=die_with_parent
    )
    try:
        assert eventually(lambda: "/second_camera publish" in seen())
    finally:
        second.kill()
        second.wait()
        camera.close()


def test_a_camera_that_is_started_anew_under_another_name_is_looked_through_again(
    source: Source, ros_master: Master
) -> None:
    camera = RosCamera(CONFIG, TOPIC)
    source.silent = True
    time.sleep(1.5 * ONE_CAMERA_S)
    second = subprocess.Popen(
        [sys.executable, "-c", SECOND, TOPIC], env=ros_master.environment, preexec_fn=die_with_parent
    )
    try:
        assert eventually(lambda: camera.read().rgb.max() == 0)
    finally:
        second.kill()
        second.wait()
        camera.close()


def test_a_picture_is_as_old_as_its_exposure(source: Source) -> None:
    camera = RosCamera(CONFIG, TOPIC)
    ages = [-(camera.read().stamp - time.monotonic()) for _ in range(5)]
    camera.close()
    assert min(ages) >= source.age - 1e-3


def test_reading_waits_for_the_next_picture_and_repeats_the_newest_of_a_dead_camera(source: Source) -> None:
    camera = RosCamera(CONFIG, TOPIC)
    numbers = [camera.read().seq for _ in range(6)]
    assert numbers == sorted(set(numbers))
    source.silent = True
    assert eventually(lambda: camera.read().seq == camera.read().seq)
    dead = camera.read()
    assert camera.read().stamp == dead.stamp
    camera.close()


def channels_swapped(message: Image) -> None:
    message.encoding = "bgr8"


def test_declared_bgr_comes_out_as_rgb(source: Source) -> None:
    source.change = channels_swapped
    camera = RosCamera(CONFIG, TOPIC)
    assert camera.read().rgb[40, 3].tolist() == [20, 20, 200]
    camera.close()


def yuyv(message: Image) -> None:
    message.encoding = "yuv422"


def short(message: Image) -> None:
    message.data = message.data[:-1]


def early(message: Image) -> None:
    message.header.stamp = ros_time(time.time() + 3.0)


def unstamped(message: Image) -> None:
    message.header.stamp = ros_time(0.0)


@pytest.mark.parametrize(
    ("change", "said"), [(yuyv, "rgb8"), (short, "bytes"), (early, "future"), (unstamped, "stamp")]
)
def test_what_is_no_picture_of_now_is_refused(
    source: Source, change: Callable[[Image], None], said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("drivers.ros_camera.FIRST_PICTURE_S", 0.5)
    source.change = change
    with pytest.raises(UserError, match=said):
        RosCamera(CONFIG, TOPIC)


def test_another_resolution_is_refused_with_both(source: Source) -> None:
    source.width = 160
    with pytest.raises(UserError, match=r"160x90 px.*120x90"):
        RosCamera(CONFIG, TOPIC)


def test_a_camera_that_is_not_there_is_said_to_be_missing(ros_node: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("drivers.ros_camera.FIRST_PICTURE_S", 0.2)
    with pytest.raises(UserError, match="no picture on /nowhere/image_raw"):
        RosCamera(CONFIG, "/nowhere/image_raw")


def test_another_focal_length_is_told(source: Source, caplog: pytest.LogCaptureFixture) -> None:
    camera = RosCamera(CONFIG, TOPIC)
    assert eventually(lambda: "focal length is 700.0 px" in caplog.text)
    camera.close()


def test_the_simulated_camera_is_one(ros_master: Master, ros_node: str) -> None:
    with live_robot(ros_master):
        camera = RosCamera(CameraConfig(), IMAGE_TOPIC)
        frame = camera.read()
        ages = [-(camera.read().stamp - time.monotonic()) for _ in range(5)]
        camera.close()
    assert min(ages) >= 0.1 - 1e-3
    assert frame.rgb.shape == (480, 640, 3)
