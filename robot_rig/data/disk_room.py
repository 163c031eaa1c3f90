"""How much of a disk an episode needs free, to begin and to go on. Called by `data.log`."""

from __future__ import annotations

import errno
import shutil
from pathlib import Path
from typing import NamedTuple

from robot_rig.errors import UserError


class DiskRoom(NamedTuple):
    """Free bytes without which no episode is started, and at which a running one is stopped."""

    start: int = 2 * 2**30
    stop: int = 500 * 2**20

    def require_to_start(self, path: Path) -> None:
        """Raise UserError unless there is room to start the log `path`, and a folder for it."""
        try:
            free = shutil.disk_usage(path.parent).free
        except OSError as error:
            raise UserError(f"no folder {path.parent} to log into", next_step="make it first") from error
        if free < self.start:
            raise UserError(
                f"only {free / 2**20:.0f} MiB are free for the log {path}, and an episode is not started "
                f"below {self.start / 2**20:.0f} MiB",
                next_step="free some space, or choose a run folder on another disk",
            )

    def require_to_go_on(self, path: Path) -> None:
        """Raise OSError (no space) unless there is room for another step of the log `path`."""
        if shutil.disk_usage(path.parent).free < self.stop:
            raise OSError(errno.ENOSPC, f"less than {self.stop / 2**20:.0f} MiB are free")
