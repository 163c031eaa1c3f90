"""An Intel RealSense D4xx's colour pictures through the vendor's library, or a recording of one played back.

Runs in `camera_process` only: its stop can hang, and so can the library's exit. The library passes old stamps and
repeated frame numbers on unchanged; `held_camera` and `picture_watch` look for those.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from drivers.camera_device import RECORDINGS, DeviceAway, Source
from drivers.camera_pipe import Facts, Shot
from drivers.realsense_exposure import Exposure, exposed_before_ms, stamped
from robot_rig.errors import UserError
from robot_rig.ros.stamps import HostStamps, Refused

sdk: Any = None
MISSING = ""
try:
    import pyrealsense2

    sdk = pyrealsense2
except ImportError as error:
    # Told to a person when a RealSense is asked for; whoever only imports this has no use for the library.
    MISSING = str(error)

BACK_S = 10.0
"""How long a device may take to be there again after a reset."""

POLL_S = 0.25
WARM_UP_S = 5.0
"""Without a picture for so long after the start, the device does not stream."""

log = logging.getLogger(__name__)


def library() -> Any:
    """The vendor's library. Raises UserError with the line that brings it."""
    if sdk is not None:
        return sdk
    if "libusb" in MISSING:
        raise UserError(
            f"the RealSense library does not load ({MISSING})",
            next_step="install it with `sudo apt-get install libusb-1.0-0`",
        )
    raise UserError(
        f"the RealSense library is not installed ({MISSING})",
        next_step="run `pip install pyrealsense2` in .venv (x86-64), or start realsense2_camera and use driver:=ros",
    )


def plugged_in() -> list[str]:
    """What is plugged in, one line each. Raises UserError without the library."""
    context = library().context()
    return [f"{_info(one, 'name')} {_info(one, 'serial_number')}, USB {_usb(one)}" for one in context.query_devices()]


def chosen(devices: Iterable[Any], serial: str) -> Any:
    """The device with that serial number, or the only one. Raises DeviceAway with the numbers that there are."""
    there = {_info(one, "serial_number"): one for one in devices}
    if not there:
        raise DeviceAway("no RealSense is plugged in", next_step="plug it into a USB 3 port; see `lsusb`")
    if not serial and len(there) == 1:
        return next(iter(there.values()))
    if serial not in there:
        problem = f"there is no RealSense {serial}" if serial else "there are several RealSenses"
        raise DeviceAway(problem, choices=there, next_step="give device:= the serial number of one that is there")
    return there[serial]


def refuse_slow_bus(device: Any) -> None:
    """Raise UserError for a device that hangs on USB 2."""
    if (usb := _usb(device)).startswith(("1", "2")):
        raise UserError(
            f"the RealSense {_info(device, 'serial_number')} is connected as USB {usb}, too slow to rely on",
            next_step="use a USB 3 port and the cable that came with it",
        )


def started(pipeline: Any, config: Any, title: str) -> Any:
    """The profile of `pipeline`, which streams now. Raises DeviceAway when the device lets nobody in."""
    try:
        return pipeline.start(config)
    except RuntimeError as error:
        raise DeviceAway(
            f"{title} does not start ({error})",
            next_step="close what else may hold it (realsense-viewer, a ROS node), else replug it",
        ) from error


