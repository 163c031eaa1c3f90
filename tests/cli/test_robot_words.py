"""The words for an arm in the ROS graph, spoken to a graph that has what they need, or has not."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rospy
from std_srvs.srv import Trigger, TriggerResponse

from robot_rig.cli.main import main
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import IMAGE_SHAPE, Floats, Frame, Goal, Mode, Outcome, Verdict
from robot_rig.ros.arm_report import ArmReport, report_message
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import frame_message, read_goal
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import ARM_STATUS, CAMERA_FRAME, GOAL, Topic, arm_service
from robot_rig.vision import load_goal_picture
from tests.ros_graph import Master, eventually

Capture = pytest.CaptureFixture[str]
STAMPS = HostStamps()
CONFIG = Config()
RGB = np.random.default_rng(3).integers(0, 256, IMAGE_SHAPE, np.uint8)


@contextmanager
def service(name: str, success: bool, message: str) -> Iterator[list[str]]:
    asked: list[str] = []

    def answer(_: Any) -> Any:
        asked.append(name)
        return TriggerResponse(success=success, message=message)

    serving = rospy.Service(arm_service(name), Trigger, answer)
    try:
        yield asked
    finally:
        serving.shutdown()


@contextmanager
def repeating(topic: Topic, make: Any) -> Iterator[None]:
    publisher = advertise(topic)
    timer = rospy.Timer(rospy.Duration(0.03), lambda _: publisher.publish(make()))
    try:
        yield
    finally:
        timer.shutdown()
        timer.join()
        publisher.unregister()


def picture() -> Any:
    return frame_message(Frame(5, time.monotonic(), RGB), STAMPS)


def fault() -> Any:
    verdict = Verdict(Outcome.LATCHED, ("stop",))
    report = ArmReport(time.monotonic(), Mode.FAULT, ("stop",), verdict, None, -1, None, -1, False, "ok")
    return report_message(report, STAMPS)


def refused(capsys: Capture, words: list[str]) -> str:
    capsys.readouterr()
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


def said(word: str) -> list[str]:
    """The order as a script gives it: where nobody can be asked, yes has to be said beforehand."""
    return [word, "--yes"] if word == "enable" else [word]


@pytest.mark.parametrize("word", ["enable", "hold", "home", "reset", "stop"])
def test_an_order_is_a_service_and_its_answer_is_shown(ros_node: str, capsys: Capture, word: str) -> None:
    with service(word, True, "as you wish [really]") as asked:
        assert main(said(word)) == 0
    assert asked == [word]
    assert "as you wish [really]" in capsys.readouterr().out


@pytest.mark.parametrize("word", ["enable", "stop"])
def test_without_an_arm_process_an_order_is_one_line(ros_node: str, capsys: Capture, word: str) -> None:
    assert "the arm process is not there" in refused(capsys, said(word))


def test_without_a_master_an_order_is_one_line(
    ros_master: Master, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_MASTER_URI", "http://127.0.0.1:1")
    assert "the ROS master does not answer" in refused(capsys, ["hold"])


def test_enable_shows_why_the_arm_stands(ros_node: str, capsys: Capture) -> None:
    with repeating(ARM_STATUS, fault), service("enable", False, "a fault is latched"):
        assert main(["enable", "--yes"]) == 2
    told = capsys.readouterr()
    assert "mode fault" in told.out
    assert "stop: A person or a program ordered a stop" in told.out
    assert "a fault is latched" in told.err


@pytest.mark.parametrize(("answer", "enabled"), [("n\n", False), ("", False), ("yes\n", True)])
def test_on_a_terminal_enable_asks_first(
    ros_node: str, monkeypatch: pytest.MonkeyPatch, answer: str, enabled: bool
) -> None:
    typed = io.StringIO(answer)
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", typed)
    with service("enable", True, "on") as asked:
        assert main(["enable"]) == (0 if enabled else 1)
    assert bool(asked) is enabled


@pytest.mark.parametrize("word", ["open", "close", "status"])
def test_the_gripper_is_moved_by_the_arm_process(ros_node: str, capsys: Capture, word: str) -> None:
    with service(f"gripper_{word}", True, "gripper 41.7 mm open, calibrated") as asked:
        assert main(["gripper", word]) == 0
    assert asked == [f"gripper_{word}"]
    assert "41.7 mm" in capsys.readouterr().out
    assert "the arm process is not there" in refused(capsys, ["gripper", word])


@pytest.mark.parametrize(("answer", "moved"), [("n\n", False), ("", False), ("yes\n", True)])
def test_before_the_fingers_move_by_themselves_a_person_is_asked(
    ros_node: str, monkeypatch: pytest.MonkeyPatch, capsys: Capture, answer: str, moved: bool
) -> None:
    typed = io.StringIO(answer)
    monkeypatch.setattr(typed, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", typed)
    with service("gripper_calibrate", True, "calibrated") as asked:
        assert main(["gripper", "calibrate"]) == (0 if moved else 1)
    assert bool(asked) is moved
    assert "nobody's hand near" in capsys.readouterr().out


def test_a_script_does_not_calibrate_by_accident(
    ros_node: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    with service("gripper_calibrate", True, "calibrated") as asked:
        assert "add --yes" in refused(capsys, ["gripper", "calibrate"])
        assert not asked
        assert main(["gripper", "calibrate", "--yes"]) == 0
    assert asked == ["gripper_calibrate"]


def test_a_script_does_not_enable_by_accident(ros_node: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("yes\n"))
    with service("enable", True, "on") as asked:
        assert "add --yes" in refused(capsys, ["enable"])
    assert not asked


def test_a_goal_is_the_picture_that_the_camera_shows(ros_node: str, tmp_path: Path, capsys: Capture) -> None:
    folder = str(tmp_path / "goals")
    with repeating(CAMERA_FRAME, picture):
        assert main(["goals", "capture", "cup", "--goals", folder]) == 0
        assert "already" in refused(capsys, ["goals", "capture", "cup", "--goals", folder])
    assert (load_goal_picture(tmp_path / "goals" / "cup.png") == RGB).all()
    assert main(["goals", "list", "--goals", folder]) == 0
    assert "cup" in capsys.readouterr().out
    assert main(["goals", "show", "--goals", folder]) == 0
    assert (tmp_path / "goals" / "sheets" / "cup.png").stat().st_size > 1000
    assert "calibration" in refused(capsys, ["goals", "send", "cup", "--goals", folder, "--set", "camera.crop_px=336"])
    assert main(["goals", "delete", "cup", "--goals", folder]) == 0
    assert "no goal 'cup'" in refused(capsys, ["goals", "delete", "cup", "--goals", folder])


def test_a_goal_that_is_sent_arrives_with_its_calibration(ros_node: str, tmp_path: Path, capsys: Capture) -> None:
    folder = str(tmp_path)
    with repeating(CAMERA_FRAME, picture):
        assert main(["goals", "capture", "cup", "--goals", folder]) == 0
    arrived: list[Goal | Refused] = []
    subscriber = rospy.Subscriber(GOAL.name, GOAL.message, lambda message: arrived.append(read_goal(message, 1.0)))
    try:
        assert main(["goals", "send", "cup", "--goals", folder]) == 0
        assert eventually(lambda: arrived)
    finally:
        subscriber.unregister()
    assert isinstance(goal := arrived[0], Goal)
    assert (goal.image == RGB).all()
    assert (goal.id, goal.source, len(goal.calibration_id)) == ("cup", "captured", 12)


def test_without_a_camera_there_is_no_goal(ros_node: str, tmp_path: Path, capsys: Capture) -> None:
    assert "no picture on" in refused(capsys, ["goals", "capture", "cup", "--goals", str(tmp_path)])
    assert list(tmp_path.iterdir()) == []


def arm_at(tool: Floats) -> Any:
    verdict = Verdict(Outcome.HELD, ("hold",))
    now = time.monotonic()
    return report_message(ArmReport(now, Mode.HOLD, ("hold",), verdict, None, -1, None, -1, False, "ok", tool), STAMPS)


def test_a_box_is_made_of_where_the_tool_was(ros_node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # By the table of this very arm, which no posture and no table of ours would give.
    tools = [np.array([0.5617, 0.0923, 0.06]), np.array([0.7281, -0.1104, 0.06])]
    now = [tools[0]]

    def lines() -> Iterator[str]:
        yield "\n"
        now[0] = tools[1]
        # What was published before the arm moved may still be on its way.
        time.sleep(0.2)
        yield "\n"
        yield "q\n"

    monkeypatch.setattr("sys.stdin", lines())
    with repeating(ARM_STATUS, lambda: arm_at(now[0])):
        assert main(["box", "--out", str(tmp_path / "box.yaml")]) == 0
    guard = load_config([tmp_path / "box.yaml"], []).guard
    assert np.allclose(guard.box_low_m[:2], np.min(tools, axis=0)[:2], atol=0.001)
    assert np.allclose(guard.box_high_m[:2], np.max(tools, axis=0)[:2], atol=0.001)


def test_a_box_of_no_corners_is_none(
    ros_node: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.setattr("sys.stdin", iter([]))
    assert main(["box", "--out", str(tmp_path / "box.yaml")]) == 1
    assert capsys.readouterr().out.splitlines()[-1] == "no box was made"


def test_the_doctor_looks_at_the_graph_and_leaves_it_alone(ros_node: str, tmp_path: Path, capsys: Capture) -> None:
    with repeating(CAMERA_FRAME, picture), repeating(ARM_STATUS, fault):
        code = main(["doctor", "--json", "--run", str(tmp_path)])
    printed = capsys.readouterr().out
    found = {finding["name"]: finding for finding in json.loads(printed)}
    assert code == 1
    assert found["arm process"]["level"] == "red"
    assert "fault" in found["arm process"]["what"]
    assert "/rig/camera/frame" in found["camera"]["what"]
    assert found["robot"]["level"] == "yellow"
    assert found["master"]["level"] == "green"
    assert not rospy.is_shutdown()
