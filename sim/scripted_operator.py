"""A scripted operator: leads the simulated arm to places, in the stead of a person with a teleoperation device.

It is no person. It sees where the tool truly is, steers a little off and unsteadily, is held to the guard's slow speed
like anybody whose actions are of source `human`, and rests where it has arrived. Tests and benchmarks use its episodes
as demonstrations and say so; the learner gets pictures and actions of them, as of any others.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from robot_rig.config import Config
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Float32s, Floats, Frame, Goal, Source
from robot_rig.learning.policy import OrnsteinUhlenbeck
from robot_rig.loops.policy_loop import PolicyLoop
from robot_rig.stages.episode import EpisodePlan, log_episode
from sim.rig import SimRig

STAGE, NAME = "demo", "scripted-operator"
"""What its episodes say of themselves: the stage in the file's name, and who acted."""

STEPS = 30
"""Of a demonstration: the box's far corner is 22 cm from home, at 1 cm a step, and then it rests."""

LARGEST_ACTION = 0.6
OFF_COURSE_RAD, UNSTEADY = 0.25, 0.1
"""Deviations: of the course of a whole demonstration, and of each action's noise."""

AXES = "xyz"


class ScriptedOperator:
    """An `interfaces.Policy` that looks at the tool and not at the picture. `tool`: where its tip is, (3,) m."""

    def __init__(self, tool: Callable[[], Floats], config: Config, seed: int) -> None:
        self._tool, self._scale_m = tool, config.control.action_scale_m
        self._axes = [AXES.index(axis) for axis in config.control.axes]
        self._rng = np.random.default_rng(seed)
        self._hand = OrnsteinUhlenbeck(0.5, UNSTEADY, len(self._axes), self._rng)
        self._place = tool()
        self._course = 0.0
        self.action_dim = len(self._axes)

    def lead_to(self, place: Floats) -> None:
        """From now on to `place`, (3,) m, of which the axes that it can move along count."""
        self._place = place
        self._course = self._rng.normal(0.0, OFF_COURSE_RAD)
        self._hand.restart()

    def begin(self, goal: Goal) -> None:
        """Nothing: it was told a place."""

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """The next action, float32 (A,)."""
        wish = ((self._place - self._tool()) / self._scale_m)[self._axes]
        length = float(np.linalg.norm(wish))
        if length > LARGEST_ACTION:
            wish *= LARGEST_ACTION / length
            # Off course on the way only: a person sees the end coming.
            if len(wish) > 1:
                turn = np.array(
                    [[np.cos(self._course), -np.sin(self._course)], [np.sin(self._course), np.cos(self._course)]]
                )
                wish[:2] = turn @ wish[:2]
        action: Float32s = np.clip(wish + min(1.0, length) * self._hand.sample(), -1.0, 1.0).astype(np.float32)
        return action


def places(config: Config, count: int, seed: int) -> Floats:
    """`count` places (count, 3) m, uniform over the guard's box at the task's height."""
    low, high = np.array(config.guard.box_low_m), np.array(config.guard.box_high_m)
    drawn: Floats = np.random.default_rng([seed, 20]).uniform(low, high, (count, 3))
    drawn[:, 2] = config.control.tool_height_m
    return drawn


def demonstrate(
    rig: SimRig, config: Config, store: EpisodeStore, count: int, seed: int, progress: Callable[[int], None]
) -> None:
    """Log `count` demonstrations into `store`, each from home to a place of its own. `progress`: how many are done."""
    operator = ScriptedOperator(rig.world.tool_position, config, seed)
    control = config.control
    loop = PolicyLoop(config.guard.image_age_limit_s, 1.0 / control.policy_rate_hz, control.lag_s)
    meta = {"stage": STAGE, "policy": NAME, "config": config.hash()}
    for number, place in enumerate(places(config, count, seed), start=1):
        rig.home()
        operator.lead_to(place)
        writer = EpisodeWriter(store.next_path(STAGE), operator.action_dim, None, meta)
        log_episode(rig, loop, EpisodePlan(operator, None, Source.HUMAN, STEPS), writer, lambda: None)
        progress(number)
