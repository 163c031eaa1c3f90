"""What came of a soak so far, in one JSON file that grows over sittings: the same command goes on with it.

Called by `cli.soak.run`, which fills it, and `cli.soak.verdict`, which reads it. Times are seconds since 1970;
those that are called `at_s` are seconds of soaking.
"""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from robot_rig.cli.soak.account import Outcome, Stop
from robot_rig.cli.soak.watch import Told
from robot_rig.disk import write_atomically
from robot_rig.errors import UserError
from robot_rig.stranger_files import parse_object, read_regular

FORMAT = 1
LIMIT = 2**28
"""Bytes: a soak of some weeks."""

NAME = "soak.json"


@dataclass(frozen=True)
class Paper:
    """What is asked of a soak; two with the same paper are one. Faults: `each` of every kind, drawn from `seed`;
    `config` and `set` lie over the defaults of the practised run.
    """

    hours: float
    each: int
    seed: int
    config: tuple[str, ...] = ()
    set: tuple[str, ...] = ()

    @property
    def seconds(self) -> float:
        """How long it is."""
        return 3600.0 * self.hours


@dataclass(frozen=True)
class Stretch:
    """Ten seconds between faults in which the policy's steps were timed as by `rig latency`; `void` says why they do
    not count. `slowest_ms` from frame to joint command, -1 without a step.
    """

    at_s: float
    steps: int
    late: int
    missed: int
    blind: int
    timer_missed: int
    slowest_ms: float
    void: str = ""


@dataclass
class Samples:
    """One process's life: resident memory (MiB) and open file descriptors at `times`."""

    name: str
    times: list[float] = field(default_factory=list)
    mib: list[float] = field(default_factory=list)
    descriptors: list[int] = field(default_factory=list)


@dataclass
class Record:
    """The record in `path`. `elapsed_s` of soaking so far; `sittings`: the code's revision at each begin; `lives` of
    processes by name, number and birth; `restarts` of the launch by the operator; `logged`, `lost` and `checkpoints`
    are counted at the end.
    """

    path: Path
    paper: Paper
    elapsed_s: float = 0.0
    sittings: list[str] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    stops: list[Stop] = field(default_factory=list)
    stretches: list[Stretch] = field(default_factory=list)
    told: list[Told] = field(default_factory=list)
    lives: dict[str, Samples] = field(default_factory=dict)
    endings: dict[str, int] = field(default_factory=dict)
    restarts: int = 0
    logged: int = 0
    lost: int = 0
    checkpoints: int = 0
    finished: bool = False

    def __post_init__(self) -> None:
        self._lock = threading.Lock()

    @classmethod
    def begin(cls, path: Path, paper: Paper) -> Record:
        """The record of `paper` in `path`, where there is one, or a new one.

        Raises UserError for a record of another paper, naming the difference, and for a file of something else.
        """
        if not path.exists():
            return cls(path, paper)
        try:
            found = cls._read(path, parse_object(read_regular(path, "record", LIMIT)))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path} holds no record of `rig soak`: {error}", next_step="name another --out") from error
        ours, theirs = asdict(paper), asdict(found.paper)
        if unlike := [f"{key} {theirs[key]} -> {ours[key]}" for key in ours if ours[key] != theirs[key]]:
            raise UserError(f"{path} is of another soak: {', '.join(unlike)}", next_step="name another --out")
        return found

    @classmethod
    def _read(cls, path: Path, said: Mapping[str, Any]) -> Record:
        if said.get("format") != FORMAT:
            raise ValueError(f"format {said.get('format')}, not {FORMAT}")
        kinds = {"outcomes": Outcome, "stops": Stop, "stretches": Stretch, "told": Told}
        values: dict[str, Any] = {name: [kind(**_fit(kind, one)) for one in said[name]] for name, kind in kinds.items()}
        values["outcomes"] = [replace(one, complaints=tuple(one.complaints)) for one in values["outcomes"]]
        values["lives"] = {key: Samples(**_fit(Samples, one)) for key, one in said["lives"].items()}
        if any(not len(one.times) == len(one.mib) == len(one.descriptors) > 0 for one in values["lives"].values()):
            raise ValueError("a life without samples")
        paper: dict[str, Any] = {
            key: tuple(value) if isinstance(value, list) else value for key, value in _fit(Paper, said["paper"]).items()
        }
        plain = {one.name for one in dataclasses.fields(cls)} - values.keys() - {"path", "paper"}
        numbers = dict(_fit(cls, {name: said[name] for name in plain}))
        if not all(type(count) is int for count in numbers["endings"].values()):
            raise ValueError("endings are counts")
        return cls(path, Paper(**paper), **values, **numbers)

    def sample(self, key: str, name: str, when: float, mib: float, descriptors: int) -> None:
        """A process's memory and descriptors; may be called from another thread."""
        with self._lock:
            life = self.lives.setdefault(key, Samples(name))
            life.times.append(round(when, 1))
            life.mib.append(round(mib, 3))
            life.descriptors.append(descriptors)

    def save(self) -> None:
        """Write everything; a crash leaves the file of before."""
        with self._lock:
            values = {one.name: getattr(self, one.name) for one in dataclasses.fields(self) if one.name != "path"}
            text = json.dumps({"format": FORMAT, **values}, default=asdict)
        write_atomically(self.path, text.encode())


_TYPES: Mapping[str, tuple[type, ...]] = {"float": (float, int), "int": (int,), "str": (str,), "bool": (bool,)}


def _fit(kind: type, said: Mapping[str, Any]) -> Mapping[str, Any]:
    """`said`, whose values are of the types that the fields of the dataclass `kind` name; raises ValueError."""
    declared = {one.name: str(one.type) for one in dataclasses.fields(kind)}
    for name, value in said.items():
        outer, _, inner = declared[name].partition("[")
        if inner:
            wanted = _TYPES[inner.rstrip("]").split(",")[0]]
            fits = isinstance(value, dict if outer == "dict" else list)
            fits = fits and all(type(one) in wanted for one in value)
        else:
            fits = type(value) in _TYPES[outer]
        if not fits:
            raise ValueError(f"{name} is {str(value)[:40]}")
    return said
