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
from tests.drivers.test_opencv_camera import write_video
from tests.live_robot import process_in_graph
from tests.ros_graph import Master, eventually

SETTINGS = ("--set", "camera.width_px=160", "--set", "camera.height_px=120", "--set", "camera.crop_px=84")
WINDOW = ("--set", "camera.crop_left_px=10", "--set", "camera.crop_top_px=3", "--priority", "0", "--driver", "opencv")


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
    with process_in_graph(ros_master, "drivers.camera_node", *SETTINGS, *WINDOW, "--device", str(film)) as node:
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
    assert eventually(lambda: not driver.is_running())


def test_a_camera_that_is_not_there_ends_the_node_with_a_sentence(ros_master: Master, ros_node: str) -> None:
    with process_in_graph(ros_master, "drivers.camera_node", *SETTINGS, *WINDOW, "--device", "nowhere") as node:
        assert node.wait(60) == 2
    assert (
        "there is no camera and no video nowhere" in (ros_master.home / "drivers.camera_node.log").read_text().lower()
    )
