"""The exam: goal pictures that training never saw, and the judge with the ruler. Called by `rig eval` and `rig demo`.

Only this module and the tests read where the simulated tool truly is (R20). Goals are drawn uniformly over the guard's
box at the task's height; the arm is put there, the picture is taken, and the truth is where the tip
then really is, not where it was sent.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from zlib import crc32

import numpy as np

from robot_rig.config import Config
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import Bytes, Floats, Goal, Source
from robot_rig.errors import UserError
from robot_rig.evaluation import GoalCase, Rollout
from robot_rig.evaluation_attempts import OUTCOMES, Question, Walk
from robot_rig.interfaces import Policy
from robot_rig.loops.play import play
from robot_rig.loops.policy_loop import PolicyLoop
from sim.rig import SimRig

EXAMINED = "reach"


def require_exam(config: Config) -> None:
    """Raise UserError unless there is an exam for the scene of `config`."""
    if config.sim.scene != EXAMINED:
        raise UserError(
            f"there is no exam for sim.scene {config.sim.scene} here: this judge measures the tool, not what it moves",
            choices=[EXAMINED],
            next_step="`rig bench push` examines that one",
        )


def watch(
    rig: SimRig, config: Config, policy: Policy, id: str, image: Bytes, steps: int, truth: Callable[[], Floats]
) -> tuple[Bytes, Floats, Bytes]:
    """Let `policy` act for `steps` steps from where `rig` is towards `image`; the camera's chance hangs on `id`.

    Frames (T+1, 84, 84, 3), what `truth` said at each (T+1, ...), and the steps' outcomes (T,).
    """
    rig.retake(crc32(id.encode()))
    goal = Goal(image, id, rig.now(), calibration_id="", source="evaluation")
    control = config.control
    loop = PolicyLoop(config.guard.image_age_limit_s, 1.0 / control.policy_rate_hz, control.lag_s)
    frames, places, outcomes = [], [truth()], []
    for step in play(rig, loop, policy, goal, Source.POLICY, steps):
        frames.append(step.frame.rgb)
        places.append(truth())
        outcomes.append(OUTCOMES.index(step.executed.outcome))
    frames.append(rig.look().rgb)
    return np.stack(frames), np.stack(places), np.array(outcomes, np.uint8)


class SimExam:
    """`config.evaluation.goals` goals of `config.evaluation.goal_seed` on a simulated arm of its own.

    Every rollout starts from the same rest at home: the state of the room is put back, which only an examiner may do.
    Raises UserError for a scene that has no exam.
    """

    def __init__(self, config: Config, seed: int) -> None:
        require_exam(config)
        self._config = config
        self._rig = SimRig(config, seed)
        self._rig.home()
        self._start = self._rig.state()
        self._goals: tuple[GoalCase, ...] | None = None

    @property
    def goals(self) -> Sequence[GoalCase]:
        """The questions; drawn and photographed at the first call."""
        if self._goals is None:
            rng = np.random.default_rng(self._config.evaluation.goal_seed)
            low, high = (
                np.array(corner[:2]) for corner in (self._config.guard.box_low_m, self._config.guard.box_high_m)
            )
            points = rng.uniform(low, high, size=(self._config.evaluation.goals, 2))
            self._goals = tuple(self._photograph(f"goal-{i:03d}", point) for i, point in enumerate(points))
        return self._goals

    def _photograph(self, name: str, xy_m: Floats) -> GoalCase:
        rig = self._rig
        tool = np.array([*xy_m, self._config.control.tool_height_m])
        home = np.array(self._config.control.home_posture_rad)
        rig.load_state(self._start)
        rig.retake(crc32(f"picture of {name}".encode()))
        rig.world.teleport(solve_position(rig.kinematics, tool, TOOL_DOWN, home))
        rig.rest()
        return GoalCase(name, rig.look().rgb, self._truth())

    def _truth(self) -> Floats:
        return self._rig.world.tool_position()[:2]

    def run(self, policy: Policy, case: GoalCase, steps: int) -> Rollout:
        """Let `policy` act for `steps` steps from home towards `case.image`, measuring after each."""
        frames, places, _ = self._walk(policy, case.id, case.image, steps)
        away = np.linalg.norm(places - case.xy_m, axis=1)
        return Rollout(case.image, frames, away, case.xy_m, places[-1])

    def attempt(self, policy: Policy, question: Question, steps: int) -> Walk:
        """The same with what the guard made of each step; of a bare picture there is no truth to measure from."""
        frames, places, outcomes = self._walk(policy, question.id, question.image, steps)
        if question.xy_m is None:
            return Walk(frames, outcomes, None)
        return Walk(frames, outcomes, np.linalg.norm(places - question.xy_m, axis=1))

    def _walk(self, policy: Policy, id: str, image: Bytes, steps: int) -> tuple[Bytes, Floats, Bytes]:
        """Frames (T+1, 84, 84, 3), where the tool truly was at each (T+1, 2) m, and the steps' outcomes (T,)."""
        self._rig.load_state(self._start)
        return watch(self._rig, self._config, policy, id, image, steps, self._truth)

    def close(self) -> None:
        """Release the simulated arm; may be called twice."""
        self._rig.close()
