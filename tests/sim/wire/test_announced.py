"""What the simulated robot says of its devices and cameras, against the vendor's in plain literals, without a graph.

The literals are those of the vendor's recording and simulator and of the published URDF, so that a name, a sign or a
default that slips in the code does not slip here too.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import genpy
import mujoco
import numpy as np
import pytest
from std_msgs.msg import Header

from robot_rig.config import Config
from robot_rig.kinematics import NEUTRAL
from robot_rig.ros.intera_messages import load
from sim.scenes import build
from sim.wire.io_device import Command, Device
from sim.wire.io_messages import IoMessages
from sim.wire.io_pictures import camera_info
from sim.wire.reports import Reports
from sim.wire.sawyer import Sawyer
from sim.wire.tips import TipFrames

TYPES = load("5.5.2")
MESSAGES = IoMessages(TYPES)
STAMP = genpy.Time(10, 0)
MEASURED = None
"""Default of a signal that tells what is measured."""

Announced = Mapping[str, tuple[str, str, Any]]
"""Signal to type, role and default."""

GRIPPER: Announced = {
    "calibrate": ("bool", "output", False),
    "cmd_grip": ("bool", "output", False),
    "dead_zone_m": ("float", "output", 0.002),
    "force_response_n": ("float", "input", MEASURED),
    "go": ("bool", "output", True),
    "has_error": ("bool", "output", False),
    "is_calibrated": ("bool", "output", True),
    "is_gripping": ("bool", "output", False),
    "is_moving": ("bool", "output", False),
    "position_m": ("float", "output", MEASURED),
    "position_response_m": ("float", "output", MEASURED),
    "reboot": ("bool", "output", False),
    "right_gripper_tip_object_kg": ("float", "output", 0.0),
    "speed_mps": ("float", "output", 1.5),
}
LIGHT, BUTTON = ("bool", "input", False), ("int", "input", 0)
LIGHTS: Announced = {
    "head_blue_light": LIGHT,
    "head_green_light": LIGHT,
    "head_red_light": LIGHT,
    "right_hand_blue_light": LIGHT,
    "right_hand_green_light": LIGHT,
    "right_hand_red_light": LIGHT,
}
CUFF: Announced = {"right_button_lower": BUTTON, "right_button_upper": BUTTON, "right_cuff": BUTTON}
NAVIGATOR: Announced = {
    "head_button_back": BUTTON,
    "head_button_circle": BUTTON,
    "head_button_ok": BUTTON,
    "head_button_show": BUTTON,
    "head_button_square": BUTTON,
    "head_button_triangle": BUTTON,
    "head_wheel": BUTTON,
    "right_button_back": BUTTON,
    "right_button_circle": BUTTON,
    "right_button_ok": BUTTON,
    "right_button_show": BUTTON,
    "right_button_square": BUTTON,
    "right_button_triangle": BUTTON,
    "right_wheel": BUTTON,
}
HEAD_CAMERA: Announced = {
    "camera_streaming": ("bool", "output", False),
    "resolution": ("object", "output", {"height": 800, "width": 1280}),
    "set_exposure": ("int", "output", -1),
    "set_gain": ("int", "output", 0),
    "set_flip": ("bool", "output", False),
    "set_mirror": ("bool", "output", False),
    "set_window_x": ("int", "output", 0),
    "set_window_y": ("int", "output", 0),
}
HAND_CAMERA: Announced = {
    "camera_streaming": ("bool", "output", True),
    "resolution": ("object", "output", {"height": 480, "width": 752}),
    "set_brightness": ("int", "output", 10),
    "set_exposure": ("int", "output", 32),
    "set_gain": ("int", "output", 5),
    "set_strobe": ("bool", "output", False),
    "set_embedded_data": ("bool", "output", False),
    "set_flip": ("bool", "output", False),
    "set_mirror": ("bool", "output", False),
    "set_window_x": ("int", "output", 0),
    "set_window_y": ("int", "output", 0),
}
DEVICES = {
    ("robot", "robot"): LIGHTS,
    ("robot", "cuff"): CUFF,
    ("robot", "navigator"): NAVIGATOR,
    ("end_effector", "right_gripper"): GRIPPER,
    ("internal_camera", "head_camera"): HEAD_CAMERA,
    ("internal_camera", "right_hand_camera"): HAND_CAMERA,
}
# The values that a client may set: the ends of the range are taken, one step further is not.
RANGES = (
    ("head_camera", "set_exposure", -1, 100, 1),
    ("head_camera", "set_gain", -1, 79, 1),
    ("right_hand_camera", "set_brightness", 0, 100, 1),
    ("right_hand_camera", "set_exposure", 1, 100, 1),
    ("right_hand_camera", "set_gain", 0, 255, 1),
    ("right_gripper", "position_m", 0.0, 0.041667, 0.01),
    ("right_gripper", "speed_mps", 0.15, 3.0, 0.05),
)


def devices() -> dict[tuple[str, str], Device]:
    nodes = Sawyer(Config(), seed=0).io.nodes
    return {(node.name, device.name): device for node in nodes for device in node.devices}


def named(name: str) -> Device:
    return next(device for (_, own), device in devices().items() if own == name)


def configuration(device: Device) -> Any:
    return json.loads(MESSAGES.device_configuration(device, STAMP).device.config)


def test_the_devices_are_the_vendors() -> None:
    assert devices().keys() == DEVICES.keys()


@pytest.mark.parametrize("which", DEVICES)
def test_a_state_tells_the_vendors_signals(which: tuple[str, str]) -> None:
    device, expected = devices()[which], DEVICES[which]
    state = MESSAGES.device_status(device, device.state(), STAMP)
    assert state.device.name == which[1]
    assert sorted(signal.name for signal in state.signals) == sorted(expected)
    for signal in state.signals:
        form, (value,) = json.loads(signal.format), json.loads(signal.data)
        kind, role, default = expected[signal.name]
        assert (signal.name, form["type"], form["role"]) == (signal.name, kind, role)
        assert default is MEASURED or (signal.name, value) == (signal.name, default)
        assert signal.status.tag == "ready"


@pytest.mark.parametrize("which", DEVICES)
def test_a_configuration_tells_the_same(which: tuple[str, str]) -> None:
    told, expected = configuration(devices()[which])["signals"], DEVICES[which]
    assert told.keys() == expected.keys()
    for name, (kind, role, default) in expected.items():
        form = told[name]["props"]["format"]
        assert (name, form["type"], form["role"]) == (name, kind, role)
        assert default is MEASURED or told[name]["params"]["default"] == [default]
        assert form.get("data_type") == ("u8" if name.endswith("_wheel") else None)


@pytest.mark.parametrize(("name", "signal", "low", "high", "step"), RANGES)
def test_a_signal_goes_from_end_to_end_and_no_further(
    name: str, signal: str, low: float, high: float, step: float
) -> None:
    device = named(name)
    told = configuration(device)["signals"][signal]["params"].get("range")
    assert told is None or told == {"min": [low], "max": [high]}
    for number, (asked, end) in enumerate(((low, low), (high, high), (low - step, low), (high + step, high))):
        device.apply(Command((number, 0), {signal: asked}))
        refused = device.state().responses[-1] != ""
        # The vendor's 0.041667 m is twice a finger's 0.020833 m, rounded.
        assert device[signal] == pytest.approx(end, abs=1.1e-6) or refused
        assert not (refused and asked == end)


def test_the_buttons_time_is_the_recorded_configurations() -> None:
    for name in ("cuff", "navigator"):
        for signal, told in configuration(named(name))["signals"].items():
            if not signal.endswith("_wheel"):
                times = told["params"]["long_hold_duration"], told["params"]["double_click_duration"]
                assert times == (0.5, 0.4)
                assert [told["params"][kind] for kind in ("click", "long_hold", "double_click")] == [[1], [2], [3]]


def test_types_by_which_the_vendors_classes_choose() -> None:
    assert configuration(named("right_gripper"))["props"]["type"] == "ElectricParallelGripper"
    powers = {"torso_camera_power", "right_hand_camera_power", "torso_fan", "torso_light"}
    assert configuration(named("robot"))["ports"].keys() == powers | LIGHTS.keys()
    assert not MESSAGES.device_status(named("robot"), named("robot").state(), STAMP).ports


# --- cameras ----------------------------------------------------------------------------------------------------------


# (xyz m, q xyzw) in base, by the published URDF.
HAND_CAMERA_AT = (
    (np.zeros(7), (0.914000, 0.124500, 0.277448), (-0.70711, 0.70711, 0.0, 0.0)),
    (NEUTRAL, (0.409965, 0.124500, 0.317223), (0.50020, -0.50020, -0.49980, 0.49980)),
)
HEAD_CAMERA_AT = (np.zeros(7), (0.022803, 0.0, 0.593072), (-0.61845, 0.61845, -0.34281, 0.34281))


def rotation(xyzw: tuple[float, ...]) -> Any:
    x, y, z, w = xyzw
    flat = np.zeros(9)
    mujoco.mju_quat2Mat(flat, np.array([w, x, y, z]))
    return flat.reshape(3, 3)


def seen_from(camera: str, joints: Any) -> tuple[Any, Any]:
    """Place (3,) m and optical rotation (3, 3) in base of a camera of the scene."""
    model = build(Config())
    data = mujoco.MjData(model)
    data.qpos[:7] = joints
    mujoco.mj_forward(model, data)
    # MuJoCo's cameras look along -z with y up; optical frames along z with y down.
    return data.camera(camera).xpos, data.camera(camera).xmat.reshape(3, 3) @ np.diag([1.0, -1.0, -1.0])


@pytest.mark.parametrize(("joints", "place", "turn"), HAND_CAMERA_AT)
def test_the_hand_camera_is_where_the_urdf_puts_it(joints: Any, place: Any, turn: Any) -> None:
    tip = TipFrames(Config()).pose("right_hand_camera", joints)
    for position, orientation in (seen_from("right_hand_camera", joints), (tip.position, tip.rotation)):
        assert position == pytest.approx(place, abs=2e-6)
        assert orientation == pytest.approx(rotation(turn), abs=2e-5)


def test_the_head_camera_is_where_the_urdf_puts_it() -> None:
    joints, place, turn = HEAD_CAMERA_AT
    position, orientation = seen_from("head_camera", joints)
    assert position == pytest.approx(place, abs=2e-6)
    assert orientation == pytest.approx(rotation(turn), abs=2e-5)


@pytest.mark.parametrize(
    ("camera", "width", "height", "focal", "field"),
    [
        ("head_camera", 1280, 800, 407.391526, 2.00787026),
        ("right_hand_camera", 752, 480, 613.760435, 1.0992892),
    ],
)
def test_the_lenses_are_the_vendors(camera: str, width: int, height: int, focal: float, field: float) -> None:
    info = camera_info(camera, Header())
    assert (info.width, info.height, info.K[0], info.K[4]) == (width, height, focal, focal)
    fovy = np.radians(build(Config()).camera(camera).fovy[0])
    assert 2.0 * np.arctan(np.tan(fovy / 2.0) * width / height) == pytest.approx(field, abs=1e-6)


def test_the_head_is_the_urdfs() -> None:
    limits = Reports(TYPES, Config()).joint_limits()
    head = list(limits.joint_names).index("head_pan")
    told = [getattr(limits, kind)[head] for kind in ("position_lower", "position_upper", "velocity", "accel", "effort")]
    assert told == [-5.0952, 0.9064, 1.8, 10.0, 8.0]
