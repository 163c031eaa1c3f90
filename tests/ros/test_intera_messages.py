"""The classes made of the definitions: the same md5 sums, on the wire too, for four releases side by side."""

from __future__ import annotations

import functools
import io
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import geometry_msgs.msg
import pytest
import sensor_msgs.msg

from robot_rig.errors import UserError
from robot_rig.ros import intera_messages
from robot_rig.ros.intera_generator import cache_folder, folder_of
from robot_rig.ros.intera_messages import load, releases
from robot_rig.ros.intera_table import definitions
from tests.house import ROOT


@pytest.fixture(scope="module", autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("cache")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(folder))
    # Other tests of this process keep the classes that they have.
    patch.setattr(intera_messages, "_load", functools.cache(intera_messages._load.__wrapped__))
    yield folder
    patch.undo()


@pytest.mark.parametrize("release", releases())
def test_every_class_has_the_published_md5(release: str) -> None:
    types = load(release)
    wrong = {name for name, one in definitions(release).items() if getattr(types, name)._md5sum != one.md5}
    assert len(definitions(release)) > 50
    assert wrong == set()


def test_a_type_that_a_release_lacks_is_a_users_error() -> None:
    for release, name in (("5.5.2", "AssemblyState"), ("5.2.0", "RobotAssemblyState"), ("5.1.0", "Trajectory")):
        with pytest.raises(UserError, match="which belongs to 5"):
            getattr(load(release), name)
    with pytest.raises(UserError, match="not known"):
        load("6.0")
    assert not hasattr(load(), "_private")


def crossed(message: object) -> object:
    """`message` after a journey over the wire."""
    buffer = io.BytesIO()
    message.serialize(buffer)
    return type(message)().deserialize(buffer.getvalue())


@pytest.mark.parametrize("release", releases())
def test_messages_cross_the_wire(release: str) -> None:
    types = load(release)
    command = types.JointCommand(mode=2, names=["right_j0", "right_j1"], velocity=[0.25, -1e-300])
    assert crossed(command) == command
    status = types.IODeviceStatus(signals=[types.IODataStatus(name="go", status=types.IOStatus(tag="ready"))])
    assert crossed(status) == status
    assert type(crossed(status).signals[0]) is types.IODataStatus


def test_releases_side_by_side_keep_apart() -> None:
    new, old = load("5.5.2"), load("5.3.0")
    assert new.SEAJointState is not old.SEAJointState
    assert "actual_current" in new.SEAJointState.__slots__
    assert "actual_current" not in old.SEAJointState.__slots__
    assert "user_seed_indices" in new.SolvePositionIKRequest.__slots__
    assert "user_seed_indices" not in old.SolvePositionIKRequest.__slots__
    assert new.SolvePositionIK._request_class is new.SolvePositionIKRequest
    assert load("5.5.2") is new


def test_embedded_standard_types_are_the_installed_ones() -> None:
    types = load()
    assert type(types.EndpointState().pose) is geometry_msgs.msg.Pose
    request = types.SolvePositionIKRequest(seed_angles=[sensor_msgs.msg.JointState(position=[1.0])])
    assert type(crossed(request).seed_angles[0]) is sensor_msgs.msg.JointState


def test_constants_are_there() -> None:
    types = load()
    assert (types.JointCommand.VELOCITY_MODE, types.JointCommand.TRAJECTORY_MODE) == (2, 4)
    assert types.SolvePositionIKResponse.IK_IN_COLLISION == -2
    assert len(types.MotionCommandGoal.MOTION_GENERATE) == 41


def test_loading_leaves_no_trace_among_the_modules() -> None:
    code = """
from robot_rig.ros.intera_messages import load
load("5.5.2").JointCommand
print([name for name in sys.modules if name.startswith(("intera_core", "intera_motion", "control_", "motor_"))])
"""
    assert python(code) == "[]"


def test_the_second_process_finds_the_first_ones_work(own_cache: Path) -> None:
    folder = load("5.5.2").folder
    written = (folder / "intera_core_msgs" / "msg" / "_JointCommand.py").stat().st_mtime_ns
    intera_messages._load.cache_clear()
    assert load("5.5.2").folder == folder
    assert (folder / "intera_core_msgs" / "msg" / "_JointCommand.py").stat().st_mtime_ns == written


@pytest.mark.parametrize("damage", ["", "import nothing_of_the_kind", "class JointCommand:\n  _md5sum = '0'\n"])
def test_a_damaged_cache_is_written_anew(damage: str) -> None:
    path = load("5.5.2").folder / "intera_core_msgs" / "msg" / "_JointCommand.py"
    path.write_text(damage)
    intera_messages._load.cache_clear()
    assert load("5.5.2").JointCommand._md5sum == "c8c85922d297da6209a089a906207e5d"


def test_what_a_killed_process_left_unfinished_is_in_nobodys_way() -> None:
    folder = folder_of("5.2.0", cache_folder())
    unfinished = folder.with_name(f"unfinished-{folder.name}")
    (unfinished / "intera_core_msgs").mkdir(parents=True)
    for path in sorted(folder.rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    if folder.exists():
        folder.rmdir()
    intera_messages._load.cache_clear()
    assert load("5.2.0").AssemblyState._md5sum == "1dd1da5d897074cd1eece6cc0449a2eb"
    assert not unfinished.exists()


def test_a_folder_that_others_can_write_to_is_not_trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache_folder().chmod(0o777)
    with pytest.raises(UserError, match="others can write"):
        cache_folder()


def test_a_cache_that_cannot_be_made_names_the_variable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    with pytest.raises(UserError, match="XDG_CACHE_HOME"):
        cache_folder()


def python(code: str, *path: Path) -> str:
    command = [sys.executable, "-c", "import sys; sys.path[:0] = sys.argv[1:]\n" + code, *map(str, path)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


def test_a_program_that_imports_by_name_gets_them_from_the_folder() -> None:
    code = "from intera_core_msgs.msg import SEAJointState; print(SEAJointState._md5sum)"
    assert python(code, load("5.3.0").folder) == "5df7bfe6612daccc934b34dad7800762"


def test_made_importable_they_are_what_the_sdk_imports_and_another_release_is_refused() -> None:
    code = """
from robot_rig.errors import UserError
from robot_rig.ros.intera_messages import load
types = load("5.3.0")
types.make_importable()
import intera_core_msgs.msg, intera_core_msgs.srv
assert intera_core_msgs.msg.SEAJointState is types.SEAJointState
assert intera_core_msgs.srv.SolvePositionIK is types.SolvePositionIK
assert load("5.5.2").SEAJointState is not types.SEAJointState
try:
    load("5.5.2").make_importable()
except UserError as error:
    print(error.problem)
"""
    assert "imported already" in python(code)


def test_an_installed_package_is_used_only_when_its_md5_sums_fit() -> None:
    code = """
from robot_rig.ros.intera_messages import load
import intera_core_msgs.msg
installed = intera_core_msgs.msg.SEAJointState
print(load("5.3.0").SEAJointState is installed, load("5.5.2").SEAJointState is installed)
print(load("5.5.2").SEAJointState._md5sum, intera_core_msgs.msg.SEAJointState is installed)
"""
    assert python(code, load("5.3.0").folder).split() == ["True", "False", "a473404cd707e34325ad3da7b206381f", "True"]
