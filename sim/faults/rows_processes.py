"""Rows of the table of faults about processes of the stack that die, freeze or starve."""

from __future__ import annotations

from typing import Any

import numpy as np

from sim.faults import judges
from sim.faults.evidence import Evidence, Frame, Report
from sim.faults.freshness import ACTION_AGE_S, READING_S, motion_iff_fresh, true_exposures
from sim.faults.judges import Verdict
from sim.faults.rows import Row, Scene, Stage

POLICY_DEAD_S = 0.250
"""Row 12: from the policy's death to zero."""

GUARD_DEAD_S = 0.300
"""Row 14: from the guard's death to an arm at rest, which the robot's own time-out brings about."""

SPOILT_S = 0.5
"""Row 10: the order to spoil a weight has arrived by then."""

NO_MEMORY = "no memory"
"""Row 43: what the engine that stands in for the GPU's says whenever it fails."""

POLICY, GUARD = "rig_policy", "rig_arm"
REBORN_S, WATCHED_S = 0.5, 3.0
"""Row 12: whoever speaks so long after the kill is the new policy, and so long before the end it must be there."""

MEMORY_ACTIONS = 15
"""Row 43: so many of the 25 that are due afterwards; an episode may end meanwhile."""

ALARM_S = 1.0
LOOP_P99_S = 0.015
STALL_S, AWAKE_S, STALLS = 0.025, 0.004, 8
"""Row 15: the guard is kept from the processor for two periods, so many times, and gets one late tick between."""

MASTER_GAP_S = 0.050
EPISODE_GRACE_S = 0.7
"""Row 27: how long after the master's death an episode may begin that was already under way to begin."""

DETECT_S, BACK_S = 2.0, 15.0
"""Row 28: a new master is noticed, and the stack is back."""


def kill_policy(stage: Stage) -> None:
    """Kill it, start it anew at once as a launch file would, and see whether anything moves before a person says so."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("kill")
    stage.kill("policy")
    stage.start("policy")
    stage.wait(12.0)


def judge_killed_policy(evidence: Evidence) -> Verdict:
    """Zero within 250 ms, told, and nothing moves again by itself."""
    verdict, kill = Verdict(), evidence.marks["kill"]
    verdict.add(judges.moved_before(evidence, kill))
    judges.stopped(evidence, verdict, kill + POLICY_DEAD_S - judges.ZERO_LIMIT_S)
    verdict.add(judges.told(evidence, ["action_stale", "image_stale"], kill, kill + ACTION_AGE_S + judges.TOLD_S))
    back = _words(evidence, POLICY, kill + REBORN_S, evidence.end - WATCHED_S)
    verdict.add([] if back else ["the policy that was started anew was not there for long enough"])
    return verdict.add(judges.no_enables(evidence, kill))


def _words(evidence: Evidence, name: str, since: float, until: float) -> list[Report]:
    return [report for report in judges.between(evidence.reports, since, until) if report.name == name]


def freeze_policy(stage: Stage) -> None:
    """SIGSTOP for 0.05 to 5 s."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    pause = float(np.exp(stage.random.uniform(np.log(0.05), np.log(4.5))))
    stage.mark("freeze")
    stage.freeze("policy")
    stage.wait(pause)
    stage.thaw("policy")
    stage.mark("thaw")
    stage.wait(1.5)


def judge_frozen_policy(evidence: Evidence) -> Verdict:
    """Zero if and only if the newest action or its picture is too old."""
    verdict, freeze = Verdict(), evidence.marks["freeze"]
    verdict.add(judges.moved_before(evidence, freeze))
    sent = judges.between(evidence.actions, freeze + READING_S, evidence.marks["thaw"] - READING_S)
    verdict.add(["the policy acted though it was frozen"] if sent else [])
    motion_iff_fresh(evidence, verdict, freeze - 0.5, evidence.end)
    verdict.add(true_exposures(evidence, freeze - 0.5, evidence.end))
    return verdict.add(judges.no_enables(evidence, freeze))


def stall_policy(stage: Scene) -> None:
    """The policy's process hangs, as one does whose GPU or driver hangs."""
    hang(stage, "policy", 1.0, 4.0)


