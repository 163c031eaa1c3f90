"""Imports only point down, and the other rules that keep the house habitable; and that the checker would notice."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
import xml.etree.ElementTree
from pathlib import Path

import pytest

from robot_rig import __version__
from tests import house
from tests.house import ROOT, RULES, Rule, Source

SOURCES = house.sources()
MODULES = {source.name for source in SOURCES}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_the_house_keeps(rule: Rule) -> None:
    complaints = [complaint for source in SOURCES for complaint in rule(source, MODULES)]
    assert not complaints, "\n".join(complaints)


def test_the_ros_package_has_our_version_and_no_invented_person() -> None:
    package = xml.etree.ElementTree.parse(ROOT / "package.xml").getroot()
    assert package.findtext("version") == __version__
    (address,) = (person.get("email", "") for person in package.findall("maintainer"))
    # The form that catkin asks for, under a top-level domain that belongs to nobody.
    assert re.fullmatch(r"[\w.+-]+@[\w-]+\.invalid", address)


def test_the_checker_sees_the_whole_house() -> None:
    assert {"robot_rig", "robot_rig.datatypes", "robot_rig.safety.gate", "sim.world", "tests.house"} <= MODULES
    assert len(SOURCES) > 40
    floors = {source.name: house.room_of(source.name) for source in SOURCES}
    assert {room.floor for room in floors.values() if room is not None} >= {0, 1, 2, 3, 4, 5}


def test_top_level_folders_are_the_agreed_ones() -> None:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("no git checkout")
    folders = {line.split("/")[0] for line in listed.stdout.splitlines() if "/" in line}
    assert {folder for folder in folders if not folder.startswith(".")} <= house.TOP_LEVEL


def test_nothing_imports_in_a_circle() -> None:
    graph = {source.name: {name for name, _ in house.imports(source, MODULES) if name in MODULES} for source in SOURCES}
    # A package's __init__ may name its own modules, and they its constants.
    graph = {name: {other for other in others if not name.startswith(f"{other}.")} for name, others in graph.items()}
    assert house.import_cycle(graph) == []


def text_files() -> list[Path]:
    kinds = {".py", ".md", ".yaml", ".yml", ".toml", ".txt", ".sh", ".xml", ".launch", ".j2", ".html", ""}
    skipped = {"runs", "build", "dist"}
    found = []
    for path in ROOT.rglob("*"):
        parts = path.relative_to(ROOT).parts
        hidden = any(part.startswith(".") and part not in (".ci", ".gitignore", ".dockerignore") for part in parts)
        if (
            not hidden
            and parts[0] not in skipped
            and path.is_file()
            and path.suffix in kinds
            and path.stat().st_size < 1_000_000
        ):
            found.append(path)
    return found


def test_no_file_names_one_machine() -> None:
    files = text_files()
    assert {"Makefile", "run", "setup.sh", "Dockerfile"} <= {path.name for path in files}
    complaints = [
        f"{path.relative_to(ROOT)}:{complaint}"
        for path in files
        if path.name not in ("house.py", "test_floors.py")
        for complaint in house.names_of_one_machine(path.read_text(errors="replace"))
    ]
    assert not complaints, "\n".join(complaints)


# --- what really gets loaded ------------------------------------------------------------------------------------------


def loaded_by(modules: list[str]) -> set[str]:
    """Top-level names in sys.modules of a fresh interpreter that has imported `modules`."""
    code = f"import {', '.join(modules)}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return set(result.stdout.split())


def below(floor: int) -> list[str]:
    rooms = {name: house.room_of(name) for name in sorted(MODULES)}
    return [name for name, room in rooms.items() if room is not None and room.floor < floor]


def test_the_library_loads_no_ros_no_simulator_and_no_vendor_sdk() -> None:
    modules = below(3)
    assert "robot_rig.loops.arm_loop" in modules
    assert not loaded_by(modules) & (house.ROS | {"mujoco", "pyrealsense2", "intera_interface", "drivers", "sim"})


def test_the_arm_process_never_loads_torch() -> None:
    guard = [name for name in below(3) if name.startswith(("robot_rig.control", "robot_rig.safety"))]
    loaded = loaded_by(["robot_rig.loops.arm_loop", "robot_rig.loops.policy_loop", *guard])
    assert "numpy" in loaded
    # numba asks scipy for its version only; its linear algebra would bring a second set of BLAS threads.
    assert not loaded & {"torch", "mujoco", "cv2", "scipy.linalg", "matplotlib"}


@pytest.mark.parametrize("package", sorted(path.parent.name for path in ROOT.glob("*/__init__.py")))
def test_top_level_packages_resolve_inside_this_checkout(package: str, tmp_path: Path) -> None:
    code = f"import importlib.util; print(importlib.util.find_spec({package!r}).origin)"
    found = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert found.returncode == 0, f"{package} is not installed in this environment: run `make setup`"
    assert Path(found.stdout.strip()).is_relative_to(ROOT), f"{package} is another project's: {found.stdout}"


# --- the checker is not blind -----------------------------------------------------------------------------------------

BAD = [
    (house.imports_point_down, "robot_rig.control.ik", "from robot_rig.safety import gate"),
    (house.imports_point_down, "robot_rig.control.ik", "def f():\n    import robot_rig.learning.vae"),
    (house.imports_point_down, "robot_rig.data.log", "from ..vision import preprocess"),
    (house.imports_point_down, "robot_rig.data.log", "from robot_rig import vision"),
    (house.imports_point_down, "robot_rig.datatypes", "import robot_rig.vision"),
    (house.imports_point_down, "robot_rig.vision", "from robot_rig.loops import arm_loop"),
    (house.imports_point_down, "robot_rig.loops.arm_loop", "from sim.world import World"),
    (house.imports_point_down, "robot_rig.trainer", "import drivers.fake"),
    (house.imports_point_down, "robot_rig.trainer", "from robot_rig.cli import main"),
    (house.imports_point_down, "sim.world", "import tests.house"),
    (house.imports_point_down, "sim.world", "from drivers.fake import FakeArm"),
    (house.imports_point_down, "robot_rig.newcomer", "import math"),
    (house.imports_point_down, "robot_rig.trainer", "import robot_rig.newcomer"),
    (house.third_party_stays_in_its_room, "robot_rig.safety.gate", "import torch"),
    (house.third_party_stays_in_its_room, "robot_rig.learning.vae", "import cv2"),
    (house.third_party_stays_in_its_room, "robot_rig.loops.recorder", "from mcap.writer import Writer"),
    (house.third_party_stays_in_its_room, "robot_rig.evaluation", "import mujoco"),
    (house.third_party_stays_in_its_room, "robot_rig.picture_files", "import cv2"),
    (house.third_party_stays_in_its_room, "robot_rig.clock", "try:\n    import rospy\nexcept ImportError:\n    pass"),
    (house.third_party_stays_in_its_room, "drivers.fake", "import rospy"),
    (house.third_party_stays_in_its_room, "sim.world", "from sensor_msgs.msg import Image"),
    (house.third_party_stays_in_its_room, "robot_rig.cli.session", "import rosgraph"),
    (house.third_party_stays_in_its_room, "robot_rig.ros.node", "import mujoco"),
    (house.imports_point_down, "robot_rig.loops.arm_loop", "from robot_rig.ros import topics"),
    (house.imports_point_down, "robot_rig.data.log", "from robot_rig.ros import convert"),
    (house.imports_point_down, "robot_rig.ros.node", "from drivers.fake import FakeArm"),
    (house.imports_point_down, "robot_rig.ros.node", "from robot_rig.nodes import policy_node"),
    (house.nothing_unpickles, "sim.x", "import pickle"),
    (house.nothing_unpickles, "robot_rig.learning.checkpoint", "import torch\ntorch.load('x')"),
    (house.nothing_unpickles, "robot_rig.data.x", "import numpy as np\nnp.load('x', allow_pickle=True)"),
    (house.nothing_unpickles, "drivers.x", "from cv_bridge import CvBridge"),
    (house.nothing_unpickles, "drivers.x", "import tf"),
    (house.imports_are_written_out, "robot_rig.loops.x", "import importlib\nimportlib.import_module('torch')"),
    (house.imports_are_written_out, "robot_rig.loops.x", "__import__('torch')"),
    (house.only_the_gate_holds_the_mint, "robot_rig.control.x", "from robot_rig.datatypes import GATE_MINT"),
    (house.only_the_gate_holds_the_mint, "drivers.x", "import robot_rig.datatypes as d\nd.GATE_MINT"),
    (house.no_branch_on_simulation, "robot_rig.loops.x", "if sim:\n    pass"),
    (house.no_branch_on_simulation, "robot_rig.loops.x", "x = 1 if config.sim.scene else 2"),
    (house.no_branch_on_simulation, "drivers.x", "while not self.is_simulated():\n    pass"),
    (house.no_branch_on_simulation, "drivers.x", "[a for a in b if a.in_simulation]"),
    (house.only_people_facing_code_prints, "robot_rig.trainer", "print('x')"),
    (house.only_people_facing_code_prints, "sim.x", "import sys\nsys.stdout.write('x')"),
    (house.only_clocks_and_drivers_sleep, "robot_rig.loops.x", "import time\ntime.sleep(1)"),
    (house.only_clocks_and_drivers_sleep, "sim.x", "from time import sleep"),
    (house.files_and_functions_are_short, "sim.x", "x = 1\n" * 301),
    (house.files_and_functions_are_short, "sim.x", "def f():\n" + "    x = 1\n" * 60),
    (house.every_module_says_what_it_is_for, "sim.x", "import os"),
    (house.names_say_something, "robot_rig.utils", ""),
    (house.names_say_something, "robot_rig.image_utils", ""),
    (house.names_say_something, "sim.x", "class GoalManager: ..."),
    (house.names_say_something, "robot_rig.common.x", ""),
]

GOOD = [
    (house.imports_point_down, "robot_rig.loops.arm_loop", "from robot_rig.safety.gate import Gate"),
    (house.imports_point_down, "robot_rig.data.log", "from robot_rig.data import salvage\nfrom . import store"),
    (house.imports_point_down, "robot_rig.vision", "from robot_rig.picture_files import read"),
    (house.imports_point_down, "robot_rig.cli.session", "from sim.rig import SimRig\nfrom benchmarks.sim import run"),
    (house.imports_point_down, "sim.rig", "from robot_rig.loops.arm_loop import ArmLoop"),
    (house.imports_point_down, "drivers.sawyer_wire", "from robot_rig.ros import mailbox"),
    (house.imports_point_down, "sim.wire.robot", "from robot_rig.ros import topics\nfrom sim.world import World"),
    (house.imports_point_down, "drivers.arm_node", "from drivers import fake\nfrom robot_rig.ros.node import start"),
    (house.third_party_stays_in_its_room, "robot_rig.ros.node", "import rospy, rosgraph, genpy"),
    (house.third_party_stays_in_its_room, "drivers.ros_camera", "from sensor_msgs.msg import Image"),
    (house.third_party_stays_in_its_room, "robot_rig.vision", "import cv2, numpy, os"),
    (house.third_party_stays_in_its_room, "tests.x", "import anything_at_all"),
    (house.nothing_unpickles, "robot_rig.data.x", "import numpy as np\nnp.load('x', allow_pickle=False)"),
    (house.only_the_gate_holds_the_mint, "robot_rig.safety.gate", "from robot_rig.datatypes import GATE_MINT"),
    (house.no_branch_on_simulation, "sim.scenes", "if config.sim.scene == 'push':\n    pass"),
    (house.no_branch_on_simulation, "robot_rig.learning.x", "if similarity > simple:\n    pass"),
    (house.only_people_facing_code_prints, "robot_rig.cli.main", "print('x')"),
    (house.only_clocks_and_drivers_sleep, "robot_rig.clock", "import time\ntime.sleep(1)"),
    (house.files_and_functions_are_short, "sim.x", "x = 1\n" * 300),
    (house.names_say_something, "robot_rig.commons_sense", "class Utility: ..."),
]


@pytest.mark.parametrize(("rule", "name", "text"), BAD)
def test_a_breach_is_seen(rule: Rule, name: str, text: str) -> None:
    complaints = list(rule(Source(name, text), MODULES | {name}))
    assert len(complaints) == 1, complaints
    assert complaints[0].startswith(name)


@pytest.mark.parametrize(("rule", "name", "text"), GOOD)
def test_what_is_allowed_is_not_complained_about(rule: Rule, name: str, text: str) -> None:
    assert list(rule(Source(name, text), MODULES | {name})) == []


def test_every_rule_has_been_seen_to_bite() -> None:
    assert {rule for rule, _, _ in BAD} == set(RULES)


@pytest.mark.parametrize(
    "line", ["x = '/home/ann/x'", "cd /tmp/x", "see /mnt/main", "url https://py" + "pi.org/simple"]
)
def test_a_machine_path_is_seen(line: str) -> None:
    assert next(house.names_of_one_machine(f"first\n{line}\n")).startswith("2:")


@pytest.mark.parametrize("line", ["/usr/bin/python3", "robot/home/x", "$TMP/tmp/x", "the work/home balance"])
def test_other_paths_are_fine(line: str) -> None:
    assert list(house.names_of_one_machine(line)) == []


def test_a_circle_is_seen() -> None:
    assert house.import_cycle({"a": {"b"}, "b": {"c"}, "c": {"a"}}) == ["a", "b", "c", "a"]
    assert house.import_cycle({"a": {"b", "c"}, "b": {"c"}, "c": set()}) == []


def test_a_loaded_module_is_seen() -> None:
    assert importlib.util.find_spec("mujoco") is not None
    assert "mujoco" in loaded_by(["sim.world"])
