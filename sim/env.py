"""The simulated rig as a Gymnasium environment: `robot_rig/SawyerReach-v0` and `robot_rig/SawyerPush-v0`.

For people who bring an agent of their own. An action takes the same way as in `rig practice`, through the action map,
the guard and the servo, and the agent sees what a RIG agent sees: the picture of now and a goal picture. Where things
truly are stands in `info` only, for whoever keeps score.

Importing this module registers both, so `gymnasium.make("sim.env:robot_rig/SawyerReach-v0")` finds them. Gymnasium 1
does not read the entry point group `gymnasium.envs` by itself any more; what does, finds `register_environments` there.
"""

from __future__ import annotations

from typing import Any, cast

import gymnasium
import numpy as np
from gymnasium import spaces
from gymnasium.error import ResetNeeded
from numpy.typing import NDArray

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.control.ik import TOOL_DOWN, solve_position
from robot_rig.datatypes import IMAGE_SHAPE, Action, Bytes, Floats, Frame, Source
from sim.push_exam import draw_places
from sim.rig import SimRig

REACH, PUSH = "robot_rig/SawyerReach-v0", "robot_rig/SawyerPush-v0"
SCENES = {REACH: ("rig", "reach"), PUSH: ("rig", "push")}
"""The presets that each environment is made of."""

STEPS = {REACH: 50, PUSH: 100}
"""T: steps after which an episode is truncated; `evaluation.episode_steps` of the presets."""

FULL_SCALE = 255.0

METADATA: dict[str, Any] = {"render_modes": ["rgb_array"], "render_fps": 10}
"""What gymnasium asks the class for; in the class itself it would be a ClassVar, which its base does not declare."""

Observation = dict[str, Bytes]


