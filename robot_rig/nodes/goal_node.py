"""Shows the policy one goal picture for as long as it runs: the latched /rig/goal of reach.launch.

    python -m robot_rig.nodes.goal_node --goal goals/cup.png

A picture of the goal library is checked against its note; another picture comes without a calibration, and says so.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from robot_rig.config_files import load_config
from robot_rig.goal_library import GoalLibrary
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import goal_message
from robot_rig.ros.node import Node, run
from robot_rig.ros.topics import GOAL

NODE = "rig_goal"
log = logging.getLogger("robot_rig.nodes.goal_node")


@dataclass(frozen=True)
class GoalNodeOptions:
    """Show the policy one goal picture."""

    goal: Path
    """The picture, 84x84 px: NAME.png of the goal library, or any PNG or JPEG of the same camera."""

    config: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set camera.focal_px=606; may be given more than once."""


def wire(options: GoalNodeOptions, node: Node) -> None:
    """Check the picture and publish it."""
    library = GoalLibrary(options.goal.parent, load_config(options.config, options.set))
    goal = library.import_picture(options.goal, time.monotonic())
    if not goal.calibration_id:
        log.warning("%s carries no calibration: nobody can tell whether this camera took it", options.goal)
    publisher = advertise(GOAL)
    publisher.publish(goal_message(goal, node.stamps))
    node.closing(publisher.unregister)
    log.info("the goal is %s", goal.id)


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the goal node; returns the exit code."""
    return run(NODE, GoalNodeOptions, wire, arguments)


if __name__ == "__main__":
    sys.exit(main())
