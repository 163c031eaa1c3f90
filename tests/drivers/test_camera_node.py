"""The camera's node reads a camera itself: pictures, silence and what it had to do appear on its topics."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from robot_rig.ros.connect import subscribe
from robot_rig.ros.topics import CAMERA_FRAME, CAMERA_STATUS
from tests.drivers import recordings
from tests.drivers.test_opencv_camera import write_video
from tests.live_robot import process_in_graph
from tests.ros_graph import Master, eventually

SMALL = ("width_px=160", "height_px=120", "crop_px=84", "crop_left_px=10", "crop_top_px=3")
OPENCV = (*(word for one in SMALL for word in ("--set", f"camera.{one}")), "--priority", "0", "--driver", "opencv")
REALSENSE = ("--priority", "0", "--driver", "realsense")


class Listener:
    """What the node publishes."""

    def __init__(self) -> None:
        self.frames: list[Any] = []
        self.reports: list[dict[str, Any]] = []
        self._subscribers = [
            subscribe(CAMERA_FRAME, self.frames.append),
            subscribe(CAMERA_STATUS, self._take),
        ]

    def _take(self, message: Any) -> None:
        self.reports.append({pair.key: json.loads(pair.value) for pair in message.status[0].values})

    def close(self) -> None:
        for one in self._subscribers:
            one.unregister()


@pytest.fixture
def listener(ros_node: str) -> Iterator[Listener]:
    made = Listener()
    yield made
    made.close()


def test_a_camera_that_hangs_is_told_and_looked_through_again(
    listener: Listener, ros_master: Master, tmp_path: Path
) -> None:
    film = write_video(tmp_path / "film.avi", 1200)
    with process_in_graph(ros_master, "drivers.camera_node", *OPENCV, "--device", str(film)) as node:
        assert eventually(lambda: len(listener.frames) > 5)
        assert (listener.frames[-1].width, listener.frames[-1].height) == (84, 84)
        assert eventually(lambda: listener.reports and listener.reports[-1]["driver"] == "opencv")
        assert listener.reports[-1]["code"] == ""
        (driver,) = psutil.Process(node.pid).children()
        driver.send_signal(signal.SIGSTOP)
        assert eventually(lambda: listener.reports[-1]["code"] == "image_stale")
        # Killed rather than waited for: the ladder's own times are tested elsewhere.
        driver.kill()
        frames = len(listener.frames)
        assert eventually(lambda: len(listener.frames) > frames + 5)
        assert eventually(lambda: listener.reports[-1]["counts"].get("recovered by kill") == 1)
        assert eventually(lambda: listener.reports[-1]["code"] == "")
        (driver,) = psutil.Process(node.pid).children()
        # However the node ends, nobody is left who holds the camera.
        node.kill()
        assert eventually(lambda: not driver.is_running() or driver.status() == psutil.STATUS_ZOMBIE)


def test_a_camera_that_is_not_there_ends_the_node_with_a_sentence(ros_master: Master, ros_node: str) -> None:
    with process_in_graph(ros_master, "drivers.camera_node", *OPENCV, "--device", "nowhere") as node:
        assert node.wait(60) == 2
    assert (
        "there is no camera and no video nowhere" in (ros_master.home / "drivers.camera_node.log").read_text().lower()
    )


def test_a_realsense_s_recording_is_seen_at_84_pixels_and_named(
    listener: Listener, ros_master: Master, tmp_path: Path
) -> None:
    film = recordings.record(recordings.real_library(), tmp_path / "film.db3", recordings.in_order(150))
    with process_in_graph(ros_master, "drivers.camera_node", *REALSENSE, "--device", str(film)) as node:
        assert eventually(lambda: len(listener.frames) > 5)
        assert (listener.frames[-1].width, listener.frames[-1].height) == (84, 84)
        assert eventually(lambda: listener.reports and listener.reports[-1].get("name") == "Intel RealSense D435")
        # At its end there will never be another picture, and the node says so and ends.
        assert node.wait(60) == 2
    assert listener.reports[-1]["code"] == "camera_ended"
    assert "played to its end" in (ros_master.home / "drivers.camera_node.log").read_text()
