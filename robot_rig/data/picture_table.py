"""Rows of pictures in memory, or in a scratch file that is mapped: where `data.replay` keeps what was seen.

Called by the replay, which says which row is whose. With a file the kernel may write pictures out and drop them from
memory, so that a table may be larger than what the machine has to spare.
"""

from __future__ import annotations

import os
import weakref
from pathlib import Path

import numpy as np

from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Ints
from robot_rig.errors import UserError

PICTURE_FILE = "pictures.u8"
PICTURE_BYTES = int(np.prod(IMAGE_SHAPE))


class PictureTable:
    """`capacity` rows uint8 (84, 84, 3), in `folder` as a file that is made anew each time, or in memory where None.

    Neither takes room before rows are written. Raises UserError when the file cannot be made.
    """

    def __init__(self, capacity: int, folder: Path | None) -> None:
        self._handle: int | None = None
        shape = (capacity, *IMAGE_SHAPE)
        if folder is None:
            self._table: Bytes = np.empty(shape, np.uint8)
            return
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with (folder / PICTURE_FILE).open("w+b") as file:
                self._table = np.memmap(file, np.uint8, mode="w+", shape=shape)
                self._handle = os.dup(file.fileno())
        except OSError as error:
            raise UserError(
                f"cannot map pictures in {folder}: {error.strerror}", next_step="use another disk"
            ) from error
        weakref.finalize(self, os.close, self._handle)

    def __len__(self) -> int:
        return len(self._table)

    def __getitem__(self, rows: Ints) -> Bytes:
        """The pictures in `rows`, uint8 (*rows.shape, 84, 84, 3), as a copy."""
        return self._table[rows]

    def __setitem__(self, rows: Ints, pictures: Bytes) -> None:
        """Put `pictures` uint8 (n, 84, 84, 3) into `rows` (n,), for which `reserve` has found room."""
        self._table[rows] = pictures

    def reserve(self, rows: Ints) -> None:
        """Claim the disk for `rows`, rising but for one fall at the table's end, before they are written.

        Through the map a full disk would be a SIGBUS. Raises UserError when it is full.
        """
        if self._handle is None:
            return
        try:
            for piece in np.split(rows, np.flatnonzero(np.diff(rows) < 0) + 1):
                os.posix_fallocate(self._handle, int(piece[0]) * PICTURE_BYTES, len(piece) * PICTURE_BYTES)
        except OSError as error:
            raise UserError(
                f"no room for the replay's pictures: {error.strerror}", next_step="free some disk"
            ) from error
