"""Memory and file descriptors of every process of a launch, on a thread of its own. Called by `cli.soak.run`."""

from __future__ import annotations

import contextlib
import threading
import time

import psutil

from robot_rig.cli.soak.launch import PracticeLaunch
from robot_rig.cli.soak.record import Record

PERIOD_S = 10.0
MIB = 2**20


class Sampler:
    """Adds to `record` until the block ends; a context manager."""

    def __init__(self, launch: PracticeLaunch, record: Record) -> None:
        self._launch, self._record = launch, record
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sampler", daemon=True)

    def __enter__(self) -> Sampler:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(PERIOD_S):
            for name, process in self._launch.processes().items():
                with contextlib.suppress(psutil.Error, OSError):
                    self._sample(name, process)

    def _sample(self, name: str, process: psutil.Process) -> None:
        with process.oneshot():
            key = f"{name} {process.pid} {process.create_time():.0f}"
            mib = process.memory_info().rss / MIB
            self._record.sample(key, name, time.time(), mib, process.num_fds())
