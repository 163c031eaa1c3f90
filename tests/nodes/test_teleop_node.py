"""Teleop on a pseudo-terminal: keys become a person's actions, and the terminal is put back however it ends."""

from __future__ import annotations

import itertools
import os
import pty
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rospy
from std_srvs.srv import Trigger, TriggerResponse

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.data.salvage import salvage
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import IMAGE_SHAPE, Action, Executed, Frame, Mode, Outcome, Source, Verdict
from robot_rig.ros.arm_report import ArmReport, report_message
from robot_rig.ros.convert import frame_message, read_action
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import ARM_STATUS, CAMERA_FRAME, TELEOP, arm_service
from robot_rig.safety.reasons import REASONS
from tests.house import ROOT
from tests.live_robot import process_in_graph
from tests.ros_graph import Master, eventually

LOCAL_FLAGS = 3
CONTROL = Config().control


@dataclass
class Keyboard:
    """A person at a terminal in which the node runs."""

    process: subprocess.Popen[bytes]
    master: int
    slave: int
    before: list[Any]
    printed: bytearray = field(default_factory=bytearray)

    def type(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def screen(self) -> str:
        os.set_blocking(self.master, False)
        try:
            while data := os.read(self.master, 65536):
                self.printed += data
        except (BlockingIOError, OSError):
            pass
        return self.printed.decode(errors="replace")

    def attributes(self) -> list[Any]:
        return termios.tcgetattr(self.slave)

    def raw(self) -> bool:
        return not self.attributes()[LOCAL_FLAGS] & termios.ICANON


@pytest.fixture(scope="module")
def start(ros_master: Master) -> Iterator[Callable[..., Keyboard]]:
    started: list[Keyboard] = []

    def start_one(*command: str, cwd: Path = ROOT) -> Keyboard:
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=cwd,
            env=ros_master.environment | {"XDG_STATE_HOME": str(ros_master.home)},
            stdin=slave,
            stdout=slave,
            stderr=slave,
        )
        started.append(Keyboard(process, master, slave, termios.tcgetattr(slave)))
        return started[-1]

    yield start_one
    for keyboard in started:
        keyboard.process.kill()
        keyboard.process.wait()
        os.close(keyboard.master)
        os.close(keyboard.slave)


def run_teleop(start: Callable[..., Keyboard], *arguments: str) -> Keyboard:
    keyboard = start("-m", "drivers.teleop_node", *arguments)
    assert eventually(lambda: "red button" in keyboard.screen() or keyboard.process.poll() is not None, 60)
    assert keyboard.process.poll() is None, keyboard.screen()
    return keyboard


