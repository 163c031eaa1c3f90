"""A real arm's camera node, the doctor and `rig calibrate capture`, each on the pictures of a camera on the network."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import rospy
from rich.console import Console
from sensor_msgs.msg import Image

from calibration.views import description, read_joints, read_picture, view_names
from drivers.ros_camera import IMAGE_TOPIC
from robot_rig.cli.calibrate_capture import capture
from robot_rig.cli.doctor.findings import Level
from robot_rig.cli.doctor.robot import check_calibration
from robot_rig.config import Config
from robot_rig.datatypes import JOINTS, ArmState, Bytes, Floats
from robot_rig.errors import UserError
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import ros_time, state_message
from robot_rig.ros.images import image
from robot_rig.ros.stamps import HostStamps
from robot_rig.ros.topics import ARM_STATE, CAMERA_FRAME, CAMERA_STATUS
from robot_rig.ros.visitor import hear
from tests.calibration.results_made import SERIAL, kept_eye
from tests.calibration.test_check import SCENE, moved_by
from tests.live_robot import process_in_graph
from tests.ros_graph import Master, eventually

CONFIG, STAMPS = Config(), HostStamps()
LOG = "drivers.camera_node.log"


class Camera:
    """A camera's driver as it appears on the network."""

    def __init__(self) -> None:
        self.rgb: Bytes = SCENE
        self._images = rospy.Publisher(IMAGE_TOPIC, Image, queue_size=1)
        self._timer = rospy.Timer(rospy.Duration(0.05), self._send)

    def _send(self, _: object) -> None:
        message = image(self.rgb)
        message.header.stamp = ros_time(time.time() - 0.05)
        self._images.publish(message)

    def close(self) -> None:
        self._timer.shutdown()
        self._timer.join()
        self._images.unregister()


@pytest.fixture
def camera(ros_node: str) -> Iterator[Camera]:
    made = Camera()
    yield made
    made.close()


def test_its_node_starts_with_a_calibrated_camera_that_stands_where_it_stood(
    camera: Camera, ros_master: Master, tmp_path: Path
) -> None:
    kept_eye(tmp_path, SCENE)
    frames: list[object] = []
    heard = rospy.Subscriber(CAMERA_FRAME.name, Image, frames.append)
    try:
        with process_in_graph(ros_master, "drivers.camera_node", "--calibration", str(tmp_path), "--priority", "0"):
            assert eventually(lambda: frames)
    finally:
        heard.unregister()
    assert f"the camera {SERIAL} stands where it stood" in (ros_master.home / LOG).read_text()


@pytest.mark.parametrize(
    ("calibrated", "moved", "more", "sentence"),
    [
        ("no", 0.0, (), "no camera has been calibrated"),
        ("yes", 0.0, ("--serial", "123"), "this is the camera 123, and that was never calibrated"),
        ("yes", 8.0, (), "the camera has moved: its picture is shifted by 8.0 px"),
    ],
    ids=["missing", "another", "moved"],
)
def test_its_node_does_not_start_otherwise_and_says_what_to_do(
    camera: Camera,
    ros_master: Master,
    tmp_path: Path,
    calibrated: str,
    moved: float,
    more: tuple[str, ...],
    sentence: str,
) -> None:
    if calibrated == "yes":
        kept_eye(tmp_path, SCENE)
    camera.rgb = moved_by(SCENE, moved)
    words = ("--calibration", str(tmp_path), "--priority", "0", *more)
    with process_in_graph(ros_master, "drivers.camera_node", *words) as node:
        assert node.wait(60) == 2
    said = (ros_master.home / LOG).read_text()
    assert sentence in said
    assert "rig calibrate crop" in said
    assert "Traceback" not in said


def test_the_doctor_says_the_same(camera: Camera, tmp_path: Path) -> None:
    (finding,) = check_calibration(tmp_path, "", CONFIG)
    assert finding.level is Level.YELLOW
    assert "no camera is calibrated" in finding.what
    kept_eye(tmp_path, SCENE)
    (finding,) = check_calibration(tmp_path, "", CONFIG)
    assert finding.level is Level.GREEN
    assert "shifted by 0.0 px" in finding.what
    camera.rgb = moved_by(SCENE, 8.0)

    def refused() -> bool:
        # What was published before it moved may still be on its way.
        try:
            check_calibration(tmp_path, "", CONFIG)
        except UserError as error:
            return "the camera has moved" in error.problem
        return False

    assert eventually(refused, 10.0)


def test_the_doctor_holds_no_camera_against_a_calibration_that_its_node_does_not_ask_for(
    camera: Camera, ros_master: Master, tmp_path: Path
) -> None:
    """As under sim.launch, whose camera stands where the settings say, and with calibration:=none."""
    kept_eye(tmp_path, moved_by(SCENE, 8.0))
    with pytest.raises(UserError, match="the camera has moved"):
        check_calibration(tmp_path, "", CONFIG)
    with process_in_graph(ros_master, "drivers.camera_node", "--priority", "0"):
        assert eventually(lambda: hear(CAMERA_STATUS, 0.5))
        (finding,) = check_calibration(tmp_path, "", CONFIG)
    assert finding.level is Level.YELLOW
    assert "started without one" in finding.what


class Arm:
    """An arm process that reports."""

    def __init__(self, position: Floats) -> None:
        self.position, self.speed = position, 0.0
        self._publisher = advertise(ARM_STATE)
        self._timer = rospy.Timer(rospy.Duration(0.02), self._send)

    def _send(self, _: object) -> None:
        self.position = self.position + 0.02 * self.speed
        now, still = time.monotonic(), np.zeros(JOINTS)
        state = ArmState(now, self.position, still, still, True, False, False, False)
        self._publisher.publish(state_message(state, STAMPS))

    def close(self) -> None:
        self._timer.shutdown()
        self._timer.join()
        self._publisher.unregister()


def captured(folder: Path, lines: list[str]) -> tuple[int, str]:
    said = io.StringIO()
    code = capture(folder, IMAGE_TOPIC, CONFIG, Console(file=said, width=200), lines)
    return code, said.getvalue()


def test_views_are_kept_with_the_joints_of_an_arm_at_rest(camera: Camera, tmp_path: Path) -> None:
    position = np.array(CONFIG.control.home_posture_rad)
    arm = Arm(position)
    rospy.set_param("/robot_description", "<robot name='this one'/>")
    try:
        code, said = captured(tmp_path, ["\n", "q\n", "\n"])
        assert code == 0, said
        assert view_names(tmp_path) == ["view-000.png"]
        assert np.allclose(read_joints(tmp_path / "view-000.png"), position, atol=1e-6)
        assert (read_picture(tmp_path / "view-000.png", CONFIG.camera) == SCENE).all()
        arm.speed = 0.05
        code, said = captured(tmp_path, ["\n", "q\n"])
        assert code == 1
        assert "not kept: the arm moves" in said
    finally:
        arm.close()
        rospy.delete_param("/robot_description")
    assert description(tmp_path) == "<robot name='this one'/>"
    assert view_names(tmp_path) == ["view-000.png"]


def test_views_for_the_lens_need_no_arm_and_a_silent_camera_is_named(
    camera: Camera, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    code, said = captured(tmp_path, ["\n", "q\n"])
    assert code == 0
    assert "without joints: the arm process is silent" in said
    assert not list(tmp_path.glob("*.yaml"))
    monkeypatch.setattr("robot_rig.cli.calibrate_capture.PICTURE_S", 0.3)
    with pytest.raises(UserError, match="no picture on /nowhere"):
        capture(tmp_path, "/nowhere", CONFIG, Console(file=io.StringIO()), ["\n"])
