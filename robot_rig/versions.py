"""Which versions are running. Called by `runs` when a run is begun, and by whoever reports a measurement."""

from __future__ import annotations

import contextlib
import importlib.metadata
import platform
import subprocess
from pathlib import Path

from robot_rig import __version__

RECORDED_PACKAGES = ("torch", "numpy", "mujoco", "opencv-python", "pydantic", "mcap", "scipy")


def versions() -> dict[str, str]:
    """What is running now: Python, robot-rig, the recorded packages (without importing them) and the git revision."""
    found = {"robot_rig": __version__, "python": platform.python_version(), "git": _revision()}
    for name in RECORDED_PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _revision() -> str:
    checkout = Path(__file__).resolve().parent.parent
    command = ["git", "-C", str(checkout), "describe", "--always", "--dirty", "--abbrev=12"]
    try:
        result = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
    return result.stdout.strip() or "unknown"
