"""What tests/safety says of each mutant. Called by `python -m benchmarks.mutants`.

One pytest session collects the tests and runs none of them itself: each mutant gets a child forked from it, in which
the mutated function takes the place of the original (its code object is exchanged, so that whoever has imported it sees
it) and the tests that run the mutated line are run, quickest first, until one fails. A mutant of a line that importing
runs (a constant, a decorator) is judged by a session of its own in such a child. Nothing on disk is touched.

The guard runs as Python there, so a mutated line is what runs; what it calls of `kinematics` is machine code.
"""

from __future__ import annotations

import gc
import importlib.abc
import importlib.machinery
import importlib.util
import os
import resource
import sys
import time
from collections.abc import Callable, Sequence
from multiprocessing import connection, get_context
from types import CodeType, FunctionType, ModuleType
from typing import Any

import hypothesis
import pytest
from _pytest.runner import runtestprotocol

import robot_rig.compiled
import robot_rig.config_files
import robot_rig.kinematics
import tests.conftest  # noqa: F401
from benchmarks.mutants.baseline import Baseline
from benchmarks.mutants.generate import Mutant

FORK = get_context("fork")
TESTS = "tests/safety"
OPTIONS = ("-x", "-q", "-s", "--tb=no", "-p", "no:cacheprovider", "-p", "no:xdist", "-p", "no:cov", "-m", "not proof")
RELOADED = ("robot_rig.safety", "robot_rig.loops", TESTS.replace("/", "."))
"""The packages that a session of its own imports anew."""

PATIENCE = 5.0
"""A mutant may take this many times the processor seconds of its tests, and `GRACE_S`; then it counts as noticed."""

GRACE_S = 10.0
MEMORY_BYTES = 4 << 30
OVERTIME = "ran too long, or died"

Verdict = tuple[Mutant, str, float]
"""A mutant, the test that failed (or what else gave it away; empty for a survivor), and the seconds it took."""


def first_failure(items: Sequence[pytest.Item]) -> str:
    """Run `items` until one fails, and say which; empty when none does."""
    for item in items:
        if any(report.failed for report in runtestprotocol(item, log=False, nextitem=None)):
            return item.nodeid
    return ""


def exchange(mutant: Mutant) -> None:
    """Let the function that `mutant` changes run the mutated code, wherever it is referred to."""
    code: CodeType = compile(mutant.code, mutant.module, "exec")
    holder: Any = sys.modules[mutant.module]
    for part in mutant.place.split(".")[1:]:
        code = next(c for c in code.co_consts if isinstance(c, CodeType) and c.co_name == part)
        holder = vars(holder)[part]
    function = getattr(holder, "fget", None) or getattr(holder, "__func__", holder)
    assert isinstance(function, FunctionType), mutant.place
    function.__code__ = code


class _MutatedText(importlib.abc.MetaPathFinder, importlib.abc.ExecutionLoader):
    """Imports one module from a given text, under the name and the path of its file."""

    def __init__(self, module: str, code: str) -> None:
        self._module, self._path, self._code = module, str(sys.modules[module].__file__), code

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """The mutated module's, and nobody else's."""
        if fullname != self._module:
            return None
        return importlib.util.spec_from_file_location(fullname, self._path, loader=self)

    def is_package(self, fullname: str) -> bool:
        """A module of the guard is none."""
        return False

    def get_filename(self, fullname: str) -> str:
        """The file of the original."""
        return self._path

    def get_source(self, fullname: str) -> str:
        """The mutated text."""
        return self._code


def anew(mutant: Mutant, tests: Sequence[str]) -> str:
    """Import the mutated module, the guard around it and the tests, and run `tests`; like `first_failure`."""
    sys.meta_path.insert(0, _MutatedText(mutant.module, mutant.code))
    for name in list(sys.modules):
        if name.startswith(RELOADED):
            del sys.modules[name]
    session = _Chosen(tests)
    files = list(dict.fromkeys(test.split("::")[0] for test in tests))
    status = pytest.main([*OPTIONS, *files], plugins=[session])
    return session.failed or ("" if status == pytest.ExitCode.OK else f"pytest ended with {int(status)}")


