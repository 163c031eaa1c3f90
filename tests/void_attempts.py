"""A failed attempt at a test over live ROS counts only if the machine was on time; else it is void and repeated.

The rule of the timed checks (`benchmarks.attempts`), for `make test` on a shared machine: a heartbeat runs on every
core beside the tests, above whatever they start; a failure with a gap of more than 20 ms in it is void, and the test
is run again, `REPEATS` times at most. Voids are printed, and more than a fifth of the attempts void fail the run. A
failure without a gap is a failure.
A pytest plugin, registered by tests/conftest.py; pytest-rerunfailures does the repeating.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

import pytest

from benchmarks.attempts import VOID_SHARE, void_reason
from benchmarks.heartbeat import ABOVE_ALL, Heartbeat
from robot_rig.errors import UserError
from tests.ros_graph import needs_ros

REPEATS = 3
BEAT_S = 0.004
"""Often enough to see a gap of 20 ms, and a third as dear as the 1 kHz of a check that measures the gaps."""


def void_share_exceeded(void: int, attempts: int) -> bool:
    """Whether more than a fifth of `attempts` were void; a handful of tests, run by hand, says nothing about shares."""
    return void > max(REPEATS, VOID_SHARE * attempts)


class VoidAttempts:
    """Beats while the tests run, and says of a failure whether it counts."""

    def __init__(self) -> None:
        self._heartbeat: Heartbeat | None = None
        self._begun = 0.0

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Let every test of a module that needs ROS be repeated when void."""
        live = {path for path in {item.path for item in items} if needs_ros(path)}
        for item in items:
            if item.path in live:
                item.add_marker(pytest.mark.flaky(reruns=REPEATS, condition=self.machine_was_away))

    def pytest_runtest_setup(self, item: pytest.Item) -> None:
        """Begin to beat with the first test that may be void."""
        if self._heartbeat is None and item.get_closest_marker("flaky"):
            self._heartbeat = Heartbeat(ABOVE_ALL, BEAT_S).__enter__()
        self._begun = time.monotonic()

    def machine_was_away(self) -> bool:
        """Whether the attempt under way is void."""
        if self._heartbeat is None:
            return False
        try:
            return bool(void_reason(self._heartbeat.worst_gap(self._begun, time.monotonic())))
        except UserError:  # a heartbeat that is itself late by seconds; one that has ended excuses nothing
            return self._heartbeat.alive

    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """End the heartbeat; fail the run when too much of it was void."""
        if self._heartbeat is not None:
            self._heartbeat.__exit__()
        reporter = session.config.pluginmanager.get_plugin("terminalreporter")
        if reporter is not None and void_share_exceeded(*void_of_all(reporter.stats.values())):
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Tell the voids."""
        void, attempts = void_of_all(terminalreporter.stats.values())
        if attempts:
            terminalreporter.write_line(f"{void} of {attempts} attempts at tests over live ROS void")
        for report in terminalreporter.stats.get("rerun", ()):
            terminalreporter.write_line(f"  void: {report.nodeid}")


def void_of_all(outcomes: Iterable[list[object]]) -> tuple[int, int]:
    """How many attempts at live tests were void, and how many there were."""
    reports = [report for reports in outcomes for report in reports if hasattr(report, "rerun")]
    void = sum(report.outcome == "rerun" for report in reports)
    return void, void + len({report.nodeid for report in reports})
