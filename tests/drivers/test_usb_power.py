"""The power of the right USB device is switched, on a copy of how the kernel lays it out; or it is said why not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from drivers.usb_power import cycle_power


@pytest.fixture
def port(tmp_path: Path) -> Path:
    hub = tmp_path / "devices" / "usb2"
    camera = hub / "2-1"
    interface = camera / "2-1:1.0"
    video = interface / "video4linux" / "video0"
    video.mkdir(parents=True)
    for device in (hub, camera):
        (device / "devnum").write_text("3")
        (device / "authorized").write_text("as it was")
    (interface / "authorized").write_text("as it was")
    return video


def test_the_camera_itself_is_switched_and_neither_its_interface_nor_the_hub(port: Path, tmp_path: Path) -> None:
    assert cycle_power(str(port), tmp_path) == ""
    found = {path.parent.name: path.read_text() for path in tmp_path.rglob("authorized")}
    assert found == {"2-1": "1", "2-1:1.0": "as it was", "usb2": "as it was"}


def test_nothing_outside_the_system_s_tree_is_touched(port: Path, tmp_path: Path) -> None:
    for where in (str(port), "", "relative/port", str(tmp_path / "devices" / ".." / "devices")):
        assert "not known" in cycle_power(where, tmp_path / "elsewhere")
    assert {path.read_text() for path in tmp_path.rglob("authorized")} == {"as it was"}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write what is read-only")
def test_a_switch_that_may_not_be_used_is_named(port: Path, tmp_path: Path) -> None:
    switch = tmp_path / "devices" / "usb2" / "2-1" / "authorized"
    switch.chmod(0o400)
    assert "authorized" in cycle_power(str(port), tmp_path)