class SawyerEnv(gymnasium.Env[Observation, NDArray[np.float32]]):
    """One simulated Sawyer under its guard; `reset` draws a goal picture and puts arm and puck back.

    presets: recipe and scene, as for `rig --config`. render_mode: "rgb_array" gives the picture of now, or None.
    arm_seed: which of the slightly different simulated arms, where the configuration has them differ (`SimRig`); the
    episodes on one arm depend on the seed of `reset` and the actions alone, bit for bit.

    observation, achieved_goal: the picture of now; desired_goal: the picture to bring about; uint8 (84, 84, 3), RGB.
    action: float32 (A,) in [-1, 1]; 1 is `control.action_scale_m` of tool travel in a step of a tenth of a second.
    info: `distance_m` (reach: tool tip to its goal; push: puck to its goal, in the plane), `is_success` (distance at
    most `evaluation.success_m`), `tool_m` (3,), `goal_m` (2,), `executed_action` (A,) as the guard let it through, and
    for push `puck_m` (3,).

    An episode never terminates, it is truncated after T steps by gymnasium's TimeLimit.
    """

    metadata = METADATA

    def __init__(self, presets: tuple[str, ...] = SCENES[REACH], render_mode: str | None = None, arm_seed: int = 0):
        if render_mode not in (None, "rgb_array"):
            raise ValueError(f"render_mode must be None or 'rgb_array', is {render_mode!r}")
        self.render_mode = render_mode
        self._config: Config = load_config(list(presets), [])
        self._has_puck = self._config.sim.scene == "push"
        self._rig = SimRig(self._config, arm_seed)
        self._rig.home()
        self._start = self._rig.state()
        self._seq = 0
        self._frame: Frame | None = None
        picture = spaces.Box(0, 255, IMAGE_SHAPE, np.uint8)
        seen = spaces.Dict({"observation": picture, "achieved_goal": picture, "desired_goal": picture})
        # Gymnasium calls it a space of spaces, but what it holds are pictures.
        self.observation_space = cast("spaces.Space[Observation]", seen)
        self.action_space = spaces.Box(-1.0, 1.0, (len(self._config.control.axes),), np.float32)

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Observation, dict[str, Any]]:
        """Draw a goal, photograph it, and go back to the start. `options` are not used."""
        super().reset(seed=seed)
        self._goal, self._goal_m = self._photograph()
        self._put_back()
        self._frame = frame = self._rig.look()
        return self._observe(frame), self._truth(np.zeros(self.action_space.shape or (), np.float32))

    def step(self, action: NDArray[np.float32]) -> tuple[Observation, float, bool, bool, dict[str, Any]]:
        """Stream `action` through the guard for one policy period.

        An action that is not a number moves nothing. Raises UserError when the guard ends all motion; `reset` is then
        the person who enables the arm again. Raises gymnasium's ResetNeeded before the first `reset`.
        """
        frame = self._now("step")
        value = np.clip(np.asarray(action, np.float32), -1.0, 1.0)
        self._seq += 1
        done = self._rig.act(Action(self._seq, self._rig.now(), value, Source.POLICY, frame.seq, frame.stamp))
        self._frame = self._rig.look()
        observation = self._observe(self._frame)
        reward = float(self.compute_reward(observation["achieved_goal"], observation["desired_goal"], {}))
        return observation, reward, False, False, self._truth(done.value)

    def compute_reward(self, achieved_goal: Bytes, desired_goal: Bytes, info: Any) -> NDArray[np.float64]:
        """Minus the root mean square difference of the pictures, -1 .. 0, over leading axes: (..., 84, 84, 3) -> (...).

        From the pictures alone, so that relabelled goals can be scored; `info` is not looked at. It is the plainest
        reward there is, and a poor guide far from the goal: RIG's own is a distance between latents (R4).
        """
        # In whole numbers, so that one picture and a batch give the same to the last bit.
        difference = np.asarray(achieved_goal, np.int64) - np.asarray(desired_goal, np.int64)
        squares: NDArray[np.int64] = np.square(difference).sum(axis=(-3, -2, -1))
        return -np.sqrt(squares / np.prod(IMAGE_SHAPE)) / FULL_SCALE

    def render(self) -> Bytes | None:
        """The picture of now, uint8 (84, 84, 3), when the render mode asks for it. Raises as `step` does."""
        return np.array(self._now("render").rgb) if self.render_mode else None

    def close(self) -> None:
        """Release the simulated arm; may be called twice."""
        self._rig.close()

    def _put_back(self) -> None:
        """Arm and puck to the start; the camera's chance, which the state would rewind, is a new one of the seed's."""
        self._rig.load_state(self._start)
        self._rig.retake(int(self.np_random.integers(2**32)))

    def _draw(self) -> tuple[Floats | None, Floats]:
        """Where the goal has the puck, if there is one, and the tool, (2,) m each."""
        if self._has_puck:
            return next(draw_places(self.np_random))
        guard = self._config.guard
        return None, self.np_random.uniform(guard.box_low_m[:2], guard.box_high_m[:2])

    def _photograph(self) -> tuple[Bytes, Floats]:
        """A goal picture, and where in it the thing that counts truly is, (2,) m."""
        rig, control = self._rig, self._config.control
        puck, tool = self._draw()
        self._put_back()
        if puck is not None:
            rig.world.place_puck(*puck)
        posture = solve_position(
            rig.kinematics, np.array([*tool, control.tool_height_m]), TOOL_DOWN, np.array(control.home_posture_rad)
        )
        rig.world.teleport(posture)
        rig.rest()
        return np.array(rig.look().rgb), self._what_counts()

    def _what_counts(self) -> Floats:
        world = self._rig.world
        return (world.puck_position() if self._has_puck else world.tool_position())[:2]

    def _now(self, asked: str) -> Frame:
        if self._frame is None:
            raise ResetNeeded(f"there is no goal and no picture yet: call reset() before {asked}()")
        return self._frame

    def _observe(self, frame: Frame) -> Observation:
        now = frame.rgb
        return {"observation": np.array(now), "achieved_goal": np.array(now), "desired_goal": np.array(self._goal)}

    def _truth(self, executed: NDArray[np.float32]) -> dict[str, Any]:
        distance = float(np.linalg.norm(self._what_counts() - self._goal_m))
        puck = {"puck_m": self._rig.world.puck_position()} if self._has_puck else {}
        return {
            "distance_m": distance,
            "is_success": distance <= self._config.evaluation.success_m,
            "tool_m": self._rig.world.tool_position(),
            "goal_m": np.array(self._goal_m),
            "executed_action": np.array(executed),
            **puck,
        }


def register_environments() -> None:
    """Tell gymnasium of both environments; may be called twice."""
    for name, presets in SCENES.items():
        if name not in gymnasium.registry:
            gymnasium.register(
                name, entry_point="sim.env:SawyerEnv", max_episode_steps=STEPS[name], kwargs={"presets": presets}
            )


register_environments()
