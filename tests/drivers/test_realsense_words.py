"""What a RealSense that cannot be used is told by, and how its exposure is found and locked: on the library's own
software device, which answers as a real one does."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from drivers import realsense_exposure
from drivers.camera_device import DeviceAway
from drivers.realsense import chosen, refuse_slow_bus, started
from drivers.realsense_exposure import STEADY_FRAMES, Exposure, exposed_before_ms, settled, stamped
from robot_rig.errors import UserError
from sim.faults.library_film import Taken, colour_profile, record, software_frame
from tests.drivers import recordings
from tests.drivers.recordings import in_order, scene

rs = recordings.real_library()


def plugged(serial: str, usb: str = "3.2") -> Any:
    device = rs.software_device()
    device.register_info(rs.camera_info.serial_number, serial)
    device.register_info(rs.camera_info.usb_type_descriptor, usb)
    return device


def test_one_device_needs_no_name_and_several_do() -> None:
    one, other = plugged("111"), plugged("222")
    assert chosen([one], "") is one
    assert chosen([one, other], "222") is other
    with pytest.raises(DeviceAway, match=r"several RealSenses.*111, 222"):
        chosen([one, other], "")
    with pytest.raises(DeviceAway, match=r"no RealSense 333.*111, 222"):
        chosen([one, other], "333")
    with pytest.raises(DeviceAway, match="no RealSense is plugged in"):
        chosen([], "111")


def test_usb_2_is_refused_and_usb_3_is_not() -> None:
    refuse_slow_bus(plugged("111", "3.2"))
    for usb in ("2.0", "2.1"):
        with pytest.raises(UserError, match=rf"RealSense 111 is connected as USB {usb}.*USB 3 port"):
            refuse_slow_bus(plugged("111", usb))


def test_a_device_that_somebody_holds_is_said_to_be_held(tmp_path: Any) -> None:
    path = record(rs, tmp_path / "held.db3", in_order(5))
    config, pipeline = rs.config(), rs.pipeline()
    config.enable_device_from_file(str(path), False)
    started(pipeline, config, "the RealSense 111")
    with pytest.raises(DeviceAway, match=r"RealSense 111 does not start.*realsense-viewer, a ROS node"):
        started(pipeline, config, "the RealSense 111")
    pipeline.stop()


# --- exposure ---------------------------------------------------------------------------------------------------------

OPTIONS = {
    "enable_auto_exposure": (0.0, 1.0),
    "enable_auto_white_balance": (0.0, 1.0),
    "auto_exposure_priority": (0.0, 1.0),
    "exposure": (1.0, 10_000.0),
    "gain": (0.0, 128.0),
    "white_balance": (2800.0, 6500.0),
}


class Sensor:
    """A colour sensor of the software device with a D435's options, and frames that tell what it has chosen."""

    def __init__(self) -> None:
        self.device = rs.software_device()
        self.sensor = self.device.add_sensor("RGB Camera")
        self.profile = colour_profile(rs, self.sensor)
        for name, (low, high) in OPTIONS.items():
            limits = rs.option_range()
            limits.min, limits.max, limits.step, limits.default = low, high, 1.0, low
            self.sensor.add_option(getattr(rs.option, name), limits, True)
        self._queue = rs.frame_queue(2)
        self.sensor.open(self.profile)
        self.sensor.start(self._queue)
        self._number = 0

    def frame(self, **metadata: int) -> Any:
        self._number += 1
        for name, value in metadata.items():
            self.sensor.set_metadata(getattr(rs.frame_metadata_value, name), value)
        self.sensor.on_video_frame(software_frame(rs, Taken(self._number, 1e9, scene(0)), self.profile))
        return self._queue.wait_for_frame(1000)

    def value(self, name: str) -> float:
        return float(self.sensor.get_option(getattr(rs.option, name)))

    def close(self) -> None:
        self.sensor.stop()
        self.sensor.close()


