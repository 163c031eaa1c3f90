"""`rig calibrate poses` and `wiggle` as a person types them, in a graph with a guard around an arm of arithmetic."""

from __future__ import annotations

import _thread
import re
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

import drivers.posture_visits as posture_visits
from calibration import latency
from calibration.board import Board
from calibration.lens import Lens
from calibration.poses import Room, RoughView, hangs_below, plan_poses, upright_camera
from calibration.recording import SENT_TOPIC, STATE_TOPIC
from calibration.results import Results
from calibration.tour import Plan, keep_plan, read_plan, unseen
from calibration.views import view_names
from drivers.fake import FakeArm
from robot_rig.cli import led_arm
from robot_rig.cli.calibrate_capture import capture, settled_view
from robot_rig.cli.calibrate_poses import Poses
from robot_rig.cli.calibrate_wiggle import enough, wiggle
from robot_rig.cli.main import main
from robot_rig.clock import WallClock
from robot_rig.data.bag import open_bag
from robot_rig.datatypes import Bytes, Floats, Mode, Source
from robot_rig.errors import UserError
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import state_message
from robot_rig.ros.stamps import HostStamps
from robot_rig.ros.topics import ARM_STATE
from robot_rig.ros.visitor import check_topic, visit
from tests.calibration.results_made import SERIAL, lens_record
from tests.calibration.twin import Twin, held_board
from tests.cli.arm_in_node import ARM, CONFIG, TOPIC, Person, Robot
from tests.ros_graph import eventually

BOARD = Board()
ROOM = Room(CONFIG, 0.10, ARM)
ROUGH = RoughView(
    Lens.configured(CONFIG.camera),
    upright_camera(np.array(CONFIG.sim.camera_position_m), np.array(CONFIG.sim.camera_target_m)),
    held_board(BOARD),
    BOARD,
)
Capture = pytest.CaptureFixture[str]


@pytest.fixture(scope="module")
def poses() -> list[Floats]:
    return plan_poses(ROOM, 8, lambda joints: ROUGH.sees(ARM, joints), 0)


@pytest.fixture(scope="module")
def drawn(poses: list[Floats]) -> Bytes:
    """The twin with its board, at the first pose."""
    twin = Twin(CONFIG, BOARD, held_board(BOARD))
    twin.pose_arm(poses[0])
    rgb = twin.draw()
    twin.close()
    return rgb


@pytest.fixture
def robot(
    ros_node: str, poses: list[Floats], drawn: Bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Robot]:
    # How soon silence ends it is tested on a manual clock; a test machine may be busy.
    monkeypatch.setattr(posture_visits, "SILENT_S", 10.0)
    monkeypatch.setattr(led_arm, "SILENT_S", 10.0)
    monkeypatch.chdir(tmp_path)
    Results(tmp_path / "calibrations").keep(lens_record(SERIAL))
    made = Robot(poses[0], poses[1], drawn)
    yield made
    made.close()


WORDS = ["calibrate", "poses", "--serial", SERIAL]


