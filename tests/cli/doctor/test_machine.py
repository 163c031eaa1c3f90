"""What the doctor says of a machine, on machines that are made up and on this one."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from robot_rig.cli.doctor.findings import Level
from robot_rig.cli.doctor.machine import (
    CHECKOUT,
    check_apt,
    check_config,
    check_disk,
    check_python,
    check_real_time,
    check_run_folder,
    machine_checks,
    missing_packages,
)
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.errors import UserError
from tests.house import ROOT


def test_it_knows_where_the_checkout_is() -> None:
    assert CHECKOUT == ROOT


@pytest.mark.parametrize(
    ("version", "prefix", "level"),
    [
        ((3, 9, 2), str(ROOT / ".venv"), Level.RED),
        ((3, 10, 0), sys.base_prefix, Level.YELLOW),
        ((3, 10, 0), "/elsewhere/.venv", Level.YELLOW),
        ((3, 12, 1), str(ROOT / ".venv"), Level.GREEN),
    ],
)
def test_python(version: tuple[int, ...], prefix: str, level: Level) -> None:
    (finding,) = check_python(version, prefix)
    assert finding.level is level


def test_a_package_is_missing_when_none_of_its_kind_is_installed() -> None:
    entries = ["make", "a|b", "c|d", "e?", "f?"]
    assert missing_packages(entries, frozenset({"make", "b", "e"})) == ["c|d", "f?"]


@pytest.mark.parametrize(
    ("line", "level"),
    [("no-such-package-ever", Level.RED), ("no-such-package-ever?", Level.YELLOW), ("# only a comment", Level.GREEN)],
)
def test_apt_asks_for_what_is_needed_and_offers_the_rest(tmp_path: Path, line: str, level: Level) -> None:
    listing = tmp_path / "apt.txt"
    listing.write_text(f"# what is needed\n{line}\n")
    (finding,) = check_apt(listing)
    assert finding.level is level
    assert level is Level.GREEN or "no-such-package-ever" in finding.fix


def test_settings_that_the_guard_refuses_are_refused_in_its_words() -> None:
    with pytest.raises(UserError, match="out of the arm's reach"):
        check_config(load_config([], ["guard.box_high_m=[1.5, 0.2, 0.3]"]))
    (finding,) = check_config(Config())
    assert finding.level is Level.GREEN


def test_a_run_folder_need_not_exist_but_must_be_possible(tmp_path: Path) -> None:
    (finding,) = check_run_folder(tmp_path / "not" / "yet")
    assert finding.level is Level.GREEN
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    (finding,) = check_run_folder(tmp_path / "file" / "run")
    assert finding.level is Level.RED


@pytest.mark.parametrize(("hours", "level"), [(0.001, Level.GREEN), (1e9, Level.RED)])
def test_disk_room_is_judged_by_the_hours_asked_for(tmp_path: Path, hours: float, level: Level) -> None:
    (finding,) = check_disk(tmp_path / "run", hours, Config())
    assert finding.level is level


def test_real_time_is_tried_and_leaves_this_thread_alone() -> None:
    import os

    before = os.sched_getscheduler(0)
    assert {finding.name for finding in check_real_time()} == {"real time", "memory lock", "kernel"}
    assert os.sched_getscheduler(0) == before


def test_every_check_says_something_on_this_machine(tmp_path: Path) -> None:
    for name, check in machine_checks(Config(), tmp_path, 1.0).items():
        assert check(), name
