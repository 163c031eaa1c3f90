"""Explanations of surviving mutants: each belongs to a survivor and to a line that is still there, or it is told."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.mutants.explained import EXPLAINED, read_explained, settle
from robot_rig.errors import UserError

SLEW = ("stages.slew", "a < b", "a <= b")
LEASE = ("lease.Lease.claim", "x = 1", "x = 2")


def test_what_survives_without_a_reason_and_what_is_explained_without_surviving_are_told_apart() -> None:
    assert settle([SLEW], [SLEW]) == ([], [])
    assert settle([SLEW, LEASE], [LEASE]) == ([SLEW], [])
    assert settle([], [LEASE]) == ([], [LEASE])
    assert settle([("stages.slew", "a  <  b", "a <= b")], [SLEW]) == ([], [])


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("stages.slew:\n- {was: a, now: b}\n", "not was, now and because"),
        ("stages.slew:\n- {was: a, now: b, because: ' '}\n", "not was, now and because"),
        ("stages.slew:\n- {was: a, now: b, because: c}\n- {was: a, now: b, because: d}\n", "twice"),
    ],
)
def test_an_explanation_without_a_reason_or_given_twice_is_refused(tmp_path: Path, text: str, says: str) -> None:
    path = tmp_path / "explained.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=says):
        read_explained(path)


def test_every_explanation_is_of_a_line_that_is_still_in_the_guard() -> None:
    explained = read_explained(EXPLAINED)
    assert explained
    for place, was, _ in explained:
        source = " ".join(Path(f"robot_rig/safety/{place.split('.')[0]}.py").read_text().split())
        assert was.split("  # ")[0].rsplit(" # ", 1)[0] in source, (place, was)
