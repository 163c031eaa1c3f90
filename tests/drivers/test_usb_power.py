"""The power of the right USB device is switched, on a copy of how the kernel lays it out; or it is said why not."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from drivers import usb_power
from drivers.usb_power import cycle_power

READ_ONLY = Path("/proc/version")
"""A file that refuses what is written to it, also to root."""


@pytest.fixture
def hub(tmp_path: Path) -> Path:
    """A root hub with a camera on its first port and an external hub, with another one, on its second."""
    hub = tmp_path / "devices" / "usb2"
    for device in (hub, hub / "2-1", hub / "2-1" / "2-1:1.0", hub / "2-2", hub / "2-2" / "2-2.4"):
        device.mkdir(parents=True)
        (device / "devnum").write_text("3")
        (device / "authorized").write_text("as it was")
    (hub / "2-1" / "2-1:1.0" / "video4linux" / "video0").mkdir(parents=True)
    return hub


@pytest.fixture
def port(hub: Path) -> Path:
    return hub / "2-1" / "2-1:1.0" / "video4linux" / "video0"


def switches(system: Path) -> dict[str, str]:
    return {path.parent.name: path.read_text() for path in system.rglob("authorized")}


def untouched(system: Path) -> bool:
    return set(switches(system).values()) == {"as it was"}


def test_the_camera_itself_is_switched_and_neither_its_interface_nor_a_hub(port: Path, tmp_path: Path) -> None:
    before = switches(tmp_path)
    assert cycle_power(str(port), tmp_path) == ""
    assert switches(tmp_path) == before | {"2-1": "1"}


def test_behind_an_external_hub_it_is_the_camera_too(hub: Path, tmp_path: Path) -> None:
    before = switches(tmp_path)
    assert cycle_power(str(hub / "2-2" / "2-2.4" / "2-2.4:1.0"), tmp_path) == ""
    assert switches(tmp_path) == before | {"2-2.4": "1"}


def test_where_the_camera_is_pulled_out_the_hub_keeps_its_power(hub: Path, port: Path, tmp_path: Path) -> None:
    shutil.rmtree(hub / "2-1")
    assert "nothing at the camera's USB port, 2-1" in cycle_power(str(port), tmp_path)
    shutil.rmtree(hub / "2-2" / "2-2.4")
    assert "nothing" in cycle_power(str(hub / "2-2" / "2-2.4" / "2-2.4:1.0"), tmp_path)
    assert untouched(tmp_path)


def test_nothing_outside_the_system_s_tree_and_no_root_hub_is_touched(hub: Path, port: Path, tmp_path: Path) -> None:
    for where in (str(port), "", "relative/port", str(tmp_path / "devices" / ".." / "devices")):
        assert "not known" in cycle_power(where, tmp_path / "elsewhere")
    assert "not known" in cycle_power(str(hub), tmp_path)
    assert untouched(tmp_path)


def test_a_switch_that_may_not_be_used_is_named(hub: Path, port: Path, tmp_path: Path) -> None:
    switch = hub / "2-1" / "authorized"
    switch.unlink()
    switch.symlink_to(READ_ONLY)
    said = cycle_power(str(port), tmp_path)
    assert f"stays on: {switch}" in said
    switch.unlink()
    assert untouched(tmp_path)


def test_power_that_does_not_come_back_is_not_called_on(
    hub: Path, port: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    switch = hub / "2-1" / "authorized"

    def forbid(_: float) -> None:
        assert switch.read_text() == "0"
        switch.unlink()
        switch.symlink_to(READ_ONLY)

    monkeypatch.setattr(usb_power.time, "sleep", forbid)
    assert "is switched off and stays so" in cycle_power(str(port), tmp_path)
