"""Training curves on disk: TensorBoard for people, JSON lines for programs. Called by the command line's stages.

`stages.curves` reads them.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tensorboard.summary import Writer

from robot_rig.disk import unwritable


class MetricsLog:
    """Appends scalars to `folder`/metrics.jsonl and to TensorBoard files beside it.

    Every row carries its stage and step; a resumed run appends, and a reader takes the last row of a step as the valid
    one.
    """

    def __init__(self, folder: Path) -> None:
        self._path = folder / "metrics.jsonl"
        with self._writing():
            folder.mkdir(parents=True, exist_ok=True)
            torn = self._path.exists() and not _ends_whole(self._path)
            # By lines, so that a kill takes no row that was added before it.
            self._lines = self._path.open("a", encoding="utf-8", buffering=1)
            # Behind the torn line of a killed run, the next row would be lost with it.
            self._lines.write("\n" if torn else "")
            self._writer = Writer(str(folder))

    def add(self, stage: str, step: int, values: Mapping[str, float]) -> None:
        """Log `values` of `stage` at its `step`; a value that is not finite is written as null, never dropped.

        Raises UserError when the disk is full.
        """
        finite = {name: float(value) if math.isfinite(value) else None for name, value in values.items()}
        with self._writing():
            self._lines.write(json.dumps({"stage": stage, "step": step, **finite}) + "\n")
            for name, value in values.items():
                self._writer.add_scalar(f"{stage}/{name}", float(value), step)

    def close(self) -> None:
        """Flush and close both. Raises UserError when the disk is full."""
        with self._writing():
            self._lines.close()
            self._writer.close()

    @contextmanager
    def _writing(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise unwritable(self._path, error) from error


def _ends_whole(path: Path) -> bool:
    """Whether the file at `path` is empty or ends with a line break."""
    with path.open("rb") as file:
        if not file.seek(0, os.SEEK_END):
            return True
        file.seek(-1, os.SEEK_END)
        return file.read() == b"\n"
