"""Processes that a test starts and that must not outlive it, even when the test run itself is killed."""

from __future__ import annotations

import ctypes
import signal

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """For `Popen(preexec_fn=...)`: the kernel ends this process when the thread that started it has ended."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
