"""Machine code is kept until its own file changes, so nothing that it was made of may stand in another file."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.house import ROOT

SEVEN = {"JOINTS"}
"""What may come from elsewhere, because it will never change."""

FILES = [path for top in ("robot_rig", "sim") for path in sorted((ROOT / top).rglob("*.py"))]


def is_compiled(function: ast.FunctionDef) -> bool:
    """Whether `compiled` decorates it."""
    calls = (one.func for one in function.decorator_list if isinstance(one, ast.Call))
    return any(isinstance(call, ast.Name) and call.id == "compiled" for call in calls)


def borrowed(source: str) -> set[str]:
    """Names of this project's other files that compiled functions of `source` use."""
    tree = ast.parse(source)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    ours = [node for node in imports if (node.module or "").split(".")[0] in {"robot_rig", "sim", "drivers"}]
    foreign = {alias.asname or alias.name for node in ours for alias in node.names}
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and is_compiled(node)]
    names = {node.id for one in functions for line in one.body for node in ast.walk(line) if isinstance(node, ast.Name)}
    return names & foreign - SEVEN


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_compiled_functions_use_nothing_of_another_file(path: Path) -> None:
    assert borrowed(path.read_text()) == set()


def test_a_borrowed_name_is_found() -> None:
    lines = (
        "from robot_rig.datatypes import JOINTS, Floats",
        "from robot_rig.safety import arithmetic",
        "@compiled(READ_1)",
        "def one(velocity: Floats) -> None:",
        "    velocity[JOINTS - 1] = arithmetic.ROUNDING",
    )
    assert borrowed("\n".join(lines)) == {"arithmetic"}
