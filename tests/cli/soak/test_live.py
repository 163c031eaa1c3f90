"""Three minutes of a real soak, as a person starts it; and that nothing of it stays."""

from __future__ import annotations

import re
from pathlib import Path

import psutil
import pytest

from robot_rig.cli.soak.account import Outcome
from robot_rig.cli.soak.record import Paper, Record
from tests.tiny_run import start

pytestmark = [pytest.mark.proof, pytest.mark.usefixtures("ros_master")]


def test_three_minutes_of_practice_with_a_fault_of_each_rescue(tmp_path: Path) -> None:
    out = tmp_path / "soak"
    settings = ("sim.multisamples=0", "collect.steps=100", "collect.held_out_steps=50")
    words = [word for one in settings for word in ("--set", one)]
    process = start(["soak", "--hours", "0.05", "--out", str(out), *words], prepare="")
    said, errors = process.communicate(timeout=900)
    story = f"{said}\n{errors}\n" + "\n".join(path.read_text()[-1500:] for path in sorted(out.glob("logs/*.log")))
    # 1 is a bar missed, which a busy machine may do; what must hold on any is asked below.
    assert process.returncode in (0, 1), story
    line = said.rstrip("\n").rpartition("\n")[2]
    assert re.match(r"soak hours=0\.05 planned=\d+ caused=\d+ ", line), story
    record = Record.begin(out / "soak.json", Paper(0.05, 3, 0, (), settings))
    assert record.finished
    assert record.lost == 0, story
    assert record.logged > 100, story
    assert record.restarts >= 1, story
    went_on: dict[str, Outcome] = {one.rescue: one for one in record.outcomes if one.took_s >= 0.0}
    assert set(went_on) == {"alone", "operator", "restart"}, story
    assert {"rig_arm", "rig_practice", "rig_recorder", "rig_camera", "sim_sawyer", "rig_trainer"} <= {
        life.name for life in record.lives.values()
    }
    (uri,) = set(re.findall(r"http://127\.0\.0\.1:\d+", said))
    assert not [p for p in psutil.process_iter(["environ"]) if uri in (p.info["environ"] or {}).values()]
