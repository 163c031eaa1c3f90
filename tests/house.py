"""The rules of the house as functions from sources to complaints. `test_floors.py` applies them, and tests them.

Everything works on the syntax tree, so nothing is imported and nothing can hide behind a function body.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
TOP_LEVEL = {"robot_rig", "drivers", "launch", "calibration", "sim", "tests", "benchmarks", "docs"}
CODE = ("robot_rig", "drivers", "sim", "calibration", "benchmarks", "tests")
MAX_FILE_LINES, MAX_TEST_FILE_LINES, MAX_FUNCTION_LINES = 300, 450, 60


@dataclass(frozen=True)
class Room:
    """Where a module lives. Imports point to lower floors or stay in the room; rooms named siblings never meet."""

    floor: int
    name: str
    third_party: frozenset[str]
    siblings: bool = False


def _room(floor: int, name: str, third_party: str = "", siblings: bool = False) -> Room:
    return Room(floor, name, frozenset(third_party.split()), siblings)


ANYTHING = "*"
WITH_ROS = (
    "rospy rosgraph genpy genmsg std_msgs sensor_msgs geometry_msgs diagnostic_msgs trajectory_msgs actionlib_msgs "
    "rosgraph_msgs std_srvs intera_core_msgs intera_motion_msgs motor_control_msgs control_msgs"
)
ROS = frozenset(WITH_ROS.split())
ROOMS: dict[str, Room] = {
    "robot_rig": _room(0, "contracts"),
    "robot_rig.arrays": _room(0, "contracts", "numpy"),
    "robot_rig.datatypes": _room(0, "contracts", "numpy"),
    "robot_rig.interfaces": _room(0, "contracts", "numpy"),
    "robot_rig.clock": _room(0, "contracts"),
    "robot_rig.errors": _room(0, "contracts"),
    "robot_rig.compiled": _room(0, "contracts", "numba"),
    "robot_rig.kinematics": _room(0, "contracts", "numpy"),
    "robot_rig.config": _room(0, "contracts", "pydantic"),
    "robot_rig.config_learning": _room(0, "contracts", "pydantic"),
    "robot_rig.config_section": _room(0, "contracts", "pydantic"),
    "robot_rig.config_files": _room(0, "contracts", "pydantic yaml"),
    "robot_rig.strict_yaml": _room(0, "contracts", "yaml"),
    "robot_rig.disk": _room(0, "contracts"),
    "robot_rig.keys": _room(0, "contracts", "cryptography"),
    "robot_rig.stranger_files": _room(0, "contracts"),
    "robot_rig.array_files": _room(0, "contracts", "numpy"),
    "robot_rig.run_mark": _room(0, "contracts"),
    "robot_rig.runs": _room(0, "contracts", "numpy"),
    "robot_rig.versions": _room(0, "contracts"),
    "robot_rig.vision": _room(1, "vision", "numpy cv2", siblings=True),
    "robot_rig.picture_files": _room(1, "vision", "numpy", siblings=True),
    "robot_rig.control": _room(1, "control", "numpy", siblings=True),
    "robot_rig.safety": _room(1, "safety", "numpy", siblings=True),
    "robot_rig.learning": _room(1, "learning", "numpy torch safetensors onnx onnxruntime", siblings=True),
    "robot_rig.data": _room(1, "data", "numpy mcap rosbags zstandard lz4", siblings=True),
    "robot_rig.data.lerobot_export": _room(1, "data", "numpy pyarrow", siblings=True),
    "robot_rig.data.lerobot_video": _room(1, "data", "av", siblings=True),
    "robot_rig.loops": _room(2, "loops", "numpy"),
    "robot_rig.trainer": _room(2, "trainer", "numpy torch"),
    "robot_rig.stages": _room(2, "stages", "numpy"),
    "robot_rig.transport": _room(2, "transport"),
    "robot_rig.goal_library": _room(2, "goals", ""),
    "robot_rig.goal_sets": _room(2, "goals", ""),
    "robot_rig.metrics": _room(2, "metrics", "numpy tensorboard"),
    "robot_rig.evaluation": _room(2, "evaluation", "numpy scipy torch"),
    "robot_rig.evaluation_files": _room(2, "evaluation", "numpy"),
    "robot_rig.evaluation_compare": _room(2, "evaluation", "numpy scipy"),
    "robot_rig.evaluation_arrays": _room(2, "evaluation", "numpy"),
    "robot_rig.evaluation_attempts": _room(2, "evaluation", "numpy"),
    "robot_rig.evaluation_folder": _room(2, "evaluation", "numpy"),
    "robot_rig.evaluation_rivals": _room(2, "evaluation"),
    "robot_rig.evaluation_live": _room(2, "evaluation", "numpy"),
    "robot_rig.report": _room(2, "report", "numpy jinja2 markupsafe"),
    "robot_rig.report_data": _room(2, "report", "numpy"),
    "robot_rig.report_live": _room(2, "report", "jinja2"),
    "robot_rig.report_exam": _room(2, "report", "numpy jinja2 markupsafe"),
    "robot_rig.report_compare": _room(2, "report", "markupsafe"),
    "robot_rig.report_film": _room(2, "report", "numpy av matplotlib"),
    "robot_rig.report_plots": _room(2, "report", "numpy matplotlib"),
    "robot_rig.ros": _room(3, "ros", f"numpy yaml tyro {WITH_ROS}"),
    "drivers": _room(3, "drivers", "numpy", siblings=True),
    "drivers.realsense": _room(3, "drivers", "numpy pyrealsense2", siblings=True),
    "drivers.opencv_camera": _room(3, "drivers", "numpy cv2", siblings=True),
    "drivers.ros_camera": _room(3, "drivers", f"numpy {WITH_ROS}", siblings=True),
    "drivers.sawyer_topics": _room(3, "drivers", f"numpy {WITH_ROS}", siblings=True),
    "drivers.arm_reporting": _room(3, "drivers", f"numpy {WITH_ROS}", siblings=True),
    "drivers.sawyer_gripper": _room(3, "drivers", f"numpy {WITH_ROS}", siblings=True),
    "drivers.gripper_service": _room(3, "drivers", f"numpy {WITH_ROS}", siblings=True),
    "drivers.gamepad": _room(3, "drivers", "evdev", siblings=True),
    "drivers.spacemouse": _room(3, "drivers", "hidraw", siblings=True),
    "drivers.sawyer_wire": _room(3, "drivers", f"numpy {WITH_ROS}", siblings=True),
    "drivers.sawyer_intera": _room(3, "drivers", f"numpy intera_interface {WITH_ROS}", siblings=True),
    "sim": _room(3, "sim", "numpy mujoco", siblings=True),
    "sim.faults": _room(3, "sim", f"numpy {WITH_ROS}", siblings=True),
    "sim.faults.swapping": _room(4, "nodes", "numpy"),
    "sim.faults.failing_computer": _room(4, "nodes", "numpy"),
    "sim.faults.library_eye": _room(4, "nodes", "numpy pyrealsense2"),
    "sim.faults.trainee": _room(4, "nodes", "rich"),
    "sim.faults.ssh_server": _room(3, "sim", "psutil", siblings=True),
    "sim.faults.witness": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "sim.faults.puppet": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "sim.faults.sick_policy": _room(4, "nodes", f"numpy torch tyro {WITH_ROS}"),
    "sim.faults.stranger": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "sim.faults.flooder": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "sim.faults.slow_recorder": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "sim.faults.relay": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "sim.faults.hands": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "sim.wire": _room(3, "sim", f"numpy {WITH_ROS}", siblings=True),
    "sim.env": _room(3, "sim", "numpy gymnasium", siblings=True),
    "sim.strangers": _room(3, "sim", "numpy zstandard pydantic", siblings=True),
    "sim.strangers.originals": _room(3, "sim", "numpy torch", siblings=True),
    "calibration": _room(3, "calibration", "numpy scipy cv2", siblings=True),
    "calibration.board_pdf": _room(3, "calibration", "matplotlib", siblings=True),
    "calibration.records": _room(3, "calibration", "numpy pydantic", siblings=True),
    "calibration.results": _room(3, "calibration", "pydantic", siblings=True),
    "robot_rig.cli": _room(4, "cli", "numpy tyro rich psutil"),
    "robot_rig.nodes": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "drivers.camera_node": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "drivers.arm_node": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "drivers.teleop_node": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "sim.sim_node": _room(4, "nodes", f"numpy tyro {WITH_ROS}"),
    "benchmarks": _room(5, "benchmarks", ANYTHING),
    "tests": _room(5, "tests", ANYTHING),
}
FORBIDDEN_IMPORTS = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "joblib",
    "shelve",
    "marshal",
    "cv_bridge",
    "tf",
    "tf2_ros",
}
SAYS_NOTHING = {"util", "utils", "common", "manager", "managers", "helper", "helpers", "misc"}
MACHINE_PATH = re.compile(r"(?<![\w.}])/(?:work|home|root|tmp|Users|mnt|media)/\w")
# Each name with a class of one letter, so that this file does not name what it forbids.
PACKAGE_HOST = re.compile(r"\b(?:py[p]i\.org|python[h]osted\.org|download\.py[t]orch\.org|ana[c]onda\.org)\b")
SIMULATED = {"sim", "simulated", "simulation", "simulator"}


@dataclass(frozen=True)
class Source:
    """One module: its dotted name, its text and its tree."""

    name: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """All of the tree: every rule goes through them, and walking takes longer than looking."""
        return list(ast.walk(self.tree))

    @cached_property
    def statements(self) -> list[ast.AST]:
        """The statements among them, which are few and are all that imports can be."""
        found: list[ast.AST] = []
        todo: list[ast.AST] = [self.tree]
        while todo:
            node = todo.pop()
            found.append(node)
            for part in ("body", "orelse", "finalbody", "handlers", "cases"):
                todo.extend(getattr(node, part, ()))
        return found

    @property
    def is_test(self) -> bool:
        return self.name.split(".")[0] == "tests"

    @property
    def top(self) -> str:
        return self.name.split(".")[0]

    def under(self, *names: str) -> bool:
        return any(self.name == name or self.name.startswith(f"{name}.") for name in names)


def paths() -> dict[str, Path]:
    """Where every module of the repository lies, by its dotted name."""
    found = {}
    for folder in CODE:
        for path in sorted((ROOT / folder).rglob("*.py")):
            parts = path.relative_to(ROOT).with_suffix("").parts
            found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def sources() -> list[Source]:
    """Every module of the repository."""
    return [Source(name, path.read_text()) for name, path in paths().items()]


def room_of(name: str) -> Room | None:
    """The room of a module: the entry with the longest matching prefix; a file of robot_rig needs one of its own."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        prefix = ".".join(parts[:length])
        if prefix in ROOMS and (prefix != "robot_rig" or name == "robot_rig"):
            return ROOMS[prefix]
    return None


