"""What is worked by hand, or only shines: cuff, navigators and lights. Called by `sim.wire.io_robot`.

Names, roles and configurations are those that a robot announced in the recording that the vendor publishes.
"""

from __future__ import annotations

from collections.abc import Mapping

from sim.wire.io_buttons import DOUBLE_CLICK_S, LONG_HOLD_S, Button, Press, Wheel
from sim.wire.io_device import Device, Port, Signal

NODE = "robot"
KIND = "RobotDevice"
ENROLS_ITSELF = {"engine_params": {"autoEnroll": True, "configurable": False}}
LOWER_BUTTON, UPPER_BUTTON, CUFF = "right_button_lower", "right_button_upper", "right_cuff"
SIDES = ("head", "right")
NAVIGATOR_BUTTONS = ("back", "circle", "ok", "show", "square", "triangle")
LIGHTS = tuple(f"{place}_{colour}_light" for place in ("head", "right_hand") for colour in ("blue", "green", "red"))
TIMING = {
    "click": [Press.CLICK],
    "double_click": [Press.DOUBLE_CLICK],
    "double_click_duration": DOUBLE_CLICK_S,
    "long_hold": [Press.LONG_PRESS],
    "long_hold_duration": LONG_HOLD_S,
    "no_click": [Press.OFF],
    "pressed": [Press.CLICK],
    "released": [Press.OFF],
}


def _button(name: str) -> Signal:
    return Signal(name, "int", 0, "input", props={"owner": "device", "source": name, "type": "Button"}, params=TIMING)


def _wheel(name: str) -> Signal:
    props = {"owner": "device", "source": name, "type": "IO"}
    return Signal(name, "int", 0, "input", format={"data_type": "u8"}, props=props)


def _light(name: str) -> Signal:
    # The robot itself calls a light an input.
    return Signal(name, "bool", False, "input", settable=True, props={"sink": name, "type": "IO"})


def _digital(name: str, line: str, role: str, default: int = 0) -> Port:
    return Port(name, "int", role, default, {"digital_io": line, "owner": "device", "type": "DigitalIO"})


def _analog(name: str, line: str, role: str) -> Port:
    return Port(name, "int", role, 0, {"analog_io": line, "owner": "device", "type": "AnalogIO"})


def lights() -> Device:
    """The device `robot`: six lights that clients switch."""
    ports = [_digital(name, name, "sink") for name in LIGHTS]
    ports += [_digital(name, name, "sink", 1) for name in ("right_hand_camera_power", "torso_camera_power")]
    ports += [_analog("torso_fan", "torso_fan", "sink"), _analog("torso_light", "torso_lighting", "sink")]
    return Device(NODE, "robot", KIND, [_light(name) for name in LIGHTS], ports, ENROLS_ITSELF)


class Panels:
    """Every button and wheel of the robot, and the devices that report them. One thread uses it."""

    def __init__(self) -> None:
        cuff = (LOWER_BUTTON, UPPER_BUTTON, CUFF)
        navigator = [f"{side}_button_{what}" for side in SIDES for what in NAVIGATOR_BUTTONS]
        self.wheels: Mapping[str, Wheel] = {f"{side}_wheel": Wheel() for side in SIDES}
        self.buttons: Mapping[str, Button] = {name: Button() for name in (*cuff, *navigator)}
        self.cuff = Device(
            NODE,
            "cuff",
            KIND,
            [_button(name) for name in cuff],
            [_digital(name, name, "source") for name in cuff],
            ENROLS_ITSELF,
        )
        self.navigator = Device(
            NODE,
            "navigator",
            KIND,
            [*(_button(name) for name in navigator), *(_wheel(name) for name in self.wheels)],
            [
                *(_digital(name, name, "source") for name in navigator),
                *(_analog(name, name, "source") for name in self.wheels),
            ],
        )

    @property
    def is_squeezed(self) -> bool:
        """Whether a hand is on the cuff, which asks the arm to float."""
        return self.buttons[CUFF].is_down

    def hold(self, names: frozenset[str]) -> None:
        """Fingers are on the buttons called `names`, and on no other."""
        for name, button in self.buttons.items():
            button.push(down=name in names)

    def tick(self, seconds: float) -> None:
        """Let `seconds` pass and report."""
        for name, button in self.buttons.items():
            button.tick(seconds)
            device = self.cuff if name in self.cuff.signals else self.navigator
            device.show(name, int(button.value))
        for name, wheel in self.wheels.items():
            self.navigator.show(name, wheel.value)
