"""Whether ROS is here at all. Without it the tests that need it are not collected: this one says so."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.house import ROOT
from tests.ros_graph import HAS_ROS, needs_ros


def packaged() -> bool:
    """Whether this machine's distribution has ROS 1, asked like setup.sh does."""
    if shutil.which("apt-cache") is None:
        return False
    policy = subprocess.run(["apt-cache", "policy", "python3-rospy"], capture_output=True, text=True, check=False)
    return "Candidate: " in policy.stdout and "Candidate: (none)" not in policy.stdout


def test_ros_is_here_where_the_distribution_has_it() -> None:
    assert HAS_ROS or not packaged(), "ROS is missing, and its tests were not run: run `make setup`"


@pytest.mark.parametrize(
    ("path", "needs"),
    [
        ("tests/ros/test_convert.py", True),
        ("tests/ros/test_node.py", True),
        ("tests/ros/test_stamps.py", False),
        ("tests/ros/test_intera_table.py", False),
        ("tests/test_kinematics.py", False),
        ("tests/test_floors.py", False),
        ("tests/test_ros_presence.py", False),
    ],
)
def test_what_needs_ros_is_known(path: str, needs: bool) -> None:
    assert needs_ros(ROOT / path) is needs
