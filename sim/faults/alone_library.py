"""Rows 101 to 109: rows 1 to 9 once more, with the fault in what the RealSense library itself gives. Needs no graph.

What is played and looked at is a process of its own (`library_eye`): the vendor's pipeline on a recording that has the
fault in it, the camera's own process, the ladder, and the judgement of camera_node. What is proven ends there: told in
time, and nothing shown to a policy. That an arm stops which is shown nothing is row 1's, at the camera's topic.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from functools import partial
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path

import numpy as np

from sim.faults.alone_processes import run
from sim.faults.freshness import IMAGE_AGE_S
from sim.faults.judges import GAP_LIMIT_S, Verdict, between
from sim.faults.library_plan import PERIOD_S, UNKNOWN, Plan, levels, marked
from sim.faults.rows import NotPermittedError, VoidError
from sim.faults.told import Told, of_kind, told_by

TOLD_S, DARK_S = 0.2, 0.1
"""From the first picture that is wrong, or that is due and does not come, to the word on the camera's status."""

BACK_S = 5.0
"""From pictures that return to one that is shown."""

HOLE_S = 0.12
"""Pictures that are further apart than this are missing some; on a machine at rest they never are."""

BEGIN_S = 0.5
"""The library plays the first pictures of a recording as it likes."""

SHOWN_FROZEN = 4
"""Pictures equal to the one before that are shown until the fifth proves that they are frozen."""

SAME_LSB = 1.0
LADDER_S = 15.0
"""What the ladder's rungs before the killing of a process may take, when it hangs for good."""

Attempt = Callable[[np.random.Generator, Path], Verdict]


def see(folder: Path, plan: Plan) -> list[Told]:
    """What the process tells that carries `plan` out. Raises NotPermittedError without the library."""
    if find_spec("pyrealsense2") is None:
        raise NotPermittedError("pyrealsense2 is not installed")
    return told_by(run("sim.faults.library_eye", str(folder), json.dumps(asdict(plan))))


# --- what is planned --------------------------------------------------------------------------------------------------


def unplugged(random: np.random.Generator) -> Plan:
    """Silence, short or long, of a device; or a process of the library that hangs, for a while or for good, or is
    killed; or a recording that ends.
    """
    plans = (
        Plan("gap", bad=0, by_s=random.uniform(0.4, 0.8)),
        Plan("gap", bad=0, by_s=random.uniform(1.5, 4.0), look_s=8.0),
        Plan(signal="SIGSTOP", cont_s=random.uniform(0.4, 0.8), stamps="rebased"),
        Plan(signal="SIGSTOP", look_s=LADDER_S + 10.0),
        Plan(signal="SIGKILL", look_s=8.0),
        Plan("end", after=0),
    )
    return plans[int(random.integers(len(plans)))]


def one_of(random: np.random.Generator, plans: Sequence[Plan]) -> Plan:
    """One of `plans`, whose fault comes at any time."""
    plan = plans[int(random.integers(len(plans)))]
    return replace(plan, good=int(random.integers(35, 55)) if plan.good else 0, seed=int(random.integers(2**31)))


FROZEN = (Plan("frozen"), Plan("same number"))
DARK = (Plan("dark"),)
BRIGHT = (Plan("bright", good=0), Plan("bright"))
SIZES = (Plan(asked=(1280, 720), wanted=(1280, 720), look_s=1.0), Plan(wanted=(320, 240), look_s=1.0))
FORMS = (Plan(look_s=1.5), Plan(form="bgr8", look_s=1.5), Plan(form="yuyv", look_s=1.5), Plan(form="y8", look_s=1.5))
STALE = (Plan("old", by_s=-1000.0, stamps="rebased"), Plan("replayed", stamps="rebased"))
STEPS = tuple(Plan("step", by_s=by, stamps="rebased") for by in (5.0, -5.0, 0.5, -0.5))
LOSSY = (Plan("lossy", bad=90, stamps="rebased", look_s=5.0),)


# --- what must come of it ---------------------------------------------------------------------------------------------


def judge_spoilt(plan: Plan, told: Sequence[Told], code: str, within_s: float) -> Verdict:
    """Pictures come and show nothing true: told with `code` within `within_s`, and not shown."""
    pictures, verdict = of_kind(told, "picture"), Verdict()
    wrong = [
        one
        for before, one in pairwise([None, *pictures])
        if one is not None and (_number(one) == UNKNOWN or (before is not None and _number(one) == _number(before)))
    ]
    if not wrong:
        raise VoidError("no spoilt picture has come")
    fault = float(wrong[0].more["stamp"])
    _believe(plan, told, fault)
    _told_in_time(told, (code,), fault, within_s, verdict)
    shown = of_kind(told, "shown")
    bad = [one for one in shown if _number(one) == UNKNOWN]
    verdict.add([f"{len(bad)} spoilt pictures were shown"] if bad else [])
    same = [one for one in shown if _number(one) == plan.good and one.t > fault]
    many = plan.spoil == "frozen" and len(same) > SHOWN_FROZEN
    verdict.add([f"{len(same)} frozen pictures were shown"] if many else [])
    back = [one.t for one in pictures if _number(one) > plan.good + plan.bad and one.t > fault]
    return _back(told, back[0] if back else math.inf, fault, verdict)


