"""What a stall of the machine forgives, and what it does not."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from tests.void_attempts import REPEATS, VoidAttempts, void_share_exceeded

pytest_plugins = ["pytester"]

FAILS_TWICE = """
import pathlib
def test_late():
    tries = pathlib.Path("tries")
    count = len(tries.read_text()) if tries.exists() else 0
    tries.write_text("x" * (count + 1))
    assert count == 2
"""


@dataclass
class Beats:
    gap: float

    def worst_gap(self, since: float, until: float) -> float:
        assert since <= until
        return self.gap

    def __exit__(self, *_: object) -> None:
        pass


class Marked(VoidAttempts):
    """Every test counts as one over live ROS; the machine was away for `gap` s in each."""

    def __init__(self, gap: float) -> None:
        super().__init__()
        self._heartbeat = Beats(gap)  # type: ignore[assignment]

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            item.add_marker(pytest.mark.flaky(reruns=REPEATS, condition=self.machine_was_away))


def outcomes(pytester: pytest.Pytester, gap: float, source: str) -> list[str]:
    pytester.makepyfile(source)
    run = pytester.inline_run("-p", "no:cacheprovider", plugins=[Marked(gap)])
    return [report.outcome for report in run.getreports("pytest_runtest_logreport") if report.when == "call"]


def test_a_failure_while_the_machine_was_away_is_repeated(pytester: pytest.Pytester) -> None:
    assert outcomes(pytester, 0.03, FAILS_TWICE) == ["rerun", "rerun", "passed"]


def test_a_failure_of_a_punctual_machine_counts_at_once(pytester: pytest.Pytester) -> None:
    assert outcomes(pytester, 0.019, FAILS_TWICE) == ["failed"]


def test_no_stall_saves_what_never_passes(pytester: pytest.Pytester) -> None:
    assert outcomes(pytester, 0.5, "def test_wrong():\n    assert False\n") == ["rerun"] * REPEATS + ["failed"]


@pytest.mark.parametrize(("void", "attempts", "exceeded"), [(3, 4, False), (20, 100, False), (21, 100, True)])
def test_more_than_a_fifth_void_is_a_failure(void: int, attempts: int, exceeded: bool) -> None:
    assert void_share_exceeded(void, attempts) is exceeded