def imports(source: Source, modules: Collection[str]) -> Iterator[tuple[str, int]]:
    """(dotted name, line) of all that is imported; `from package import module` names the module."""
    for node in source.statements:
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                own = source.name.split(".")
                package = own if f"{source.name}.__init__" in modules else own[: len(own) - node.level]
                base = ".".join(filter(None, [*package, base]))
            for alias in node.names:
                inner = f"{base}.{alias.name}"
                yield (inner if inner in modules else base), node.lineno


def dotted(node: ast.AST) -> str:
    """`a.b.c` of such an expression, empty of any other."""
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute) and (before := dotted(node.value)):
        return f"{before}.{node.attr}"
    return ""


Rule = Callable[[Source, set[str]], Iterator[str]]


def imports_point_down(source: Source, modules: set[str]) -> Iterator[str]:
    room = room_of(source.name)
    if room is None:
        yield f"{source.name}: has no floor; give it a line in tests/house.py and in docs/architecture.md"
        return
    for name, line in imports(source, modules):
        if name.split(".")[0] not in CODE:
            continue
        other = room_of(name)
        where = f"{source.name}:{line}: imports {name}"
        if other is None:
            yield f"{where}, which has no floor"
        elif other.floor > room.floor and (room.name, other.name) != ("cli", "benchmarks"):
            yield f"{where}, floor {other.floor}, from floor {room.floor}"
        elif other.floor == room.floor and other.name != room.name and room.siblings and other.siblings:
            yield f"{where}: {room.name} and {other.name} are siblings and never meet"
        elif source.top == "robot_rig" and room.name != "cli" and name.split(".")[0] != "robot_rig":
            yield f"{where}: the library knows no hardware and no simulator"


