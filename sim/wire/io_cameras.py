"""The robot's own two cameras as IO devices, and what their settings do to a picture. Called by `sim.wire.io_robot`.

Exposure and gain brighten a picture in proportion; automatic ones leave it as the room's light makes it. Windows,
strobe and embedded data are taken note of and do nothing.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from robot_rig.datatypes import Bytes
from sim.model import HAND_CAMERA, HEAD_CAMERA, SENSORS
from sim.wire.io_device import Device, Port, Signal, Value

NODE = "internal_camera"
RATE_HZ = 10.0
AUTOMATIC = -1
HAND_EXPOSURE, HAND_GAIN, HAND_BRIGHTNESS = 32, 5, 10
HEAD_EXPOSURE, HEAD_GAIN = 50, 0
"""The head camera's exposure where gain is automatic, and its gain where exposure is: one excludes the other."""

GAIN_STEP = 32.0
"""So much more gain doubles the light that exposure alone would give."""

LUMINANCE = np.array([0.299, 0.587, 0.114])


def _control(
    name: str, kind: str, initial: Value, port_kind: str, bounds: tuple[int, int] | None = None, **format: Value
) -> tuple[Signal, Port]:
    """A settable signal and the port behind it."""
    control = name.removeprefix("set_")
    port = {"camera_streaming": "set_camera_stream_state", "resolution": "set_camera_resolution"}.get(name, name)
    params = {} if bounds is None else {"range": {"max": [bounds[1]], "min": [bounds[0]]}}
    low, high = bounds or (None, None)
    props = {"owner": "device", "sink": port, "type": "IO" if bounds is None else "RangedIO"}
    signal = Signal(name, kind, initial, "output", True, low, high, props=props, params=params)
    return signal, Port(
        port, kind, "sink", initial, {"owner": "device", "type": port_kind, **format, "control": control}
    )


def _shared(camera: str, streaming: bool) -> list[tuple[Signal, Port]]:
    width, height, _ = SENSORS[camera]
    return [
        _control("camera_streaming", "bool", streaming, "ControlOnOff"),
        _control("resolution", "object", {"height": height, "width": width}, "CameraResolution"),
        _control("set_flip", "bool", False, "ControlOnOff"),
        _control("set_mirror", "bool", False, "ControlOnOff"),
        _control("set_window_x", "int", 0, "ControlValue", (0, 65535)),
        _control("set_window_y", "int", 0, "ControlValue", (0, 65535)),
    ]


def _device(camera: str, kind: str, controls: list[tuple[Signal, Port]]) -> Device:
    width, height, _ = SENSORS[camera]
    params = {"engine_params": {"autoEnroll": True, "configurable": False}, "fps": round(RATE_HZ)}
    signals = sorted((signal for signal, _ in controls), key=lambda signal: signal.name)
    ports = sorted((port for _, port in controls), key=lambda port: port.name)
    return Device(NODE, camera, kind, signals, ports, {**params, "height": height, "width": width}, {"owner": "device"})


def hand_camera() -> Device:
    """The black-and-white one in the wrist, which streams from the start."""
    controls = [
        *_shared(HAND_CAMERA, True),
        _control("set_exposure", "int", HAND_EXPOSURE, "ControlMode", (1, 100)),
        _control("set_gain", "int", HAND_GAIN, "ControlValue", (0, 255)),
        _control("set_brightness", "int", HAND_BRIGHTNESS, "ControlValue", (0, 100)),
        _control("set_strobe", "bool", False, "ControlStrobe"),
        _control("set_embedded_data", "bool", False, "Data"),
    ]
    return _device(HAND_CAMERA, "CognexCameraDevice", controls)


def head_camera() -> Device:
    """The colour one above the screen, with automatic exposure."""
    controls = [
        *_shared(HEAD_CAMERA, False),
        _control("set_exposure", "int", AUTOMATIC, "ControlMode", (AUTOMATIC, 100)),
        _control("set_gain", "int", HEAD_GAIN, "ControlMode", (AUTOMATIC, 79)),
    ]
    device = _device(HEAD_CAMERA, "IensoCameraDevice", controls)

    def ends_automatic(other: str, fixed: int) -> None:
        if device[other] == AUTOMATIC:
            device.show(other, fixed)

    device.on_set = {
        "set_exposure": lambda value: ends_automatic("set_gain", HEAD_GAIN) if value == AUTOMATIC else None,
        "set_gain": lambda value: ends_automatic("set_exposure", HEAD_EXPOSURE) if value == AUTOMATIC else None,
    }
    return device


def light_of(camera: str, settings: Mapping[str, Value]) -> float:
    """How many times brighter than the room a picture of `camera` is under the `settings` of its device."""
    exposure, gain = settings["set_exposure"], settings["set_gain"]
    if AUTOMATIC in (exposure, gain):
        return 1.0
    usual, usual_gain = (HAND_EXPOSURE, HAND_GAIN) if camera == HAND_CAMERA else (HEAD_EXPOSURE, HEAD_GAIN)
    return float(exposure / usual * 2.0 ** ((gain - usual_gain) / GAIN_STEP))


def exposed(camera: str, rgb: Bytes, settings: Mapping[str, Value]) -> Bytes:
    """What `camera` makes of the picture `rgb` (H, W, 3): uint8 (H, W) in the hand, (H, W, 3) RGB in the head."""
    light, offset = light_of(camera, settings), 0.0
    picture = rgb
    if camera == HAND_CAMERA:
        offset = 255.0 * (settings["set_brightness"] - HAND_BRIGHTNESS) / 100.0
        picture = (rgb @ LUMINANCE).astype(np.uint8)
    # Nothing else in this process runs while a megapixel is looked up.
    if (light, offset) != (1.0, 0.0):
        picture = np.clip(np.arange(256.0) * light + offset, 0.0, 255.0).astype(np.uint8)[picture]
    if settings["set_flip"]:
        picture = picture[::-1]
    if settings["set_mirror"]:
        picture = picture[:, ::-1]
    return np.ascontiguousarray(picture)
