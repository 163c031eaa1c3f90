"""Rows of the table of faults about the camera, caused in the cable between camera and camera node."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

from sim.faults import judges
from sim.faults.evidence import Evidence, Frame
from sim.faults.freshness import IMAGE_AGE_S, motion_iff_fresh, true_exposures
from sim.faults.judges import Verdict
from sim.faults.rows import Row, Scene, Stage
from sim.faults.rows_recording import ended_for, lost, until_logged

BACK_S = 5.0
"""Row 1: pictures that return lead to motion again within this; longer away than this, and a person is needed."""

PERIOD_S = 1.0 / 30.0
FROZEN_FRAMES, DARK_FRAMES = 6, 3
BRIGHT_S = 1.0
WITNESS_S = 0.005
"""Rows 7 and 8: how late the witness may have read a command, beside what the heartbeat tells."""

COVERED_GAIN = 0.09
"""Row 3: a lens may be covered by something that lets a little light through."""

START_S = 60.0
LEAST_LOST, LEAST_LATE_S = 0.15, 0.1
"""Row 9: of 30 % and 0.2 s; with less than this nothing has happened that would prove anything."""


def unplug(stage: Stage) -> None:
    """Silence in an episode, for a while that the guard may or may not wait out; and what is then left on disk."""
    log = until_logged(stage)
    away_s = float(stage.random.choice([stage.random.uniform(0.6, 4.0), stage.random.uniform(6.0, 7.0)]))
    silence(stage, away_s)
    stage.marks["on disk"] = float(stage.steps_on_disk(log))


def unplug_between(stage: Scene, least_s: float, most_s: float) -> None:
    """The same for a time between the two."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    silence(stage, stage.random.uniform(least_s, most_s))


def silence(stage: Scene, away_s: float) -> None:
    """No picture comes for `away_s`."""
    stage.mark("fault")
    stage.tell("camera", kind="silence")
    stage.wait(away_s)
    stage.mark("return")
    stage.tell("camera", kind="none")
    stage.wait(2.5)


def judge_unplugged(evidence: Evidence) -> Verdict:
    """Zero by L + 100 ms after the last exposure, the episode cut short without a step lost; motion again only if the
    pictures came back in time."""
    verdict, fault, back = Verdict(), evidence.marks["fault"], evidence.marks["return"]
    verdict.add(judges.moved_before(evidence, fault))
    last = max(one.exposed for one in evidence.passed if one.t < back)
    judges.stopped(evidence, verdict, last + IMAGE_AGE_S, back)
    verdict.add(judges.told(evidence, ["image_stale", "action_stale"], fault, last + IMAGE_AGE_S + judges.TOLD_S))
    verdict.add(judges.no_enables(evidence, fault))
    verdict.add(ended_for(evidence, fault, back, "the picture is"))
    verdict.add(lost(evidence, fault))
    verdict.add([] if judges.between(evidence.frames, back) else ["no picture was shown though they were back"])
    moved = judges.moves(evidence, back, evidence.end)
    if back - last < BACK_S and not moved:
        verdict.add([f"no motion though the pictures were back after {back - last:.1f} s"])
    if back - last > BACK_S + 0.5 and moved:
        verdict.add([f"motion by itself after {back - last:.1f} s without pictures"])
    return verdict