class RealSense:
    """One device, found by its serial number or the only one there is. The methods are those of `Device`.

    `playback` is the library's own player while a recording is played.
    """

    def __init__(self, source: Source) -> None:
        self._rs = library()
        self._source = source
        self._serial = source.device
        self._recording = Path(source.device) if Path(source.device).suffix in RECORDINGS else None
        self._pipeline: Any = None
        self.playback: Any = None
        self._exposure: Exposure | None = None
        self._locked = source.locked
        self._stamps = HostStamps()
        self._shift: float | None = None
        self._refused = self._stamped = ""

    def start(self) -> Facts:
        """Open it, let the exposure settle where it has not before, and lock it."""
        rs, source = self._rs, self._source
        self._shift = None
        config = rs.config()
        if self._recording:
            self._open_recording(config, self._recording)
        else:
            # The pipeline would search 15 s for a serial number that is not there.
            device = self._found()
            refuse_slow_bus(device)
            self._serial = _info(device, "serial_number")
            config.enable_device(self._serial)
        config.enable_stream(rs.stream.color, source.width_px, source.height_px, rs.format.rgb8, source.rate_hz)
        pipeline = rs.pipeline()
        if not config.can_resolve(rs.pipeline_wrapper(pipeline)):
            raise UserError(
                f"{self._title} offers no colour pictures of {source.width_px}x{source.height_px} px at"
                f" {source.rate_hz} Hz",
                next_step="ask for 640x480 at 30 or 60 Hz, which every D4xx offers on USB 3",
            )
        profile = started(pipeline, config, self._title)
        self._pipeline = pipeline
        if self._recording:
            self.playback = profile.get_device().as_playback()
        self._exposure = Exposure(rs, profile.get_device(), self._locked)
        try:
            self._locked = self._exposure.settle(self._levels)
        except UserError:
            self.stop()
            raise
        return self._facts(profile)

    def wait(self, limit_s: float) -> Shot | None:
        """The next picture; one whose stamp is no time of this machine's is left out."""
        if self._pipeline is None:
            time.sleep(limit_s)
            return None
        frame = self._next(limit_s)
        if frame is None:
            if self.playback is not None and self.playback.current_status() == self._rs.playback_status.stopped:
                raise UserError(f"{self._title} has been played to its end", next_step="start it again")
            return None
        stamp = self._exposed(frame)
        if isinstance(stamp, Refused):
            if stamp.reason != self._refused:
                log.warning("pictures of %s are left out: %s", self._title, stamp.reason)
            self._refused = stamp.reason
            return None
        rgb = np.array(np.asanyarray(frame.get_data()))
        return Shot(frame.get_frame_number(), stamp, rgb)

    def stop(self) -> None:
        """End streaming."""
        pipeline, self._pipeline, self.playback = self._pipeline, None, None
        if pipeline is not None:
            pipeline.stop()

    def reset(self) -> Facts:
        """A hardware reset; every handle is dropped before the device is looked for."""
        try:
            device = self._found()
        except DeviceAway:
            device = None
        # Not `stop`: what it would wait for is what has hung.
        self._pipeline = self.playback = self._exposure = None
        if device is not None and not self._recording:
            device.hardware_reset()
            del device
            time.sleep(1.0)
        deadline = time.monotonic() + BACK_S
        while True:
            try:
                return self.start()
            except UserError:
                # Not only for one that is away: it may be back by half.
                if time.monotonic() > deadline:
                    raise
                time.sleep(POLL_S)

    # Finding and opening.

    @property
    def _title(self) -> str:
        return f"the recording {self._recording}" if self._recording else f"the RealSense {self._serial}".rstrip()

    def _open_recording(self, config: Any, path: Path) -> None:
        if not path.is_file():
            raise UserError(f"there is no recording {path}", next_step="see the name")
        try:
            self._rs.config.enable_device_from_file(config, str(path), False)
            config.resolve(self._rs.pipeline_wrapper(self._rs.pipeline()))
        except RuntimeError as error:
            raise UserError(
                f"the recording {path} cannot be played ({error})", next_step="it may be cut short: record it again"
            ) from error

    def _found(self) -> Any:
        return chosen(self._rs.context().query_devices(), self._serial)

    # Pictures.

    def _next(self, limit_s: float) -> Any:
        arrived, frames = self._pipeline.try_wait_for_frames(int(1000 * limit_s))
        frame = (frames.get_color_frame() or None) if arrived else None
        if frame is not None and not self._stamped and not self._recording:
            self._stamped = stamped(self._rs, frame)
            if frame.get_frame_timestamp_domain() == self._rs.timestamp_domain.system_time:
                log.warning(
                    "the stamps of %s are %s; its pictures look younger than they are", self._title, self._stamped
                )
        return frame

    def _levels(self) -> tuple[Any, float] | None:
        """The next frame and its mean brightness, while the exposure settles."""
        frame = self._next(WARM_UP_S)
        return None if frame is None else (frame, float(np.asanyarray(frame.get_data())[::8, ::8].mean()))

    def _exposed(self, frame: Any) -> float | Refused:
        """The middle of the exposure in monotonic seconds."""
        if self._source.stamps == "arrival":
            return time.monotonic()
        if frame.get_frame_timestamp_domain() == self._rs.timestamp_domain.hardware_clock:
            return Refused("stamped by a clock that is not this machine's")
        exposed = (frame.get_timestamp() - exposed_before_ms(self._rs, frame)) / 1000
        if self._source.stamps == "rebased":
            self._shift = time.time() - exposed if self._shift is None else self._shift
            exposed += self._shift
        return self._stamps.local(exposed)

    def _facts(self, profile: Any) -> Facts:
        device = profile.get_device()
        seen = profile.get_stream(self._rs.stream.color).as_video_stream_profile().get_intrinsics()
        details = {
            "serial": _info(device, "serial_number"),
            "firmware": _info(device, "firmware_version"),
            "usb": _usb(device),
            "rate_hz": self._source.rate_hz,
            "intrinsics": {
                "focal_px": [seen.fx, seen.fy],
                "center_px": [seen.ppx, seen.ppy],
                "model": seen.model.name,
                "coefficients": list(seen.coeffs),
            },
            "exposure": self._locked,
            "stamps": self._stamped or "not known yet",
        }
        named = str(self._recording) if self._recording else self._serial
        return Facts(
            _info(device, "name"), named, details, float(seen.fx), dict(self._locked), _info(device, "physical_port")
        )


def _info(device: Any, name: str) -> str:
    """What `device` says of itself; empty where it says nothing."""
    field = getattr(library().camera_info, name)
    return str(device.get_info(field)) if device.supports(field) else ""


def _usb(device: Any) -> str:
    return _info(device, "usb_type_descriptor") or "unknown"
