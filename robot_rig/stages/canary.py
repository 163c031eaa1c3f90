"""A new policy is tried on goals before it may act: one that is sound in every byte can still be a bad one.

Called by `stages.follow` before it ships, with an examiner that the command line holds. Only who can see where the tool
ends can judge it so; on a real arm nobody can, and a person goes back with `rig rollback`.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from robot_rig.errors import UserError
from robot_rig.evaluation_attempts import Question
from robot_rig.interfaces import Policy
from robot_rig.stages.appraise import Examiner

NEARER = 0.5
"""In the median a policy ends within this share of the distance that it began with, or it has not learnt to reach."""

WORSE_M = 0.03
"""So much farther than the one before it may end in the median, m: the few goals of a canary tell no less apart."""


class Canary:
    """Tries policies on the same few goals, whose places are known, for `steps` steps each."""

    def __init__(self, examiner: Examiner, questions: Sequence[Question], steps: int) -> None:
        if not questions:
            raise ValueError("no goal, no canary")
        self._examiner, self._questions, self._steps = examiner, questions, steps

    def objection(self, policy: Policy, before: Policy | None) -> str:
        """Why `policy` is not to take over from `before` (None: from nobody), for a person; empty when it may."""
        begin, end = self._distances(policy)
        told = f"its canary ended {100 * end:.1f} cm from its goals in the median of {len(self._questions)}"
        if end > NEARER * begin:
            return f"{told}, having begun {100 * begin:.1f} cm away"
        if before is None:
            return ""
        _, other = self._distances(before)
        return f"{told}, the policy before it {100 * other:.1f} cm" if end > other + WORSE_M else ""

    def _distances(self, policy: Policy) -> tuple[float, float]:
        """Medians over the goals, m: at the beginning, and at the end, where an arm that the guard stopped stays."""
        begins, ends = [], []
        for question in self._questions:
            try:
                walk = self._examiner.attempt(policy, question, self._steps)
            except UserError:
                # The guard has ended its motion: it reached nothing.
                ends.append(np.inf)
                continue
            if walk.tool_m is None:
                raise ValueError(f"nobody knows where goal {question.id} is")
            begins.append(walk.tool_m[0])
            ends.append(walk.tool_m[-1])
        return float(np.median(begins)) if begins else 0.0, float(np.median(ends))
