"""A catkin workspace with this checkout in it: built by catkin_make, and the stack comes up out of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house import ROOT
from tests.launch.launching import launched, says

needs_catkin = pytest.mark.skipif(shutil.which("catkin_make") is None, reason="the package catkin is not installed")
LIMIT_S = 300.0


@pytest.mark.proof
@needs_catkin
def test_a_workspace_builds_and_runs_the_simulated_stack(tmp_path: Path) -> None:
    workspace = tmp_path / "a workspace"
    (workspace / "src").mkdir(parents=True)
    (workspace / "src" / "robot_rig").symlink_to(ROOT)
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("ROS_", "CMAKE_", "PYTHON"))}
    built = subprocess.run(
        ["catkin_make", "-DPYTHON_EXECUTABLE=/usr/bin/python3"],
        cwd=workspace,
        env=clean | {"PWD": str(workspace)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert built.returncode == 0, built.stdout + built.stderr
    # The workspace's own set-up replaces the path that `launched` gives.
    start = '. "$0/devel/setup.bash" && exec roslaunch robot_rig sim.launch'
    with launched(["bash", "-c", start, str(workspace)], tmp_path / "home", package_path=Path("/nowhere")) as launch:
        assert says(launch, "enable: the guard is in mode active", LIMIT_S), launch.output[-6000:]
        assert launch.process.poll() is None
    assert "rig_arm" in launch.output
