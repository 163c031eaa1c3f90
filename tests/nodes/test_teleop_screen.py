"""What a person at the teleop reads: who leads, how near the wall is, and every reason once."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.config import Config
from robot_rig.datatypes import Mode, Outcome, Source, Verdict
from robot_rig.nodes.teleop_screen import AGAIN_S, OF_THEMSELVES, WIDTH, Explained, Hands, codes_of, line
from robot_rig.ros.arm_report import ArmReport
from robot_rig.safety.reasons import REASONS

GUARD = Config().guard
BOX = np.array([GUARD.box_low_m, GUARD.box_high_m])
SLOW = Hands(0.02, moving=True, logged=True)


def report(
    tool: list[float], *reasons: str, source: Source | None = Source.HUMAN, mode: Mode = Mode.ACTIVE
) -> ArmReport:
    verdict = Verdict(Outcome.SCALED if reasons else Outcome.PASSED, reasons)
    return ArmReport(0.0, mode, (), verdict, source, 1, None, -1, False, "ok", np.array(tool), "", BOX)


def test_the_line_says_who_leads_where_how_near_the_wall_and_why_it_is_held_back() -> None:
    said = line(report([0.70, 0.183, 0.06], "box"), SLOW, ("x", "y"))
    assert said == "ACTIVE, you leads   tool x 0.700 y 0.183 z 0.060 m   1.7 cm to +y   2 cm/s > logged   box"


@pytest.mark.parametrize(("source", "who"), [(None, "nobody"), (Source.POLICY, "policy"), (Source.HOMING, "homing")])
def test_another_leader_is_named(source: Source | None, who: str) -> None:
    assert f"{who} leads" in line(report([0.7, 0.0, 0.06], source=source), SLOW, ("x", "y"))


def test_outside_the_box_is_said_loudly_and_only_along_the_axes_that_move() -> None:
    low = [0.70, 0.0, 0.01]
    assert "to " in line(report(low), SLOW, ("x", "y"))
    assert "2.0 cm OUTSIDE -z" in line(report(low), SLOW, ("x", "y", "z"))


def test_however_many_reasons_the_line_stays_one() -> None:
    crowded = report([0.7, 0.0, 0.06], *REASONS)
    assert len(line(crowded, SLOW, ("x", "y"))) == WIDTH
    assert codes_of(crowded) == list(REASONS)


def test_each_reason_is_explained_once_and_again_when_it_has_been_away() -> None:
    explained = Explained()
    (sentence,) = explained.news(0.0, ["box", "slew"])
    assert sentence == f"box: {REASONS['box']}"
    for k in range(1, 100):
        assert explained.news(0.2 * k, ["box"]) == []
    assert explained.news(0.2 * 99 + AGAIN_S + 0.1, ["box", "no such code"]) == [sentence]


def test_what_goes_without_saying_is_known_to_the_guard() -> None:
    assert set(REASONS) > OF_THEMSELVES