def spoil(stage: Scene, **fault: Any) -> None:
    """Pictures are spoilt for two seconds."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("fault")
    stage.tell("camera", **fault)
    stage.wait(2.0)
    stage.mark("return")
    stage.tell("camera", kind="none")
    stage.wait(0.5)


def cover(stage: Scene) -> None:
    """Something dark lies on the lens."""
    spoil(stage, kind="gain", gain=float(stage.random.uniform(0.0, COVERED_GAIN)))


def spoil_one_of(stage: Scene, faults: tuple[dict[str, Any], ...]) -> None:
    """One of several ways, by the seed."""
    spoil(stage, **faults[int(stage.random.integers(len(faults)))])


def first_spoilt(evidence: Evidence) -> float | None:
    """When the first spoilt picture left for the camera node."""
    return next((one.t for one in evidence.passed if one.fault != "none"), None)


def judge_spoilt(evidence: Evidence, within_s: float, codes: tuple[str, ...]) -> Verdict:
    """Zero `within_s` + 100 ms after the first spoilt picture, told with one of `codes`, until pictures are good."""
    verdict, fault, back = Verdict(), evidence.marks["fault"], evidence.marks["return"]
    first = first_spoilt(evidence)
    if first is None:
        return verdict.add(["no spoilt picture was sent"])
    verdict.add(judges.moved_before(evidence, first))
    judges.stopped(evidence, verdict, first + within_s, back)
    verdict.add(judges.no_enables(evidence, fault))
    shown = judges.between(evidence.frames, first + within_s + judges.ZERO_LIMIT_S, back)
    verdict.add([f"{len(shown)} spoilt pictures were shown to the policy"] if shown else [])
    return verdict.add(judges.told(evidence, codes, fault, first + within_s + judges.TOLD_LIMIT_S))


def spoil_before_start(stage: Stage, **fault: Any) -> None:
    """The camera node is started on over-exposed pictures, which get better; then the same in mid-motion."""
    stage.mark("spoilt start")
    stage.kill("camera")
    stage.tell("camera", **fault)
    stage.wait(0.5)
    began = stage.now()
    stage.start("camera")
    stage.until("the camera node tells of it", lambda: stage.told(began, "image_bright"), START_S)
    stage.wait(0.5)
    stage.mark("refused")
    began = stage.now()
    stage.tell("camera", kind="none")
    stage.until("pictures are back", lambda: _frame_since(stage, began), START_S)
    stage.hand("order", word="enable")
    stage.wait(1.5)
    spoil(stage, **fault)


def _frame_since(stage: Stage, when: float) -> bool:
    frame = stage.seen(Frame)
    return frame is not None and frame.t > when


def judge_spoilt_start(evidence: Evidence, within_s: float, codes: tuple[str, ...]) -> Verdict:
    """Told at the start, without one frame for the policy; in mid-motion as in `judge_spoilt`."""
    start, refused = evidence.marks["spoilt start"], evidence.marks["refused"]
    frames = judges.between(evidence.frames, start + 0.3, refused)
    verdict = _later(evidence, refused + 0.5, within_s, codes)
    verdict.add(judges.told(evidence, codes, start, refused))
    return verdict.add([f"{len(frames)} frames of pictures that should have been refused"] if frames else [])


def _later(evidence: Evidence, since: float, within_s: float, codes: tuple[str, ...]) -> Verdict:
    """`judge_spoilt` without the pictures spoilt before `since`."""
    return judge_spoilt(passed_after(evidence, since), within_s, codes)


def passed_after(evidence: Evidence, since: float) -> Evidence:
    """The same without the pictures that were passed on up to `since`."""
    return replace(evidence, passed=[one for one in evidence.passed if one.t > since])


def judge_stale(evidence: Evidence) -> Verdict:
    """Rows 7 and 8: no action on a picture older than L, zero in time, and the guard's beat has no gap."""
    verdict = Verdict()
    fault, back, first = evidence.marks["fault"], evidence.marks["return"], first_spoilt(evidence)
    if first is None:
        return verdict.add(["no picture with a wrong stamp was sent"])
    verdict.add(judges.moved_before(evidence, first))
    last = max(one.exposed for one in evidence.passed if one.fault == "none" and one.t < first)
    judges.stopped(evidence, verdict, last + IMAGE_AGE_S, back)
    acted = [a for a in judges.between(evidence.actions, first, back) if a.t - a.frame_stamp > IMAGE_AGE_S + 0.02]
    verdict.add([f"an action on a picture {acted[0].t - acted[0].frame_stamp:.2f} s old"] if acted else [])
    gap = judges.command_gap(evidence, fault, back)
    verdict.figure("gap", gap)
    # What the machine itself was away is not the guard's, and the witness reads a little late at times.
    away = max((beat.gap for beat in evidence.beats if fault < beat.t < back + beat.gap), default=0.0)
    verdict.add([f"no command for {1e3 * gap:.0f} ms"] if gap > 2 * judges.PERIOD_S + away + WITNESS_S else [])
    verdict.add(judges.no_enables(evidence, fault))
    return verdict.add(
        judges.told(evidence, ["image_stale", "action_stale"], fault, last + IMAGE_AGE_S + judges.TOLD_S)
    )


