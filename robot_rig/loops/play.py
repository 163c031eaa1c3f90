"""One episode in process: look, decide, act, hand on each step. Called by practice, collection and the exam.

On the network the same three parts run as nodes; here they share one thread and the plant's own clock.
"""

from __future__ import annotations

from collections.abc import Iterator

from robot_rig.datatypes import Goal, Source, Step
from robot_rig.errors import UserError
from robot_rig.interfaces import Plant, Policy
from robot_rig.loops.policy_loop import PolicyLoop


def play(
    plant: Plant, loop: PolicyLoop, policy: Policy, goal: Goal | None, source: Source, steps: int
) -> Iterator[Step]:
    """Yield `steps` steps of `policy` on `plant`, each when it has been carried out.

    Raises UserError when the policy falls silent: in process nothing would ever make it speak again.
    """
    loop.begin(policy, goal, source)
    try:
        for _ in range(steps):
            frame = plant.look()
            action = loop.tick(plant.now(), frame)
            if action is None:
                raise UserError(
                    f"no action for frame {frame.seq}: the picture is {plant.now() - frame.stamp:.3f} s old or not new",
                    next_step="check the camera's rate, or raise guard.image_age_limit_s (at most 0.4)",
                )
            executed = plant.act(action)
            loop.executed(action.seq, executed.value)
            yield Step(frame, action, executed)
    finally:
        loop.end()
