"""For all tests: `sim` comes before anything that imports MuJoCo, because it chooses the GL library to bind.

Tests that need ROS are not collected where it is missing; tests/test_ros_presence.py says whether it should be there.
"""

import os
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import settings

import sim  # noqa: F401
from robot_rig.keys import FOLDER_VARIABLE
from tests.ros_graph import HAS_ROS, needs_ros, ros_master, ros_node
from tests.void_attempts import VoidAttempts

__all__ = ["ros_master", "ros_node"]


# How long an example takes says nothing: a machine may be away for half a second.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")

KEYS = tempfile.TemporaryDirectory(prefix="robot-rig-keys-")
"""Tests sign with keys of their own, and so do the processes that they start; a person's are not touched."""

os.environ[FOLDER_VARIABLE] = KEYS.name


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """A report without its figures, for tests that look elsewhere: drawing them takes seconds."""
    monkeypatch.setattr("robot_rig.report_plots._svg", lambda figure, salt: "<svg></svg>")


def pytest_configure(config: pytest.Config) -> None:
    # Ctrl-C is tested, also where the test run was started in the background, which ignores it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    config.pluginmanager.register(VoidAttempts())


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    is_test = collection_path.suffix == ".py" and collection_path.name.startswith("test_")
    return True if is_test and not HAS_ROS and needs_ros(collection_path) else None
