"""The IO framework over a real ROS graph, as the vendor's client speaks it: with rospy alone, in its order of steps.

A client waits for a valid configuration and state, repeats a command every 0.1 s until the state lists its time, and
reads every signal's `type` and `role`, or it fails.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
import rospy
from geometry_msgs.msg import Vector3
from sensor_msgs.msg import CameraInfo, Image
from std_msgs.msg import Bool, Empty, Int32, String

from robot_rig.datatypes import JOINT_NAMES
from robot_rig.ros.images import pixels
from robot_rig.ros.intera_messages import load
from sim.fingers import OPEN_M
from sim.wire.io_device import KEPT_COMMANDS
from sim.wire.io_panels import LIGHTS
from sim.wire.transforms import tf_message
from tests.ros_graph import Master, eventually
from tests.sim.wire.client import LIMB, Latest, simulator

TYPES = load("5.5.2")


class IoDevice:
    """The vendor's IODeviceInterface, without its code."""

    def __init__(self, node: str, name: str) -> None:
        path = f"/io/{node}/{name}"
        self.config = Latest(f"{path}/config", TYPES.IODeviceConfiguration)
        self.state = Latest(f"{path}/state", TYPES.IODeviceStatus)
        self._commands = rospy.Publisher(f"{path}/command", TYPES.IOComponentCommand, queue_size=10)
        assert eventually(lambda: self.config.count and self.state.count)
        assert self.config.message.time.secs
        assert self.state.message.time.secs
        assert self.config.message.device.name == self.state.message.device.name == name

    def read(self) -> dict[str, Any]:
        """Every signal's value, parsed as strictly as the vendor's client does."""
        values = {}
        for signal in self.state.message.signals:
            form = json.loads(signal.format)
            assert form["type"] in ("bool", "int", "float", "object")
            assert form["role"] in ("input", "output")
            (values[signal.name],) = json.loads(signal.data)
        return values

    def send(self, args: str, op: str = "set") -> str:
        """The response to a command that is repeated until it is acknowledged."""
        command = TYPES.IOComponentCommand(rospy.Time.now(), op, args)
        due = 0.0

        def acknowledged() -> bool:
            nonlocal due
            if time.monotonic() >= due:
                self._commands.publish(command)
                due = time.monotonic() + 0.1
            return command.time in self.state.message.commands

        assert eventually(acknowledged)
        message = self.state.message
        assert len(message.responses) == len(message.commands) <= KEPT_COMMANDS
        return str(message.responses[message.commands.index(command.time)])

    def set(self, name: str, value: object) -> str:
        kind = {bool: "bool", int: "int", float: "float"}.get(type(value), "object")
        return self.send(json.dumps({"signals": {name: {"format": {"type": kind}, "data": [value]}}}))

    def shows(self, **values: object) -> bool:
        return eventually(lambda: self.read() | values == self.read())

    def close(self) -> None:
        self.config.close()
        self.state.close()
        self._commands.unregister()


@pytest.fixture(scope="module")
def robot(ros_master: Master, ros_node: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Latest]:
    """An enabled robot's /robot/state."""
    with simulator(ros_master, tmp_path_factory.mktemp("sim") / "log"):
        enable = rospy.Publisher("/robot/set_super_enable", Bool, queue_size=1)
        state = Latest("/robot/state", TYPES.RobotAssemblyState)

        def is_enabled() -> bool:
            enable.publish(True)
            return state.count > 0 and state.message.enabled

        assert eventually(is_enabled)
        yield state
        state.close()
        enable.unregister()


@pytest.fixture
def device(robot: Latest) -> Iterator[Callable[[str, str], IoDevice]]:
    opened: list[IoDevice] = []

    def connect(node: str, name: str) -> IoDevice:
        opened.append(IoDevice(node, name))
        return opened[-1]

    yield connect
    for one in opened:
        one.close()


class Hands:
    """A person at the robot."""

    def __init__(self) -> None:
        self._topics = {
            name: rospy.Publisher(f"/sim/{name}", kind, queue_size=10)
            for name, kind in (("held_buttons", String), ("right_wheel", Int32), ("push_hand", Vector3))
        }
        assert eventually(lambda: all(topic.get_num_connections() for topic in self._topics.values()))

    def hold(self, *buttons: str) -> None:
        self._topics["held_buttons"].publish(" ".join(buttons))

    def turn(self, clicks: int) -> None:
        self._topics["right_wheel"].publish(clicks)

    def push(self, x: float, y: float, z: float) -> None:
        self._topics["push_hand"].publish(x, y, z)

    def close(self) -> None:
        for topic in self._topics.values():
            topic.unregister()


@pytest.fixture
def hands(robot: Latest) -> Iterator[Hands]:
    person = Hands()
    yield person
    person.hold()
    person.push(0.0, 0.0, 0.0)
    person.close()


