"""Rows 101 to 109: the judges pass what the table asks for and tell what it forbids; and the real library plays.

Played here is one fault of the pixels; all of them are in `make proof`.
"""

from __future__ import annotations

from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from sim.faults import alone_library
from sim.faults.alone_library import (
    ATTEMPTS,
    FORMS,
    judge_form,
    judge_lossy,
    judge_missing,
    judge_size,
    judge_spoilt,
    see,
)
from sim.faults.judges import Verdict
from sim.faults.library_film import HEIGHT, WIDTH
from sim.faults.library_plan import PERIOD_S, SPOILS, UNKNOWN, Plan, film, formed, levels, marked, number_in
from sim.faults.rows import VoidError
from sim.faults.told import Told, told_by

BEGIN = 100.0
TRIES = 3


def at(number: float) -> float:
    """When picture `number` is exposed."""
    return BEGIN + number * PERIOD_S


def picture(number: int, t: float | None = None, age: float = 0.0, called: int | None = None) -> list[Told]:
    """A picture that arrives and is shown."""
    when = at(number) if t is None else t
    known = number if called is None else called
    seen = Told(when, "picture", {"number": known, "stamp": when - age, "levels": levels(marked(number))})
    return [seen, Told(when, "shown", {"number": known, "age": age})]


def unseen(number: int, called: int = UNKNOWN) -> Told:
    """A picture that arrives and is not shown."""
    return picture(number, called=called)[0]


def said(t: float, code: str) -> Told:
    return Told(t, "said", {"code": code})


def played(plan: Plan, bad: list[Told], *more: Told) -> list[Told]:
    """Good pictures, `bad` ones, and good ones again; `more` happens too."""
    first_after = plan.good + plan.bad + 1
    told = [Told(at(1), "opened", {}), said(at(1), "")]
    for number in [*range(1, plan.good + 1), *range(first_after, first_after + plan.after)]:
        told += picture(number)
    told += [*bad, *more]
    last = at(plan.good + plan.bad + plan.after) + 0.01
    return sorted([*told, Told(last, "counts", {"counts": {}})], key=lambda one: one.t)


DARK = Plan("dark")
FAULT, BACK = at(DARK.good + 1), at(DARK.good + DARK.bad + 1)


def judged_dark(*more: Told) -> list[str]:
    bad = [unseen(number) for number in range(DARK.good + 1, DARK.good + DARK.bad + 1)]
    return judge_spoilt(DARK, played(DARK, bad, *more), "image_dark", 0.1).complaints


def test_a_spoilt_picture_must_be_told_in_time_and_not_be_shown() -> None:
    well = said(BACK + 0.01, "")
    assert judged_dark(said(FAULT + 0.09, "image_dark"), well) == []
    assert "after 110 ms" in judged_dark(said(FAULT + 0.11, "image_dark"), well)[0]
    assert "never" in judged_dark(said(FAULT + 0.02, "image_stale"), well)[0]
    shown = Told(FAULT + 0.05, "shown", {"number": UNKNOWN, "age": 0.0})
    assert "1 spoilt pictures were shown" in judged_dark(said(FAULT + 0.02, "image_dark"), well, shown)
    assert "all is well" in judged_dark(said(FAULT + 0.02, "image_dark"))[0]
    early = said(at(30), "image_dark")
    assert "told of good pictures" in judged_dark(early, said(FAULT + 0.02, "image_dark"), well)[0]


def test_frozen_pictures_may_be_shown_four_times() -> None:
    plan = Plan("frozen")

    def judged(repeats_shown: int) -> list[str]:
        numbers = range(plan.good + 1, plan.good + plan.bad + 1)
        bad = [unseen(number, called=plan.good) for number in numbers]
        bad += [picture(number, called=plan.good)[1] for number in numbers[:repeats_shown]]
        told = played(plan, bad, said(at(plan.good + 4), "image_frozen"), said(BACK + 0.01, ""))
        return judge_spoilt(plan, [replace(one, t=one.t + 1e-6) for one in told], "image_frozen", 0.2).complaints

    assert judged(4) == []
    assert judged(5) == ["5 frozen pictures were shown"]


def test_pictures_that_do_not_come_must_be_told_and_nothing_old_be_shown() -> None:
    plan = Plan("old", by_s=-1000.0)
    word, well = said(FAULT + 0.16, "image_stale"), said(BACK + 0.01, "")

    def judged(*more: Told) -> list[str]:
        return judge_missing(plan, played(plan, [], *more)).complaints

    assert judged(word, well) == []
    assert "after 210 ms" in judged(said(FAULT + 0.21, "image_stale"), well)[0]
    assert "older than" in judged(word, well, picture(1, BACK + 0.3, age=0.3, called=150)[1])[0]
    assert "of before" in judged(word, well, picture(1, BACK + 0.3)[1])[0]
    assert "all is well" in judged(word)[0]


def test_silence_that_never_ends_and_an_end_that_is_not_said_are_told() -> None:
    gap = Plan("gap", bad=0, by_s=7.0, after=0)
    told = [one for one in played(gap, []) if one.what != "counts"]
    ended = [said(at(46) + 0.16, "image_stale"), Told(at(46) + 20.0, "counts", {"counts": {}})]
    assert "no picture was shown" in judge_missing(gap, [*told, *ended]).complaints[0]
    end = Plan("end", after=0)
    assert judge_missing(end, [*told, *ended]).complaints == ["the recording's end was not said"]
    last = Told(at(46) + 0.3, "ended", {"text": "the recording film.db3 has been played to its end"})
    assert judge_missing(end, [*told, ended[0], last, ended[1]]).complaints == []


