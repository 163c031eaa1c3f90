"""What the doctor says of the cameras that are plugged in."""

from __future__ import annotations

from pathlib import Path

import pytest

from drivers.video_devices import realsense_on_the_bus
from robot_rig.cli.doctor.cameras import ask_library, check_cameras
from robot_rig.cli.doctor.findings import Level

WEBCAM = "usb-A_Camera_1-video-index0"


def test_no_camera_is_no_trouble() -> None:
    (finding,) = check_cameras(named=list, on_bus=lambda: False)
    assert finding.level is Level.GREEN
    assert "none is plugged in" in finding.what


def test_each_camera_is_shown_with_what_to_type() -> None:
    answer = (0, "Intel RealSense D435 111, USB 3.2\nIntel RealSense D415 222, USB 2.1")
    findings = check_cameras(named=lambda: [WEBCAM], on_bus=lambda: True, ask=lambda: answer)
    assert [finding.level for finding in findings] == [Level.GREEN, Level.RED, Level.GREEN]
    assert "driver:=realsense, Intel RealSense D435 111" in findings[0].what
    assert "USB 3 port" in findings[1].fix
    assert findings[2].what == f"driver:=opencv device:={WEBCAM}"


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ((2, "The RealSense library does not load. Sudo apt-get install libusb-1.0-0."), "libusb"),
        ((3, "its library does not answer"), "does not answer"),
        ((0, ""), "does not see it"),
    ],
)
def test_a_realsense_that_cannot_be_asked_is_said_to_be_there(answer: tuple[int, str], says: str) -> None:
    (finding,) = check_cameras(named=list, on_bus=lambda: True, ask=lambda: answer)
    assert finding.level is Level.YELLOW
    assert says in finding.what


def test_the_kernel_is_asked_before_the_library(tmp_path: Path) -> None:
    asked: list[str] = []

    def ask() -> tuple[int, str]:
        asked.append("asked")
        return 0, ""

    check_cameras(named=list, on_bus=lambda: realsense_on_the_bus(tmp_path), ask=ask)
    assert not asked
    (tmp_path / "2-1").mkdir()
    (tmp_path / "2-1" / "product").write_text("Intel(R) RealSense(TM) Depth Camera 435\n")
    check_cameras(named=list, on_bus=lambda: realsense_on_the_bus(tmp_path), ask=ask)
    assert asked


def test_the_library_s_own_process_answers() -> None:
    code, said = ask_library()
    assert code in (0, 2)
    assert code == 0 or "library" in said