def third_party_stays_in_its_room(source: Source, modules: set[str]) -> Iterator[str]:
    room = room_of(source.name)
    if room is None or ANYTHING in room.third_party:
        return
    for name, line in imports(source, modules):
        top = name.split(".")[0]
        if top not in CODE and top not in sys.stdlib_module_names and top not in room.third_party:
            yield f"{source.name}:{line}: {top} has no place in {room.name} ({', '.join(sorted(room.third_party))})"


def nothing_unpickles(source: Source, modules: set[str]) -> Iterator[str]:
    if source.is_test:  # where a hostile pickle is made, to see it refused
        return
    for name, line in imports(source, modules):
        if name.split(".")[0] in FORBIDDEN_IMPORTS:
            yield f"{source.name}:{line}: {name} is not used in this house"
    for node in source.nodes:
        if isinstance(node, ast.Attribute) and dotted(node) in {"torch.load", "torch.save"}:
            yield f"{source.name}:{node.lineno}: {dotted(node)} pickles; use safetensors"
        elif isinstance(node, ast.keyword) and node.arg == "allow_pickle" and ast.unparse(node.value) != "False":
            yield f"{source.name}:{node.value.lineno}: allow_pickle"


def imports_are_written_out(source: Source, _: set[str]) -> Iterator[str]:
    if source.is_test:
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and dotted(node.func) in {
            "__import__",
            "importlib.import_module",
            "import_module",
        }:
            yield f"{source.name}:{node.lineno}: an import that no reader and no rule can see"


