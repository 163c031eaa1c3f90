"""A ROS master of one's own for tests, and the one node that a test process may be.

`ros_master` and `ros_node` reach every test through tests/conftest.py. Tests that need two nodes start subprocesses.
"""

from __future__ import annotations

import importlib.util
import os
import random
import socket
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from tests import house
from tests.children import die_with_parent

HAS_ROS = importlib.util.find_spec("rospy") is not None
DEFAULT_PORT = 11311  # somebody's robot may be there
MASTER = "import rosmaster; rosmaster.rosmaster_main()"


def environment(uri: str, home: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if name not in ("ROS_HOSTNAME", "ROS_NAMESPACE")}
    return kept | {"ROS_MASTER_URI": uri, "ROS_IP": "127.0.0.1", "ROS_HOME": str(home)}


@dataclass
class Master:
    """A running rosmaster. `environment` is what makes a subprocess a part of its graph."""

    uri: str
    home: Path
    process: subprocess.Popen[bytes]

    @property
    def environment(self) -> dict[str, str]:
        return environment(self.uri, self.home)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port() -> int:
    # Below the range that the kernel gives out by itself, so that no node's own port can take it in between.
    while True:
        port = random.randint(20000, 32000)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        if port != DEFAULT_PORT:
            return port


def start_master(home: Path, port: int | None = None) -> Master:
    """A rosmaster on `port` or on a free one, ready to answer; the caller stops it."""
    for _ in range(5):
        uri = f"http://127.0.0.1:{port or free_port()}"
        arguments = [sys.executable, "-c", MASTER, "--core", "-p", uri.rpartition(":")[2]]
        with (home / "master.log").open("ab") as log:
            process = subprocess.Popen(
                arguments, env=environment(uri, home), stdout=log, stderr=log, preexec_fn=die_with_parent
            )
        master = Master(uri, home, process)
        if answers(master):
            return master
        master.stop()
    raise RuntimeError((home / "master.log").read_text())


def answers(master: Master, within: float = 60.0) -> bool:
    """Whether it is this process, and no stranger on its port, that answers."""
    end = time.monotonic() + within
    while time.monotonic() < end and master.process.poll() is None:
        try:
            if xmlrpc.client.ServerProxy(master.uri).getPid("/test")[2] == master.process.pid:
                return True
        except OSError:
            time.sleep(0.02)
    return False


@contextmanager
def in_graph(master: Master) -> Iterator[None]:
    """This process's environment points to `master`."""
    before = dict(os.environ)
    os.environ.update(master.environment)
    for name in ("ROS_HOSTNAME", "ROS_NAMESPACE"):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="session")
def ros_master(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Master]:
    """A master on a free port of this machine, and the environment that leads to it; one for each test process."""
    master = start_master(tmp_path_factory.mktemp("ros_home"))
    with in_graph(master):
        yield master
    master.stop()


@pytest.fixture(scope="session")
def ros_node(ros_master: Master) -> Iterator[str]:
    """This test process as one anonymous node of `ros_master`'s graph; its name."""
    import rospy

    rospy.init_node("robot_rig_test", anonymous=True, disable_signals=True)
    yield rospy.get_name()
    rospy.signal_shutdown("tests are over")


def eventually(condition: Callable[[], object], within: float = 60.0) -> bool:
    """Whether `condition()` comes true in time; a graph settles when it likes, so tests wait and never time it."""
    end = time.monotonic() + within
    while time.monotonic() < end:
        if condition():
            return True
        time.sleep(0.01)
    return bool(condition())


@cache
def _paths() -> dict[str, Path]:
    return house.paths()


@cache
def _imports_of(name: str) -> frozenset[str]:
    """What the module `name` of this repository imports; each that is asked for is read once, and no other."""
    source = house.Source(name, _paths()[name].read_text())
    return frozenset(other for other, _ in house.imports(source, _paths().keys()))


def needs_ros(path: Path) -> bool:
    """Whether importing the test module at `path` would import rospy or message packages, however deep."""
    if any(word in path.read_text() for word in ("ros_master", "ros_node", "start_master")):
        return True
    todo, seen = [".".join(path.relative_to(house.ROOT).with_suffix("").parts)], set[str]()
    while todo:
        name = todo.pop()
        if name in seen or name not in _paths() or name == __name__:
            continue
        seen.add(name)
        if any(other.split(".")[0] in house.ROS for other in _imports_of(name)):
            return True
        todo.extend(_imports_of(name))
    return False
