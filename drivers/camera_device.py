"""What a camera's process is asked to open, and what a driver must do in there.

`camera_node` makes the `Source`, `held_camera` passes it on, `camera_process` runs the `Device` that it names.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from drivers.camera_pipe import Facts, Shot
from robot_rig.errors import UserError

RECORDINGS = (".db3", ".bag")
"""How the names of a RealSense's recordings end."""

TITLES = {"realsense": "the RealSense", "opencv": "the camera"}


@dataclass(frozen=True)
class Source:
    """One camera, or a recording in its place. Plain values only: it travels to another process as JSON."""

    kind: Literal["realsense", "opencv"]
    width_px: int
    height_px: int
    device: str = ""
    """A serial number, a name in /dev/v4l/by-id, or a file; empty: the only one that is plugged in."""

    rate_hz: int = 30
    stamps: Literal["exposure", "arrival", "rebased"] = "exposure"
    """For a recording, which was exposed some other day: arrival, or rebased, its own stamps with the first one now."""

    locked: dict[str, float] = field(default_factory=dict)
    """Settings of an earlier start, which are taken instead of being found again."""

    @property
    def title(self) -> str:
        """What it is called in sentences."""
        return " ".join([TITLES[self.kind], *([self.device] if self.device else [])])


class Device(Protocol):
    """What a driver must do in here. All of it may hang; nobody waits for it but this process."""

    def start(self) -> Facts:
        """Open the device and let it stream. Raises UserError; `DeviceAway` where waiting for it makes sense."""
        ...

    def wait(self, limit_s: float) -> Shot | None:
        """The next picture, or None when none comes in time. Raises UserError when there will never be one."""
        ...

    def stop(self) -> None:
        """End streaming and let go of all handles; may be called twice."""
        ...

    def reset(self) -> Facts:
        """Let the device begin anew, wait until it is back, start it. Raises as `start`."""
        ...


class DeviceAway(UserError):
    """The device is not there, or not for us, at the moment."""


class CameraLost(UserError):
    """There will be no further picture of a camera that was looked through; `code` of safety.reasons says why."""

    def __init__(self, code: str, problem: str, next_step: str) -> None:
        super().__init__(problem, next_step=next_step)
        self.code = code