@pytest.fixture(scope="module")
def box(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("box") / "box.yaml"


@pytest.fixture(scope="module")
def teleop(start: Callable[..., Keyboard], ros_node: str, box: Path) -> Keyboard:
    return run_teleop(start, "--box", str(box))


@pytest.fixture
def actions(ros_node: str) -> Iterator[list[Action]]:
    heard: list[Action] = []
    stamps = HostStamps()

    def take(message: Any) -> None:
        action = read_action(message, stamps)
        assert not isinstance(action, Refused), action
        heard.append(action)

    subscriber = rospy.Subscriber(TELEOP.name, TELEOP.message, take, queue_size=100)
    assert eventually(lambda: subscriber.get_num_connections() > 0, 30)
    yield heard
    subscriber.unregister()


def say_how_the_arm_stands(
    publisher: Any, stamps: HostStamps, executed: int = -1, meaning: str = CONTROL.meaning
) -> None:
    verdict, now = Verdict(Outcome.SCALED, ("box", "slew")), time.monotonic()
    came = None if executed < 0 else Executed(np.zeros(2, np.float32), 0.0, Outcome.PASSED, (), np.zeros(7))
    tool, walls = np.array([0.7, 0.19, 0.06]), np.array([[0.55, -0.2, 0.03], [0.75, 0.2, 0.3]])
    report = ArmReport(
        now, Mode.ACTIVE, (), verdict, Source.HUMAN, 1, came, executed, False, "ok", tool, meaning, walls
    )
    publisher.publish(report_message(report, stamps))


@pytest.fixture
def arm(ros_node: str) -> Iterator[Any]:
    publisher = rospy.Publisher(ARM_STATUS.name, ARM_STATUS.message, queue_size=1)
    yield publisher
    publisher.unregister()


@pytest.mark.parametrize("meaning", [None, "", "another scale"])
def test_nothing_is_sent_to_an_arm_that_has_not_said_how_it_takes_it(
    teleop: Keyboard, actions: list[Action], arm: Any, meaning: str | None
) -> None:
    stamps = HostStamps()

    def refused() -> bool:
        teleop.type(b"\x1b[A")
        if meaning is not None:
            say_how_the_arm_stands(arm, stamps, meaning=meaning)
        return ("no arm process" if meaning is None else "NOT SENT") in teleop.screen().rpartition("\r")[2]

    assert eventually(refused, 20), teleop.screen()
    for _ in range(5):
        refused()
        time.sleep(0.05)
    assert actions == []


def test_keys_are_a_persons_actions_and_end_with_zero(teleop: Keyboard, actions: list[Action], arm: Any) -> None:
    stamps = HostStamps()

    def push() -> None:
        say_how_the_arm_stands(arm, stamps)
        teleop.type(b"\x1b[A")

    assert eventually(lambda: len(actions) > 3 or push(), 20)
    assert eventually(lambda: bool(actions) and not actions[-1].value.any())
    moving = [action for action in actions if action.value.any()]
    assert moving
    assert all(action.source is Source.HUMAN and action.value[0] > 0 and action.value[1] == 0 for action in moving)


def test_orders_are_services_of_the_arm_process(teleop: Keyboard) -> None:
    given: list[str] = []

    def answer(name: str) -> Callable[[Any], Any]:
        def take(_: Any) -> Any:
            given.append(name)
            return TriggerResponse(success=name != "home", message=f"{name} it is")

        return take

    names = {b"h": "hold", b"o": "home", b"x": "stop", b"e": "take", b"p": "hand_back"}
    services = [rospy.Service(arm_service(name), Trigger, answer(name)) for name in names.values()]
    try:
        for key, name in names.items():
            teleop.type(key)
            assert eventually(lambda name=name: f"{name} it is" in teleop.screen()), teleop.screen()
        assert given == list(names.values())
        assert "refuses to home" in teleop.screen()
    finally:
        for service in services:
            service.shutdown()


def test_an_order_without_an_arm_process_is_one_line(teleop: Keyboard) -> None:
    teleop.type(b"h")
    assert eventually(lambda: "the arm process is not there" in teleop.screen()), teleop.screen()
    assert teleop.process.poll() is None


def test_corners_that_are_marked_become_a_box(teleop: Keyboard, box: Path) -> None:
    stamps = HostStamps()
    publisher = rospy.Publisher(ARM_STATUS.name, ARM_STATUS.message, queue_size=1)
    corners = [np.array([0.5617, 0.0923, 0.06]), np.array([0.7281, -0.1104, 0.06])]
    for count, tool in enumerate(corners, start=1):
        x = f"x {tool[0]:.3f}"

        def there(tool: Any = tool, x: str = x) -> bool:
            verdict, now = Verdict(Outcome.HELD, ("hold",)), time.monotonic()
            report = ArmReport(
                now, Mode.HOLD, ("hold",), verdict, None, -1, None, -1, False, "ok", tool, CONTROL.meaning
            )
            publisher.publish(report_message(report, stamps))
            return x in teleop.screen().rpartition("tool")[2]

        assert eventually(there, 20), teleop.screen()
        teleop.type(b"b")
        assert eventually(lambda count=count: f"corner {count} at" in teleop.screen()), teleop.screen()
    publisher.unregister()
    assert eventually(box.is_file)
    guard = load_config([box], []).guard
    assert np.allclose(guard.box_low_m[:2], np.min(corners, axis=0)[:2], atol=0.001)
    assert np.allclose(guard.box_high_m[:2], np.max(corners, axis=0)[:2], atol=0.001)


def test_it_shows_how_near_the_wall_is_and_explains_what_holds_the_arm_back(teleop: Keyboard) -> None:
    stamps = HostStamps()
    publisher = rospy.Publisher(ARM_STATUS.name, ARM_STATUS.message, queue_size=1)

    def shown() -> bool:
        say_how_the_arm_stands(publisher, stamps)
        return "1.0 cm to +y" in teleop.screen() and "The tool is near a wall of its box" in teleop.screen()

    assert eventually(shown, 20), teleop.screen()
    assert "you lead" in teleop.screen()
    assert REASONS["slew"] not in teleop.screen(), "of every motion's beginning"
    publisher.unregister()


def test_what_keys_do_is_logged_as_a_persons_where_a_recorder_is(
    teleop: Keyboard, actions: list[Action], ros_master: Master, tmp_path: Path
) -> None:
    stamps, seq = HostStamps(), itertools.count(1)
    status = rospy.Publisher(ARM_STATUS.name, ARM_STATUS.message, queue_size=20)
    camera = rospy.Publisher(CAMERA_FRAME.name, CAMERA_FRAME.message, queue_size=20)
    told = [-1]

    def pass_time() -> None:
        """A thirtieth of a second of a camera, a guard that follows, and a held key."""
        camera.publish(
            frame_message(Frame(next(seq), time.monotonic() - 0.05, np.zeros(IMAGE_SHAPE, np.uint8)), stamps)
        )
        if len(actions) > 1 and actions[-2].seq != told[-1]:
            told.append(actions[-2].seq)
        say_how_the_arm_stands(status, stamps, told[-1])
        teleop.type(b"w")
        time.sleep(1 / 30)

    with process_in_graph(ros_master, "robot_rig.nodes.recorder_node", "--run", str(tmp_path / "run")):

        def logged() -> bool:
            pass_time()
            return "logged" in teleop.screen().rpartition("tool")[2]

        assert eventually(logged, 60), teleop.screen()
        for _ in range(45):
            pass_time()
        assert eventually(lambda: not actions[-1].value.any(), 10)
        files = EpisodeStore(tmp_path / "run" / "episodes")
        assert eventually(lambda: [len(episode) >= 5 for episode in files.read_new((), "teleop")][:1] == [True], 20)
    steps = [step for path in files.paths() for step in salvage(path).steps]
    assert {step.action.source for step in steps} == {Source.HUMAN}
    assert all(step.action.value[0] > 0 for step in steps)
    for publisher in (status, camera):
        publisher.unregister()


@pytest.mark.parametrize("device", ["gamepad", "spacemouse"])
def test_a_device_that_cannot_be_had_is_one_line_with_what_to_do(ros_master: Master, device: str) -> None:
    if list(Path("/dev").glob("input/event*")) or list(Path("/dev").glob("hidraw*")):
        pytest.skip("this machine has devices of its own, one of them may be meant")
    done = subprocess.run(
        [sys.executable, "-m", "drivers.teleop_node", "--device", device, f"__name:=rig_teleop_{device}"],
        cwd=ROOT,
        env=ros_master.environment | {"XDG_STATE_HOME": str(ros_master.home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("rig_teleop: ")
    assert "connected" in last or "not installed" in last
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("end", ["q", "interrupt", "term"])
def test_the_terminal_is_put_back(start: Callable[..., Keyboard], ros_node: str, end: str) -> None:
    teleop = run_teleop(start, f"__name:=rig_teleop_{end}")
    assert teleop.raw()
    if end == "term":
        teleop.process.send_signal(signal.SIGTERM)
    elif end == "q":
        teleop.type(b"q")
    else:
        teleop.process.send_signal(signal.SIGINT)
    assert teleop.process.wait(20) == 0, teleop.screen()
    assert teleop.attributes() == teleop.before


def test_the_terminal_is_put_back_after_a_crash(start: Callable[..., Keyboard]) -> None:
    code = (
        "from robot_rig.nodes.raw_terminal import RawTerminal\n"
        "terminal = RawTerminal(0)\nterminal.say('raw')\nterminal.read(30)\nraise RuntimeError('crash')"
    )
    keyboard = start("-c", code)
    assert eventually(lambda: "raw" in keyboard.screen())
    assert keyboard.raw()
    keyboard.type(b"x")
    assert keyboard.process.wait(20) == 1
    assert "RuntimeError: crash" in keyboard.screen()
    assert keyboard.attributes() == keyboard.before


def test_without_a_terminal_it_refuses_in_one_line(ros_master: Master) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "drivers.teleop_node", "__name:=rig_teleop_blind"],
        cwd=ROOT,
        env=ros_master.environment | {"XDG_STATE_HOME": str(ros_master.home)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.strip().splitlines()[-1].startswith("rig_teleop: there is no terminal")