def judge_missing(plan: Plan, told: Sequence[Told]) -> Verdict:
    """No picture comes, or none that may be believed: told in time, nothing old is shown, and what returns is shown."""
    verdict, pictures = Verdict(), of_kind(told, "picture")
    # The end of a recording may be told before anybody has missed a picture.
    last = pictures[-1:] if plan.spoil == "end" else []
    holes = [
        before.t
        for before, after in pairwise([*pictures, told[-1]])
        if (after.t - before.t > HOLE_S or before in last) and _number(before) >= plan.good - 2
    ]
    if not pictures or not holes:
        raise VoidError("the fault did not come as planned")
    fault = holes[0] + PERIOD_S
    _believe(plan, told, fault)
    _told_in_time(told, ("image_stale", "image_refused", "camera_ended"), fault, TOLD_S, verdict)
    old = [one for one in of_kind(told, "shown") if one.more["age"] > IMAGE_AGE_S]
    verdict.add([f"{len(old)} pictures older than {IMAGE_AGE_S} s were shown"] if old else [])
    if plan.spoil == "end":
        said = [one for one in of_kind(told, "ended") if "played to its end" in one.more["text"]]
        return verdict.add([] if said else ["the recording's end was not said"])
    again = [one for one, later in pairwise(of_kind(told, "shown")) if _number(later) <= _number(one)]
    climbed = of_kind(told, "counts")[-1].more["counts"]
    anew = any("recovered" in one for one in climbed)
    verdict.add(["pictures of before were shown again"] if again and not anew else [])
    return _back(told, _returns(plan, told, fault), fault, verdict)


def _returns(plan: Plan, told: Sequence[Told], fault: float) -> float:
    """When pictures could be had again."""
    if plan.signal:
        lasting = LADDER_S if plan.signal == "SIGSTOP" else 0.0
        return max((one.t for one in of_kind(told, "continued")), default=of_kind(told, "signal")[0].t + lasting)
    return fault + (plan.by_s if plan.spoil == "gap" else plan.bad * PERIOD_S)


def judge_lossy(plan: Plan, told: Sequence[Told]) -> Verdict:
    """Row 9: nothing old is shown, silence is told if and only if there is some, and nobody restarts anything."""
    verdict, pictures = Verdict(), of_kind(told, "picture")
    opened = of_kind(told, "opened")[0].t
    _awake(told, opened, math.inf)
    old = [one for one in of_kind(told, "shown") if one.more["age"] > IMAGE_AGE_S]
    verdict.add([f"{len(old)} pictures older than {IMAGE_AGE_S} s were shown"] if old else [])
    said = of_kind(told, "said")
    strange = {one.more["code"] for one in said} - {"", "image_stale"}
    verdict.add([f"{', '.join(sorted(strange))} was told"] if strange else [])
    last = pictures[-1].t
    stale = [one.t for one in said if one.more["code"] == "image_stale" and one.t < last]
    for one, later in pairwise(pictures):
        gap = later.t - one.t
        if gap > PERIOD_S + TOLD_S and not between([Told(t, "", {}) for t in stale], one.t, later.t):
            verdict.add([f"{1e3 * gap:.0f} ms without a picture were not told"])
    for t in stale:
        before = max((one.t for one in pictures if one.t < t), default=opened)
        verdict.add([f"silence was told after {1e3 * (t - before):.0f} ms"] if t - before < HOLE_S else [])
    counts = of_kind(told, "counts")[-1].more["counts"]
    verdict.add(f"{name} {count}" for name, count in counts.items() if name == "restart" and last > told[-1].t - 1.0)
    verdict.figures["shown"] = float(len(of_kind(told, "shown")))
    return verdict


def judge_size(plan: Plan, told: Sequence[Told]) -> Verdict:
    """Row 5: refused with a sentence, expected against got; nothing is shown."""
    text = " ".join(one.more["text"] for one in of_kind(told, "refused"))
    (wide, high), (width, height) = plan.wanted, plan.asked
    wanted = [f"{wide}x{high}", *([f"{width}x{height}"] if plan.asked != plan.wanted else ["offers no"])]
    verdict = Verdict(figures={"shown": float(len(of_kind(told, "shown")))})
    verdict.add([] if all(one in text for one in wanted) else [f"the refusal was {text!r}"])
    return verdict.add([f"{len(of_kind(told, 'shown'))} pictures were shown"] if of_kind(told, "shown") else [])


