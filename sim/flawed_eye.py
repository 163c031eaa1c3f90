"""The policy's picture as a D435 would deliver it: old, noisy, a little blurred, flickering, and now and then lost.

`sim.rig` looks through it when `config.flaws` asks for any of this. Everything is drawn from the seed, the take and the
number of the look, so that a rig continues from a saved state bit for bit without a generator in it.
"""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from robot_rig.clock import Clock, ManualClock
from robot_rig.config import Config, FlawsConfig
from robot_rig.datatypes import IMAGE_SIZE, Bytes, Float32s, Floats, Frame
from sim.sim_camera import SimEye
from sim.world import World

PICTURE_RATE_HZ = 30.0
MOST_LOST = 2
"""Of the three pictures in a policy step at most: a policy left without one would wait for the next."""


def blur_kernel(deviation_px: float) -> Float32s:
    """(2 r + 1,) weights of a Gaussian that reaches over four deviations, r whole px; they add up to 1."""
    if not deviation_px:
        return np.ones(1, np.float32)
    reach = math.ceil(4.0 * deviation_px)
    weights = np.exp(-0.5 * (np.arange(-reach, reach + 1) / deviation_px) ** 2)
    normal: Float32s = (weights / weights.sum()).astype(np.float32)
    return normal


def _along(kernel: Float32s, picture: Float32s) -> Float32s:
    """`picture` (84, 84, 3) blurred down its columns; its edges go on outside. Sums, which need no second core."""
    reach = len(kernel) // 2
    wide = np.concatenate([np.repeat(picture[:1], reach, axis=0), picture, np.repeat(picture[-1:], reach, axis=0)])
    result: Float32s = kernel[0] * wide[:IMAGE_SIZE]
    for i in range(1, len(kernel)):
        result += kernel[i] * wide[i : i + IMAGE_SIZE]
    return result


class FlawedEye:
    """Implements `interfaces.Eye` over a `SimEye` that looks at the past of `world`; `period_s` is that of `watch`."""

    def __init__(self, world: World, clock: Clock, config: Config, seed: int) -> None:
        self._world, self._clock, self._flaws, self._seed = world, clock, config.flaws, seed
        self._period = 1.0 / config.control.arm_rate_hz
        # A room of its own to draw the past in: the present one must not be touched.
        self._mirror, self._then = World(config, seed=0), ManualClock()
        self._eye = SimEye(self._mirror, self._then)
        oldest = config.flaws.image_age_high_s + MOST_LOST / PICTURE_RATE_HZ
        self._past: deque[tuple[float, Floats]] = deque(maxlen=round(oldest / self._period) + 2)
        self._kernel = blur_kernel(config.flaws.blur_px)
        self._take = self._looks = 0
        self.seq = 0
        self._newest = -np.inf
        self.watch()

    def watch(self) -> None:
        """Remember where everything is now. To be called whenever an arm period has passed."""
        self._past.append((self._clock.now(), self._world.positions()))

    def retake(self, take: int) -> None:
        """Draw from now on what belongs to `take`: an exam must not meet the same chance at every goal."""
        self._take = take

    def look(self) -> Frame:
        """The newest picture that has arrived; never older than the one before, and at most two were lost between."""
        self._looks += 1
        chance = np.random.default_rng([self._seed, self._take, self._looks])
        flaws = self._flaws
        lost = min(MOST_LOST, int(chance.geometric(1.0 - flaws.dropped)) - 1)
        age = chance.uniform(flaws.image_age_low_s, flaws.image_age_high_s) + lost / PICTURE_RATE_HZ
        stamp, positions = self._exposed(self._clock.now() - age)
        self._newest = stamp
        self.seq += 1 + lost
        self._mirror.mirror(positions)
        self._then.set_now(stamp)
        return Frame(self.seq, stamp, spoilt(self._eye.look().rgb, flaws, self._kernel, chance))

    def _exposed(self, stamp: float) -> tuple[float, Floats]:
        """The remembered moment nearest to `stamp`, s, of those after the last picture; the newest if there is none."""
        newer = [moment for moment in self._past if moment[0] > self._newest] or [self._past[-1]]
        return min(newer, key=lambda moment: abs(moment[0] - stamp))

    def save_state(self) -> Bytes:
        """Counters and past as uint8 (N,)."""
        moments = [np.concatenate([[stamp], positions]) for stamp, positions in self._past]
        counters = [float(self.seq), float(self._looks), float(self._take), self._newest, float(len(moments))]
        return np.concatenate([np.array(counters), *moments]).view(np.uint8)

    def load_state(self, state: Bytes) -> None:
        """Continue from `save_state()`."""
        values = np.frombuffer(state.tobytes(), np.float64)
        self.seq, self._looks, self._take, count = (int(values[i]) for i in (0, 1, 2, 4))
        self._newest = float(values[3])
        self._past.clear()
        self._past.extend((float(row[0]), row[1:].copy()) for row in values[5:].reshape(count, -1))

    def close(self) -> None:
        """Free the drawing context; may be called twice."""
        self._eye.close()


def spoilt(rgb: Bytes, flaws: FlawsConfig, kernel: Float32s, chance: np.random.Generator) -> Bytes:
    """`rgb` uint8 (84, 84, 3) through blurring optics, a flickering exposure and a noisy sensor."""
    picture = _along(kernel, _along(kernel, rgb.astype(np.float32)).swapaxes(0, 1)).swapaxes(0, 1)
    picture *= np.float32(1.0 + flaws.exposure_flicker * chance.standard_normal())
    picture += np.float32(flaws.noise) * chance.standard_normal(picture.shape, dtype=np.float32)
    result: Bytes = np.clip(np.rint(picture), 0, 255).astype(np.uint8)
    return result