def drop_and_delay(stage: Stage) -> None:
    """30 % of the pictures are lost, and bursts of 200 ms delay come."""
    stage.wait(0.2)
    stage.mark("fault")
    stage.tell("camera", kind="jitter", drop=0.3, burst_every=20.0, burst_s=0.2)
    stage.wait(6.0)
    stage.mark("return")
    stage.tell("camera", kind="none")
    stage.wait(0.5)


def judge_dropped(evidence: Evidence) -> Verdict:
    """Zero if and only if a limit is exceeded; pictures were lost and late indeed."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    verdict.add(judges.moved_before(evidence, fault))
    through = [one for one in evidence.passed if one.fault == "jitter"]
    if len(through) < 2:
        return verdict.add(["no picture came through the fault"])
    lost = 1.0 - (len(through) - 1) * PERIOD_S / (through[-1].exposed - through[0].exposed)
    ages = [one.t - one.exposed for one in through]
    verdict.add([f"only {100 * lost:.0f} % of the pictures were lost"] if lost < LEAST_LOST else [])
    late_s = max(ages) - min(ages)
    verdict.add([f"no picture was later than another by more than {late_s:.2f} s"] if late_s < LEAST_LATE_S else [])
    motion_iff_fresh(evidence, verdict, fault, evidence.end)
    verdict.add(true_exposures(evidence, fault, evidence.end))
    fastest = judges.true_speed(evidence)
    verdict.add([f"the tool went {fastest:.2f} m/s"] if fastest > judges.FASTEST_M_S else [])
    return verdict.add(judges.no_enables(evidence, fault))


WRONG_SIZES: tuple[dict[str, Any], ...] = (
    {"kind": "size", "width": 1280, "height": 720},
    {"kind": "size", "width": 320, "height": 240},
    {"kind": "size", "width": 641, "height": 480, "lie": True},
)
STALE: tuple[dict[str, Any], ...] = ({"kind": "shift", "by_s": -1000.0}, {"kind": "replay"})
STEPS: tuple[dict[str, Any], ...] = tuple({"kind": "shift", "by_s": by} for by in (5.0, -5.0, 0.5, -0.5))


def _spoilt(within_s: float, *codes: str) -> Callable[[Evidence], Verdict]:
    return partial(judge_spoilt, within_s=within_s, codes=codes)


ROWS = (
    Row(1, "camera unplugged", unplug, judge_unplugged, actor="recorded", recorder="recorder"),
    Row(
        2, "picture frozen under fresh stamps", partial(spoil, kind="freeze"),
        _spoilt(FROZEN_FRAMES * PERIOD_S, "image_frozen"),
    ),
    Row(3, "lens covered", cover, _spoilt(DARK_FRAMES * PERIOD_S, "image_dark")),
    Row(
        4, "over-exposed", partial(spoil_before_start, kind="gain", gain=3.0, offset=120.0),
        partial(judge_spoilt_start, within_s=BRIGHT_S - judges.ZERO_LIMIT_S, codes=("image_bright",)),
    ),
    Row(7, "stale or replayed stamps", partial(spoil_one_of, faults=STALE), judge_stale),
    Row(8, "camera's clock set", partial(spoil_one_of, faults=STEPS), judge_stale),
    Row(9, "pictures dropped and late", drop_and_delay, judge_dropped),
)  # fmt: skip