def judge_form(plan: Plan, told: Sequence[Told]) -> Verdict:
    """Row 6: shown to 1 level as it is, or refused with a sentence."""
    verdict, pictures = Verdict(), of_kind(told, "picture")
    refused = [one for one in of_kind(told, "refused") if "offers no colour pictures" in one.more["text"]]
    if not pictures:
        return verdict.add([] if refused else [f"{plan.form}: neither shown nor refused"])
    for one in pictures:
        if (number := _number(one)) == UNKNOWN:
            return verdict.add([f"{plan.form}: a picture came out as another"])
        off = float(np.abs(np.subtract(levels(marked(number)), one.more["levels"])).max())
        verdict.figures["off levels"] = max(verdict.figures.get("off levels", 0.0), round(off, 3))
    differs = verdict.figures["off levels"] > SAME_LSB
    return verdict.add([f"{plan.form} differs by more than a level"] if differs else [])


def _number(one: Told) -> int:
    return int(one.more["number"])


def _awake(told: Sequence[Told], since: float, until: float) -> None:
    """Raise VoidError where this machine was away."""
    worst = max((one.more["gap"] for one in between(of_kind(told, "away"), since, until)), default=0.0)
    if worst > GAP_LIMIT_S:
        raise VoidError(f"this machine was away for {1e3 * worst:.0f} ms")


def _believe(plan: Plan, told: Sequence[Told], fault: float) -> None:
    """Raise VoidError where the machine, or the library's player, paused before the fault or around it."""
    opened = of_kind(told, "opened")[0].t
    _awake(told, fault - BEGIN_S, fault + 2 * TOLD_S)
    good = [one.t for one in of_kind(told, "picture") if opened + BEGIN_S < one.t < fault]
    hole = max((later - one for one, later in pairwise(good)), default=0.0)
    if hole > HOLE_S:
        raise VoidError(f"the recording paused for {1e3 * hole:.0f} ms")
    if plan.good and not good:
        raise VoidError("the fault came at once")


def _told_in_time(told: Sequence[Told], codes: Sequence[str], fault: float, within_s: float, verdict: Verdict) -> None:
    """One of `codes` is said in time, and nothing was before."""
    opened, said = of_kind(told, "opened")[0].t, of_kind(told, "said")
    early = [one.more["code"] for one in said if one.more["code"] and opened + BEGIN_S < one.t < fault - PERIOD_S]
    verdict.add([f"{early[0]} was told of good pictures"] if early else [])
    first = [one.t for one in said if one.more["code"] in codes and one.t > fault - PERIOD_S]
    if not first or first[0] - fault > within_s:
        when = f"after {1e3 * (first[0] - fault):.0f} ms" if first else "never"
        verdict.add([f"{' or '.join(codes)} was told {when}"])
    if first:
        verdict.figure("told", max(0.0, first[0] - fault))


def _back(told: Sequence[Told], returns: float, fault: float, verdict: Verdict) -> Verdict:
    """A picture is shown again in time after the word, and that is told as well."""
    word = [one.t for one in of_kind(told, "said") if one.more["code"] and one.t > fault - PERIOD_S]
    if not word:
        return verdict
    shown = [one.t for one in of_kind(told, "shown") if one.t > word[0]]
    if not shown or shown[0] - returns > BACK_S:
        return verdict.add([f"no picture was shown within {BACK_S:.0f} s of their return"])
    verdict.figure("back", max(0.0, shown[0] - returns))
    well = [one for one in of_kind(told, "said") if not one.more["code"] and one.t > word[0]]
    return verdict.add([] if well else ["it was not told that all is well again"])


def _attempt(
    random: np.random.Generator,
    folder: Path,
    planned: Callable[[np.random.Generator], Plan],
    judge: Callable[[Plan, Sequence[Told]], Verdict],
) -> Verdict:
    plan = planned(random)
    return judge(plan, see(folder, plan))


def _frozen(plan: Plan, told: Sequence[Told]) -> Verdict:
    if plan.spoil == "same number":
        return judge_missing(plan, told)
    return judge_spoilt(plan, told, "image_frozen", TOLD_S)


def _row(
    planned: Callable[[np.random.Generator], Plan] | Sequence[Plan], judge: Callable[[Plan, Sequence[Told]], Verdict]
) -> Attempt:
    choose = planned if callable(planned) else partial(one_of, plans=planned)
    return partial(_attempt, planned=choose, judge=judge)


ATTEMPTS: dict[int, Attempt] = {
    101: _row(unplugged, judge_missing),
    102: _row(FROZEN, _frozen),
    103: _row(DARK, partial(judge_spoilt, code="image_dark", within_s=DARK_S)),
    104: _row(BRIGHT, partial(judge_spoilt, code="image_bright", within_s=TOLD_S)),
    105: _row(SIZES, judge_size),
    106: _row(FORMS, judge_form),
    107: _row(STALE, judge_missing),
    108: _row(STEPS, judge_missing),
    109: _row(LOSSY, judge_lossy),
}
