"""The judges of dead recorders, full and slow disks and floods pass what the table asks for, and fail the rest."""

from __future__ import annotations

from typing import Any

from sim.faults.evidence import Command, Recorded
from tests.faults.logs import command, cut_short, enabled_by, fresh_actions, moving_until, words
from tests.faults.test_rows import FAULT, verdict_of

END = 5.0
SILENT, FAILED = "the recorder is silent", "the recorder has failed: cannot log to a.mcap: File too large"


def recorded(zero: float, reason: str, told: float, *more: Any) -> list[Any]:
    """An arm that stops at `zero`, an episode that is cut short at `told`, and 15 steps on disk at the fault."""
    return [*moving_until(zero, zero + 0.05, END), *words(FAULT), cut_short(told, reason), *more]


def test_row_23_wants_no_motion_that_nobody_logs_and_every_acknowledged_step() -> None:
    def judged(zero: float, reason: str = SILENT, left: float = 14.0, *more: Any) -> list[str]:
        facts = recorded(zero, reason, FAULT + 0.35, *more)
        return verdict_of(23, facts, END, kill=FAULT, **{"on disk": left})

    assert judged(FAULT + 0.54) == []
    assert judged(FAULT + 0.6) != []
    assert judged(9.0) != []
    assert "no episode ended for it" in judged(FAULT + 0.5, "time is up")[0]
    assert judged(FAULT + 0.5, SILENT, 13.0) == ["14 steps were acknowledged, 13 are left"]
    assert judged(FAULT + 0.5, SILENT, 14.0, command(4.0, 0.1)) != []
    assert judged(FAULT + 0.5, SILENT, 14.0, enabled_by(4.0, "ghost")) != []


def test_row_23_needs_the_recorders_word() -> None:
    silent = [fact for fact in recorded(FAULT + 0.5, SILENT, FAULT + 0.35) if not isinstance(fact, Recorded)]
    assert "said nothing" in verdict_of(23, silent, END, kill=FAULT, **{"on disk": 50.0})[0]


def test_row_22_wants_a_stop_in_a_second_and_what_is_wrong_said() -> None:
    def judged(zero: float, reason: str = FAILED, left: float = 15.0) -> list[str]:
        # What it acknowledges while the disk fills up counts as well.
        facts = recorded(zero, reason, FAULT + 0.3, Recorded(FAULT + 0.1, 7, "failed", 15))
        return verdict_of(22, facts, END, full=FAULT, **{"on disk": left})

    assert judged(FAULT + 0.95) == []
    assert judged(FAULT + 1.05) != []
    assert judged(FAULT + 0.5, SILENT) != []
    assert judged(FAULT + 0.5, left=14.0) == ["15 steps were acknowledged, 14 are left"]


def test_row_25_wants_an_unchanged_beat_a_bound_on_what_waits_and_a_stop() -> None:
    slow, end = 6.0, 20.0

    def judged(zero: float, until: float, late: int = 0) -> list[str]:
        facts = [*moving_until(zero, zero + 0.05, end), *words(slow), cut_short(zero - 0.2, SILENT)]
        facts += fresh_actions(until, end)
        facts += [Recorded(slow + 2.0 * n, 7, "open", 65 + n) for n in range(1, 4)]
        if late:
            facts = [f for f in facts if not (isinstance(f, Command) and f.t > slow and round(f.t * 100) % 50 < late)]
        return verdict_of(25, facts, end, slow=slow, **{"on disk": 70.0})

    assert judged(slow + 7.5, slow + 7.4) == []
    assert "p99" in judged(slow + 7.5, slow + 7.4, late=3)[0]
    assert "actions went out that are not on disk" in judged(slow + 8.9, slow + 8.8)[0]
    assert any("zero command" in complaint for complaint in judged(slow + 9.2, slow + 7.4))


def test_row_61_wants_the_guards_beat_memory_and_life() -> None:
    def judged(drop: int = 0, **marks: float) -> list[str]:
        facts = [
            f for f in moving_until(9.0, 9.0, END) if not (isinstance(f, Command) and round(f.t * 100) % 20 < drop)
        ]
        return verdict_of(61, facts, END, **{"flood": FAULT, "growth": 3.0, "lives": 1.0, **marks})

    assert judged() == []
    assert "p99" in judged(drop=2)[0]
    assert judged(growth=65.0) == ["the guard grew by 65 MiB"]
    assert judged(lives=0.0) == ["the guard has ended"]
    assert "not seen" not in str(judged())
