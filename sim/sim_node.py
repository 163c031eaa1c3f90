"""A Sawyer on the network that is not there: the simulated robot, its room and its camera as one ROS node.

    python -m sim.sim_node --config reach --image-age-ms 100 140

Needs a running master. The robot comes up disabled, as a real one does. Started by launch files and by hand.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import rospy
import tyro

from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.errors import UserError
from sim.scenes import TIMESTEP_S
from sim.wire.camera import CameraOnNetwork
from sim.wire.outbox import Outbox
from sim.wire.real_time import RealTime
from sim.wire.robot import RobotOnNetwork
from sim.wire.room import Room
from sim.wire.sawyer import Sawyer

NODE = "sim_sawyer"
log = logging.getLogger(__name__)


@dataclass(frozen=True)
class SimNodeOptions:
    """The simulated Sawyer, its room and its camera as a ROS node."""

    config: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set sim.payload_error_kg=0.3; may be given more than once."""

    release: Literal["5.5.2", "5.3.0"] = "5.5.2"
    """Robot software to play."""

    image_age_ms: tuple[float, float] = (100.0, 140.0)
    """Least and most age of a picture when it arrives, ms."""

    robot_clock_offset_s: float = 0.0
    """How far the robot's clock is ahead of this machine's, s; the camera is this machine's."""

    seed: int = 0
    """Seed of what differs between simulated arms, and of the pictures' ages."""


class SimNode:
    """Everything connected; `run` steps until ROS shuts down. rospy.init_node must have been called."""

    def __init__(self, config: Config, options: SimNodeOptions) -> None:
        self._clock = clock = WallClock()
        self._sawyer = Sawyer(config, options.seed)
        least, most = options.image_age_ms
        self._camera = CameraOnNetwork(
            self._sawyer.world, config, (least / 1000, most / 1000), options.seed, clock, clock.epoch
        )
        self._outbox = Outbox()
        self._robot = RobotOnNetwork(
            self._sawyer,
            config,
            options.release,
            self._outbox,
            lambda stamp: clock.epoch(stamp) + options.robot_clock_offset_s,
        )
        self._real_time = RealTime(clock, TIMESTEP_S, self._step)
        self._room = Room(self._sawyer, self._outbox, clock.epoch, self._real_time.factor)

    def _step(self, stamp: float) -> None:
        self._sawyer.step()
        self._robot.after_step(stamp)
        self._room.after_step(stamp)
        self._camera.after_step(stamp)

    def run(self) -> None:
        """Until ROS shuts down."""
        self._real_time.run(rospy.is_shutdown)
        log.info(
            "ran %.1f s at real-time factor %.4f; %.3f s given up, largest lag %.1f ms",
            self._real_time.steps * TIMESTEP_S,
            self._real_time.factor(),
            self._real_time.lost_s,
            1000 * self._real_time.largest_lag_s,
        )

    def close(self) -> None:
        """Leave the network."""
        self._camera.close()
        self._robot.close()
        self._room.close()
        self._outbox.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the node with `arguments` (the process's own by default); returns the exit code."""
    words = rospy.myargv(sys.argv)[1:] if arguments is None else list(arguments)
    options = tyro.cli(SimNodeOptions, prog=NODE, args=words)
    try:
        config = load_config(options.config, options.set)
        rospy.init_node(NODE)
        node = SimNode(config, options)
    except UserError as error:
        log.error("%s", error)
        return 2
    try:
        node.run()
    finally:
        node.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
