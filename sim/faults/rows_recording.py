"""Rows of the table of faults about who logs and what comes over the wires: no unlogged motion, and nothing endless.

The recorder's own word counts for what it has promised; what is on disk is read with the reader that everybody uses.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from robot_rig.data.log import QUEUE_STEPS
from robot_rig.loops.live_episodes import RECORDER_SILENT_S
from sim.faults import judges
from sim.faults.evidence import Evidence, Recorded
from sim.faults.judges import Verdict
from sim.faults.rows import Row, Stage

ACTION_AGE_S = 0.15
OPEN = "open"
LOGGED = range(1, 120)
"""Steps on disk when the fault comes: within an episode, and not at its end."""

RECORDER_DEAD_S = RECORDER_SILENT_S + ACTION_AGE_S
"""Row 23: the policy's last action leaves when the recorder has been silent for so long, and then it goes stale."""

FULL_STOP_S = 1.0
"""Row 22: from a full disk to a stopped arm."""

CALM_S, SLOW_S = 5.0, 14.0
"""Row 25: how long the guard's beat is watched before the disk is slow, and how long that lasts."""

SLOW_SYNC_S = 2.0
QUEUE_STOP_S = 9.0
"""Row 25: by then the queue of steps is full, the recorder waits for the disk and is silent, and the arm stands."""

UNDER_WAY = 10
"""Row 25: actions that were sent and have not come to the recorder's queue, or were not told yet."""

P99_CHANGE_S = 0.001
CODE = "flood"
"""What the flooder says when it begins."""

FLOOD_S, FLOOD_P99_S = 3.0, 0.015
HUGE_S = 4.0
GROWTH_MIB = 64.0
"""Row 61: what a flood and a huge message may add to a process."""


def until_logged(stage: Stage) -> Path:
    """Wait until some steps of the running episode are on disk; returns its file: a full disk may get another after."""
    stage.wait(stage.random.uniform(0.1, 2.0))

    def logged() -> bool:
        word = stage.seen(Recorded)
        return word is not None and word.stand == OPEN and word.steps in LOGGED

    stage.until("an episode is being logged", logged)
    return stage.newest_log()


def kill_recorder(stage: Stage) -> None:
    """Kill it in an episode, and count what it has left."""
    log = until_logged(stage)
    stage.mark("kill")
    stage.kill("recorder")
    stage.wait(2.0)
    stage.marks["on disk"] = float(stage.steps_on_disk(log))


def judge_killed_recorder(evidence: Evidence) -> Verdict:
    """No motion that nobody logs, told as what it is, and every acknowledged step on disk."""
    verdict, kill = Verdict(), evidence.marks["kill"]
    verdict.add(judges.moved_before(evidence, kill))
    judges.stopped(evidence, verdict, kill + RECORDER_DEAD_S)
    verdict.add(ended_for(evidence, kill, kill + 1.0, "the recorder is silent"))
    verdict.add(lost(evidence, kill))
    return verdict.add(judges.no_enables(evidence, kill))


def fill_disk(stage: Stage) -> None:
    """The recorder's disk is full in an episode."""
    log = until_logged(stage)
    stage.mark("full")
    stage.fill_disk("recorder")
    stage.wait(3.0)
    stage.marks["on disk"] = float(stage.steps_on_disk(log))
    stage.kill("recorder")


def judge_full_disk(evidence: Evidence) -> Verdict:
    """Stopped within a second, told as what it is, and every acknowledged step on disk."""
    verdict, full = Verdict(), evidence.marks["full"]
    verdict.add(judges.moved_before(evidence, full))
    judges.stopped(evidence, verdict, full + FULL_STOP_S - judges.ZERO_LIMIT_S)
    verdict.add(ended_for(evidence, full, full + FULL_STOP_S, "cannot log to"))
    verdict.add(lost(evidence, full))
    return verdict.add(judges.no_enables(evidence, full))


def slow_disk(stage: Stage) -> None:
    """Every sync takes two seconds, until long after the queue must be full."""
    until_logged(stage)
    stage.wait(CALM_S)
    log = until_logged(stage)
    stage.mark("slow")
    stage.tell("puppet", to="disk", sync_s=SLOW_SYNC_S)
    stage.wait(SLOW_S)
    stage.marks["on disk"] = float(stage.steps_on_disk(log))
    stage.kill("slow recorder")


