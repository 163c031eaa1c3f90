"""A Sawyer on the network that is not there: the simulated robot, its room and its camera as one ROS node.

    python -m sim.sim_node --config reach --image-age-ms 100 140

The robot comes up disabled, as a real one does. Started by launch files and by hand.
"""

from __future__ import annotations

import gc
import logging
import sys
import threading
from dataclasses import dataclass
from typing import Annotated, Literal

import tyro

from robot_rig.clock import WallClock
from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.ros.master import master_uri, runs_here
from robot_rig.ros.node import Node, run
from robot_rig.ros.real_time import fetch_code, prepare_process
from sim.faults.robot_troubles import RobotTroubles
from sim.scenes import TIMESTEP_S
from sim.wire.camera import CameraOnNetwork
from sim.wire.io_network import IoOnNetwork
from sim.wire.io_person import Person
from sim.wire.io_pictures import PicturesOnNetwork
from sim.wire.outbox import Outbox
from sim.wire.real_time import RealTime
from sim.wire.robot import RobotOnNetwork
from sim.wire.room import Room
from sim.wire.sawyer import Sawyer
from sim.wire.transforms import TransformsOnNetwork

NODE = "sim_sawyer"
ROBOT_STATE = "/robot/state"
SWITCH_INTERVAL_S = 0.0005
"""How long another thread may keep Python to itself when the physics wants it; the default would cost two steps."""

log = logging.getLogger("sim.sim_node")


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

    priority: int = 0
    """SCHED_FIFO priority of the process, for a busy machine: real arms do not slow down; 0: normal scheduling."""

    seed: int = 0
    """Seed of what differs between simulated arms, and of the pictures' ages."""


class SimNode:
    """Everything connected, and a thread that steps it until the node ends."""

    def __init__(self, config: Config, options: SimNodeOptions, node: Node) -> None:
        self._node = node
        self._clock = WallClock()
        self._sawyer = Sawyer(config, options.seed)
        self._closing = threading.Event()
        least, most = options.image_age_ms
        age = (least / 1000, most / 1000)
        self._camera = CameraOnNetwork(self._sawyer.world, config, age, options.seed, self._clock, node.stamps.wall)
        node.closing(self._camera.close)
        self._troubles = RobotTroubles(self._sawyer, Kinematics(config.control.tool_offset_m))
        self._outbox = Outbox()
        node.closing(self._outbox.close)

        def robot_time(stamp: float) -> float:
            return node.stamps.wall(stamp) + options.robot_clock_offset_s + self._troubles.clock_s

        self._robot = RobotOnNetwork(self._sawyer, config, options.release, self._outbox, robot_time)
        node.closing(self._robot.close)
        self._troubles.listen(self._robot)
        node.closing(self._troubles.close)
        self._io = IoOnNetwork(self._sawyer, options.release, self._outbox, robot_time)
        node.closing(self._io.close)
        self._pictures = PicturesOnNetwork(self._sawyer, config, robot_time)
        node.closing(self._pictures.close)
        self._transforms = TransformsOnNetwork(self._sawyer, config, self._outbox, robot_time)
        node.closing(self._transforms.close)
        self._person = Person(self._sawyer)
        node.closing(self._person.close)
        self._real_time = RealTime(self._clock, TIMESTEP_S, self._step)
        self._room = Room(self._sawyer, self._outbox, node.stamps.wall, self._real_time.factor)
        node.closing(self._room.close)
        self._thread = threading.Thread(target=self._run, name="physics", daemon=True)
        self._thread.start()
        node.closing(self._stop)

    def _step(self, stamp: float) -> None:
        self._troubles.before_step()
        self._sawyer.step()
        self._robot.after_step(stamp)
        self._io.after_step(stamp)
        self._pictures.after_step(stamp)
        self._transforms.after_step(stamp)
        self._room.after_step(stamp)
        self._camera.after_step(stamp)

    def _run(self) -> None:
        # What was made until now lives as long as the process; searching it for garbage would cost 10 ms at a time.
        gc.freeze()
        try:
            self._real_time.run(self._closing.is_set)
        except Exception as error:
            log.exception("the simulator's physics have stopped")
            self._node.fail(UserError(f"the simulator has ended: {error}", next_step="start it anew"))

    def _stop(self) -> None:
        self._closing.set()
        self._thread.join()
        log.info(
            "ran %.1f s at real-time factor %.4f; %.3f s given up, largest lag %.1f ms",
            self._real_time.steps * TIMESTEP_S,
            self._real_time.factor(),
            self._real_time.lost_s,
            1000 * self._real_time.largest_lag_s,
        )


def refuse_second_robot(node: Node) -> None:
    """Raise UserError where another node is the robot already: what is meant for this one would reach a real arm.

    A robot that is still starting publishes nothing yet, but its master runs on the robot: only a master of this
    machine is taken for one's own.
    """
    uri = master_uri()
    if not runs_here(uri):
        raise UserError(
            f"the ROS master {uri} is another machine's, as a real robot's is",
            next_step="simulate in a graph of your own, as with ROS_MASTER_URI=http://localhost:11311",
        )
    if others := node.others_that_publish(ROBOT_STATE):
        raise UserError(
            f"there is a robot in this graph already: {', '.join(others)}",
            next_step="simulate in a graph of your own, as with ROS_MASTER_URI=http://localhost:11311",
        )


def wire(options: SimNodeOptions, node: Node) -> None:
    """Build what `options` ask for and start it.

    Raises UserError beside another robot, for bad settings, or when nothing can draw.
    """
    refuse_second_robot(node)
    # A real arm has no disk to wait for: memory stays, whatever the priority.
    prepare_process(options.priority)
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    SimNode(load_config(options.config, options.set), options, node)
    fetch_code()


def main() -> int:
    """Run the node; returns the process's exit code."""
    return run(NODE, SimNodeOptions, wire)


if __name__ == "__main__":
    sys.exit(main())
