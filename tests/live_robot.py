"""The simulated Sawyer as a process of its own in a test's ROS graph: what drivers and nodes are tested against."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from robot_rig.ros.master import Master as MasterCalls
from tests.children import die_with_parent
from tests.house import ROOT
from tests.ros_graph import Master, eventually

START_S = 60.0
LATE_S = 0.05


@contextmanager
def process_in_graph(master: Master, module: str, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """`python -m module arguments` in the graph of `master` until the block ends."""
    with (master.home / f"{module}.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env=master.environment,
            stdout=log,
            stderr=log,
            preexec_fn=die_with_parent,
        )
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def live_robot(master: Master, *arguments: str) -> Iterator[subprocess.Popen[bytes]]:
    """The simulated Sawyer with its camera, up and publishing."""
    calls = MasterCalls(master.uri, timeout=10.0)
    with process_in_graph(master, "sim.sim_node", *arguments) as process:

        def up() -> bool:
            state = calls.state()
            nodes = [state.publishers_of(topic) for topic in ("/robot/state", "/camera/color/image_raw")]
            # One that was killed stays in the master's list; only a living one is up.
            return all(any(not calls.is_gone(name) for name in names) for names in nodes)

        assert eventually(lambda: process.poll() is not None or up(), START_S)
        assert process.poll() is None, (master.home / "sim.sim_node.log").read_text()
        yield process
    assert eventually(lambda: all(map(calls.is_gone, calls.state().publishers_of("/robot/state"))), START_S)


def at_wall_clock() -> Callable[[float], None]:
    """Lets time pass as a periodic program does: each wait counts from the end of the one before, late or not."""
    due = time.monotonic()

    def let_pass(seconds: float) -> None:
        nonlocal due
        now = time.monotonic()
        due = (due if now - due < LATE_S else now) + seconds
        time.sleep(max(0.0, due - now))

    return let_pass
