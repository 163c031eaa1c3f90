"""Keeps a process from the processor in a beat: SIGSTOP and SIGCONT in turn. A process of its own, run by `rig faults`
and `rig soak`.

    python -m sim.faults.stall PID FROZEN_S AWAKE_S TIMES

Prints when each SIGSTOP was sent (monotonic s). Ends with the other process running, whatever happens.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from robot_rig.clock import WallClock
from robot_rig.ros.real_time import prepare_tick_thread

PRIORITY = 30
"""SCHED_FIFO, where permitted: above everything that it may stall."""


def stall(pid: int, frozen_s: float, awake_s: float, times: int) -> list[float]:
    """When each SIGSTOP was sent."""
    clock = WallClock()
    sent = []
    try:
        for _ in range(times):
            os.kill(pid, signal.SIGSTOP)
            sent.append(clock.now())
            clock.sleep_until(sent[-1] + frozen_s)
            os.kill(pid, signal.SIGCONT)
            clock.sleep_until(clock.now() + awake_s)
    finally:
        os.kill(pid, signal.SIGCONT)
    return sent


def stall_apart(root: Path, pid: int, frozen_s: float, awake_s: float, times: int) -> list[float]:
    """The same by a process of its own, which is on time whatever the caller is at; `root` is this checkout."""
    words = [str(word) for word in (pid, frozen_s, awake_s, times)]
    done = subprocess.run(
        [sys.executable, "-m", "sim.faults.stall", *words], cwd=root, capture_output=True, text=True, check=True
    )
    return [float(line) for line in done.stdout.split()]


def main() -> int:
    """Stall what the command line names; returns the exit code."""
    pid, frozen_s, awake_s, times = sys.argv[1:]
    prepare_tick_thread(PRIORITY, ())
    os.write(1, "\n".join(map(str, stall(int(pid), float(frozen_s), float(awake_s), int(times)))).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
