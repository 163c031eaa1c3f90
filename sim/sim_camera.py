"""The simulated colour camera, and the simulator's own eye: the policy's 84x84 picture drawn directly.

`SimCamera` is a camera like any other, for the ROS simulation and for proofs. `SimEye` is what the in-process rig looks
through: it costs a ninth, and tests/sim/test_sim_camera.py shows that it equals `vision.preprocess` of the former.
"""

from __future__ import annotations

import mujoco
import numpy as np

from robot_rig.clock import Clock
from robot_rig.config import Config
from robot_rig.datatypes import IMAGE_SIZE, Bytes, Frame, RawFrame
from robot_rig.errors import UserError
from sim.gl import cannot_draw, require_backend
from sim.scenes import CAMERA, EYE
from sim.world import World


class Picture:
    """Draws one named camera of a world into its own drawing context. Raises UserError when nothing can draw."""

    def __init__(self, world: World, camera: str, width: int, height: int) -> None:
        require_backend(getattr(mujoco, "GLContext", object).__module__)
        self._world = world
        self._camera = world.model.camera(camera).id
        # The context takes its buffer from the model, and one that is larger than the picture costs time.
        world.model.vis.global_.offwidth, world.model.vis.global_.offheight = width, height
        try:
            self._renderer: mujoco.Renderer | None = mujoco.Renderer(world.model, height, width)
        except (mujoco.FatalError, RuntimeError, ImportError, AttributeError) as error:
            raise cannot_draw() from error
        self._rgb = np.empty((height, width, 3), np.uint8)

    def draw(self) -> Bytes:
        """uint8 (height, width, 3), RGB; overwritten by the next call. Raises UserError after `close`."""
        if self._renderer is None:
            raise UserError("the camera is closed", next_step="open it again")
        self._world.refresh_geometry()
        self._renderer.update_scene(self._world.data, self._camera)
        self._renderer.render(out=self._rgb)
        return self._rgb

    def close(self) -> None:
        """Free the drawing context; may be called twice. Left to the interpreter's exit, OSMesa complains."""
        if self._renderer is not None:
            self._renderer.close()
            self._renderer = None


class SimCamera:
    """The colour camera of the scene; implements `interfaces.Camera`. Every read draws, so a read is never stale."""

    def __init__(self, world: World, clock: Clock, config: Config) -> None:
        self._clock = clock
        self._picture = Picture(world, CAMERA, config.camera.width_px, config.camera.height_px)
        self.seq = 0

    def read(self) -> RawFrame:
        """The picture of now."""
        rgb = self._picture.draw()
        self.seq += 1
        return RawFrame(self.seq, self._clock.now(), rgb)

    def close(self) -> None:
        """Free the drawing context; may be called twice."""
        self._picture.close()


class SimEye:
    """The policy's picture drawn directly; implements `interfaces.Eye`."""

    def __init__(self, world: World, clock: Clock) -> None:
        self._clock = clock
        self._picture = Picture(world, EYE, IMAGE_SIZE, IMAGE_SIZE)
        self.seq = 0

    def look(self) -> Frame:
        """The frame of now."""
        rgb = self._picture.draw()
        self.seq += 1
        return Frame(self.seq, self._clock.now(), rgb)

    def watch(self) -> None:
        """Nothing: a picture of now needs no past."""

    def retake(self, take: int) -> None:
        """Nothing: there is no chance in these pictures."""

    def save_state(self) -> Bytes:
        """The frame counter as uint8 (8,)."""
        return np.array([self.seq]).view(np.uint8)

    def load_state(self, state: Bytes) -> None:
        """Continue from `save_state()`."""
        self.seq = int(np.frombuffer(state.tobytes(), np.int64)[0])

    def close(self) -> None:
        """Free the drawing context; may be called twice."""
        self._picture.close()
