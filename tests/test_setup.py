"""Set-up: what it refuses, what it pins, and that what is imported is what was pinned."""

from __future__ import annotations

import importlib.metadata
import os
import re
import subprocess
import sys
from pathlib import Path

import cv2
import numpy
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parent.parent
OS_RELEASES = {
    "debian12": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 12 (bookworm)"\n',
    "debian11": 'ID=debian\nPRETTY_NAME="Debian GNU/Linux 11 (bullseye)"\n',
    "ubuntu": 'ID=ubuntu\nID_LIKE=debian\nPRETTY_NAME="Ubuntu 22.04.5 LTS"\n',
    "mint": 'ID=linuxmint\nID_LIKE="ubuntu debian"\nPRETTY_NAME="Linux Mint 22"\n',
    "fedora": 'ID=fedora\nPRETTY_NAME="Fedora Linux 42"\n',
    "arch": 'ID=arch\nPRETTY_NAME="Arch Linux"\n',
}


def bash(script: str, *arguments: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run `script` with the functions of setup.sh at hand, in the checkout."""
    environment = dict(os.environ) | ({"PATH": path} if path else {})
    return subprocess.run(
        ["/bin/bash", "-c", f"source ./setup.sh; {script}", "bash", *arguments],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def problem(tmp_path: Path, kernel: str, system: str, python: str) -> str:
    release = tmp_path / "os-release"
    if system in OS_RELEASES:
        release.write_text(OS_RELEASES[system])
    result = bash('platform_problem "$1" "$2" "$3"', kernel, str(release), python)
    assert result.returncode == 0, result.stderr
    return result.stdout.strip()


@pytest.mark.parametrize(
    ("system", "python"),
    [("debian12", "3.11.2"), ("ubuntu", "3.10.12"), ("mint", "3.12.3"), ("debian12", "3.13.5-1"), ("debian12", "")],
)
def test_the_supported_systems_pass(tmp_path: Path, system: str, python: str) -> None:
    assert problem(tmp_path, "Linux", system, python) == ""


@pytest.mark.parametrize(
    ("kernel", "system", "python", "names"),
    [
        ("Darwin", "", "", "macOS"),
        ("FreeBSD", "", "", "FreeBSD"),
        ("Linux", "fedora", "3.13.1", "Fedora Linux 42"),
        ("Linux", "arch", "3.13.1", "Arch Linux"),
        ("Linux", "absent", "3.13.1", "this system"),
        ("Linux", "debian11", "3.9.2", "Debian GNU/Linux 11"),
        ("Linux", "debian11", "3.9.2-3", "3.9.2-3"),
    ],
)
def test_another_system_gets_one_sentence_and_the_docker_way(
    tmp_path: Path, kernel: str, system: str, python: str, names: str
) -> None:
    sentence = problem(tmp_path, kernel, system, python)
    assert names in sentence
    assert "docker build" in sentence
    assert "\n" not in sentence


def test_a_refusal_exits_with_2_on_stderr() -> None:
    result = bash("refuse 'no way'")
    assert (result.returncode, result.stdout, result.stderr) == (2, "", "set-up: no way\n")


def fake_apt(tmp_path: Path, installed: str, known: str) -> str:
    """A PATH on which dpkg-query finds `installed` and apt-cache knows `known`."""
    tools = {
        "dpkg-query": f'for p in {installed}; do [ "$p" = "${{@: -1}}" ] && printf installed; done; true',
        "apt-cache": f'for p in {known}; do [ "$p" = "$2" ] && echo "  Candidate: 1.0"; done; true',
        "apt-get": 'echo "apt-get $*" >&2',
    }
    for name, body in tools.items():
        (tmp_path / name).write_text(f"#!/bin/bash\n{body}\n")
        (tmp_path / name).chmod(0o755)
    return f"{tmp_path}:/usr/bin:/bin"


def test_only_what_is_missing_is_wanted(tmp_path: Path) -> None:
    everything = (
        "python3 python3-venv make git ca-certificates openssh-client rsync "
        "libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0 libgl1"
    )
    path = fake_apt(tmp_path, f"{everything} libglib2.0-0", "")
    lines = (ROOT / "apt.txt").read_text().splitlines()
    optional = [line for line in lines if line.endswith("?") and not line.startswith("#")]
    assert "libosmesa6?" in optional
    assert "python3-rospy?" in optional
    assert bash("wanted", path=path).stdout.split() == optional
    assert bash("wanted | required", path=path).stdout.split() == []
    path = fake_apt(tmp_path, everything.replace("libgl1 ", "").removesuffix(" libgl1"), "")
    assert bash("wanted | required", path=path).stdout.split() == ["libgl1", "libglib2.0-0t64|libglib2.0-0"]


@pytest.mark.parametrize(
    ("known", "chosen", "code"),
    [
        ("libgl1 libglib2.0-0t64 libosmesa6", ["libgl1", "libglib2.0-0t64", "libosmesa6"], 0),
        ("libgl1 libglib2.0-0", ["libgl1", "libglib2.0-0"], 0),
        ("libgl1", ["libgl1"], 1),
    ],
)
def test_a_release_gets_the_names_it_has(tmp_path: Path, known: str, chosen: list[str], code: int) -> None:
    path = fake_apt(tmp_path, "", known)
    result = bash("printf 'libgl1\\nlibglib2.0-0t64|libglib2.0-0\\nlibosmesa6?\\n' | choose", path=path)
    assert (result.stdout.split(), result.returncode) == (chosen, code)


def test_what_will_be_installed_is_said_before_it_happens(tmp_path: Path) -> None:
    path = fake_apt(
        tmp_path,
        "python3 python3-venv make git ca-certificates openssh-client rsync libgl1",
        "libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0 libglib2.0-0",
    )
    result = bash('as_root() { echo "root: $*"; }; install_apt', path=path)
    lines = result.stdout.splitlines()
    packages = "libegl1 libegl-mesa0 libgl1-mesa-dri libopengl0 libglib2.0-0"
    assert lines[0].startswith("set-up: updating apt's package lists"), "an optional one is unknown: lists may be old"
    assert lines[1] == "root: apt-get update -qq"
    assert lines[2].startswith("set-up: installing with apt")
    assert lines[2].endswith(packages)
    assert lines[3].endswith(f"--no-install-recommends {packages}")
    assert lines[3].startswith("root: ")


def test_a_person_without_root_is_told_that_sudo_is_used_or_what_to_ask_for(tmp_path: Path) -> None:
    path = fake_apt(tmp_path, "python3", "libgl1")
    result = bash("is_root() { false; }; has_sudo() { true; }; with_sudo", path=path)
    assert "with sudo" in result.stdout
    result = bash("is_root() { false; }; has_sudo() { false; }; as_root apt-get install libgl1", path=path)
    assert result.returncode == 2
    assert "have an administrator run: apt-get install libgl1" in result.stderr


def pins() -> dict[str, Requirement]:
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    requirements = [Requirement(line) for line in lines if line]
    return {r.name.lower(): r for r in requirements if r.marker is None or r.marker.evaluate()}


def test_every_requirement_is_pinned_exactly() -> None:
    project = (ROOT / "pyproject.toml").read_text()
    lists = re.findall(r"(?:dependencies|test) = \[(.*?)\]\n", project, re.DOTALL)
    names = {Requirement(text).name.lower() for text in re.findall(r'"([^"]+)"', "".join(lists))}
    assert {"torch", "opencv-python", "mujoco", "pytest"} <= names
    pinned = pins()
    assert names <= pinned.keys(), names - pinned.keys()
    for requirement in pinned.values():
        assert re.fullmatch(r"==[^*,]+", str(requirement.specifier)), f"{requirement} is not one version"


@pytest.mark.parametrize("python", ["3.10", "3.11", "3.12", "3.13"])
def test_each_python_has_one_pin_a_package(python: str) -> None:
    lines = [line.split("#")[0].strip() for line in (ROOT / "constraints.txt").read_text().splitlines()]
    environment = {"python_version": python}
    names = [
        r.name for line in lines if line if (r := Requirement(line)).marker is None or r.marker.evaluate(environment)
    ]
    assert len(names) == len(set(names))
    assert {"torch", "numpy", "mujoco", "opencv-python"} <= set(names)


def test_what_runs_is_what_is_pinned() -> None:
    for module, name in ((numpy, "numpy"), (yaml, "pyyaml"), (cv2, "opencv-python")):
        assert Path(str(module.__file__)).is_relative_to(sys.prefix), f"{name} comes from {module.__file__}"
        assert importlib.metadata.version(name) in str(pins()[name].specifier)
    assert Version(importlib.metadata.version("torch")).public == "2.13.0"


def test_opencv_is_version_4_and_the_only_one() -> None:
    assert cv2.__version__.startswith("4.")
    own = [entry for entry in sys.path if entry.startswith(sys.prefix)]
    names = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions(path=own)}
    assert [name for name in names if name.startswith("opencv")] == ["opencv-python"]


def test_a_second_opencv_is_noticed(tmp_path: Path) -> None:
    script = Path(ROOT / "setup.sh").read_text()
    check = script[script.index("<<'PYTHON'\n") + len("<<'PYTHON'\n") : script.index("\nPYTHON\n")]
    fake = tmp_path / "opencv_python_headless-4.14.0.dist-info"
    fake.mkdir()
    (fake / "METADATA").write_text("Metadata-Version: 2.1\nName: opencv-python-headless\nVersion: 4.14.0\n")
    code = f"import sys\nsys.path.insert(0, {str(tmp_path)!r})\n"
    code += check.replace("entry.startswith(sys.prefix)", f"entry.startswith((sys.prefix, {str(tmp_path)!r}))")
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "opencv-python and opencv-python-headless" in result.stderr
    assert "uninstall" in result.stderr


def test_no_index_and_no_host_is_named() -> None:
    for name in ("setup.sh", "Makefile", "constraints.txt", "pyproject.toml", "Dockerfile", "apt.txt"):
        text = (ROOT / name).read_text()
        assert not re.search(r"--(extra-)?index-url[ =]http|--find-links|https?://", text), name
