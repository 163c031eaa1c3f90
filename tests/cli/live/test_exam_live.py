"""`rig eval --backend ros` as a user runs it: in a graph of its own, and in a robot's with a person at the terminal."""

from __future__ import annotations

import contextlib
import os
import pty
import re
import subprocess
import sys
import threading
import time
from contextlib import ExitStack
from pathlib import Path

import pytest

from robot_rig.cli.live.exam import find_venue
from robot_rig.cli.main import main
from robot_rig.errors import UserError
from robot_rig.evaluation_attempts import LATENT, PIXEL, TOOL
from robot_rig.evaluation_folder import CHECKPOINT, LIVE, ROBOT, ExamFolder
from robot_rig.ros.connect import advertise
from robot_rig.ros.topics import ACTION, ARM_STATUS, GOAL, Topic
from tests.cli.conftest import Demo
from tests.cli.live.test_demo_live import PATIENT
from tests.house import ROOT
from tests.live_robot import live_robot, process_in_graph
from tests.ros_graph import Master, start_master
from tests.tiny_run import PREPARE, RUN, start

SHIPPED = "checkpoints/practice-000050"
NOBODY_MEASURES = """
import robot_rig.cli.live.exam
robot_rig.cli.live.exam._tells = lambda ruler: False
"""
LIMIT_S = 300.0


@pytest.mark.proof
def test_a_checkpoint_is_examined_over_ros_and_the_finished_exam_brings_nothing_up(demo: Demo, tmp_path: Path) -> None:
    out = tmp_path / "exam"
    words = ["eval", "--checkpoint", str(demo.folder / SHIPPED), "-n", "2", "--backend", "ros", "--out", str(out)]
    process = start(words, PATIENT, ROS_MASTER_URI="http://127.0.0.1:9")
    said, errors = process.communicate(timeout=LIMIT_S)
    logs = "\n".join(path.read_text()[-500:] for path in sorted((out / "logs").glob("*.log")))
    assert process.returncode == 0, f"{said}\n{errors}\n{logs}"
    folder = ExamFolder.open(out)
    assert (folder.paper.held, folder.policies) == (LIVE, (CHECKPOINT,))
    tries, seen = folder.attempts(CHECKPOINT), folder.sightings()
    assert {ruler for one in tries for ruler in one.distances} == {TOOL, LATENT, PIXEL}
    line = said.rstrip("\n").rpartition("\n")[2]
    assert re.match(r"eval goals=seed-12345 n=2 success=\d ", line), line
    assert "missed=" in line
    assert all(one.reached is None and one.seconds > 0.0 for one in seen)
    assert "Over the live graph" in (out / "report.html").read_text()
    before = (out / "logs" / "policy.log").stat().st_mtime_ns
    again = start(words, PATIENT, ROS_MASTER_URI="http://127.0.0.1:9")
    told, errors = again.communicate(timeout=LIMIT_S)
    assert again.returncode == 0, errors
    assert told.rstrip("\n").rpartition("\n")[2] == line
    assert (out / "logs" / "policy.log").stat().st_mtime_ns == before


def answer(keyboard: int, ended: threading.Event, heard: bytearray) -> None:
    """Be the person: enable whenever that is asked, and find every goal reached."""
    os.set_blocking(keyboard, False)
    while not ended.wait(0.05):
        with contextlib.suppress(BlockingIOError, OSError):
            new = os.read(keyboard, 65536)
            heard.extend(new)
            if b"e enable" in new or b"then enable" in new:
                os.write(keyboard, b"e")
            if b"g go on" in new:
                os.write(keyboard, b"g")
            if b"did the arm reach it" in new and b"y yes" in new:
                os.write(keyboard, b"y")


@pytest.mark.proof
def test_in_a_robots_graph_a_person_enables_and_judges(demo: Demo, tmp_path: Path) -> None:
    (pictures,) = demo.folder.glob("evaluation/goals-*/pictures")
    out = tmp_path / "exam"
    words = ["eval", "--checkpoint", str(demo.folder / SHIPPED), "-n", "2", "--backend", "ros", "--out", str(out)]
    master = start_master(tmp_path)
    keyboard, terminal = pty.openpty()
    ended, heard = threading.Event(), bytearray()
    hand = threading.Thread(target=answer, args=(keyboard, ended, heard))
    hand.start()
    try:
        with (
            live_robot(master),
            process_in_graph(master, "drivers.camera_node"),
            process_in_graph(master, "drivers.arm_node"),
        ):
            time.sleep(10.0)
            seeded = _rig(master, words, terminal)
            assert seeded.returncode == 2
            assert "seeded goals are pictures of the simulated camera" in seeded.stderr
            done = _rig(master, [*words, "--goals", str(pictures)], terminal)
    finally:
        ended.set()
        hand.join()
        os.close(keyboard)
        os.close(terminal)
        master.stop()
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}\n{bytes(heard)!r}"
    folder = ExamFolder.open(out)
    assert folder.paper.held == ROBOT
    assert [one.reached for one in folder.sightings()] == [True, True]
    assert "by_eye=2 by_eye_of=2" in done.stdout
    assert "Nobody measures" in (out / "report.html").read_text()
    assert b"Nobody in its reach" in heard


def _rig(master: Master, words: list[str], terminal: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", PREPARE + PATIENT + NOBODY_MEASURES + RUN, *words],
        cwd=ROOT, env=master.environment, stdin=terminal, capture_output=True, text=True, timeout=LIMIT_S, check=False,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--backend", "robot"], "sim"),
        (["--run", "RUN", "--backend", "ros"], "--backend are for one checkpoint"),
    ],
)
def test_an_unknown_backend_and_a_whole_run_are_refused(
    words: list[str], sentence: str, demo: Demo, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["eval", *(str(demo.folder) if word == "RUN" else word for word in words)]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line


def test_a_robot_that_does_not_answer_is_no_reason_to_simulate(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_MASTER_URI", "http://203.0.113.7:9")
    words = ["eval", "--checkpoint", str(demo.folder / SHIPPED), "-n", "1", "--backend", "ros"]
    assert main([*words, "--out", str(tmp_path / "exam")]) == 2
    assert "203.0.113.7:9 does not answer" in capsys.readouterr().err
    assert not (tmp_path / "exam").exists()


@pytest.mark.usefixtures("ros_node")
def test_a_graph_without_an_arm_process_is_refused(
    demo: Demo, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["eval", "--checkpoint", str(demo.folder / SHIPPED), "-n", "1", "--backend", "ros"]
    assert main([*words, "--out", str(tmp_path / "exam")]) == 2
    assert "no arm process reports" in capsys.readouterr().err
    assert not (tmp_path / "exam").exists()


@pytest.mark.usefixtures("ros_node")
@pytest.mark.parametrize(("topic", "sentence"), [(GOAL, "somebody else shows goals"), (ACTION, "another policy acts")])
def test_an_arm_that_others_lead_is_left_to_them(topic: Topic, sentence: str) -> None:
    report, other, ended = advertise(ARM_STATUS), advertise(topic), threading.Event()

    def talk() -> None:
        while not ended.wait(0.05):
            report.publish(ARM_STATUS.message())

    talking = threading.Thread(target=talk)
    talking.start()
    try:
        with ExitStack() as stack, pytest.raises(UserError, match=sentence):
            find_venue(stack)
    finally:
        ended.set()
        talking.join()
        report.unregister()
        other.unregister()