class _Chosen:
    """A pytest plugin: these tests alone, in this order, and who failed."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._rank = {test: rank for rank, test in enumerate(tests)}
        self.failed = ""

    @pytest.hookimpl(trylast=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._rank]
        items[:] = sorted(chosen, key=lambda item: self._rank[item.nodeid])

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.failed = self.failed or report.nodeid


def _as_python(*_: Any, **__: Any) -> Callable[[Any], Any]:
    return lambda function: function


class Judges:
    """Up to `jobs` children of one pytest session at a time.

    `baseline` makes the baseline of all tests, `plan` gives a mutant's tests, the likeliest first, and `tell` hears
    each verdict.
    """

    def __init__(
        self,
        baseline: Callable[[Sequence[pytest.Item]], Baseline],
        plan: Callable[[Mutant, Baseline], list[str]],
        tell: Callable[[Verdict], None],
        jobs: int,
    ) -> None:
        self._make_baseline, self._plan, self._tell, self._jobs = baseline, plan, tell, jobs
        self._mutants: list[Mutant] = []
        self._running: dict[int, tuple[Any, connection.Connection, Mutant, float, float]] = {}
        self._items: dict[str, pytest.Item] = {}
        self._baseline = Baseline()

    def judge(self, mutants: Sequence[Mutant]) -> None:
        """All of them, in their order."""
        self._mutants = list(reversed(mutants))
        robot_rig.compiled.compiled = _as_python
        hypothesis.settings.register_profile(
            "mutants",
            derandomize=True,
            database=None,
            deadline=None,
            phases=(hypothesis.Phase.explicit, hypothesis.Phase.generate),
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        hypothesis.settings.load_profile("mutants")
        if pytest.main([*OPTIONS, TESTS], plugins=[self]):
            sys.exit(f"mutants: {TESTS} cannot be collected, or fails on the guard as it is; run make test first")

    @pytest.hookimpl(tryfirst=True)
    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        """Instead of the tests, the mutants."""
        self._items = {item.nodeid: item for item in session.items}
        self._baseline = self._make_baseline(session.items)
        waiting = self._mutants
        # What a child never touches is then never copied for it.
        gc.freeze()
        while waiting or self._running:
            while waiting and len(self._running) < self._jobs:
                self._start(waiting.pop())
            connection.wait(list(self._running), timeout=1.0)
            for sentinel in list(self._running):
                self._look(sentinel)
        return True

    def _start(self, mutant: Mutant) -> None:
        tests = self._plan(mutant, self._baseline)
        limit = GRACE_S + PATIENCE * sum(self._baseline.seconds[test] for test in tests)
        here, there = FORK.Pipe(duplex=False)
        child = FORK.Process(target=self._judge, args=(mutant, tests, limit, there))
        child.start()
        there.close()
        self._running[child.sentinel] = (child, here, mutant, time.monotonic(), limit)

    def _judge(self, mutant: Mutant, tests: Sequence[str], limit: float, answer: connection.Connection) -> None:
        silence = os.open(os.devnull, os.O_WRONLY)
        os.dup2(silence, 1)
        os.dup2(silence, 2)
        resource.setrlimit(resource.RLIMIT_CPU, (int(limit) + 1, int(limit) + 2))
        resource.setrlimit(resource.RLIMIT_DATA, (MEMORY_BYTES, MEMORY_BYTES))
        if mutant.importing:
            killer = anew(mutant, tests)
        else:
            exchange(mutant)
            killer = first_failure([self._items[test] for test in tests])
        answer.send(killer)
        answer.close()
        os._exit(0)

    def _look(self, sentinel: int) -> None:
        child, here, mutant, begun, limit = self._running[sentinel]
        took = time.monotonic() - begun
        if child.is_alive():
            # Processor time is limited in the child; this is for one that sleeps, on however busy a machine.
            if took < 30.0 * limit:
                return
            child.kill()
        child.join()
        del self._running[sentinel]
        try:
            killer = here.recv() if here.poll() else OVERTIME
        except EOFError:
            killer = OVERTIME
        here.close()
        self._tell((mutant, killer, took))
