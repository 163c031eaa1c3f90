"""Unattended collection against the simulated Sawyer, as collect.launch starts it."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

from robot_rig.data.check import survey
from robot_rig.errors import UserError
from robot_rig.ros.orders import give_order
from tests.children import die_with_parent
from tests.house import ROOT
from tests.live_robot import live_robot, process_in_graph
from tests.ros_graph import Master, eventually

MINUTES = 5.0
"""A quarter of the 20 minutes that the box is to be covered in."""

LAST_LINE = re.compile(r"collect minutes=([\d.]+) cells=(\d+) of=(\d+) human_actions=(\d+)\s*$")


def enabled() -> bool:
    try:
        return bool(give_order("enable"))
    except UserError:
        return False


@pytest.mark.proof
def test_after_one_enable_the_arm_covers_its_box_alone(ros_master: Master, ros_node: str, tmp_path: Path) -> None:
    run, said = tmp_path / "run", tmp_path / "said"
    with (
        live_robot(ros_master),
        process_in_graph(ros_master, "drivers.camera_node"),
        process_in_graph(ros_master, "drivers.arm_node"),
        process_in_graph(ros_master, "robot_rig.nodes.recorder_node", "--run", str(run)),
        said.open("wb") as out,
    ):
        command = [sys.executable, "-m", "robot_rig.nodes.collect_node", "--minutes", str(MINUTES)]
        process = subprocess.Popen(
            command, cwd=ROOT, env=ros_master.environment, stdout=out, stderr=out, preexec_fn=die_with_parent
        )
        try:
            assert eventually(lambda: "waiting for a person" in said.read_text(), 60)
            assert eventually(enabled, 60)
            began = time.monotonic()
            assert process.wait(60 * MINUTES + 120) == 0, said.read_text()
            assert time.monotonic() - began >= 60 * MINUTES
        finally:
            process.kill()
            process.wait()
    found = LAST_LINE.search(said.read_text())
    assert found, said.read_text()
    minutes, cells, of, human_actions = map(float, found.groups())
    assert minutes >= MINUTES
    assert human_actions == 0
    assert cells >= 0.8 * of, found.group()
    episodes = survey(run / "episodes", 10.0)
    assert sum(episode.steps for episode in episodes) > 0.7 * 600 * MINUTES