def test_nodes_tell_their_devices_and_what_a_gripper_is(robot: Latest) -> None:
    found = {}
    for name in ("robot", "end_effector", "internal_camera"):
        config = rospy.wait_for_message(f"/io/{name}/config", TYPES.IONodeConfiguration, 30)
        state = rospy.wait_for_message(f"/io/{name}/state", TYPES.IONodeStatus, 30)
        assert config.time.secs
        assert [one.name for one in config.devices] == [one.name for one in state.devices]
        found[name] = {one.name: json.loads(one.config) for one in config.devices}
        for plugin in config.plugins:
            json.loads(plugin.config)
    assert set(found["robot"]) == {"cuff", "navigator", "robot"}
    assert found["end_effector"]["right_gripper"]["props"]["type"] == "ElectricParallelGripper"
    assert set(found["internal_camera"]) == {"head_camera", "right_hand_camera"}


def test_the_gripper_calibrates_opens_closes_and_reboots(device: Callable[[str, str], IoDevice]) -> None:
    gripper = device("end_effector", "right_gripper")
    assert gripper.set("calibrate", True) == ""
    assert gripper.shows(is_calibrated=True, calibrate=False, is_moving=False)
    for place in (OPEN_M, 0.0, 0.02):
        assert gripper.set("position_m", place) == ""
        assert gripper.read()["position_m"] == pytest.approx(place)
        assert eventually(lambda p=place: abs(gripper.read()["position_response_m"] - p) < 1e-4)
        assert gripper.shows(is_moving=False, is_gripping=False, has_error=False)
    gripper.set("reboot", True)
    assert gripper.shows(is_calibrated=False, reboot=False)
    assert gripper.state.message.device.status.tag == "unready"
    node = Latest("/io/end_effector/state", TYPES.IONodeStatus)
    assert eventually(lambda: node.count and node.message.devices[0].status.tag == "unready")
    # What a client of the node does with a device that is not ready.
    activate = rospy.Publisher("/io/end_effector/command", TYPES.IOComponentCommand, queue_size=1)
    assert eventually(activate.get_num_connections)
    activate.publish(TYPES.IOComponentCommand(rospy.Time.now(), "activate", '{"devices": ["right_gripper"]}'))
    assert gripper.shows(is_calibrated=True)
    assert eventually(lambda: node.message.devices[0].status.tag == "ready")
    node.close()
    activate.unregister()


def test_what_is_refused_is_acknowledged_told_and_harmless(device: Callable[[str, str], IoDevice]) -> None:
    gripper = device("end_effector", "right_gripper")
    before = gripper.read()
    for args in ("", "[", '"set"', "[" * 50_000, '{"signals": {"position_m": {"data": []}}}', '{"ports": {}}'):
        assert gripper.send(args)
    assert gripper.send("{}", op="explode")
    assert "position_m" in gripper.set("position_m", float("nan"))
    assert "not for clients" in gripper.set("is_gripping", True)
    assert "no signal" in gripper.set("warp", 9)
    assert gripper.read() == before


def test_every_light_shines_and_goes_out(device: Callable[[str, str], IoDevice]) -> None:
    lights = device("robot", "robot")
    assert set(lights.read()) == set(LIGHTS)
    for light in (LIGHTS[0], LIGHTS[-1]):
        for on in (True, False):
            lights.set(light, on)
            assert lights.read() == dict.fromkeys(LIGHTS, False) | {light: on}


def test_buttons_and_wheel_report_what_a_person_does(device: Callable[[str, str], IoDevice], hands: Hands) -> None:
    navigator, cuff = device("robot", "navigator"), device("robot", "cuff")
    hands.hold("right_button_ok", "head_button_back", "right_button_lower")
    assert navigator.shows(right_button_ok=2, head_button_back=2)
    assert cuff.shows(right_button_lower=2, right_button_upper=0, right_cuff=0)
    hands.hold("right_button_upper")
    assert cuff.shows(right_button_lower=0, right_button_upper=1)
    assert navigator.shows(right_button_ok=0, head_button_back=0)
    hands.hold()
    hands.turn(-3)
    assert navigator.shows(right_wheel=253, head_wheel=0)
    assert cuff.shows(right_button_upper=0)


def test_a_person_drags_the_arm_by_its_cuff(device: Callable[[str, str], IoDevice], hands: Hands) -> None:
    cuff = device("robot", "cuff")
    endpoint = Latest(f"{LIMB}/endpoint_state", TYPES.EndpointState)

    def y() -> float:
        return float(endpoint.next().pose.position.y)

    begin = y()
    hands.hold("right_cuff")
    assert eventually(lambda: cuff.read()["right_cuff"] in (1, 2))
    hands.push(0.0, 8.0, 0.0)
    assert eventually(lambda: y() > begin + 0.05)
    hands.push(0.0, 0.0, 0.0)
    hands.hold()
    assert cuff.shows(right_cuff=0)
    assert eventually(lambda: abs(endpoint.next().twist.linear.y) < 1e-3)
    left = y()
    for _ in range(50):
        assert y() == pytest.approx(left, abs=2e-3)
    endpoint.close()