def hang(stage: Scene, name: str, least_s: float, most_s: float) -> None:
    """The process `name` hangs for a time between the two."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("kill")
    stage.freeze(name)
    stage.wait(stage.random.uniform(least_s, most_s))
    stage.mark("thaw")
    stage.thaw(name)
    stage.wait(0.5)


def judge_stalled_policy(evidence: Evidence) -> Verdict:
    """Zero within 250 ms of the hang, and told."""
    verdict, kill = Verdict(), evidence.marks["kill"]
    verdict.add(judges.moved_before(evidence, kill))
    judges.stopped(evidence, verdict, kill + POLICY_DEAD_S - judges.ZERO_LIMIT_S, evidence.marks["thaw"])
    verdict.add(judges.told(evidence, ["action_stale", "image_stale"], kill, kill + ACTION_AGE_S + judges.TOLD_S))
    return verdict.add(judges.no_enables(evidence, kill))


def spoil_numbers(stage: Stage) -> None:
    """A NaN comes into a weight of the encoder or the actor of the policy that acts."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    kind = str(stage.random.choice(("latent", "action")))
    stage.mark("fault")
    stage.mark(kind)
    stage.tell("puppet", to="sick", kind=kind)
    stage.wait(6.0)
    stage.kill("sick")


def judge_spoilt_numbers(evidence: Evidence) -> Verdict:
    """Zero 150 ms after the last action, nothing but numbers on the wire, and the episode's end says what it was."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    verdict.add(judges.moved_before(evidence, fault))
    sent = [action for action in evidence.actions if action.t <= fault + SPOILT_S]
    judges.stopped(evidence, verdict, max(map(judges.made_at, sent), default=fault) + ACTION_AGE_S)
    said = [*(action.value for action in evidence.actions), *(command.values for command in evidence.commands)]
    spoilt = sum(not np.isfinite(values).all() for values in said)
    verdict.add([f"{spoilt} messages with something that is not a number"] if spoilt else [])
    ends = [one.reason for one in judges.between(evidence.episodes, fault) if one.stand != "running"]
    what = "latent" if "latent" in evidence.marks else "the action"
    named = any("not a number" in reason and what in reason for reason in ends)
    verdict.add([] if named else [f"no episode ended for it: {'; '.join(ends) or 'none ended'}"])
    return verdict.add(judges.no_enables(evidence, fault))


def take_memory(stage: Stage) -> None:
    """The GPU has no memory for a moment, or for good: its allocation fails, as where another process has it all."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    kind = str(stage.random.choice(("memory", "no_memory")))
    stage.mark("fault")
    stage.tell("puppet", to="sick", kind=kind)
    stage.wait(3.0)
    stage.marks["survived"] = float(stage.exit_code("sick") is None)
    stage.kill("sick")


def judge_taken_memory(evidence: Evidence) -> Verdict:
    """The process survives, and the engine on the CPU answers within what an action may be late."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    verdict.add(judges.moved_before(evidence, fault))
    motion_iff_fresh(evidence, verdict, fault, evidence.end)
    verdict.add(true_exposures(evidence, fault, evidence.end))
    verdict.add([] if evidence.marks["survived"] else ["the policy process has ended"])
    verdict.add(judges.told(evidence, [NO_MEMORY], fault, fault + SPOILT_S))
    verdict.add(judges.no_enables(evidence, fault))
    later = judges.between(evidence.actions, fault + 0.5)
    return verdict.add([] if len(later) >= MEMORY_ACTIONS else [f"only {len(later)} actions afterwards"])


def kill_guard(stage: Stage) -> None:
    """Kill it, start it anew, and see that it comes up disarmed."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("kill")
    stage.kill("arm")
    stage.wait(1.5)
    stage.start("arm")
    begin = stage.now()
    stage.until("the guard is back", lambda: _reports(stage, "rig_arm", begin), 60.0)
    stage.mark("back")
    stage.wait(1.5)


def _reports(stage: Stage, name: str, since: float) -> bool:
    report = stage.seen(Report)
    return report is not None and report.name == name and report.t > since


def _since(stage: Stage, kind: type[Any], when: float) -> bool:
    fact = stage.seen(kind)
    return fact is not None and fact.t > when


def judge_killed_guard(evidence: Evidence) -> Verdict:
    """At rest within 300 ms; an alarm within a second; the new guard sends no motion and switches nothing on."""
    verdict, kill = Verdict(), evidence.marks["kill"]
    verdict.add(judges.moved_before(evidence, kill))
    judges.held(evidence, verdict, kill, GUARD_DEAD_S)
    if judges.moves(evidence, kill + 0.05, evidence.end):
        verdict.add(["motion was asked for after the guard's death"])
    verdict.add(judges.told(evidence, ["the arm process is silent"], kill, kill + ALARM_S + judges.REPORT_PERIOD_S))
    return verdict.add(judges.no_enables(evidence, kill))


