"""The exposure of a RealSense's colour sensor: found by the camera itself at the start, then locked. For `realsense`.

A policy that was trained on one exposure must not be shown another because somebody walks by with a white shirt.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from drivers.camera_device import DeviceAway
from robot_rig.errors import UserError

SETTLE_S = 3.0
STEADY_FRAMES = 10
STEADY_SHARE = 0.02
"""Settled: over so many pictures the brightness varies by no more than this share of its mean."""

DARK, BURNT = 25.0, 230.0
"""A mean brightness beyond these is no light to choose an exposure by: a lens is covered, or a lamp shines into it."""

log = logging.getLogger(__name__)

AUTOMATIC = ("enable_auto_exposure", "enable_auto_white_balance")
LOCKED_BY = {"exposure": "actual_exposure", "gain": "gain_level", "white_balance": "white_balance"}
"""The option that holds a value still, and the metadata of a picture that tells what the camera has chosen for it.

Both are the sensor's own register, in its own units (the colour sensor's exposure counts 100 us).
"""


class Exposure:
    """The colour sensor of `device`; `locked` are values of an earlier start, taken as they are."""

    def __init__(self, rs: Any, device: Any, locked: dict[str, float]) -> None:
        self._rs, self._locked = rs, dict(locked)
        self._sensor: Any = next((one for one in device.query_sensors() if _shows_colour(rs, one)), None)

    def settle(self, look: Callable[[], tuple[Any, float] | None]) -> dict[str, float]:
        """Wait until the exposure is steady, lock it, and return the values by the options' names.

        `look` gives the next frame and its mean brightness. Empty where the sensor lets nothing be set: a recording.
        Raises DeviceAway when no frame comes, and UserError when it stays too dark or too bright to choose by.
        """
        if not self._may_set("enable_auto_exposure"):
            return {}
        # Else the camera would lower its rate in the dark.
        self._set("auto_exposure_priority", 0.0)
        if not self._locked:
            for name in AUTOMATIC:
                self._set(name, 1.0)
            self._locked = self._found(look)
        for name in AUTOMATIC:
            self._set(name, 0.0)
        for name, value in self._locked.items():
            self._set(name, value)
        return dict(self._locked)

    def _found(self, look: Callable[[], tuple[Any, float] | None]) -> dict[str, float]:
        levels: list[float] = []
        chosen: dict[str, float] = {}
        deadline = time.monotonic() + SETTLE_S
        while not settled(levels):
            if time.monotonic() > deadline:
                _refuse_no_light(levels)
                log.warning("the exposure has not settled within %.0f s; it is locked as it is", SETTLE_S)
                break
            if (seen := look()) is None:
                raise DeviceAway("no picture came to find the exposure by", next_step="replug the camera")
            frame, level = seen
            levels.append(level)
            chosen = self._chosen(frame) or chosen
        # What no metadata tells (of an unpatched kernel: all of it) the options do.
        return {name: chosen.get(name, self._get(name)) for name in LOCKED_BY if self._may_set(name)}

    def _chosen(self, frame: Any) -> dict[str, float]:
        values = {}
        for name, field in LOCKED_BY.items():
            tells = getattr(self._rs.frame_metadata_value, field)
            if self._may_set(name) and frame.supports_frame_metadata(tells):
                values[name] = float(frame.get_frame_metadata(tells))
        return values

    def _may_set(self, name: str) -> bool:
        option = getattr(self._rs.option, name)
        return bool(
            self._sensor is not None and self._sensor.supports(option) and not self._sensor.is_option_read_only(option)
        )

    def _set(self, name: str, value: float) -> None:
        if self._may_set(name):
            self._sensor.set_option(getattr(self._rs.option, name), value)

    def _get(self, name: str) -> float:
        return float(self._sensor.get_option(getattr(self._rs.option, name)))


def settled(levels: Sequence[float]) -> bool:
    """Whether the brightness (0 to 255) of the last pictures is steady, and light enough to go by."""
    last = np.array(levels[-STEADY_FRAMES:])
    if len(last) < STEADY_FRAMES or not DARK <= last.mean() <= BURNT:
        return False
    return bool(np.ptp(last) <= max(1.0, STEADY_SHARE * last.mean()))


def _refuse_no_light(levels: Sequence[float]) -> None:
    last = float(np.mean(levels[-STEADY_FRAMES:])) if levels else 0.0
    if not DARK <= last <= BURNT:
        raise UserError(
            f"the picture is too {'dark' if last < DARK else 'bright'} to find the exposure by"
            f" (mean {last:.0f} of 255)",
            next_step="uncover the lens and light the scene as for the robot's work, then start again",
        )


def stamped(rs: Any, frame: Any) -> str:
    """What the stamp of `frame` is of, for people; it must be of the exposure for a picture's age to be known."""
    domain = frame.get_frame_timestamp_domain()
    if domain == rs.timestamp_domain.system_time:
        return "of the arrival: the kernel passes no metadata"
    return "of the exposure" if domain == rs.timestamp_domain.global_time else "of the camera's own clock"


def exposed_before_ms(rs: Any, frame: Any) -> float:
    """How long before its stamp the middle of the exposure of `frame` was, in ms; 0 where no metadata tells.

    The stamp is when the sensor began to send the picture.
    """
    value = rs.frame_metadata_value
    fields = (value.frame_timestamp, value.sensor_timestamp)
    if not all(frame.supports_frame_metadata(one) for one in fields):
        return 0.0
    sent, exposed = (frame.get_frame_metadata(one) for one in fields)
    return max(0.0, float(sent - exposed) / 1000)


def _shows_colour(rs: Any, sensor: Any) -> bool:
    return any(one.stream_type() == rs.stream.color for one in sensor.get_stream_profiles())
