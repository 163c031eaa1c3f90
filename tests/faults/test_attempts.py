"""What an attempt is called whose graph is not ready: void where none was made before, else the stack's failure."""

from __future__ import annotations

from pathlib import Path
from typing import Any, cast

from rich.console import Console

from robot_rig.cli.faults.attempts import Attempts
from robot_rig.cli.faults.stage import LiveStage
from robot_rig.errors import UserError
from sim.faults.rows import NotPermittedError, Row
from sim.faults.table import ROWS


class Graph:
    """Ready for so many attempts, and then no more; its faults are not permitted."""

    marks: dict[str, float]

    def __init__(self, ready: int) -> None:
        self._ready, self.marks = ready, {}

    def now(self) -> float:
        """A time."""
        return 0.0

    def reseed(self, seed: int) -> None:
        """Nothing."""

    def prepare(self, row: Row) -> None:
        """Fail when it is no longer ready."""
        self._ready -= 1
        if self._ready < 0:
            raise UserError("waited in vain", next_step="look")


class Prepared(Attempts):
    """On a graph of ours."""

    def __init__(self, folder: Path, ready: int) -> None:
        super().__init__(folder, 0, Console())
        self._graph = Graph(ready)

    def _up(self) -> LiveStage:
        return cast(LiveStage, self._graph)


def _refuse(_: Any) -> None:
    raise NotPermittedError("not here")


def test_a_graph_that_does_not_come_back_after_a_fault_is_no_void_attempt(tmp_path: Path) -> None:
    row = Row(1, "anything", _refuse, ROWS[1].judge)
    fresh = Prepared(tmp_path, 0).make(row, 1)
    assert fresh.void.startswith("the graph was not ready")
    attempts = Prepared(tmp_path, 1)
    assert attempts.make(row, 1).void.startswith("not permitted")
    second = attempts.make(row, 2)
    assert second.void == ""
    assert "did not come back" in second.complaints[0]
    # The graph after it is a new one.
    assert attempts.make(row, 3).void.startswith("the graph was not ready")
