"""What the operating system can do for a tick that must be on time; each step says how it went.

Called by arm_node, camera_node and policy_node, and by what measures them.
"""

from __future__ import annotations

import ctypes
import gc
import os
import resource
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

SWITCH_INTERVAL_S = 0.0005
"""How long another Python thread may keep the interpreter when the tick wants it; a tenth of Python's value."""

MCL_CURRENT, MCL_FUTURE, MCL_ONFAULT = 1, 2, 4
MADV_POPULATE_READ = 22
"""Of mman.h; Linux 5.14 and newer."""


def prepare_process(priority: int) -> list[str]:
    """Real-time class for every thread there is, which later ones inherit, and memory that stays.

    Returns one sentence a step for the log, also for what was not permitted. `priority` 0 leaves the class alone.
    """
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    threads = [int(task.name) for task in Path("/proc/self/task").iterdir()]
    return [f"all threads: {_schedule(threads, priority)}", _lock_memory(), fetch_code()]


def prepare_tick_thread(priority: int, cpus: Sequence[int]) -> list[str]:
    """On the tick's own thread, when all is built: a priority of its own, and `cpus` to itself if any are named."""
    gc.collect()
    gc.freeze()
    own = threading.get_native_id()
    return [f"tick: {_schedule([own], priority)}", f"tick: {_pin(own, cpus)}"]


def fetch_code() -> str:
    """Read into memory, where the lock keeps them, the libraries that this process has loaded.

    What runs for the first time would else be read from the disk at that moment: in mid-motion, and behind the log's
    writing. Call it again when more has been loaded; what is there already costs next to nothing.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    lines = Path("/proc/self/maps").read_text(errors="surrogateescape").split("\n")
    files = [line.split(maxsplit=5) for line in lines if "/" in line]
    libraries = {words[-1] for words in files if "x" in words[1]}
    spans = [words[0].split("-") for words in files if words[-1] in libraries and words[1].startswith("r")]
    left = 0
    for low, high in spans:
        start, end = int(low, 16), int(high, 16)
        left += libc.madvise(ctypes.c_void_p(start), ctypes.c_size_t(end - start), MADV_POPULATE_READ) != 0
    if left:
        return f"{left} of {len(spans)} parts of libraries are read when they are first used (Linux before 5.14?)"
    return "libraries are in memory"


def _schedule(threads: Sequence[int], priority: int) -> str:
    if priority == 0:
        return "normal scheduling, as asked for"
    try:
        for thread in threads:
            os.sched_setscheduler(thread, os.SCHED_FIFO, os.sched_param(priority))
    except ProcessLookupError:
        return f"SCHED_FIFO {priority}, but for a thread that has just ended"
    except OSError as error:
        return f"normal scheduling; SCHED_FIFO {priority} is not permitted ({error.strerror}): see limits.conf, rtprio"
    return f"SCHED_FIFO {priority}"


def _lock_memory() -> str:
    # With a limit, locking what is yet to come would let a later allocation fail in mid-motion.
    soft, _ = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if soft != resource.RLIM_INFINITY and os.geteuid() != 0:
        return f"memory is not locked; the limit is {soft} bytes: see limits.conf, memlock unlimited"
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mlockall(MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT) != 0:
        return f"memory is not locked ({os.strerror(ctypes.get_errno())})"
    return "memory is locked"


def _pin(thread: int, cpus: Sequence[int]) -> str:
    if not cpus:
        return "any processor; name some with --cpus"
    try:
        os.sched_setaffinity(thread, cpus)
    except (OSError, ValueError) as error:
        return f"any processor; {', '.join(map(str, cpus))} is not permitted ({error})"
    return f"processor {', '.join(map(str, cpus))} only"
