"""What the process of a row without a graph prints: one JSON object a line, with its time and what it is about."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Told:
    """Something that happened at `t` (monotonic s); `more` is the rest of its line."""

    t: float
    what: str
    more: Mapping[str, Any]


def told_by(text: str) -> list[Told]:
    """All that a process has printed, in its order."""
    return [_told(json.loads(line)) for line in text.splitlines()]


def _told(values: dict[str, Any]) -> Told:
    return Told(values.pop("t"), values.pop("what"), values)


def of_kind(told: Iterable[Told], what: str) -> list[Told]:
    """Those about `what`."""
    return [one for one in told if one.what == what]
