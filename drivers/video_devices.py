"""The cameras that the kernel knows as video devices, by names that stay: for `opencv_camera` and `rig doctor`."""

from __future__ import annotations

from pathlib import Path

from drivers.camera_device import DeviceAway
from robot_rig.errors import UserError

BY_ID = Path("/dev/v4l/by-id")
BY_PATH = Path("/dev/v4l/by-path")
"""For cameras without a serial number: the name is that of the port."""

SYSTEM = Path("/sys/class/video4linux")
USB = Path("/sys/bus/usb/devices")


def plugged_in(folder: Path = BY_ID) -> list[str]:
    """The stable names of the cameras that are plugged in. A camera's further devices (metadata) are left out."""
    return sorted(one.name for one in folder.glob("*-video-index0")) if folder.is_dir() else []


def found(device: str, by_id: Path = BY_ID) -> Path:
    """The file behind a name of /dev/v4l/by-id, a path in there or a video file; empty: the only camera.

    Raises UserError with what there is. /dev/video0 is refused: the number goes to whichever camera is found first.
    """
    there = plugged_in(by_id)
    if not device:
        if len(there) == 1:
            return by_id / there[0]
        problem = "there are several cameras" if there else "no camera is plugged in"
        raise DeviceAway(problem, choices=there, next_step=f"give device:= a name from {by_id} or a video file")
    path = Path(device)
    if path.parent == Path("/dev"):
        raise UserError(
            f"{path} may be another camera after the next boot", choices=there, next_step=f"give its name in {by_id}"
        )
    for candidate in (by_id / path if path == Path(path.name) else path, path.absolute()):
        if candidate.is_file() or (candidate.exists() and candidate.parent in (by_id, BY_PATH)):
            return candidate
    raise DeviceAway(f"there is no camera and no video {device}", choices=there, next_step=f"see `ls {by_id}`")


def port_of(path: Path) -> str:
    """Where the video device `path` is plugged in, as a path below /sys; empty for a file."""
    device = SYSTEM / path.resolve().name / "device"
    return str(device.resolve()) if device.exists() else ""


def realsense_on_the_bus(devices: Path = USB) -> bool:
    """Whether a RealSense is plugged in, as far as the kernel knows; its library is not asked."""
    return any("RealSense" in one.read_text(errors="replace") for one in devices.glob("*/product"))