def test_what_the_camera_has_chosen_is_locked_once_it_is_steady() -> None:
    sensor = Sensor()
    levels = iter([20.0, 60.0, 90.0, 99.0, *[100.0] * STEADY_FRAMES, 50.0])
    seen: list[float] = []

    def look() -> tuple[Any, float]:
        assert sensor.value("enable_auto_exposure") == 1.0
        seen.append(next(levels))
        return sensor.frame(actual_exposure=156, gain_level=64, white_balance=4600), seen[-1]

    locked = Exposure(rs, sensor.device, {}).settle(look)
    assert locked == {"exposure": 156.0, "gain": 64.0, "white_balance": 4600.0}
    assert {name: sensor.value(name) for name in OPTIONS} == {
        **locked,
        "enable_auto_exposure": 0.0,
        "enable_auto_white_balance": 0.0,
        "auto_exposure_priority": 0.0,
    }
    assert 4 + STEADY_FRAMES - 2 <= len(seen) <= 4 + STEADY_FRAMES
    sensor.close()


@pytest.mark.parametrize(("level", "word"), [(3.0, "dark"), (24.0, "dark"), (231.0, "bright"), (255.0, "bright")])
def test_nothing_is_locked_by_a_covered_or_burnt_out_picture(
    level: float, word: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(realsense_exposure, "SETTLE_S", 0.2)
    sensor = Sensor()
    with pytest.raises(UserError, match=f"too {word} to find the exposure by"):
        Exposure(rs, sensor.device, {}).settle(lambda: (sensor.frame(actual_exposure=156), level))
    assert sensor.value("enable_auto_exposure") == 1.0
    assert sensor.value("exposure") != 156.0
    sensor.close()


def test_a_lens_that_is_uncovered_in_time_is_waited_for() -> None:
    sensor = Sensor()
    levels = iter([2.0] * STEADY_FRAMES + [100.0] * STEADY_FRAMES)
    locked = Exposure(rs, sensor.device, {}).settle(lambda: (sensor.frame(actual_exposure=156), next(levels)))
    assert next(levels, None) is None
    assert locked["exposure"] == 156.0
    sensor.close()


def test_no_picture_is_no_exposure() -> None:
    sensor = Sensor()
    with pytest.raises(DeviceAway, match="no picture came"):
        Exposure(rs, sensor.device, {}).settle(lambda: None)
    sensor.close()


def test_what_the_metadata_does_not_tell_is_taken_from_the_options() -> None:
    sensor = Sensor()
    sensor.sensor.set_option(rs.option.white_balance, 5100.0)
    locked = Exposure(rs, sensor.device, {}).settle(lambda: (sensor.frame(actual_exposure=156, gain_level=64), 100.0))
    assert locked == {"exposure": 156.0, "gain": 64.0, "white_balance": 5100.0}
    sensor.close()


def test_a_stamp_of_the_arrival_is_called_that() -> None:
    sensor = Sensor()
    assert "of the arrival" in stamped(rs, sensor.frame())
    sensor.close()


def test_a_restart_takes_the_values_of_before_without_looking() -> None:
    sensor = Sensor()
    before = {"exposure": 200.0, "gain": 10.0, "white_balance": 5000.0}

    def look() -> tuple[Any, float]:
        raise AssertionError("nobody looks")

    assert Exposure(rs, sensor.device, before).settle(look) == before
    assert {name: sensor.value(name) for name in before} == before
    assert sensor.value("enable_auto_exposure") == 0.0
    sensor.close()


def test_a_sensor_that_lets_nothing_be_set_is_left_as_it_is() -> None:
    bare = rs.software_device()
    colour_profile(rs, bare.add_sensor("RGB Camera"))
    assert Exposure(rs, bare, {}).settle(lambda: None) == {}


def test_brightness_is_steady_when_ten_pictures_are_alike() -> None:
    assert settled([100.0] * STEADY_FRAMES)
    assert settled([0.0, 250.0, *np.linspace(100.0, 101.9, STEADY_FRAMES)])
    assert not settled([100.0] * (STEADY_FRAMES - 1))
    assert not settled(list(np.linspace(100.0, 103.0, STEADY_FRAMES)))


def test_the_stamp_is_taken_back_to_the_middle_of_the_exposure_where_the_frame_tells() -> None:
    sensor = Sensor()
    assert exposed_before_ms(rs, sensor.frame()) == 0.0
    told = sensor.frame(frame_timestamp=2_000_000, sensor_timestamp=1_987_500)
    assert exposed_before_ms(rs, told) == pytest.approx(12.5)
    sensor.close()