def test_what_proves_nothing_is_void() -> None:
    plan, word = Plan("old", by_s=-1000.0), said(FAULT + 0.16, "image_stale")
    told = played(plan, [], word, said(BACK + 0.01, ""))
    with pytest.raises(VoidError, match="away for 30 ms"):
        judge_missing(plan, [*told, Told(FAULT + 0.1, "away", {"gap": 0.03})])
    with pytest.raises(VoidError, match="paused"):
        judge_missing(plan, [one for one in told if not at(30.5) < one.t < at(36.5)])
    with pytest.raises(VoidError, match="as planned"):
        judge_missing(replace(plan, bad=0), played(replace(plan, bad=0), []))
    with pytest.raises(VoidError, match="no spoilt picture"):
        judge_spoilt(plan, told, "image_dark", 0.1)


def test_lost_and_late_pictures_must_be_told_if_and_only_if_they_are_missing() -> None:
    plan = Plan("lossy", bad=9)

    def judged(*more: Told) -> list[str]:
        return judge_lossy(plan, played(plan, [], *more)).complaints

    word = said(at(plan.good) + 0.16, "image_stale")
    assert judged(word) == []
    assert "were not told" in judged()[0]
    assert "silence was told after" in judged(word, said(at(20) + 0.01, "image_stale"))[0]
    assert "image_dark was told" in judged(word, said(at(20), "image_dark"))[0]
    assert "older than" in judged(word, picture(1, at(60), age=0.3)[1])[0]


def test_a_size_must_be_refused_with_both_sizes() -> None:
    plan = Plan(wanted=(320, 240))
    good = [Told(1.0, "refused", {"text": "the RealSense gave 640x480 px, expected 320x240"})]
    assert judge_size(plan, good).complaints == []
    assert judge_size(plan, [*good, picture(1)[1]]).complaints == ["1 pictures were shown"]
    assert judge_size(plan, []).complaints


def test_an_encoding_must_be_shown_as_it_is_or_refused() -> None:
    plan = Plan(form="bgr8")
    refused = [Told(1.0, "refused", {"text": "the recording offers no colour pictures of 640x480 px at 30 Hz"})]
    assert judge_form(plan, refused).complaints == []
    assert judge_form(plan, []).complaints == ["bgr8: neither shown nor refused"]
    assert judge_form(plan, picture(5)).complaints == []
    assert "as another" in judge_form(plan, [unseen(5)]).complaints[0]
    wrong = picture(5)[0]
    swapped = replace(wrong, more={**wrong.more, "levels": wrong.more["levels"][::-1]})
    assert "more than a level" in judge_form(plan, [swapped]).complaints[0]


@pytest.mark.parametrize("spoil", SPOILS)
def test_a_recording_has_its_fault_where_it_is_planned(spoil: str) -> None:
    plan = Plan(spoil, by_s=0.5, good=10, bad=12, after=5)  # type: ignore[arg-type]
    pictures = film(plan, 1000.0)
    assert [number_in(one.rgb) for one in pictures[:10]] == list(range(1, 11))
    assert [number_in(one.rgb) for one in pictures[-5:]] == list(range(23, 28))
    dues = [one.due for one in pictures]
    assert dues == sorted(dues, key=lambda due: due or 0.0)
    bad = pictures[10:-5]
    assert bool(bad) is (spoil not in ("gap", "end"))
    healthy = [one for one in bad if number_in(one.rgb) == one.number and one.number > 10 and one.wall < 1000.8]
    lost = spoil == "lossy" and len(bad) < 12
    assert lost or spoil == "none" or len(healthy) == 0


def test_formats_have_the_form_of_their_streams() -> None:
    rgb = marked(3)
    assert {plan.form: formed(rgb, plan.form).shape for plan in FORMS} == {
        "rgb8": (HEIGHT, WIDTH, 3), "bgr8": (HEIGHT, WIDTH, 3), "yuyv": (HEIGHT, WIDTH, 2), "y8": (HEIGHT, WIDTH),
    }  # fmt: skip
    assert np.array_equal(formed(rgb, "bgr8")[..., ::-1], rgb)


def test_a_line_is_read_as_it_was_told() -> None:
    (one,) = told_by('{"t": 1.5, "what": "said", "code": ""}\n')
    assert one == said(1.5, "")


# --- through the real library -----------------------------------------------------------------------------------------

real = pytest.mark.skipif(find_spec("pyrealsense2") is None, reason="the package pyrealsense2 is not installed")


def tried(attempt: alone_library.Attempt, folder: Path, seed: int = 1) -> Verdict:
    """The verdict of the first attempt that is not void; a machine that is never there proves nothing."""
    why = ""
    for number in range(TRIES):
        made = folder / str(number)
        made.mkdir()
        try:
            return attempt(np.random.default_rng(seed), made)
        except VoidError as error:
            why = str(error)
    pytest.fail(f"void {TRIES} times: {why}")


def test_a_machine_without_the_library_cannot_show_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(alone_library, "find_spec", lambda _: None)
    with pytest.raises(alone_library.NotPermittedError, match="pyrealsense2"):
        see(tmp_path, DARK)


@real
@pytest.mark.proof
@pytest.mark.parametrize("number", ATTEMPTS)
@pytest.mark.parametrize("seed", range(6))
def test_every_row_through_the_real_library(number: int, seed: int, tmp_path: Path) -> None:
    assert tried(ATTEMPTS[number], tmp_path, seed).complaints == []
