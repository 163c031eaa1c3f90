"""All IO of the simulated robot without its cables: nodes, devices, and the time that passes in them.

Called by `sim.wire.sawyer`, whose thread owns it, and by `sim.wire.io_network`, which shows it to clients.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from robot_rig.config import Config
from sim.scenes import TIMESTEP_S
from sim.wire import io_cameras, io_gripper, io_panels
from sim.wire.io_device import Device, Value
from sim.wire.io_gripper import Gripper
from sim.wire.io_panels import Panels, lights
from sim.world import World


@dataclass(frozen=True)
class IoNode:
    """One node of the IO framework. `activate` makes its devices ready, as a client's node command asks for."""

    name: str
    title: str
    devices: Sequence[Device]
    plugins: Mapping[str, Value] = field(default_factory=dict)
    activate: Callable[[], None] = lambda: None


class RobotIo:
    """The devices of the robot that `config` describes, in `world`. One thread uses it."""

    def __init__(self, config: Config, world: World) -> None:
        self.panels = Panels()
        self.gripper = Gripper(world.fingers) if config.tool.kind == "electric" else None
        self.lights = lights()
        self.cameras = (io_cameras.hand_camera(), io_cameras.head_camera())
        cameras = [{"name": camera.name, "type": camera.kind} for camera in self.cameras]
        panels = (self.panels.cuff, self.panels.navigator, self.lights)
        self.nodes = (
            IoNode(io_panels.NODE, "robot", panels, {"RobotPlugin": {"params": {}}}),
            self._end_effector(),
            IoNode(
                io_cameras.NODE,
                "internal",
                self.cameras,
                {"SawyerInternalCameraPlugin": {"params": {"cameras": cameras}}},
            ),
        )

    def _end_effector(self) -> IoNode:
        if self.gripper is None:
            return IoNode(io_gripper.NODE, "EndEffector", ())
        return IoNode(io_gripper.NODE, "EndEffector", (self.gripper.device,), activate=self.gripper.activate)

    def tick(self, enabled: bool) -> None:
        """One physics step of 2 ms. The gripper has power while the robot is `enabled`."""
        self.panels.tick(TIMESTEP_S)
        if self.gripper is not None:
            self.gripper.tick(enabled, TIMESTEP_S)
