"""Processes of this package that rows start and wait for, and that never outlive whoever started them."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

from robot_rig.errors import UserError

ROOT = Path(__file__).resolve().parents[2]
LIMIT_S = 3600.0
PR_SET_PDEATHSIG = 1
SHOWN_CHARS = 2000
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """For `Popen(preexec_fn=...)`: the kernel ends this process when the thread that started it has ended."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def surroundings(**more: str) -> dict[str, str]:
    """The environment of a process of this package, whatever folder it is started in."""
    return {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *filter(None, sys.path)]), **more}


def start(module: str, *words: str, **environment: str) -> subprocess.Popen[str]:
    """Run the module `module`."""
    return subprocess.Popen(
        [sys.executable, "-m", module, *words],
        cwd=ROOT,
        env=surroundings(**environment),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=die_with_parent,
    )


def finish(child: subprocess.Popen[str]) -> str:
    """What it said. Raises UserError when it failed."""
    said, complained = child.communicate(timeout=LIMIT_S)
    if child.returncode != 0:
        raise UserError(f"a process ended with {child.returncode}: {complained[-SHOWN_CHARS:]}")
    return said


def run(module: str, *words: str) -> str:
    """Start it and wait for its end; what it said."""
    return finish(start(module, *words))