def test_a_tour_is_interrupted_by_a_person_and_the_same_word_goes_on(
    robot: Robot, poses: list[Floats], tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "hand"
    plan = Plan((poses[0], poses[1]), 0.10)
    keep_plan(folder, plan)
    with Person(robot, folder, 1, robot.process.hold):
        assert main(WORDS) == 2
    told = capsys.readouterr()
    assert "hand: 2 poses, 2 of them without a view" in told.out
    assert "waiting for a person to enable the arm: rig enable" in told.out
    assert "the arm is led no more: mode hold" in told.err
    assert robot.process.mode is Mode.HOLD
    assert len(unseen(plan, folder)) == 1
    with Person(robot, folder, 2, lambda: None):
        assert main(WORDS) == 0
    told = capsys.readouterr()
    assert "hand: 2 poses, 1 of them without a view" in told.out
    assert re.search(r"hand/view-001.png: \d+ of 24 corners of the board", told.out)
    assert f"next: rig calibrate handeye hand --serial {SERIAL}" in told.out
    assert view_names(folder) == ["view-000.png", "view-001.png"]
    assert unseen(plan, folder) == []
    assert robot.process.mode is Mode.HOLD
    assert set(robot.modes) == {Mode.DISABLED, Mode.ACTIVE, Mode.HOMING, Mode.HOLD}
    assert main(WORDS) == 0
    assert "0 of them without a view" in capsys.readouterr().out


def test_ctrl_c_holds_the_arm_and_keeps_the_views(
    robot: Robot, poses: list[Floats], tmp_path: Path, capsys: Capture
) -> None:
    folder = tmp_path / "hand"
    keep_plan(folder, Plan((poses[0], poses[1]), 0.10))
    with Person(robot, folder, 1, _thread.interrupt_main):
        assert main(WORDS) == 130
    # Not by silence, which is ten seconds long here, but because the program is gone.
    assert robot.process.mode is Mode.HOLD
    assert view_names(folder) == ["view-000.png"]
    told = capsys.readouterr()
    assert "the arm holds" in told.out
    assert "To go on: the same command" in told.err


@pytest.mark.parametrize("last", [lambda: None, _thread.interrupt_main], ids=["alone", "then Ctrl-C"])
def test_who_is_sent_home_during_a_tour_gets_there(
    robot: Robot, poses: list[Floats], last: Callable[[], None], tmp_path: Path, capsys: Capture
) -> None:
    def send_home() -> None:
        robot.process.home()
        last()

    folder = tmp_path / "hand"
    keep_plan(folder, Plan((poses[0], poses[2]), 0.10))
    with Person(robot, folder, 1, send_home):
        assert main(WORDS) == (2 if last is not _thread.interrupt_main else 130)
    told = capsys.readouterr()
    # No pose is blamed for what a person did.
    assert "left out" not in told.out
    if last is not _thread.interrupt_main:
        assert "the arm is led no more: it goes home, where somebody has sent it" in told.err
    assert eventually(lambda: robot.process.mode is Mode.HOLD)
    assert np.abs(robot.arm.state().position - poses[1]).max() < 0.01
    assert len(unseen(Plan((poses[0], poses[2]), 0.10), folder)) == 1


def test_an_arm_that_a_person_has_is_left_to_them(robot: Robot, poses: list[Floats], capsys: Capture) -> None:
    keep_plan(Path("hand"), Plan((poses[0], poses[2]), 0.10))
    robot.process.enable(Source.HUMAN)
    assert main(WORDS) == 2
    told = capsys.readouterr()
    assert "left out" not in told.out
    assert "the arm is led no more: a person has it" in told.err
    assert robot.process.mode is Mode.ACTIVE


def test_the_plan_follows_from_how_the_board_is_seen_to_hang(robot: Robot, tmp_path: Path) -> None:
    with visit("rig_test"):
        work = Poses(tmp_path / "hand", TOPIC, BOARD, Lens.configured(CONFIG.camera), CONFIG)
        plan = work.plan(8, ARM)
        assert read_plan(tmp_path / "hand") is not None
        assert len(plan.poses) == 8
        assert all(ROUGH.sees(ARM, pose) for pose in plan.poses)
        assert plan.below_m == pytest.approx(
            hangs_below(held_board(BOARD), BOARD, CONFIG.control.tool_offset_m), abs=0.01
        )
        robot.rgb = np.full_like(robot.rgb, 90)
        blind = Poses(tmp_path / "other", TOPIC, BOARD, Lens.configured(CONFIG.camera), CONFIG)

        def unseen_now() -> bool:
            # What was published before may still be on its way.
            try:
                blind.plan(8, ARM)
            except UserError as error:
                return "the board is not seen from here" in error.problem
            return (tmp_path / "other" / "plan.yaml").unlink() is not None

        assert eventually(unseen_now, 20.0)


def test_joints_that_are_no_numbers_are_not_taken_for_an_arm_that_moves(ros_node: str) -> None:
    states, ended = advertise(ARM_STATE), threading.Event()
    garbled = replace(FakeArm(WallClock(), np.zeros(7)).state(), position=np.full(7, np.nan))

    def report() -> None:
        while not ended.wait(0.02):
            states.publish(state_message(garbled, HostStamps()))

    reporting = threading.Thread(target=report)
    reporting.start()
    try:
        with pytest.raises(UserError, match="joints that are no numbers"):
            settled_view(TOPIC, CONFIG.camera, HostStamps())
    finally:
        ended.set()
        reporting.join()
        states.unregister()


def test_what_is_missing_is_said_before_anything_moves(robot: Robot, tmp_path: Path, capsys: Capture) -> None:
    assert main(["calibrate", "poses", "--serial", "1"]) == 2
    assert "`rig calibrate intrinsics` first" in capsys.readouterr().err
    assert main([*WORDS, "--count", "3"]) == 2
    assert "--count 3 is not from 8 to 100" in capsys.readouterr().err
    assert robot.process.mode is Mode.DISABLED


def test_a_wiggle_is_played_by_actions_and_recorded(robot: Robot, tmp_path: Path, capsys: Capture) -> None:
    bag = tmp_path / "wiggle.bag"
    console = Console(width=200)
    with Person(robot, tmp_path, 1, lambda: None):
        assert wiggle(bag, TOPIC, "y", 2.0, CONFIG, console) == 0
    assert f"next, rig calibrate latency {bag} --serial SERIAL --picture {TOPIC}" in capsys.readouterr().out
    assert robot.process.mode is Mode.HOLD
    assert Source.RANDOM in robot.sources
    places = np.array(robot.tools)
    assert 0.003 < np.ptp(places[:, 1]) < 0.1
    # The hand, tilted at first, is turned down meanwhile.
    assert np.ptp(places[:, 0]) < 0.02
    with open_bag(bag) as opened:
        assert {TOPIC, STATE_TOPIC, SENT_TOPIC} <= set(opened.topics)
        assert len(list(opened.messages([STATE_TOPIC]))) > 20
    with pytest.raises(UserError, match="exists already"):
        wiggle(bag, TOPIC, "y", 2.0, CONFIG, console)
    with pytest.raises(UserError, match=r"no picture on /other\. .*/rig/camera/raw with driver realsense"):
        wiggle(tmp_path / "other.bag", "/other", "y", 2.0, CONFIG, console)
    with pytest.raises(UserError, match="do not move the tool along z"):
        wiggle(tmp_path / "other.bag", TOPIC, "z", 2.0, CONFIG, console)


def test_a_wiggle_is_as_long_as_its_pictures_need(
    robot: Robot, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The robot's five pictures a second come as often as this machine lets them.
    monkeypatch.setattr(latency, "SLOWEST_HZ", 0.0)
    seconds = enough(TOPIC, Console(width=200))
    rate = float(capsys.readouterr().out.split()[0])
    assert 0.0 < rate < 10.0
    assert seconds == pytest.approx(latency.ENOUGH_PICTURES / rate, rel=0.05, abs=1.0)
    assert robot.process.mode is Mode.DISABLED


@pytest.mark.parametrize(
    ("bag", "says"),
    [
        ("wiggle", "wiggle is no name for a rosbag. Call it FILE.bag"),
        ("nowhere/wiggle.bag", "nothing can be written into nowhere"),
        ("file/wiggle.bag", "nothing can be written into file"),
        ("half.bag", "half.bag.active is being recorded, or was left half done"),
    ],
)
def test_a_bag_that_would_not_be_written_is_refused_before_the_arm_is_enabled(
    bag: str, says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("file", "half.bag.active"):
        (tmp_path / name).touch()
    with pytest.raises(UserError, match=re.escape(says)):
        wiggle(Path(bag), TOPIC, "y", 12.0, CONFIG, Console())


def test_a_file_is_no_folder_for_views(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file is not a folder"):
        capture(tmp_path / "file", TOPIC, CONFIG, Console(), ["", "q"])


@pytest.mark.parametrize("topic", ["", "/", "a b", "-x", "/a//b", "ü", "a:=b"])
def test_what_is_no_topic_is_refused_by_name(topic: str) -> None:
    with pytest.raises(UserError, match="is no topic"):
        check_topic(topic)
    assert check_topic(TOPIC) == TOPIC


@pytest.mark.proof
@pytest.mark.parametrize("order", ["hold", "home"])
def test_a_wiggle_that_is_not_followed_says_why_and_leaves_the_arm_to_who_has_it(
    robot: Robot, poses: list[Floats], order: str, tmp_path: Path
) -> None:
    def order_soon() -> None:
        assert eventually(lambda: Source.RANDOM in robot.sources)
        (robot.process.hold if order == "hold" else robot.process.home)()

    ordering = threading.Thread(target=order_soon)
    ordering.start()
    mode = Mode.HOLD if order == "hold" else Mode.HOMING
    with (
        Person(robot, tmp_path, 1, lambda: None),
        pytest.raises(UserError, match=f"does not follow the wiggle: mode {mode.value}"),
    ):
        wiggle(tmp_path / "wiggle.bag", TOPIC, "y", 6.0, CONFIG, Console(width=200))
    ordering.join()
    assert robot.process.mode is mode
    if mode is Mode.HOMING:
        assert eventually(lambda: robot.process.mode is Mode.ACTIVE, 20.0)
        assert np.abs(robot.arm.state().position - poses[1]).max() < 0.01
