"""A new file whose bytes are on disk when `sync` returns, and the lock that says who still writes it.

Called by `data.log` (write) and `data.store` (ask). Nothing is buffered in the operating system beyond a `sync`.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path

from robot_rig.stranger_files import open_regular


class DurableFile:
    """What the MCAP writer writes to: bytes gather in memory until `sync` puts them on disk.

    Raises FileExistsError when `path` is taken, OSError when it cannot be made.
    """

    def __init__(self, path: Path) -> None:
        self._handle: int | None = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        self._pending = bytearray()
        self._durable = 0
        # The kernel drops the lock with the process, however that ends. The file is new: the only other lock is that of
        # somebody who asks at this very moment whether it is being written, and that one is gone at once.
        fcntl.flock(self._handle, fcntl.LOCK_EX)

    def write(self, data: bytes) -> int:
        """Take `data` for the next `sync`."""
        self._pending += data
        return len(data)

    def tell(self) -> int:
        """Length of the file with what is pending."""
        return self._durable + len(self._pending)

    def flush(self) -> None:
        """Nothing: only `sync` promises anything."""

    def sync(self) -> None:
        """Put everything pending on disk. Raises OSError when that fails; `cut` then undoes the half."""
        assert self._handle is not None
        rest = memoryview(bytes(self._pending))
        while rest:
            rest = rest[os.write(self._handle, rest) :]
        os.fdatasync(self._handle)
        self._durable += len(self._pending)
        self._pending.clear()

    def cut(self) -> None:
        """Forget what is pending, and shorten the file to what the last good `sync` left, where the disk lets us."""
        assert self._handle is not None
        self._pending.clear()
        with contextlib.suppress(OSError):
            os.ftruncate(self._handle, self._durable)

    def close(self) -> None:
        """Close and unlock; may be called twice."""
        if self._handle is not None:
            os.close(self._handle)
            self._handle = None


def being_written(path: Path) -> bool:
    """Whether a living process on this machine still has `path` open as a DurableFile.

    Raises UserError when it is no regular file.
    """
    with open_regular(path, "episode") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False
