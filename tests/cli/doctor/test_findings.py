"""Checks run at once, and neither one that hangs nor one that breaks keeps the others from being heard."""

from __future__ import annotations

import threading

import pytest

from robot_rig.cli.doctor.findings import Finding, Level, green, red, run_checks, yellow
from robot_rig.cli.doctor.rounds import as_json, exit_code
from robot_rig.errors import UserError


def refuse() -> list[Finding]:
    raise UserError("it is wrong", next_step="mend it")


def crash() -> list[Finding]:
    raise RuntimeError("surprise")


def test_a_check_that_hangs_or_breaks_is_one_red_line() -> None:
    never = threading.Event()
    checks = {
        "first": lambda: [green("first", "well")],
        "hangs": lambda: [green("hangs", str(never.wait(60)))],
        "refuses": refuse,
        "breaks": crash,
        "last": lambda: [yellow("last", "so so", "do that")],
    }
    findings = run_checks(checks, limit_s=0.3)
    never.set()
    assert [finding.name for finding in findings] == list(checks)
    assert [finding.level.value for finding in findings] == ["green", "red", "red", "red", "yellow"]
    assert (findings[2].what, findings[2].fix) == ("it is wrong", "mend it")
    assert "RuntimeError: surprise" in findings[3].what


def test_checks_run_at_once() -> None:
    both = threading.Barrier(2)

    def meet() -> list[Finding]:
        both.wait(10)
        return [green("met", "")]

    assert len(run_checks({"one": meet, "other": meet}, limit_s=10)) == 2


@pytest.mark.parametrize("make", [yellow, red])
def test_what_is_not_well_has_a_fix(make: object) -> None:
    with pytest.raises(ValueError, match="without a fix"):
        Finding("x", Level.RED, "bad")
    assert green("x", "good").fix == ""


def test_only_red_is_an_exit_code() -> None:
    assert exit_code([green("a", ""), yellow("b", "", "c")]) == 0
    assert exit_code([green("a", ""), red("b", "", "c")]) == 1
    assert '"level": "red"' in as_json([red("b", "x", "c")])
