"""The exam of pushing: a picture of hand and puck to bring about, and a judge who measures both. For `rig bench push`.

Goals are pictures of a room of its own, in which a puck is placed and the arm put beside it, as a person would take
them; training never sees a placed puck. Only this judge and the tests read where the puck truly is (R17).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike

from robot_rig.arrays import picture, read_only
from robot_rig.config import Config
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Floats
from robot_rig.errors import GuardStoppedError, UserError
from robot_rig.interfaces import Policy
from sim.exam import watch
from sim.rig import SimRig
from sim.scenes import PUCK_START_M

PUSHED = "push"

Corner = tuple[float, float]

PUCK_LOW_M, PUCK_HIGH_M = (0.52, -0.18), (0.70, 0.18)
HAND_LOW_M, HAND_HIGH_M = (0.55, -0.05), (0.65, 0.05)
"""Where goals lie, xy in base."""

LEAST_APART_M = 0.065
"""Of a goal's puck from its mark, so that nothing is there already, and from the hand, which is 2.5 cm wide."""


@dataclass(frozen=True, slots=True)
class PushCase:
    """A question: a picture uint8 (84, 84, 3), and where puck and tool tip were in it, (2,) m in base."""

    id: str
    image: Bytes
    puck_xy_m: Floats
    tool_xy_m: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "image", picture("PushCase.image", self.image, IMAGE_SHAPE))
        for name in ("puck_xy_m", "tool_xy_m"):
            object.__setattr__(self, name, read_only(f"PushCase.{name}", getattr(self, name), (2,), np.float64))


class Pushed(NamedTuple):
    """An answer of T steps: puck and tool tip from their goals in xy at each frame, (T+1,) m.

    stopped: whether the guard ended it before; what lay there then counts for all frames that are missing.
    """

    puck_m: Floats
    hand_m: Floats
    stopped: bool


def draw_places(chance: int | np.random.Generator) -> Iterator[tuple[Floats, Floats]]:
    """Goals without end, (puck, tool), (2,) m each: uniform in their boxes, puck off its mark, tool off the puck.

    chance: a seed, or the generator to draw from; the only rule of where to push to, so `sim.env` draws by it too.
    """
    rng = np.random.default_rng(chance)

    def drawn(low: Corner, high: Corner, away_from: ArrayLike) -> Floats:
        while np.linalg.norm((place := rng.uniform(low, high)) - np.asarray(away_from)) < LEAST_APART_M:
            pass
        return place

    while True:
        puck = drawn(PUCK_LOW_M, PUCK_HIGH_M, PUCK_START_M)
        yield puck, drawn(HAND_LOW_M, HAND_HIGH_M, puck)


class PushExam:
    """`config.evaluation.goals` goals of `config.evaluation.goal_seed` on a simulated arm of its own.

    Every answer starts from the same rest, the arm at home and the puck on its mark: an examiner puts the state back.
    Raises UserError for another scene.
    """

    def __init__(self, config: Config, seed: int) -> None:
        if config.sim.scene != PUSHED:
            said = f"nothing is pushed in sim.scene {config.sim.scene}"
            raise UserError(said, choices=[PUSHED], next_step="lay --config push over the recipe")
        self._config, self._seed = config, seed
        self._rig = SimRig(config, seed)
        self._rig.home()
        self._start = self._rig.state()
        self._goals: tuple[PushCase, ...] | None = None

    @property
    def goals(self) -> Sequence[PushCase]:
        """The questions; drawn and photographed, in another room, at the first call."""
        if self._goals is None:
            drawn = zip(
                range(self._config.evaluation.goals), draw_places(self._config.evaluation.goal_seed), strict=False
            )
            studio = SimRig(self._config, self._seed)
            try:
                studio.home()
                empty = studio.state()
                made = []
                for index, (puck, tool) in drawn:
                    studio.load_state(empty)
                    made.append(self._photograph(studio, f"goal-{index:03d}", puck, tool))
            finally:
                studio.close()
            self._goals = tuple(made)
        return self._goals

    def _photograph(self, studio: SimRig, name: str, puck: Floats, tool: Floats) -> PushCase:
        control = self._config.control
        studio.retake(crc32(f"picture of {name}".encode()))
        studio.world.place_puck(*puck)
        there = np.array([*tool, control.tool_height_m])
        studio.world.teleport(solve_position(studio.kinematics, there, TOOL_DOWN, np.array(control.home_posture_rad)))
        studio.rest()
        return PushCase(name, studio.look().rgb, studio.world.puck_position()[:2], studio.world.tool_position()[:2])

    def run(self, policy: Policy, case: PushCase, steps: int) -> Pushed:
        """Let `policy` act for `steps` steps from the start towards `case.image`, measuring after each."""
        self._rig.load_state(self._start)
        seen: list[Floats] = []

        def truth() -> Floats:
            """(2, 2) m: puck and tool tip in xy."""
            world = self._rig.world
            seen.append(np.stack([world.puck_position()[:2], world.tool_position()[:2]]))
            return seen[-1]

        stopped = False
        try:
            watch(self._rig, self._config, policy, case.id, case.image, steps, truth)
        except GuardStoppedError:
            stopped = True
            truth()
        places = np.stack(seen + (steps + 1 - len(seen)) * [seen[-1]])
        away = np.linalg.norm(places - np.stack([case.puck_xy_m, case.tool_xy_m]), axis=2)
        return Pushed(away[:, 0], away[:, 1], stopped)

    def close(self) -> None:
        """Release the simulated arm; may be called twice."""
        self._rig.close()
