"""What a row of the table of faults is: a sentence, who causes it, and who judges it. Called by the tables `rows_*`.

`inject` gets a `Stage`: a graph whose arm is enabled and moving. `judge` gets the witness's log and the marks, nothing
else. Numbers are those of the table of faults; deadlines are counted from the marks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from sim.faults.evidence import Evidence
from sim.faults.judges import Verdict


class NotPermittedError(Exception):
    """This machine does not allow what the fault takes; the attempt is void, never a pass."""


class VoidError(Exception):
    """What was to be shown could not be: this machine was away, or the fault did not come as planned. Tried again."""


class Scene(Protocol):
    """A live graph whose arm moves, and what can be done to it as it is; `marks` are when what was done."""

    random: np.random.Generator
    marks: dict[str, float]

    def now(self) -> float:
        """Monotonic s."""
        ...

    def wait(self, seconds: float) -> None:
        """Let time pass."""
        ...

    def mark(self, name: str) -> None:
        """Write down that `name` happens now."""
        ...

    def kill(self, name: str) -> None:
        """SIGKILL to the process `name`."""
        ...

    def freeze(self, name: str) -> None:
        """SIGSTOP."""
        ...

    def thaw(self, name: str) -> None:
        """SIGCONT."""
        ...

    def stall(self, name: str, frozen_s: float, awake_s: float, times: int) -> list[float]:
        """SIGSTOP and SIGCONT in turn, on time; when each SIGSTOP was sent (monotonic s)."""
        ...

    def tell(self, to: Literal["camera", "robot", "puppet"], /, **what: Any) -> None:
        """See `hands.Hands.tell`."""
        ...

    def hand(self, do: str, **what: Any) -> tuple[bool, str]:
        """Anything else that `hands.Hands` can do; whether it worked, and the answer."""
        ...


class Stage(Scene, Protocol):
    """A live graph in the hands of whoever causes faults, who also starts and ends its processes and has a witness.

    `turn` counts from attempt to attempt: for faults that come in kinds of which none may be left out.
    """

    turn: int

    def start(self, name: str, *extra: str) -> None:
        """Start the process `name` as the graph has it, with `extra` arguments."""
        ...

    def launch(self, label: str, name: str, *extra: str) -> None:
        """Start a further process like `name`, called `label`."""
        ...

    def launch_outside(self, label: str, name: str, *extra: str) -> None:
        """The same from a network of its own. Raises NotPermittedError."""
        ...

    def restart(self) -> None:
        """End everything but the master, and start it again as a launch file would."""
        ...

    def fill_disk(self, name: str) -> None:
        """From now on the process `name` can make no file longer than a little."""
        ...

    def newest_log(self) -> Path:
        """The recorder's file of the episode at hand; there has been one."""
        ...

    def steps_on_disk(self, log: Path) -> int:
        """Whole steps in `log`."""
        ...

    def peak_mib(self, name: str) -> float:
        """The most memory that the process `name` had at any time, MiB."""
        ...

    def exit_code(self, name: str) -> int | None:
        """Of the process, None while it runs."""
        ...

    def until(self, what: str, come: Callable[[], object], within: float = 30.0) -> None:
        """Wait until `come()`; raises UserError when it does not."""
        ...

    def told(self, since: float, *codes: str) -> bool:
        """Whether some node's diagnostics gave one of `codes` after `since`."""
        ...

    def seen(self, kind: type[Any]) -> Any:
        """The witness's newest fact of a kind, or None."""
        ...


@dataclass(frozen=True)
class Row:
    """A row. `actor`: who moves the arm, and `recorder`: who logs it, where somebody does; `ends_graph`: a new graph is
    needed afterwards."""

    number: int
    sentence: str
    inject: Callable[[Stage], None]
    judge: Callable[[Evidence], Verdict]
    actor: Literal["puppet", "policy", "recorded", "sick"] = "puppet"
    recorder: Literal["", "recorder", "slow recorder"] = ""
    ends_graph: bool = False
