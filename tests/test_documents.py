"""What the pages under docs/ tell people to type, set and look for is really there."""

from __future__ import annotations

import re
import shlex
import xml.etree.ElementTree
from pathlib import Path

import pytest

from robot_rig.cli.dispatch import GROUPS, ORDERS, STAGES, bound
from robot_rig.config_files import load_config
from robot_rig.safety.limits import Limits
from robot_rig.safety.reasons import REASONS
from tests.house import ROOT

ROBOT = (ROOT / "docs/robot.md").read_text()
SAFETY = (ROOT / "docs/safety.md").read_text()
TUTORIAL = (ROOT / "docs/tutorial-sim.md").read_text()
FIRST_DAY = (ROOT / "docs/tutorial-robot.md").read_text()


@pytest.mark.parametrize("text", [ROBOT, SAFETY, TUTORIAL, FIRST_DAY], ids=["robot", "safety", "tutorial", "first day"])
def test_every_word_of_rig_is_known(text: str) -> None:
    said = re.findall(r"(?:^|`|bin/)rig ([a-z][a-z-]*)(?: ([a-z]+))?", text, re.MULTILINE)
    assert len(said) > 10
    for word, second in said:
        assert word in STAGES or word in ORDERS or second in GROUPS.get(word, {}), f"rig {word} {second}"


@pytest.mark.parametrize("text", [ROBOT, TUTORIAL, FIRST_DAY], ids=["robot", "tutorial", "first day"])
def test_every_launch_file_and_its_arguments_are_there(text: str) -> None:
    lines = re.findall(r"^(?:`)?roslaunch robot_rig (\S+\.launch)(.*)$", text, re.MULTILINE)
    assert len(lines) >= 3
    for name, rest in lines:
        launch = xml.etree.ElementTree.parse(ROOT / "launch" / name).getroot()
        arguments = {one.get("name") for one in launch.findall("arg") if one.get("value") is None}
        assert set(re.findall(r"(\w+):=", rest)) <= arguments, name


@pytest.mark.parametrize("text", [TUTORIAL, FIRST_DAY], ids=["tutorial", "first day"])
def test_every_command_of_a_tutorial_is_taken_by_its_word(text: str) -> None:
    said = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    commands = [shlex.split(line)[1:] for line in said if line.startswith("rig ")]
    assert len(commands) > 15
    for head, *rest in commands:
        group = GROUPS.get(head)
        command = group[rest[0]] if group is not None else STAGES.get(head) or ORDERS[head]
        bound(command, f"rig {head}", rest[1:] if group is not None else rest)


def test_the_first_day_has_twelve_steps_that_each_say_the_same_four_things() -> None:
    steps = re.split(r"^## (\d+)\. ", FIRST_DAY, flags=re.MULTILINE)[1:]
    assert [int(number) for number in steps[::2]] == list(range(1, 13))
    for number, step in zip(steps[::2], steps[1::2], strict=True):
        assert "```sh" in step, number
        for word in ("**Shows**", "**Takes**", "**Can go wrong**"):
            assert step.count(word) == 1, f"{number}: {word}"
    assert "No real Sawyer and no real camera" in FIRST_DAY.partition("## 1.")[0]


def test_every_reason_is_in_the_table_of_what_to_do_and_no_other() -> None:
    table = SAFETY.partition("## 5.")[2].partition("## 6.")[0]
    rows = [line for line in table.splitlines() if line.startswith("| `")]
    codes = [code for row in rows for code in re.findall(r"`([a-z_]+)`", row.split("|")[1])]
    assert sorted(codes) == sorted(REASONS)


def test_every_file_that_is_named_exists() -> None:
    names = re.findall(r"`([\w/]+\.py)`", SAFETY)
    assert len(names) > 20
    folder = Path("tests")
    for name in names:
        # A name without a folder lies beside the one before it; safety/ is the library's.
        path = Path(name) if "/" in name else folder / name
        folder = path.parent
        assert (ROOT / path).is_file() or (ROOT / "robot_rig" / path).is_file(), name


ROOMS = ("control", "safety", "learning", "data", "loops", "stages", "transport", "ros")
NAMED_ROOMS = ("robot_rig", *(f"robot_rig/{room}" for room in ROOMS))


def test_every_module_is_named_where_the_tree_is_explained() -> None:
    tree = (ROOT / "docs/architecture.md").read_text().partition("## 2.")[2].partition("## 3.")[0]
    families = re.findall(r"\b(\w+)\*", tree)
    assert len(families) >= 3
    modules = [path.stem for room in (*NAMED_ROOMS, "drivers", "benchmarks") for path in (ROOT / room).glob("*.py")]
    assert len(modules) > 100
    known = set(re.findall(r"\w+", tree))
    missing = {name for name in modules if name not in known and not name.startswith((*families, "__init__"))}
    assert not missing, f"docs/architecture.md, section 2, does not say what these are for: {sorted(missing)}"


def test_the_settings_shown_are_ones_that_the_guard_takes(tmp_path: Path) -> None:
    (block,) = re.findall(r"```yaml\n(.*?)```", ROBOT, re.DOTALL)
    (tmp_path / "mine.yaml").write_text(block)
    config = load_config([tmp_path / "mine.yaml"], [])
    Limits.from_config(config.guard, config.control)
    assert config.guard.tool_speed_m_s < 0.25
