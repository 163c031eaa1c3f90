"""Does the arm move if and only if what it follows is fresh? Verdicts from the witness's log alone, as in `judges`.

Pure functions; called by the rows.
"""

from __future__ import annotations

import bisect
import math
from itertools import pairwise

from sim.faults.evidence import Action, Evidence
from sim.faults.judges import ZERO_LIMIT_S, Verdict, between, is_zero

ACTION_AGE_S, IMAGE_AGE_S = 0.15, 0.25
STUTTERS = 3
READING_S = 0.02
"""Two periods of the guard: what the witness and the guard may see apart."""

SILENCE_S = 0.050
"""Longer than this no guard is silent that has something to follow."""

EXPOSURE_S = 0.005
"""How far an action's word on the exposure of its picture may be from the truth: the stamp has passed two clocks."""


def motion_iff_fresh(evidence: Evidence, verdict: Verdict, since: float, until: float) -> None:
    """The arm moves if and only if the newest action is at most 0.15 s old and its picture at most 0.25 s.

    Too old, and zero within 0.1 s. Zero though fresh for `STUTTERS` periods is a complaint: for less, the witness and
    the guard may have seen the action, or the arm's report, at different moments. So is silence though fresh. Motion
    may follow what the witness reads up to `READING_S` after the command, if it was stamped before the command came.
    """
    verdict.add(_silent_though_fresh(evidence, since, min(until, evidence.end)))
    arrivals = [action.t for action in evidence.actions]
    stutters = 0
    for command in between(evidence.commands, since, until):
        index = bisect.bisect_right(arrivals, command.t) - 1
        if index < 0:
            continue
        action = evidence.actions[index]
        late = _late(command.t, action)
        if not is_zero(command):
            coming = evidence.actions[index + 1 : bisect.bisect_right(arrivals, command.t + READING_S)]
            late = min([late, *(_late(command.t, one) for one in coming if one.stamp <= command.t)])
            verdict.figure("stop", max(late, 0.0))
            if late > ZERO_LIMIT_S:
                verdict.add([f"motion {1e3 * late:.0f} ms after what it followed went stale"])
                return
        fresh = is_zero(command) and late < -READING_S and command.t - action.t > 2 * READING_S
        stutters = stutters + 1 if fresh else 0
        if stutters >= STUTTERS:
            when = command.t - evidence.begin
            verdict.add([f"zero at {when:.2f} s though action and picture were fresh by {-1e3 * late:.0f} ms"])
            return


def _late(t: float, action: Action) -> float:
    """For how long (s) it has been too old to follow at `t`, it or its picture; below zero: for how long it is not."""
    return max(t - action.stamp - ACTION_AGE_S, t - action.frame_stamp - IMAGE_AGE_S)


def _silent_though_fresh(evidence: Evidence, since: float, until: float) -> list[str]:
    times = [since, *(command.t for command in between(evidence.commands, since, until)), until]
    for last, following in pairwise(times):
        if following - last <= SILENCE_S:
            continue
        for action in evidence.actions:
            stale = min(action.stamp + ACTION_AGE_S, action.frame_stamp + IMAGE_AGE_S)
            if min(following, stale) - max(last, action.t) > SILENCE_S:
                silence = 1e3 * (following - last)
                return [f"no command for {silence:.0f} ms from {last - evidence.begin:.2f} s on, with a fresh action"]
    return []


def true_exposures(evidence: Evidence, since: float, until: float) -> list[str]:
    """Every action names the exposure of a picture that was passed on before it: by that word its age is judged."""
    passed = sorted((picture.exposed, picture.t) for picture in evidence.passed)
    acted = [one for one in between(evidence.actions, since, until) if one.frame_stamp > evidence.begin]
    if not acted:
        return ["no action tells of its picture"]
    for action in acted:
        first = bisect.bisect_left(passed, (action.frame_stamp - EXPOSURE_S, -math.inf))
        shown = (t for exposed, t in passed[first:] if exposed <= action.frame_stamp + EXPOSURE_S)
        if not any(t <= action.t + READING_S for t in shown):
            return [f"an action at {action.t - evidence.begin:.2f} s names an exposure that no picture had"]
    return []