def starve_guard(stage: Scene) -> None:
    """Keep it from the processor for three ticks, again and again."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    for number, when in enumerate(stage.stall("arm", STALL_S, AWAKE_S, STALLS), 1):
        stage.marks[f"stall {number}"] = when
    stage.wait(1.0)


def judge_starved_guard(evidence: Evidence) -> Verdict:
    """On time before; stopped at most 100 ms after the third late tick, and told."""
    verdict, first, third = Verdict(), evidence.marks["stall 1"], evidence.marks["stall 4"]
    verdict.add(judges.moved_before(evidence, first))
    spacings = np.diff([command.t for command in judges.between(evidence.commands, evidence.begin, first)])
    p99 = float(np.percentile(spacings, 99))
    verdict.figure("loop p99", p99)
    if p99 > LOOP_P99_S:
        verdict.add([f"the loop's p99 was {1e3 * p99:.1f} ms before anything was done to it"])
    judges.stopped(evidence, verdict, third)
    verdict.add(judges.told(evidence, ["overrun"], first, third + 0.5))
    return verdict.add(judges.no_enables(evidence, first))


def kill_master(stage: Stage) -> None:
    """The ROS master dies; an episode ends meanwhile."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("kill")
    stage.kill("master")
    stage.wait(7.0)


def judge_killed_master(evidence: Evidence) -> Verdict:
    """Commands go on without a gap of 50 ms, the guard says so, and no new episode begins."""
    verdict, kill = Verdict(), evidence.marks["kill"]
    verdict.add(judges.moved_before(evidence, kill))
    gap = judges.command_gap(evidence, kill, min(evidence.end, kill + 4.0))
    verdict.figure("gap", gap)
    if gap > MASTER_GAP_S:
        verdict.add([f"no command for {1e3 * gap:.0f} ms"])
    reports = _words(evidence, GUARD, kill, kill + 2.0)
    if not any("master" in code for report in reports for code in report.codes):
        verdict.add(["the guard does not say that the master is gone"])
    over = [one for one in judges.between(evidence.episodes, kill - 1.0, evidence.end - 1.0) if one.stand != "running"]
    verdict.add([] if over else ["no episode ended, so that none was due"])
    verdict.add([] if _words(evidence, POLICY, evidence.end - 2.0, evidence.end) else ["the policy has fallen silent"])
    verdict.add(judges.no_enables(evidence, kill))
    begun = [one for one in judges.between(evidence.episodes, kill + EPISODE_GRACE_S) if one.stand == "running"]
    return verdict.add([f"episode {begun[0].number} began without a master"] if begun else [])


def restart_master(stage: Stage) -> None:
    """A new master that knows nobody; then the stack is started again, as a launch file's supervisor would."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("kill")
    stage.kill("master")
    stage.wait(stage.random.uniform(0.2, 1.0))
    stage.start("master")
    stage.mark("new master")
    stage.until("the guard notices", lambda: stage.exit_code("arm") is not None, 20.0)
    stage.mark("noticed")
    stage.mark("dark")
    stage.restart()
    begin = stage.now()
    stage.until("the guard is back", lambda: _reports(stage, "rig_arm", begin), 60.0)
    stage.until("pictures are back", lambda: _since(stage, Frame, begin), 60.0)
    stage.mark("back")
    stage.wait(1.5)


def judge_restarted_master(evidence: Evidence) -> Verdict:
    """Noticed within 2 s, back within 15 s, and nothing moves by itself."""
    verdict, marks = Verdict(), evidence.marks
    noticed, back = marks["noticed"] - marks["new master"], marks["back"] - marks["noticed"]
    verdict.figure("noticed", noticed)
    verdict.figure("back", back)
    verdict.add([f"noticed after {noticed:.1f} s"] if noticed > DETECT_S else [])
    verdict.add([f"back after {back:.1f} s"] if back > BACK_S else [])
    if judges.moves(evidence, marks["noticed"] + 0.1, evidence.end):
        verdict.add(["motion after a new master was noticed"])
    judges.resting(evidence, verdict, marks["noticed"])
    return verdict.add(judges.no_enables(evidence, marks["new master"]))


ROWS = (
    Row(10, "a policy that answers with no numbers", spoil_numbers, judge_spoilt_numbers, actor="sick"),
    Row(43, "the GPU has no memory", take_memory, judge_taken_memory, actor="sick"),
    Row(12, "policy process killed", kill_policy, judge_killed_policy, actor="policy"),
    Row(13, "policy process frozen", freeze_policy, judge_frozen_policy, actor="policy"),
    Row(14, "guard killed", kill_guard, judge_killed_guard, actor="policy"),
    Row(15, "guard kept from the processor", starve_guard, judge_starved_guard),
    Row(44, "policy's process hangs, as with its GPU", stall_policy, judge_stalled_policy, actor="policy"),
    Row(27, "ROS master killed", kill_master, judge_killed_master, actor="policy", ends_graph=True),
    Row(28, "ROS master restarted", restart_master, judge_restarted_master, ends_graph=True),
)
