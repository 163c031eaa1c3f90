"""Which test runs which line of the guard, and how long each test takes. Called by `judge`, once a suite."""

from __future__ import annotations

import ast
import dataclasses
import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import coverage
import pytest
from _pytest.runner import runtestprotocol

from benchmarks.mutants.generate import Mutant

MEASURED = "robot_rig/safety"


@dataclass(slots=True)
class Baseline:
    """The tests on the guard as it is: `seconds` by test, and `lines`: file -> line -> the tests that run it."""

    seconds: dict[str, float] = field(default_factory=dict)
    lines: dict[str, dict[str, list[str]]] = field(default_factory=dict)

    def tests_of(self, mutant: Mutant, path: Path) -> list[str]:
        """The tests that run the mutant's statement, quickest first; all of them where importing runs it."""
        chosen: Iterable[str] = self.seconds
        if not mutant.importing:
            seen = self.lines.get(str(path), {})
            around = statement_around(ast.parse(path.read_text()), mutant.line)
            chosen = {test for line in around for test in seen.get(str(line), [])} or self.seconds
        return sorted(chosen, key=lambda test: self.seconds[test])


def statement_around(tree: ast.Module, line: int) -> range:
    """The lines of the innermost statement at `line`; of one with a body, its head."""
    heads = []
    for node in ast.walk(tree):
        if isinstance(node, ast.stmt) and node.end_lineno is not None:
            body = getattr(node, "body", None)
            end = max(node.lineno, body[0].lineno - 1) if isinstance(body, list) else node.end_lineno
            if node.lineno <= line <= end:
                heads.append(range(node.lineno, end + 1))
    return min(heads, key=len, default=range(line, line + 1))


def measured(items: Sequence[pytest.Item]) -> Baseline:
    """Run `items` on the guard as it is; ends the program when one fails."""
    found = Baseline()
    tracer = coverage.Coverage(data_file=None, source=[MEASURED], config_file=False)
    tracer.start()
    for item, following in zip(items, [*items[1:], None], strict=True):
        tracer.switch_context(item.nodeid)
        begun = time.process_time()
        reports = runtestprotocol(item, log=False, nextitem=following)
        found.seconds[item.nodeid] = time.process_time() - begun
        if any(report.failed for report in reports):
            sys.exit(f"mutants: {item.nodeid} fails on the guard as it is; run make test first")
    tracer.stop()
    data = tracer.get_data()
    for file in data.measured_files():
        contexts = data.contexts_by_lineno(file)
        found.lines[os.path.relpath(file)] = {str(line): sorted(set(tests)) for line, tests in contexts.items()}
    return found


def known_or_measured(items: Sequence[pytest.Item], folder: Path, digest_of: Callable[[Path], str]) -> Baseline:
    """The baseline of all `items`, each file of tests measured once and kept in `folder` by `digest_of` it."""
    whole = Baseline()
    for file, group in itertools.groupby(items, key=lambda item: item.path):
        kept = folder / f"baseline-{file.stem}-{digest_of(file)}.json"
        if not kept.exists():
            kept.with_suffix(".new").write_text(json.dumps(dataclasses.asdict(measured(list(group)))))
            kept.with_suffix(".new").rename(kept)
        part = Baseline(**json.loads(kept.read_text()))
        whole.seconds.update(part.seconds)
        for source, lines in part.lines.items():
            for line, tests in lines.items():
                whole.lines.setdefault(source, {}).setdefault(line, []).extend(tests)
    return whole