@pytest.mark.parametrize(
    ("camera", "rectified", "shape", "encoding"),
    [
        ("right_hand_camera", "image_rect", (480, 752), "mono8"),
        ("head_camera", "image_rect_color", (800, 1280), "rgb8"),
    ],
)
def test_a_camera_streams_obeys_its_exposure_and_stops(
    device: Callable[[str, str], IoDevice], camera: str, rectified: str, shape: tuple[int, int], encoding: str
) -> None:
    io = device("internal_camera", camera)
    io.set("camera_streaming", True)
    path = f"/io/internal_camera/{camera}"
    pictures, infos = Latest(f"{path}/{rectified}", Image), Latest(f"{path}/camera_info", CameraInfo)

    def light() -> float:
        picture = pixels(pictures.next(60.0))
        assert isinstance(picture, np.ndarray)
        return float(picture.mean())

    light()
    message = pictures.message
    assert ((message.height, message.width), message.encoding) == (shape, encoding)
    assert message.header.frame_id == camera
    assert eventually(lambda: infos.count)
    assert (infos.message.height, infos.message.width) == shape
    usual = io.read()["set_exposure"]
    io.set("set_exposure", 10)
    assert eventually(lambda: light() < 8.0)
    assert "set_exposure goes from" in io.set("set_exposure", 500)
    status = {signal.name: signal.status.tag for signal in io.state.message.signals}
    assert (status["set_exposure"], status["set_gain"]) == ("error", "ready")
    io.set("set_exposure", usual)
    assert {signal.status.tag for signal in io.state.message.signals} == {"ready"}
    assert eventually(lambda: light() > 10.0)
    io.set("camera_streaming", False)
    # What was exposed before may still come.
    for latest in (pictures, infos):
        latest.close()


def test_the_head_keeps_looking_at_a_place_while_the_arm_turns_it(robot: Latest) -> None:
    head = Latest("/robot/head/head_state", TYPES.HeadState)
    command = rospy.Publisher("/robot/head/command_head_pan", TYPES.HeadPanCommand, queue_size=1)
    arm = rospy.Publisher(f"{LIMB}/joint_command", TYPES.JointCommand, queue_size=1)
    tf = Latest("/tf", tf_message()["tf2_msgs/TFMessage"])
    assert eventually(lambda: command.get_num_connections() and arm.get_num_connections())

    def turned() -> float:
        """How far link and head are turned in base, rad, as /tf has it."""
        angles = {}
        for one in tf.next().transforms:
            angles[one.child_frame_id] = 2 * np.arctan2(one.transform.rotation.z, one.transform.rotation.w)
        return float(angles["right_l0"] + angles["head"])

    command.publish(0.3, 1.0, 2)
    assert eventually(lambda: head.next().panMode == 2)
    assert eventually(lambda: abs(turned() - 0.3) < 0.03)
    arm.publish(TYPES.JointCommand(mode=1, names=[JOINT_NAMES[0]], position=[0.4]))
    assert eventually(lambda: head.next().pan < 0.0)
    assert eventually(lambda: abs(turned() - 0.3) < 0.03)
    command.publish(0.0, 1.0, 1)
    assert eventually(lambda: abs(head.next().pan) < 0.02)
    assert head.message.panMode == 1
    for end in (head, tf):
        end.close()
    command.unregister()
    arm.unregister()


def test_the_screen_shows_a_picture_from_its_upper_left_corner(robot: Latest) -> None:
    screen = Latest("/sim/head_screen", Image)
    display = rospy.Publisher("/robot/head_display", Image, queue_size=1, latch=True)
    picture = np.full((2, 3, 3), (10, 20, 30), np.uint8)
    assert eventually(lambda: screen.count)
    display.publish(Image(height=2, width=3, encoding="bgr8", step=9, data=picture.tobytes()))
    assert eventually(lambda: max(screen.message.data[:9]) > 0)
    shown = pixels(screen.message)
    assert isinstance(shown, np.ndarray)
    assert shown.shape == (600, 1024, 3)
    assert (shown[:2, :3] == (30, 20, 10)).all()
    assert not shown[2:].any()
    assert not shown[:, 3:].any()
    screen.close()
    display.unregister()


def test_a_robot_without_power_does_not_move_its_gripper(robot: Latest, device: Callable[[str, str], IoDevice]) -> None:
    gripper = device("end_effector", "right_gripper")
    gripper.set("position_m", 0.0)
    assert gripper.shows(is_moving=False)
    stop, reset, enable = (
        rospy.Publisher(f"/robot/set_super_{name}", kind, queue_size=1)
        for name, kind in (("stop", Empty), ("reset", Empty), ("enable", Bool))
    )
    assert eventually(lambda: all(one.get_num_connections() for one in (stop, reset, enable)))
    stop.publish()
    assert eventually(lambda: robot.next().stopped)
    place = gripper.read()["position_response_m"]
    gripper.set("position_m", OPEN_M)
    for _ in range(30):
        robot.next()
    assert gripper.read()["position_response_m"] == place
    reset.publish()
    assert eventually(lambda: not robot.next().stopped)
    enable.publish(True)
    assert eventually(lambda: robot.next().enabled)
    assert eventually(lambda: gripper.read()["position_response_m"] > place + 0.01)
    for one in (stop, reset, enable):
        one.unregister()
