"""A hot computer, or one that is out of battery, begins nothing new and says so (row 45 of the faults).

One that tells nothing is left alone. That an episode which runs is finished in spite of an objection is the law of
`tests/loops/test_live_episodes.py`; row 45 itself has both together (`tests/faults/test_alone_computer.py`).
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

pytest.importorskip("rospy")

from robot_rig.config import Config
from robot_rig.datatypes import Mode, Outcome, Verdict
from robot_rig.nodes.computer_watch import BLIND_LOOKS, ComputerWatch, charge_left
from robot_rig.nodes.policy_wiring import arm_view
from robot_rig.ros.arm_report import ArmReport


def zones(folder: Path, *texts: str) -> Path:
    """A folder as the kernel's, with these temperatures."""
    for number, text in enumerate(texts):
        zone = folder / f"thermal_zone{number}"
        zone.mkdir(parents=True, exist_ok=True)
        (zone / "temp").write_text(text)
    return folder


def supply(folder: Path, name: str, **says: str) -> Path:
    """A power supply as the kernel shows one, in `folder`."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    for what, text in says.items():
        (folder / name / what).write_text(f"{text}\n")
    return folder


def battery(folder: Path, percent: int | str, status: str = "Discharging", name: str = "BAT0") -> Path:
    return supply(folder, name, type="Battery", status=status, capacity=str(percent))


def hot(folder: Path) -> ComputerWatch:
    """Watches temperatures alone."""
    return ComputerWatch(folder, folder / "no supplies")


@pytest.mark.parametrize(
    ("texts", "hottest", "objects"),
    [
        (["42000\n", "79900\n"], 79.9, False),
        (["91000\n", "30000\n"], 91.0, True),
        (["90000\n"], 90.0, True),
        (["89999\n"], 89.999, False),
        (["-273000\n", "255000\n", "50000"], 50.0, False),
        (["", "hot", "60000\n"], 60.0, False),
        (["255000\n"], None, False),
        ([], None, False),
    ],
)
def test_the_hottest_believable_zone_counts(
    tmp_path: Path, texts: list[str], hottest: float | None, objects: bool
) -> None:
    watch = hot(zones(tmp_path, *texts))
    assert watch.look() == (hottest, None)
    assert bool(watch.objection) is objects


def test_it_objects_until_it_has_cooled_down(tmp_path: Path) -> None:
    watch = hot(tmp_path)
    objected = []
    for celsius in (70, 89, 91, 89, 86, 84, 89, 92):
        zones(tmp_path, str(1000 * celsius))
        watch.look()
        objected.append(bool(watch.objection))
    assert objected == [False, False, True, True, True, False, False, True]


def test_a_reading_that_fails_does_not_make_a_hot_computer_fit(tmp_path: Path) -> None:
    watch = hot(zones(tmp_path, "95000"))
    watch.look()
    zones(tmp_path, "garbled")
    looks = [(watch.look().celsius, bool(watch.objection)) for _ in range(BLIND_LOOKS + 1)]
    assert looks == [(95.0, True)] * BLIND_LOOKS + [(None, False)]


def test_a_battery_that_runs_down_is_objected_to_until_it_is_plugged_in_or_charged(tmp_path: Path) -> None:
    watch, objected = ComputerWatch(tmp_path / "no zones", tmp_path), []
    says = [(50, "Discharging"), (11, "Discharging"), (10, "Discharging"), (14, "Discharging"), (16, "Discharging")]
    for percent, status in [*says, (9, "Discharging"), (9, "Charging"), (9, "Full")]:
        battery(tmp_path, percent, status)
        watch.look()
        objected.append(watch.objection.partition(",")[0])
    at = "this computer's battery is at {} %"
    assert objected == ["", "", at.format(10), at.format(14), "", at.format(9), "", ""]


def test_what_is_no_battery_of_this_computer_does_not_count(tmp_path: Path) -> None:
    assert charge_left(tmp_path / "nowhere") is None
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(tmp_path, "hidpp_battery_0", type="Battery", scope="Device", status="Discharging", capacity="3")
    assert charge_left(tmp_path) is None
    battery(tmp_path, "full")
    assert charge_left(tmp_path) is None
    battery(tmp_path, 0, "Not charging", "BAT0")
    battery(tmp_path, 60, "Discharging", "BAT1")
    assert charge_left(tmp_path) == 60.0, "an empty one beside one that is used"


def test_heat_is_told_once_each_time_it_comes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = ComputerWatch(tmp_path / "zones", tmp_path / "supplies")
    with caplog.at_level(logging.WARNING):
        for celsius, percent in ((70, 50), (81, 20), (85, 15), (88, 12), (75, 21), (82, 20)):
            zones(tmp_path / "zones", str(1000 * celsius))
            battery(tmp_path / "supplies", percent)
            watch.look()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "this computer is at 81 C",
        "this computer's battery is at 20 %",
        "this computer is at 82 C",
        "this computer's battery is at 20 %",
    ]


def test_a_sensor_that_goes_away_takes_its_objection_with_it(tmp_path: Path) -> None:
    watch = hot(zones(tmp_path, "95000"))
    watch.look()
    assert watch.objection
    (tmp_path / "thermal_zone0" / "temp").unlink()
    for _ in range(BLIND_LOOKS):
        watch.look()
    assert watch.look() == (None, None)
    assert not watch.objection


def test_a_policy_process_passes_the_objection_on(tmp_path: Path) -> None:
    watch = ComputerWatch(zones(tmp_path / "zones", "95000"), battery(tmp_path / "supplies", 5))
    watch.look()
    meaning = Config().control.meaning
    report = ArmReport(1.0, Mode.ACTIVE, (), Verdict(Outcome.PASSED), None, -1, None, -1, True, "ok", meaning=meaning)
    objection = arm_view(report, meaning, watch.objection).objection
    assert "95 C" in objection
    assert "5 %" in objection
    assert arm_view(report, meaning, "").objection == ""
