"""Processes that a test starts and that must not outlive it, even when the test run itself is killed."""

from __future__ import annotations

import ctypes
import signal

PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)


def die_with_parent() -> None:
    """For `Popen(preexec_fn=...)`: the kernel ends this process when the thread that started it has ended."""
    _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def as_from_a_terminal() -> None:
    """The same, and Ctrl-C reaches it even where the test run was started in the background, which ignores it."""
    die_with_parent()
    signal.signal(signal.SIGINT, signal.default_int_handler)
