"""Which process of a launch is which node, and what a wrong word of `rig soak` is told."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from robot_rig.cli.main import main
from robot_rig.cli.soak.kinds import KINDS
from robot_rig.cli.soak.launch import ROSLAUNCH, node_name
from robot_rig.cli.soak.scene import NODES, SoakScene
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
        assert "--topic /faulty/color/image_raw" in camera.args


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


def test_another_soak_in_the_folder_is_refused_before_anything_starts(capsys: Capture, tmp_path: Path) -> None:
    (tmp_path / "soak.json").write_text("{}")
    assert main(["soak", "--out", str(tmp_path)]) == 2
    assert "no record of `rig soak`" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["soak.json"]
