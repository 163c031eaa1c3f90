"""`python -m benchmarks.mutants`: judge every mutant of the guard, go on where the last run ended, say what is left."""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Iterable
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import benchmarks.mutants.generate as generate
from benchmarks.mutants.baseline import Baseline, known_or_measured
from benchmarks.mutants.explained import EXPLAINED, read_explained, settle
from benchmarks.mutants.generate import Mutant, mutants_of
from benchmarks.mutants.judge import Judges, Verdict

GUARD = Path("robot_rig/safety")
KEPT = Path("build/mutants")
TESTS = Path("tests/safety")
HELPERS = (TESTS / "gate_bench.py", Path("tests/integrated_arm.py"), Path("tests/conftest.py"))


def digest(texts: Iterable[str]) -> str:
    """One name for `texts`."""
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()[:20]


def all_mutants() -> list[Mutant]:
    """Of every module of the guard; kept by the module's text, because making them takes two minutes."""
    found = []
    for path in sorted(GUARD.glob("*.py")):
        kept = KEPT / f"{path.stem}-{digest([path.read_text(), Path(generate.__file__).read_text()])}.json"
        if not kept.exists():
            made = mutants_of(path, f"robot_rig.safety.{path.stem}")
            kept.with_suffix(".new").write_text(json.dumps([dataclasses.asdict(mutant) for mutant in made]))
            kept.with_suffix(".new").rename(kept)
        found += [Mutant(**row) for row in json.loads(kept.read_text())]
    return found


class Records:
    """The verdicts so far, one JSON line each.

    A killed mutant stays killed as long as the guard, what the tests share and the file of its killer are what they
    were; a survivor has to be judged again when any test changes.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        shared = [*Path().glob("robot_rig/*.py"), *GUARD.glob("*.py"), *HELPERS]
        self._shared = digest(file.read_text() for file in sorted(shared))
        self._suite = digest([self._shared, *(file.read_text() for file in sorted(TESTS.glob("test_*.py")))])
        self._rows: dict[str, dict[str, Any]] = {}
        self._kills: defaultdict[str, Counter[str]] = defaultdict(Counter)
        for line in path.read_text().splitlines() if path.exists() else ():
            row = json.loads(line)
            self._rows[row["mutant"]] = row
            self._kills[row["name"][0]][row["killer"]] += 1

    def state_of(self, file: Path) -> str:
        """One name for a file of tests, the guard and what the tests share, as they are."""
        return digest([self._shared, file.read_text()])

    def _depends(self, killer: str) -> str:
        file = Path(killer.split("::")[0])
        return self.state_of(file) if "::" in killer and file.exists() else self._suite

    def killer(self, mutant: Mutant) -> str | None:
        """Who noticed it; "" for nobody, None when it is to be judged."""
        row = self._rows.get(digest(mutant.name))
        return row["killer"] if row is not None and row["depends"] == self._depends(row["killer"]) else None

    def hope(self, mutant: Mutant, test: str) -> tuple[bool, int]:
        """The greater, the likelier `test` is to notice it: it did last time, or it did for others in this function."""
        return self._rows.get(digest(mutant.name), {}).get("killer") == test, self._kills[mutant.place][test]

    def add(self, verdict: Verdict) -> None:
        """Remember for this run and the next."""
        mutant, killer, seconds = verdict
        row = {"mutant": digest(mutant.name), "depends": self._depends(killer), "killer": killer}
        self._rows[row["mutant"]] = row
        self._kills[mutant.place][killer] += 1
        with self._path.open("a") as file:
            file.write(json.dumps({**row, "seconds": round(seconds, 2), "name": mutant.name}) + "\n")


def judge(mutants: list[Mutant], records: Records, jobs: int) -> None:
    """Judge those that have no verdict that still holds."""
    waiting = [mutant for mutant in mutants if records.killer(mutant) is None]
    print(f"{len(mutants)} mutants, {len(waiting)} to judge", flush=True)
    if not waiting:
        return
    screen = os.fdopen(os.dup(1), "w", buffering=1)
    begun, done = time.monotonic(), 0

    def plan(mutant: Mutant, baseline: Baseline) -> list[str]:
        tests = baseline.tests_of(mutant, GUARD / f"{mutant.module.rpartition('.')[2]}.py")
        return sorted(tests, key=lambda test: records.hope(mutant, test), reverse=True)

    def tell(verdict: Verdict) -> None:
        nonlocal done
        done += 1
        records.add(verdict)
        if not verdict[1]:
            print(f"survived: {' | '.join(verdict[0].name)}", file=screen)
        if done % 100 == 0:
            print(f"{done} of {len(waiting)} in {time.monotonic() - begun:.0f} s", file=screen)

    Judges(lambda items: known_or_measured(items, KEPT, records.state_of), plan, tell, jobs).judge(waiting)


def main() -> int:
    """0 when every survivor is explained and every explanation has its survivor."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.mutants", description=__doc__)
    parser.add_argument("--jobs", type=int, default=2, help="children at a time")
    parser.add_argument("--only", default="*", help="mutants whose place matches, such as 'stages.limit_*'")
    options = parser.parse_args()
    KEPT.mkdir(parents=True, exist_ok=True)
    mutants = [mutant for mutant in all_mutants() if fnmatch(mutant.place, options.only)]
    records = Records(KEPT / "verdicts.jsonl")
    judge(mutants, records, options.jobs)
    survivors = [mutant.name for mutant in mutants if not records.killer(mutant)]
    explained = {name for name in read_explained(EXPLAINED) if fnmatch(name[0], options.only)}
    unexplained, stale = settle(survivors, explained)
    for title, names in (("not explained", unexplained), ("explained, but it does not survive", stale)):
        for name in names:
            print(f"{title}: {name[0]}\n    was: {name[1]}\n    now: {name[2]}")
    counted = len(survivors) - len(unexplained)
    print(
        f"mutants killed={len(mutants) - len(survivors)} of={len(mutants)} explained={counted} "
        f"survivors={len(unexplained)}"
    )
    return 1 if unexplained or stale else 0


if __name__ == "__main__":
    sys.exit(main())
