"""The judges of the camera's rows pass what the table asks for and fail what it forbids."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sim.faults.evidence import Beat, Command, Passed, Tool
from tests.faults.logs import (
    command,
    cut_short,
    enabled_by,
    frames,
    fresh_actions,
    moving_until,
    pictures,
    told,
    words,
)
from tests.faults.test_rows import EXIT, FAULT, SOME, spoilt, spoilt_pictures, verdict_of


def test_row_9_wants_pictures_that_were_lost_and_late() -> None:
    def judged(kept: Callable[[int], bool], late_s: float) -> str:
        through = spoilt_pictures(7.0, kept, late_s)
        facts = [*moving_until(9.0, 9.0, 7.5), *pictures(FAULT), *through, *pictures(7.5, after=7.0)]
        facts += fresh_actions(9.0, 7.5)
        return "; ".join(verdict_of(9, facts, 7.5, fault=FAULT, **{"return": 7.0}))

    assert judged(SOME, 0.2) == ""
    assert "only 0 % of the pictures were lost" in judged(lambda number: True, 0.2)
    assert "later than another by more than 0.00 s" in judged(SOME, 0.0)
    assert "no picture came through the fault" in judged(lambda number: False, 0.2)


def test_row_1_wants_a_person_after_five_seconds_and_none_before() -> None:
    def judged(
        back: float,
        moves_after: bool,
        left: float = 14.0,
        reason: str = "the picture is 0.50 s old",
        shown: bool = True,
    ) -> list[str]:
        zero, end = FAULT + 0.15, back + 2.5
        facts = [
            *moving_until(zero, zero, end),
            *pictures(FAULT),
            *pictures(end, after=back),
            told(zero, "image_stale"),
            *words(FAULT),
            cut_short(FAULT + 0.4, reason),
            *frames([back + 0.2] if shown else []),
        ]
        facts += [command(back + 0.5 + 0.01 * n, 0.1) for n in range(20)] if moves_after else []
        return verdict_of(1, facts, end, fault=FAULT, **{"return": back, "on disk": left})

    assert judged(3.0, True) == []
    assert "no motion" in judged(3.0, False)[0]
    assert judged(7.5, False) == []
    assert "by itself" in judged(7.5, True)[0]
    assert judged(7.5, False, left=13.0) == ["14 steps were acknowledged, 13 are left"]
    assert "no episode ended for it" in judged(7.5, False, reason="time is up")[0]
    # The camera's node did not survive the silence.
    assert judged(7.5, False, shown=False) == ["no picture was shown though they were back"]


def test_row_6_wants_the_same_picture_from_each_known_encoding() -> None:
    def judged(
        bgr: float, kind: str = "encoding", code: str = "image_refused", exit_code: float = 2.0, *more: Any
    ) -> str:
        begin, end = 3.0, 6.0
        stop = [f._replace(t=f.t + 2.0) for f in spoilt(1.3, 1.35, code, 4.0) if not isinstance(f, Passed)]
        camera = [
            *pictures(1.0),
            *pictures(2.5, kind, after=1.0),
            *pictures(begin, after=2.5),
            *pictures(5.9, "encoding", after=begin),
        ]
        marks = {"rgb8": 0.3, "bgr8": 1.2, "mono8": 1.9, "fault": begin, "return": 5.9, EXIT: exit_code}
        shown = frames([0.5, 1.4, 2.2], 90.0, bgr, 90.0)
        return "; ".join(verdict_of(6, [*stop, *camera, *shown, *more], end, **marks))

    assert judged(90.4) == ""
    assert "bgr8 differs by 2.00 LSB" in judged(92.0)
    # The same scene as rgb8 all the time.
    assert "no frame from bgr8" in judged(90.0, "none")
    # Dead of an exception, for which the arm stops as well.
    assert "none of image_refused was told" in judged(90.0, "encoding", "image_stale")
    assert "ended with 1, not with 2" in judged(90.0, "encoding", "image_refused", 1.0)
    assert "1 such pictures shown" in judged(90.0, "encoding", "image_refused", 2.0, *frames([3.2]))


def test_row_6_looks_at_more_than_the_mean_of_all() -> None:
    swapped = [*(0.0, 180.0, 90.0) * 18, *(180.0, 0.0, 90.0) * 18]
    marks = {"rgb8": 0.3, "bgr8": 1.2, "mono8": 1.9, "fault": 3.0, "return": 5.9, EXIT: 2.0}
    shown = frames([0.5, 1.4, 2.2])
    shown[1] = shown[1]._replace(means=tuple(swapped))
    camera = [*pictures(1.0), *pictures(2.5, "encoding", after=1.0), *pictures(5.9, "encoding", after=3.0)]
    assert any(
        "bgr8 differs by 90" in one
        for one in verdict_of(6, [*moving_until(3.3, 3.4, 6.0), *camera, *shown], 6.0, **marks)
    )


def test_rows_2_to_4_want_no_picture_shown_that_is_spoilt_nor_anybody_who_enables() -> None:
    def judged(*more: Any) -> str:
        stop = spoilt(FAULT + 0.1, FAULT + 0.15, "image_dark", 3.0)
        return "; ".join(verdict_of(3, [*stop, *more], 3.0, fault=FAULT, **{"return": 2.9}))

    assert judged(*frames([FAULT + 0.05])) == ""
    assert "1 spoilt pictures were shown" in judged(*frames([2.0]))
    assert "ghost sent enable" in judged(enabled_by(2.0, "ghost"))


def test_rows_7_and_8_want_the_guards_beat_but_for_what_the_machine_was_away() -> None:
    def judged(hole_s: float, away_s: float) -> str:
        stop = spoilt(FAULT + 0.18, FAULT + 0.2, "image_stale", 3.0)
        facts = [f for f in stop if not (isinstance(f, Command) and 2.0 < f.t < 2.0 + hole_s)]
        return "; ".join(verdict_of(8, [*facts, Beat(2.03, away_s)], 3.0, fault=FAULT, **{"return": 2.9}))

    assert judged(0.005, 0.001) == ""
    assert "no command for 40 ms" in judged(0.035, 0.001)
    assert judged(0.035, 0.018) == ""


def test_row_9_wants_the_tools_speed_kept() -> None:
    through = [*pictures(FAULT), *spoilt_pictures(3.0), *fresh_actions(9.0, 3.0)]
    facts = [f for f in moving_until(9.0, 9.0, 3.0) if not isinstance(f, Tool)]

    def judged(speed: float) -> list[str]:
        tools = [Tool(0.01 * n, (0.65, 0.01 * n * speed, 0.06), 0.01 * n) for n in range(300)]
        return verdict_of(9, [*facts, *through, *tools], 3.0, fault=FAULT, **{"return": 2.9})

    assert judged(0.25) == []
    assert judged(0.32) == ["the tool went 0.32 m/s"]
