"""What the operating system can do for a tick that must be on time. Called by arm_node; each step says how it went."""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
from collections.abc import Sequence

SWITCH_INTERVAL_S = 0.0005
"""How long another Python thread may keep the interpreter when the tick wants it; a tenth of Python's value."""

MCL_CURRENT, MCL_FUTURE = 1, 2


def prepare_process(priority: int) -> list[str]:
    """Before threads are started: real-time class for all of them, memory locked, collector calmed.

    Returns one sentence a step for the log, also for what was not permitted. `priority` 0 leaves the class alone.
    """
    gc.collect()
    gc.freeze()
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    return [_scheduling(priority), _memory()]


def prepare_tick_thread(priority: int, cpus: Sequence[int]) -> list[str]:
    """On the tick's own thread: a priority above the rest of the process, and `cpus` to itself if any are named."""
    return [_scheduling(priority), _pinning(cpus)]


def _scheduling(priority: int) -> str:
    if priority == 0:
        return "scheduling: normal, as asked for"
    try:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(priority))
    except OSError as error:
        return f"scheduling: normal; SCHED_FIFO {priority} is not permitted ({error.strerror}): see limits.conf, rtprio"
    return f"scheduling: SCHED_FIFO {priority}"


def _memory() -> str:
    # With a limit, locking what is yet to come would let a later allocation fail in mid-motion.
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:
        return f"memory: not locked; the limit is {soft} bytes: see limits.conf, memlock unlimited"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE) != 0:
        return f"memory: not locked ({os.strerror(ctypes.get_errno())})"
    return "memory: locked"


def _pinning(cpus: Sequence[int]) -> str:
    if not cpus:
        return "processors: any; name some with --cpus"
    try:
        os.sched_setaffinity(0, cpus)
    except (OSError, ValueError) as error:
        return f"processors: any; {', '.join(map(str, cpus))} not permitted ({error})"
    return f"processors: {', '.join(map(str, cpus))}"