def only_the_gate_holds_the_mint(source: Source, _: set[str]) -> Iterator[str]:
    if not source.is_test and not source.under("robot_rig.datatypes", "robot_rig.safety.gate"):
        for number, line in enumerate(source.text.splitlines(), 1):
            if "GATE_MINT" in line:
                yield f"{source.name}:{number}: names GATE_MINT"


def no_branch_on_simulation(source: Source, _: set[str]) -> Iterator[str]:
    if source.top not in ("robot_rig", "drivers"):
        return
    for node in source.nodes:
        tests = [node.test] if isinstance(node, ast.If | ast.IfExp | ast.While | ast.Assert) else []
        tests += [node.subject] if isinstance(node, ast.Match) else []
        tests += node.ifs if isinstance(node, ast.comprehension) else []
        for test in tests:
            for part in ast.walk(test):
                word = getattr(part, "id", getattr(part, "attr", ""))
                if set(str(word).lower().split("_")) & SIMULATED:
                    yield f"{source.name}:{part.lineno}: branches on {ast.unparse(test)}, which nobody here can know"


def only_people_facing_code_prints(source: Source, _: set[str]) -> Iterator[str]:
    if source.is_test or source.under("robot_rig.cli", "robot_rig.ros.node", "benchmarks"):
        return
    for node in source.nodes:
        if isinstance(node, ast.Call) and dotted(node.func) in {"print", "sys.stdout.write", "sys.stderr.write"}:
            yield f"{source.name}:{node.lineno}: prints"


def only_clocks_and_drivers_sleep(source: Source, modules: set[str]) -> Iterator[str]:
    if source.is_test or source.under("robot_rig.clock", "drivers"):
        return
    for node in source.nodes:
        called = isinstance(node, ast.Attribute) and dotted(node) == "time.sleep"
        imported = isinstance(node, ast.ImportFrom) and node.module == "time" and "sleep" in ast.unparse(node)
        if called or imported:
            yield f"{source.name}:{node.lineno}: sleeps"


def files_and_functions_are_short(source: Source, _: set[str]) -> Iterator[str]:
    limit = MAX_TEST_FILE_LINES if source.is_test else MAX_FILE_LINES
    if (count := len(source.text.splitlines())) > limit:
        yield f"{source.name}: {count} lines, more than {limit}"
    for node in source.nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > MAX_FUNCTION_LINES:
                yield f"{source.name}:{node.lineno}: {node.name} has {length} lines, more than {MAX_FUNCTION_LINES}"


def every_module_says_what_it_is_for(source: Source, _: set[str]) -> Iterator[str]:
    empty_test_package = source.is_test and not source.text.strip()
    if not empty_test_package and not ast.get_docstring(source.tree):
        yield f"{source.name}: no docstring"


def names_say_something(source: Source, _: set[str]) -> Iterator[str]:
    names = [source.name.replace(".", "_")]
    names += [node.name for node in source.nodes if isinstance(node, ast.ClassDef)]
    for name in names:
        words = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().split("_")
        if bad := SAYS_NOTHING & set(words):
            yield f"{source.name}: {name} is a grab-bag name ({', '.join(bad)})"


RULES: tuple[Rule, ...] = (
    imports_point_down,
    third_party_stays_in_its_room,
    nothing_unpickles,
    imports_are_written_out,
    only_the_gate_holds_the_mint,
    no_branch_on_simulation,
    only_people_facing_code_prints,
    only_clocks_and_drivers_sleep,
    files_and_functions_are_short,
    every_module_says_what_it_is_for,
    names_say_something,
)


def names_of_one_machine(text: str) -> Iterator[str]:
    """Lines of a file that name a place on somebody's machine or a package host."""
    for number, line in enumerate(text.splitlines(), 1):
        if match := MACHINE_PATH.search(line) or PACKAGE_HOST.search(line):
            yield f"{number}: {match.group()}"


def import_cycle(graph: dict[str, set[str]]) -> list[str]:
    """Modules on one cycle of `graph` (module -> what it imports), or an empty list."""
    done: set[str] = set()

    def visit(module: str, path: list[str]) -> list[str]:
        if module in path:
            return [*path[path.index(module) :], module]
        if module not in done:
            for other in sorted(graph.get(module, ())):
                if cycle := visit(other, [*path, module]):
                    return cycle
            done.add(module)
        return []

    return next((cycle for start in sorted(graph) if (cycle := visit(start, []))), [])