def judge_slow_disk(evidence: Evidence) -> Verdict:
    """The guard's beat does not change; what waits for the disk is bounded, and then the arm stops."""
    verdict, slow = Verdict(), evidence.marks["slow"]
    verdict.add(judges.moved_before(evidence, slow))
    calm, busy = _p99(evidence, slow - CALM_S, slow), _p99(evidence, slow, slow + CALM_S)
    verdict.figure("loop p99 before", calm)
    verdict.figure("loop p99", busy)
    if busy - calm > P99_CHANGE_S:
        verdict.add([f"the loop's p99 was {1e3 * calm:.1f} ms and became {1e3 * busy:.1f} ms"])
    sent = judges.between(evidence.actions, slow)
    # On disk at the fault, and those that came to be there since.
    safe = [word for word in evidence.recorded if word.t <= slow][-1:]
    here = max((word.steps for word in judges.between(evidence.recorded, slow)), default=0)
    waiting = len(sent) - (here - (safe[0].steps if safe else 0))
    verdict.figures["steps waiting"] = float(waiting)
    if waiting > QUEUE_STEPS + UNDER_WAY:
        verdict.add([f"{waiting} actions went out that are not on disk"])
    judges.stopped(evidence, verdict, slow + QUEUE_STOP_S)
    verdict.add(ended_for(evidence, slow, slow + QUEUE_STOP_S, "the recorder is silent"))
    verdict.add(lost(evidence, slow))
    return verdict.add(judges.no_enables(evidence, slow))


def flood(stage: Stage) -> None:
    """10 000 senseless actions a second to the guard, and then a message of 500 MB."""
    stage.wait(stage.random.uniform(1.0, 2.0))
    before, begin = stage.peak_mib("arm"), stage.now()
    stage.launch("flooder", "flooder")
    stage.until("the flood runs", lambda: stage.told(begin, CODE), 30.0)
    stage.mark("flood")
    stage.wait(FLOOD_S + HUGE_S)
    stage.marks["growth"] = stage.peak_mib("arm") - before
    stage.marks["lives"] = float(stage.exit_code("arm") is None)


def judge_flood(evidence: Evidence) -> Verdict:
    """The guard keeps its beat and its memory, sends nothing but sane commands, and lives."""
    verdict, begin = Verdict(), evidence.marks["flood"]
    verdict.add(judges.moved_before(evidence, begin))
    p99 = _p99(evidence, begin, begin + FLOOD_S)
    verdict.figure("loop p99", p99)
    verdict.add([f"the loop's p99 was {1e3 * p99:.1f} ms"] if not p99 <= FLOOD_P99_S else [])
    verdict.figures["memory MiB"] = evidence.marks["growth"]
    if evidence.marks["growth"] > GROWTH_MIB:
        verdict.add([f"the guard grew by {evidence.marks['growth']:.0f} MiB"])
    verdict.add([] if evidence.marks["lives"] else ["the guard has ended"])
    speeds = [abs(value) for command in evidence.commands for value in command.values]
    verdict.add([] if np.isfinite(speeds).all() else ["a command that is no number"])
    return verdict.add(judges.no_enables(evidence, begin))


def _p99(evidence: Evidence, since: float, until: float) -> float:
    """Of the time between two commands, s; infinite where hardly any were sent."""
    spacings = np.diff([command.t for command in judges.between(evidence.commands, since, until)])
    return float(np.percentile(spacings, 99)) if len(spacings) > (until - since) / judges.PERIOD_S / 2 else float("inf")


def ended_for(evidence: Evidence, since: float, until: float, reason: str) -> list[str]:
    """The episode that ran was cut short for `reason`, in time."""
    ends = [one.reason for one in judges.between(evidence.episodes, since, until) if one.stand != "running"]
    return [] if any(reason in end for end in ends) else [f"no episode ended for it: {'; '.join(ends) or 'none ended'}"]


def lost(evidence: Evidence, since: float) -> list[str]:
    """Every step that the recorder had acknowledged, of the episode in which the fault came, is on disk."""
    words = [word for word in evidence.recorded if word.t <= since]
    if not words:
        return ["the recorder said nothing before the fault"]
    safe = max(word.steps for word in evidence.recorded if word.number == words[-1].number)
    left = evidence.marks["on disk"]
    return [f"{safe} steps were acknowledged, {left:.0f} are left"] if left < safe else []


ROWS = (
    Row(22, "disk full while logging", fill_disk, judge_full_disk, actor="recorded", recorder="recorder"),
    Row(23, "recorder killed", kill_recorder, judge_killed_recorder, actor="recorded", recorder="recorder"),
    Row(
        25, "disk so slow that a sync takes 2 s", slow_disk, judge_slow_disk, actor="recorded", recorder="slow recorder"
    ),
    Row(61, "10 000 actions a second, and a message of 500 MB", flood, judge_flood),
)
