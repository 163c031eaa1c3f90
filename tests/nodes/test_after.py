"""The wait of the launch files: for everything that was named, in words when it takes long, and then the command."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest

from robot_rig.errors import UserError
from robot_rig.nodes.after import Condition, main, parse, wait_for
from tests.house import ROOT
from tests.ros_graph import Master

ARM, EYE = Condition("/rig_arm", "/rig_arm/enable"), Condition("/rig_camera", "/rig/camera/frame")


def test_words_become_conditions_and_a_command() -> None:
    words = ["rig_arm:/rig_arm/enable", "/rig_camera:/rig/camera/frame", "--", "echo", "--", "a:/b"]
    assert parse(words) == ([ARM, EYE], ["echo", "--", "a:/b"])
    assert parse(["--", "true"]) == ([], ["true"])


@pytest.mark.parametrize(
    "words",
    [[], ["rig_arm:/rig_arm/enable"], ["rig_arm", "--", "x"], [":/a", "--", "x"], ["a:b", "--", "x"], ["a:/b", "--"]],
)
def test_what_makes_no_sense_is_refused(words: list[str], caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(UserError):
        parse(words)
    assert main(words) == 2
    assert len(caplog.records) == 1


def test_it_goes_on_only_when_all_are_there_at_once_and_tells_what_is_missing() -> None:
    looks: Iterator[set[Condition]] = iter([set(), {ARM}, {EYE}, {ARM}, {ARM, EYE}, set()])
    times = iter(range(0, 1000, 10))
    told: list[str] = []
    wait_for([ARM, EYE], lambda: next(looks), told.append, lambda: next(times), lambda _: None)
    assert next(looks) == set()
    # It is told in the second round and again in the fourth; both times the arm is there.
    assert told == ["still waiting for /rig/camera/frame of rig_camera"] * 2


def test_the_shim_becomes_the_command_once_the_master_lists_the_node(ros_master: Master, ros_node: str) -> None:
    done = subprocess.run(
        [ROOT / "launch/nodes/after", f"{ros_node}:/rosout", f"{ros_node}:{ros_node}/get_loggers", "--", "echo", "a b"],
        env=ros_master.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "a b\n", "")


def test_without_a_master_it_ends_in_words(ros_master: Master) -> None:
    done = subprocess.run(
        [ROOT / "launch/nodes/after", "a:/b", "--", "true"],
        env=ros_master.environment | {"ROS_MASTER_URI": "http://127.0.0.1:9"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert "the ROS master is gone" in done.stderr
    assert len(done.stderr.splitlines()) == 1
