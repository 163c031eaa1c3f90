"""Which process of a launch is which node, and what a wrong word of `rig soak` is told."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from robot_rig.cli.main import main
from robot_rig.cli.soak.kinds import KINDS
from robot_rig.cli.soak.launch import ROSLAUNCH, PracticeLaunch, node_name
from robot_rig.cli.soak.scene import NODES, SoakScene
from robot_rig.errors import UserError
from tests.house import ROOT
from tests.launch.test_launch import nodes_of

Capture = pytest.CaptureFixture[str]


def test_every_node_of_practice_is_known_by_its_command_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    nodes = nodes_of("practice", "sim")
    assert set(NODES.values()) <= set(nodes)
    for name, node in nodes.items():
        command = ["python", f"{node.type}.py", *shlex.split(node.args)]
        waiting = ["python", "-m", "robot_rig.nodes.after", "a:/b", "--", *command, f"__name:={name}"]
        assert node_name(waiting) == ""
        # launch/nodes/rig leaves ROS's own words out.
        said = command if node.type == "rig" else [*command, f"__name:={name}", "__log:=x.log"]
        assert node_name(said) == ("" if name == "enable_once" else name)
    assert node_name(["python", "-c", ROSLAUNCH, "robot_rig", "practice.launch"]) == "roslaunch"


def test_practice_hears_the_camera_that_it_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROS_PACKAGE_PATH", str(ROOT))
    for robot_is in ("sim", "real"):
        camera = nodes_of("practice", robot_is, "device:=/faulty/color/image_raw")["rig_camera"]
        assert "--device '/faulty/color/image_raw'" in camera.args


@pytest.mark.usefixtures("ros_node")
def test_every_kind_can_be_caused_with_what_a_soak_has() -> None:
    done: list[tuple[str, ...]] = []

    class Mute(SoakScene):
        """Does nothing, at once."""

        def wait(self, seconds: float) -> None:
            assert seconds >= 0

        def tell(self, to: str, /, **what: object) -> None:
            done.append((to, *map(str, what.values())))

        def hand(self, do: str, **what: object) -> tuple[bool, str]:
            assert callable(getattr(self._hands, do))
            done.append((do,))
            return True, ""

        def kill(self, name: str) -> None:
            done.append((NODES[name],))

        freeze = thaw = kill

        def stall(self, name: str, frozen_s: float, awake_s: float, times: int) -> list[float]:
            done.append((NODES[name],))
            return []

    for seed in range(5):
        for kind in KINDS.values():
            scene = Mute(None, seed)  # type: ignore[arg-type]
            done.clear()
            kind.inject(scene)
            assert done, kind.name


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--hours", "0"], "--hours 0 is no such time"),
        (["--hours", "nan"], "--hours nan is no such time"),
        (["--each", "-1"], "no number of faults"),
        (["--seed", "-1"], "--seed -1 is no seed"),
        (["--minutes", "3"], "--hours"),
    ],
)
def test_wrong_words_are_refused_in_a_line(
    words: list[str], sentence: str, capsys: Capture, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["soak", *words]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert sentence in line
    assert not list(tmp_path.iterdir())


def test_a_file_where_the_folder_should_be_is_refused(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "soak").write_text("mine")
    assert main(["soak", "--out", str(tmp_path / "soak")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "cannot write" in line
    assert (tmp_path / "soak").read_text() == "mine"


def test_a_second_ctrl_c_leaves_no_node_behind(tmp_path: Path) -> None:
    class Interrupted:
        """A graph whose roslaunch is being waited for when Ctrl-C comes again."""

        def start(self, name: str, words: list[str], prefix: list[str], niceness: int) -> None:
            self.node = subprocess.Popen([*prefix, "sleep", "60"], start_new_session=True)

        def end(self, name: str, within: float) -> None:
            raise KeyboardInterrupt

    graph = Interrupted()
    launch = PracticeLaunch(graph, tmp_path, tmp_path / "run", [])  # type: ignore[arg-type]
    launch.start()
    with pytest.raises(KeyboardInterrupt):
        launch.end()
    assert graph.node.wait(5.0) == -signal.SIGKILL


def test_a_node_that_came_up_since_the_last_look_is_found(tmp_path: Path) -> None:
    launch = PracticeLaunch(None, tmp_path, tmp_path / "run", [])  # type: ignore[arg-type]
    environment = {**os.environ, "ROS_HOME": str(launch.home)}
    code = [sys.executable, "-c", "import time; time.sleep(60)"]
    first = subprocess.Popen([*code, "__name:=rig_arm"], env=environment)
    second = None
    try:
        wait_for(lambda: "rig_arm" in launch.processes())
        second = subprocess.Popen([*code, "__name:=rig_practice"], env=environment)
        wait_for(lambda: f"ROS_HOME={launch.home}" in Path(f"/proc/{second.pid}/environ").read_text())
        wait_for(lambda: "__name:=rig_practice" in Path(f"/proc/{second.pid}/cmdline").read_text())
        assert launch.pid("rig_practice") == second.pid
        with pytest.raises(UserError, match="rig_recorder does not run"):
            launch.pid("rig_recorder")
    finally:
        for process in filter(None, (first, second)):
            process.kill()
            process.wait()


def wait_for(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5.0
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_another_soak_in_the_folder_is_refused_before_anything_starts(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "soak.json").write_text("{}")
    assert main(["soak", "--out", str(tmp_path)]) == 2
    assert "no record of `rig soak`" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["soak.json"]
