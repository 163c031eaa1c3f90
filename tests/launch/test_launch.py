"""Every launch file, as a person starts it: the graph comes up, does its work, and refuses in words.

The .test files beside this one are run by rostest, each with its own checks of checks.py in the graph it launches.
"""

from __future__ import annotations

import itertools
import os
import pty
import shlex
import subprocess
import termios
import threading
import xmlrpc.client
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import tyro
from roslaunch.config import load_config_default
from roslaunch.core import Node

from calibration.poses import Room, plan_poses
from calibration.results import Results
from calibration.tour import Plan, keep_plan
from drivers.arm_node import ArmNodeOptions
from drivers.camera_node import CameraNodeOptions
from drivers.teleop_node import TeleopOptions
from robot_rig.cli.dispatch import GROUPS, bound
from robot_rig.config_files import load_config
from robot_rig.goal_library import GoalLibrary
from robot_rig.kinematics import Kinematics
from robot_rig.runs import RunFolder
from robot_rig.stages.collect import collect
from robot_rig.stages.learn import Learning
from robot_rig.stages.shipping import ship
from robot_rig.vision import save_picture
from sim.rig import SimRig
from tests.calibration.results_made import lens_record
from tests.house import ROOT
from tests.launch.launching import launched, rostest, type_into
from tests.live_robot import live_robot
from tests.ros_graph import Master, start_master
from tests.tiny_run import tiny_config

LIMIT_S = 400.0
"""Far more than any needs; only what hangs comes here."""


def no_progress(*_: object) -> None:
    """Nobody is watching."""


@pytest.fixture(scope="module")
def robot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    """A master with a robot and its camera on the network, and none of the rig's nodes."""
    master = start_master(tmp_path_factory.mktemp("robot"))
    try:
        # What roslaunch gives to a master that it starts itself, and rostest wants to find.
        xmlrpc.client.ServerProxy(master.uri).setParam("/test", "/run_id", "robot")
        with live_robot(master):
            yield master
    finally:
        master.stop()


