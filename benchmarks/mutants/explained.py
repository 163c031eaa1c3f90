"""The survivors that are no gap: mutants that mean the same as the original, each with its reason.

Called by `python -m benchmarks.mutants`. The file lists, under each function, what the line was, what it became, and
why no test can tell.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import yaml

from robot_rig.errors import UserError

EXPLAINED = Path("tests/safety/mutants_explained.yaml")

Name = tuple[str, str, str]
"""Place, was, now: see `generate.Mutant.name`."""


def read_explained(path: Path) -> dict[Name, str]:
    """Reason by mutant. Raises UserError for an entry without a reason and for one that is there twice."""
    found: dict[Name, str] = {}
    for place, rows in (yaml.safe_load(path.read_text()) or {}).items():
        for row in rows:
            if set(row) != {"was", "now", "because"} or not row["because"].strip():
                raise UserError(f"{path}: an entry of {place} is not was, now and because", next_step="complete it")
            name = (place, " ".join(row["was"].split()), " ".join(row["now"].split()))
            if name in found:
                raise UserError(f"{path}: {place} explains twice: {name[2]}", next_step="delete one")
            found[name] = row["because"]
    return found


def settle(survivors: Iterable[Name], explained: Iterable[Name]) -> tuple[list[Name], list[Name]]:
    """The survivors that nobody explains, and the explanations of what does not survive."""
    alive, known = list(survivors), set(explained)
    return [name for name in alive if tuple(map(_even, name)) not in known], sorted(
        known - {tuple(map(_even, name)) for name in alive}
    )


def _even(text: str) -> str:
    return " ".join(text.split())
