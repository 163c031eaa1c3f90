"""Twenty minutes of play with 0.3 kg too much in the hand and joints that run a little fast or slow."""

from __future__ import annotations

import numpy as np
import pytest

from robot_rig.config import Config, SimConfig
from robot_rig.control.ik import TOOL_DOWN
from robot_rig.datatypes import IMAGE_SHAPE, Frame, Source
from robot_rig.learning.policy import RandomPolicy
from robot_rig.loops.play import play
from robot_rig.loops.policy_loop import PolicyLoop
from sim.rig import SimRig

MINUTES = 20.0
HEIGHT_M = 0.003
TILT_RAD = np.radians(1.0)
CONFIG = Config(sim=SimConfig(payload_error_kg=0.3, velocity_bias_rad_s=0.01))


class BlindRig(SimRig):
    """Random play looks at nothing, and drawing would take most of the time."""

    def __init__(self, config: Config, seed: int) -> None:
        super().__init__(config, seed)
        self._frames = 0

    def look(self) -> Frame:
        self._frames += 1
        return Frame(self._frames, self.now(), np.zeros(IMAGE_SHAPE, np.uint8))


@pytest.mark.proof
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_height_and_tilt_do_not_creep(seed: int) -> None:
    rate = CONFIG.control.policy_rate_hz
    rig, loop = BlindRig(CONFIG, seed), PolicyLoop(CONFIG.guard.image_age_limit_s, 1.0 / rate, CONFIG.control.lag_s)
    policy = RandomPolicy(CONFIG.collect.ou_theta, CONFIG.collect.ou_sigma, 2, seed)
    heights, tilts = [], []
    for _ in play(rig, loop, policy, None, Source.RANDOM, round(MINUTES * 60.0 * rate)):
        turn = rig.kinematics.hand(rig.world.joint_position())[:3, :3] @ TOOL_DOWN.T
        heights.append(rig.world.tool_position()[2] - CONFIG.control.tool_height_m)
        tilts.append(np.arccos(min(1.0, (np.trace(turn) - 1.0) / 2.0)))
    rig.close()
    report = (
        f"height {min(heights) * 1e3:.2f} .. {max(heights) * 1e3:.2f} mm, tilt {np.degrees(max(tilts)):.2f} degrees"
    )
    assert np.abs(heights).max() <= HEIGHT_M, report
    assert max(tilts) <= TILT_RAD, report
