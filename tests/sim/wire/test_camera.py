"""The room's camera over a real ROS graph, and the robot's time beside it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import rospy
from sensor_msgs.msg import CameraInfo, Image, JointState
from std_msgs.msg import Float64

from robot_rig.clock import ManualClock
from robot_rig.config import Config
from robot_rig.ros.images import pixels
from sim.sim_camera import SimCamera
from sim.wire.joint_command import JOINT_NAMES
from sim.world import World
from tests.ros_graph import Master, eventually
from tests.sim.wire.client import START, Client, Latest, arm, simulator

CONFIG = Config()
LEAST_AGE_S, MOST_AGE_S = 0.100, 0.140
LATE_S = 0.3
"""What a busy machine may add to an age; the law is the lower bound."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sim") / "log"


@pytest.fixture
def said(log: Path) -> Callable[[], str]:
    """What the simulator has written to its terminal."""
    return log.read_text


@pytest.fixture(scope="module")
def client(ros_master: Master, ros_node: str, log: Path) -> Iterator[Client]:
    arguments = ("--release", "5.3.0", "--image-age-ms", "100", "140", "--robot-clock-offset-s", "7")
    with simulator(ros_master, log, *arguments):
        client = Client("5.3.0")
        client.begin()
        yield client
        client.close()


@pytest.fixture
def pictures(client: Client) -> Iterator[Latest]:
    latest = Latest("/camera/color/image_raw", Image)
    yield latest
    latest.close()


def test_pictures_are_those_of_the_camera_driver(pictures: Latest) -> None:
    message = pictures.next()
    info = rospy.wait_for_message("/camera/color/camera_info", CameraInfo, 10)
    assert (message.encoding, message.width, message.height, message.step) == ("rgb8", 640, 480, 1920)
    assert len(message.data) == 640 * 480 * 3
    assert message.header.frame_id == info.header.frame_id == "camera_color_optical_frame"
    assert (info.width, info.height, info.distortion_model) == (640, 480, "plumb_bob")
    focal, u, v = CONFIG.camera.focal_px, CONFIG.camera.center_u_px, CONFIG.camera.center_v_px
    assert np.array(info.K).reshape(3, 3) == pytest.approx(np.array([[focal, 0, u], [0, focal, v], [0, 0, 1]]))
    assert np.array(info.P).reshape(3, 4)[:, :3] == pytest.approx(np.array(info.K).reshape(3, 3))
    assert not any(info.D)


def test_pictures_carry_the_time_of_exposure_and_arrive_late_and_in_order(pictures: Latest) -> None:
    pictures.next()
    stamps, ages = [], []
    for _ in range(20):
        message = pictures.next()
        ages.append(time.time() - message.header.stamp.to_sec())
        stamps.append(message.header.stamp.to_sec())
    assert min(ages) >= LEAST_AGE_S
    assert np.median(ages) < MOST_AGE_S + LATE_S
    assert (np.diff(stamps) > 0).all()
    # Exposures lie on the grid of the camera, some of which a busy machine may leave out.
    periods = np.diff(stamps) * 30.0
    assert periods == pytest.approx(np.round(periods), abs=0.15)


def test_a_picture_shows_the_room_at_its_exposure(client: Client, pictures: Latest) -> None:
    home = np.array(CONFIG.control.home_posture_rad)
    shown = []
    for position in (START, home):
        client.send("/sim/place_arm", JointState(name=list(JOINT_NAMES), position=position.tolist()))
        assert eventually(lambda p=position: np.allclose(client.position(), p, atol=1e-4))
        placed = time.time()
        assert eventually(lambda t=placed: pictures.next().header.stamp.to_sec() > t)
        picture = pixels(pictures.message)
        assert isinstance(picture, np.ndarray)
        world = World(CONFIG, seed=0)
        world.teleport(position)
        camera = SimCamera(world, ManualClock(), CONFIG)
        drawn = camera.read().rgb
        camera.close()
        assert np.abs(picture.astype(int) - drawn).mean() < 0.5
        shown.append(picture.astype(int))
    assert np.abs(shown[0] - shown[1]).mean() > 2.0


def test_the_release_and_the_robots_own_clock_are_played(client: Client) -> None:
    assert rospy.get_param("/manifest/robot_software/version/HLR_VERSION_STRING") == "5.3.0.0"
    assert not hasattr(client.torques.message, "actual_current")
    assert client.joints.next().header.stamp.to_sec() - time.time() == pytest.approx(7.0, abs=LATE_S)


def pace(client: Client, speed: float, seconds: float) -> float:
    """Rad per second of the wall that the last joint turns by when it is told `speed` rad per second."""
    name = JOINT_NAMES[6]
    client.send("/sim/place_arm", JointState(name=[name], position=[-2.0]))
    assert eventually(lambda: abs(client.position()[6] + 2.0) < 1e-3)
    seen: list[tuple[float, float]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        client.command(mode=2, names=[name], velocity=[speed])
        message = client.joints.next()
        seen.append((time.monotonic(), arm(message)[6]))
    # The first tenth of a second speaks of acceleration.
    when, angle = np.array(seen[20:]).T
    return float(np.polyfit(when, angle, 1)[0])


def test_a_second_of_the_robot_is_a_second_of_the_wall_or_the_loss_is_told(
    client: Client, pictures: Latest, said: Callable[[], str]
) -> None:
    """A joint at a known speed is a clock that is made of physics; pictures are drawn meanwhile."""
    client.begin()
    for _ in range(3):
        before = said().count("given up")
        found = pace(client, 0.4, 4.0) / 0.4
        if said().count("given up") == before:
            break
        assert found < 1.01  # it may lag aloud and never rushes
    assert said().count("given up") == before, "this machine cannot run the simulator at the speed of the wall"
    assert found == pytest.approx(1.0, abs=0.01)
    assert rospy.wait_for_message("/sim/real_time_factor", Float64, 5).data == pytest.approx(1.0, abs=0.1)
    assert pictures.count > 50


@pytest.mark.proof
def test_ten_minutes_of_the_robot_are_ten_minutes_of_the_wall(client: Client, pictures: Latest) -> None:
    first, begin = client.joints.next().header.seq, time.monotonic()
    while time.monotonic() < begin + 600.0:
        client.command(mode=2, names=["right_j6"], velocity=[0.2 * np.sin(time.monotonic())])
        client.joints.next()
    # Each report stands for ten milliseconds of physics, and is numbered where it is made.
    simulated, passed = 0.01 * (client.joints.message.header.seq - first), time.monotonic() - begin
    assert simulated / passed == pytest.approx(1.0, abs=0.01)
    assert rospy.wait_for_message("/sim/real_time_factor", Float64, 5).data == pytest.approx(1.0, abs=0.01)