@pytest.fixture(scope="module")
def tiny_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run with a checkpoint that has learnt next to nothing."""
    folder = tmp_path_factory.mktemp("tiny") / "a run"
    config = tiny_config("evaluation.episode_steps=100")
    rig = SimRig(config, config.seed)
    with RunFolder.claim(folder, config) as run:
        collect(run, config, rig, no_progress)
        learning = Learning(run, config)
        learning.train_vae(no_progress)
        learning.begin_practice(no_progress)
        ship(run, config, learning.trainer, 0)
    save_picture(folder / "there.png", rig.look().rgb)
    rig.close()
    return folder


def test_the_simulated_stack_is_enabled_once_and_holds(tmp_path: Path) -> None:
    rostest("sim", tmp_path, LIMIT_S)


def test_a_picture_is_gone_to(tmp_path: Path, tiny_run: Path) -> None:
    rostest("reach", tmp_path, LIMIT_S, LAUNCH_TEST_RUN=str(tiny_run), LAUNCH_TEST_GOAL=str(tiny_run / "there.png"))


def test_play_is_logged_without_a_person(tmp_path: Path) -> None:
    launch = rostest("collect", tmp_path, LIMIT_S, LAUNCH_TEST_COLLECT=str(tmp_path / "played"))
    assert "human_actions=" in launch.output


def test_play_becomes_practice_without_a_person(tmp_path: Path, tiny_run: Path) -> None:
    shipped = tiny_run / "checkpoints" / "practice-000000"
    rostest(
        "practice", tmp_path, LIMIT_S, LAUNCH_TEST_PRACTICE=str(tmp_path / "a run"), LAUNCH_TEST_CHECKPOINT=str(shipped)
    )


@pytest.mark.proof
def test_an_arm_that_a_person_has_enabled_visits_planned_poses(tmp_path: Path) -> None:
    calibrations, views = tmp_path / "calibrations", tmp_path / "hand"
    Results(calibrations).keep(lens_record())
    config = load_config([], [])
    room = Room(config, 0.1, Kinematics(config.control.tool_offset_m))
    keep_plan(views, Plan(tuple(plan_poses(room, 8, lambda _: True, 0)), 0.1))
    launch = rostest(
        "calibrate", tmp_path, LIMIT_S, LAUNCH_TEST_CALIBRATIONS=str(calibrations), LAUNCH_TEST_VIEWS=str(views)
    )
    # The simulated gripper holds no board.
    assert "not kept: the board was not found" in launch.output


def test_the_stack_on_a_robot_waits_for_a_person(robot: Master, tmp_path: Path) -> None:
    rostest("robot", tmp_path, LIMIT_S, uri=robot.uri)


def test_a_goal_is_captured_and_the_launch_ends(robot: Master, tmp_path: Path) -> None:
    command = [
        "roslaunch",
        "robot_rig",
        "capture_goal.launch",
        "robot:=real",
        "calibration:=none",
        "goal:=my goals/cup",
    ]
    with launched(command, tmp_path, robot.uri) as launch:
        assert launch.wait(LIMIT_S) == 0, launch.output[-6000:]
        assert "my goals/cup.png" in launch.output
    assert GoalLibrary(tmp_path / "my goals", tiny_config()).names() == ["cup"]


def test_keys_in_the_terminal_of_roslaunch_move_the_arm(robot: Master, tmp_path: Path) -> None:
    keyboard, terminal = pty.openpty()
    before = termios.tcgetattr(terminal)
    ended = threading.Event()

    def play() -> None:
        for away_or_back in itertools.cycle((b"w", b"s")):
            type_into(keyboard, b"e")
            for _ in range(40):
                if ended.wait(0.05):
                    return
                type_into(keyboard, away_or_back)

    hand = threading.Thread(target=play)
    hand.start()
    try:
        rostest("teleop", tmp_path, LIMIT_S, uri=robot.uri, stdin=terminal)
    finally:
        ended.set()
        hand.join()
        after = termios.tcgetattr(terminal)
        os.close(keyboard)
        os.close(terminal)
    assert after == before


def test_no_simulator_starts_beside_a_robot(robot: Master, tmp_path: Path) -> None:
    command = [str(ROOT / "launch/nodes/sim_node"), "__name:=another"]
    with launched(command, tmp_path, robot.uri) as launch:
        assert launch.wait(LIMIT_S) == 2
        assert "there is a robot in this graph already: /sim_sawyer" in launch.output


def test_without_a_robot_the_launch_ends_with_a_sentence(tmp_path: Path) -> None:
    with launched(["roslaunch", "robot_rig", "robot.launch"], tmp_path) as launch:
        assert launch.wait(LIMIT_S) != -1
        assert "rig_arm: no robot publishes Intera messages" in launch.output
        assert "Traceback" not in launch.output
        assert "enable" not in launch.output.replace("enabled", "")


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["reach.launch"], "requires the 'goal' arg to be set"),
        (["capture_goal.launch"], "requires the 'goal' arg to be set"),
        (["teleop.launch", "robot:=yes"], "robot:=yes is none of sim, real, running"),
        (["practice.launch", "trainer:=yes"], "trainer:=yes is none of here, elsewhere"),
        (["calibrate.launch", "what:=lens"], "what:=lens is none of poses, wiggle"),
        (["reach.launch", "robot:=running", "goal:=no.png", "run:=nowhere"], "nowhere"),
    ],
)
def test_what_is_missing_is_said_in_a_line(tmp_path: Path, arguments: list[str], sentence: str) -> None:
    with launched(["roslaunch", "robot_rig", *arguments], tmp_path) as launch:
        assert launch.wait(LIMIT_S) != -1
        lines = [line for line in launch.output.splitlines() if sentence in line]
        assert lines, launch.output
        assert "Traceback (most recent" not in launch.output


def test_make_prints_what_a_shell_needs_for_roslaunch(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("ROS_", "MAKE", "MFLAGS"))}
    script = (
        'eval "$(make -C "$0" --no-print-directory env)" && command -v rig && roslaunch --nodes robot_rig sim.launch'
    )
    done = subprocess.run(
        ["sh", "-c", script, str(ROOT)], cwd=tmp_path, env=kept, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    rig, *nodes = done.stdout.splitlines()
    assert rig == str(ROOT / ".venv/bin/rig")
    assert set(nodes) == {"/sim_sawyer", "/rig_camera", "/rig_arm", "/enable_once"}


def nodes_of(name: str, robot_is: str, *more: str) -> dict[str, Node]:
    """The nodes that NAME.launch would start, by name."""
    given = {"reach": ["goal:=a.png"], "capture_goal": ["goal:=a"]}.get(name, [])
    chosen = [] if name in ("sim", "robot") else [f"robot:={robot_is}"]
    return {node.name: node for node in _loaded(name, (*given, *chosen, *more))}


@cache
def _loaded(name: str, arguments: tuple[str, ...]) -> list[Node]:
    """Read once, because most of what is tested here is about the same few launches."""
    nodes: list[Node] = load_config_default([(str(ROOT / "launch" / f"{name}.launch"), list(arguments))], None).nodes
    return nodes


ALL_FILES = pytest.mark.parametrize(
    "name", ["sim", "robot", "reach", "collect", "practice", "teleop", "capture_goal", "calibrate"]
)
BOTH_ROBOTS = pytest.mark.parametrize("robot_is", ["sim", "real"])


def words_after(option: str, node: Node) -> list[str]:
    words = shlex.split(node.args)
    return [after for word, after in itertools.pairwise(words) if word == option]


@ALL_FILES
@BOTH_ROBOTS
def test_single_settings_reach_every_node_and_a_comma_may_stand_in_a_value(
    name: str, robot_is: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    single = ["guard.slow_speed_m_s=0.05", "control.axes=[x, y,z]", "collect.ou_sigma=0.3"]
    nodes = nodes_of(name, robot_is, f"set:={','.join(single)}", "config:=reach")
    nodes.pop("enable_once", None)
    assert "rig_arm" in nodes
    for node in nodes.values():
        assert words_after("--set", node) == single, node.name
        assert words_after("--config", node)[-1] == "reach", node.name
    options = tyro.cli(ArmNodeOptions, args=shlex.split(nodes["rig_arm"].args))
    assert load_config(["reach"], options.set).control.axes == ("x", "y", "z")
    assert not any(words_after("--set", node) for node in nodes_of(name, robot_is).values())


@pytest.mark.parametrize("device", ["keyboard", "gamepad", "spacemouse"])
def test_what_moves_the_arm_is_chosen_at_the_launch(device: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    given = [] if device == "keyboard" else [f"device:={device}"]
    node = nodes_of("teleop", "sim", *given)["rig_teleop"]
    assert tyro.cli(TeleopOptions, args=shlex.split(node.args)).device == device


@ALL_FILES
@BOTH_ROBOTS
def test_a_publisher_is_confirmed_to_the_arm_process_alone(
    name: str, robot_is: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    nodes = nodes_of(name, robot_is, "confirm_publisher:=/controller,/another one")
    assert words_after("--confirm-publisher", nodes.pop("rig_arm")) == ["/controller", "/another one"]
    assert not any("--confirm-publisher" in node.args for node in nodes.values())
    (arm,) = (node for node in nodes_of(name, robot_is).values() if node.name == "rig_arm")
    assert tyro.cli(ArmNodeOptions, args=shlex.split(arm.args)).confirm_publisher == ()


@ALL_FILES
@BOTH_ROBOTS
def test_only_a_real_robots_camera_is_held_against_its_calibration(
    name: str, robot_is: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    camera = nodes_of(name, robot_is)["rig_camera"]
    is_real = name == "robot" or (name != "sim" and robot_is == "real")
    # What calibrates must be able to start before anything is calibrated.
    assert words_after("--calibration", camera) == (["calibrations"] if is_real and name != "calibrate" else [])


REAL_FILES = pytest.mark.parametrize("name", ["robot", "reach", "collect", "practice", "teleop", "capture_goal"])


@REAL_FILES
@pytest.mark.parametrize(
    ("given", "calibration", "serial"),
    [
        (["calibration:=my lab", "serial:=0012"], Path("my lab"), "0012"),
        (["calibration:=2026"], Path("2026"), ""),
        (["calibration:=none"], None, ""),
        # Left empty by mistake it is the usual folder, not a start without a check.
        (["calibration:="], Path("calibrations"), ""),
    ],
)
def test_a_calibration_is_named_or_left_out_by_a_person_and_a_serial_number_stays_as_typed(
    name: str, given: list[str], calibration: Path | None, serial: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    camera = nodes_of(name, "real", *given)["rig_camera"]
    options = tyro.cli(CameraNodeOptions, args=shlex.split(camera.args))
    assert (options.calibration, options.serial) == (calibration, serial)


@pytest.mark.parametrize("name", ["robot", "reach", "collect", "practice", "teleop", "capture_goal", "calibrate"])
def test_the_camera_that_is_asked_for_is_the_one_of_the_camera_s_node(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))

    def asked(*more: str) -> CameraNodeOptions:
        return tyro.cli(CameraNodeOptions, args=shlex.split(nodes_of(name, "real", *more)["rig_camera"].args))

    # With teleop, device:= is what moves the arm.
    usual, chosen = asked(), asked("driver:=realsense", f"{'camera' if name == 'teleop' else 'device'}:=0123")
    assert (usual.driver, usual.device) == ("ros", "")
    assert (chosen.driver, chosen.device) == ("realsense", "0123")


@BOTH_ROBOTS
def test_a_goal_is_shown_to_the_run_that_is_named_and_to_no_other(
    robot_is: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    nodes = nodes_of("capture_goal", robot_is, "run:=runs/arm 1", "config:=reach")
    head, word, *options = shlex.split(nodes["capture_goal"].args)
    bound(GROUPS[head][word], "rig", options)
    assert words_after("--run", nodes["capture_goal"]) == ["runs/arm 1"]
    # What the run has learnt with comes first: only so is the picture one that its encoder knows.
    for name in ("rig_camera", "rig_arm"):
        assert words_after("--config", nodes[name]) == ["runs/arm 1/config.yaml", "reach"]
    assert "--run" not in nodes_of("capture_goal", robot_is)["capture_goal"].args


@pytest.mark.parametrize("stage", ["collect", "heldout"])
def test_collection_is_told_what_the_play_is_for(stage: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    given = ["stage:=heldout"] if stage == "heldout" else []
    assert words_after("--stage", nodes_of("collect", "sim", *given)["rig_collect"]) == [stage]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (["serial:=0012", "views:=my hand", "count:=20"], ["poses", "--serial", "0012", "--count", "20"]),
        (["serial:=42", "board:=--square-mm 33.5"], ["poses", "--square-mm", "33.5", "--views", "hand"]),
        (["what:=wiggle", "bag:=a b.bag"], ["wiggle", "--bag", "a b.bag", "--topic", "/camera/color/image_raw"]),
        (["what:=wiggle", "driver:=realsense", "device:=0123"], ["wiggle", "--topic", "/rig/camera/raw"]),
        (["what:=wiggle", "device:=/eye/image"], ["wiggle", "--topic", "/eye/image"]),
    ],
)
def test_a_calibration_s_word_is_one_that_rig_understands(
    given: list[str], words: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    node = nodes_of("calibrate", "real", *given)["rig_calibrate"]
    head, word, *options = shlex.split(node.args)
    assert (head, word) == ("calibrate", words[0])
    bound(GROUPS[head][word], "rig", options)
    assert all(
        any(pair == asked for pair in itertools.pairwise(options))
        for asked in itertools.pairwise(words[1:])
        if asked[0].startswith("--")
    )
    assert "rig_arm:/rig_arm/visit" in node.launch_prefix


def test_a_trainer_elsewhere_is_not_started_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    here, elsewhere = nodes_of("practice", "sim"), nodes_of("practice", "sim", "trainer:=elsewhere")
    assert set(here) - set(elsewhere) == {"rig_trainer"}


@ALL_FILES
@BOTH_ROBOTS
def test_the_guard_is_never_started_again_and_a_real_robot_never_enabled(
    name: str, robot_is: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    nodes = nodes_of(name, robot_is)
    assert nodes["rig_arm"].required
    assert not any(node.respawn for node in nodes.values())
    assert all(node.output == "screen" and node.required for node in nodes.values() if node.name != "enable_once")
    enabling = [node.name for node in nodes.values() if "enable" in node.args.split()]
    with_simulator = "sim_sawyer" in nodes
    assert with_simulator == (name == "sim" or (name != "robot" and robot_is == "sim"))
    assert enabling == (["enable_once"] if with_simulator and name in ("sim", "reach", "collect", "practice") else [])
    if enabling:
        assert "sim_sawyer:/robot/state" in nodes["enable_once"].launch_prefix
