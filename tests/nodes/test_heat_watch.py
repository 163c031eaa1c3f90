"""A hot computer begins nothing new and says so (row 45 of the faults); one without sensors is left alone.

That an episode which runs is finished in spite of an objection is the law of `tests/loops/test_live_episodes.py`.
"""

from __future__ import annotations

import logging
from pathlib import Path

import pytest

pytest.importorskip("rospy")

from robot_rig.config import Config
from robot_rig.datatypes import Mode, Outcome, Verdict
from robot_rig.nodes.heat_watch import HeatWatch
from robot_rig.nodes.policy_wiring import arm_view
from robot_rig.ros.arm_report import ArmReport


def zones(folder: Path, *texts: str) -> Path:
    """A folder as the kernel's, with these temperatures."""
    for number, text in enumerate(texts):
        zone = folder / f"thermal_zone{number}"
        zone.mkdir(parents=True, exist_ok=True)
        (zone / "temp").write_text(text)
    return folder


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
    watch = HeatWatch(zones(tmp_path, *texts))
    assert watch.look() == hottest
    assert bool(watch.objection) is objects


def test_it_objects_until_it_has_cooled_down(tmp_path: Path) -> None:
    watch = HeatWatch(tmp_path)
    objected = []
    for celsius in (70, 89, 91, 89, 86, 84, 89, 92):
        zones(tmp_path, str(1000 * celsius))
        watch.look()
        objected.append(bool(watch.objection))
    assert objected == [False, False, True, True, True, False, False, True]


def test_heat_is_told_once_each_time_it_comes(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    watch = HeatWatch(tmp_path)
    with caplog.at_level(logging.WARNING):
        for celsius in (70, 81, 85, 88, 75, 82):
            zones(tmp_path, str(1000 * celsius))
            watch.look()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "this computer is at 81 C",
        "this computer is at 82 C",
    ]


def test_a_sensor_that_goes_away_takes_its_objection_with_it(tmp_path: Path) -> None:
    watch = HeatWatch(zones(tmp_path, "95000"))
    watch.look()
    assert watch.objection
    (tmp_path / "thermal_zone0" / "temp").unlink()
    assert watch.look() is None
    assert not watch.objection


def test_a_policy_process_passes_the_objection_on(tmp_path: Path) -> None:
    watch = HeatWatch(zones(tmp_path, "95000"))
    watch.look()
    meaning = Config().control.meaning
    report = ArmReport(1.0, Mode.ACTIVE, (), Verdict(Outcome.PASSED), None, -1, None, -1, True, "ok", meaning=meaning)
    assert "95 C" in arm_view(report, meaning, watch.objection).objection
    assert arm_view(report, meaning, "").objection == ""
