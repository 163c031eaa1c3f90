"""Rows of the table of faults about processes that die, freeze, come twice or are spoken to by strangers."""

from __future__ import annotations

from sim.faults import judges
from sim.faults.evidence import Evidence
from sim.faults.judges import Verdict
from sim.faults.rows import Row, Stage

ACTION_AGE_S = 0.15
POLICY_DEAD_S = 0.250
"""Row 12: from the policy's death to zero."""


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
    verdict.add(judges.told(evidence, ["action_stale", "image_stale"], kill, kill + POLICY_DEAD_S + 0.2))
    return verdict.add(judges.no_enables(evidence, kill))


ROWS = (Row(12, "policy process killed", kill_policy, judge_killed_policy, actor="policy"),)
