"""Unattended collection: random play for some minutes after one enable, with what it has covered of the box.

    python -m robot_rig.nodes.collect_node --minutes 20 --config reach

Plays as policy_node does with --source random; the recorder writes the episodes. Started by collect.launch.
It ends as policy_node does too, by silence and with no order to the arm: the guard knows whom it follows. Where that is
this play, the arm stands at once and is on hold 5 s later; a person who has taken it, or has sent it home, keeps it.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import rospy
import tyro

from robot_rig.config_files import load_config
from robot_rig.datatypes import ArmState, Source
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.loops.collect_watch import CollectWatch
from robot_rig.loops.episode_state import EpisodeState, Stand
from robot_rig.nodes import policy_node
from robot_rig.nodes.intake import listen
from robot_rig.ros import topics
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import read_state
from robot_rig.ros.episode_reports import read_episode_message
from robot_rig.ros.node import Node, run

NODE = "rig_collect"
LOOK_S = 0.2
TELL_S = 10.0
LAST_EPISODE_S = 20.0
"""How long an episode may take to end when the time is up."""

log = logging.getLogger("robot_rig.nodes.collect_node")


@dataclass(frozen=True)
class CollectNodeOptions:
    """Random play without a person, after one enable."""

    minutes: float = 20.0
    """How long to play, counted from the enable."""

    stage: Literal["collect", "heldout"] = "collect"
    """What the play is for: to learn from, or held out, to examine the encoder on what it has not learnt from."""

    start: Literal["home", "home_first"] = "home_first"
    """Send the arm home before every episode, or before the first only: an episode is a file, the play goes on."""

    record: bool = True
    """Log the play; without a recorder the arm then stands still."""

    config: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set collect.ou_sigma=0.3; may be given more than once."""


class Collection:
    """Waits for the enable, lets the policy process play, counts, and ends the node when the time is up."""

    def __init__(self, options: CollectNodeOptions, node: Node) -> None:
        self._options, self._node = options, node
        config = load_config(options.config, options.set)
        self._watch = CollectWatch(config.guard, config.control)
        self._kinematics = Kinematics(config.control.tool_offset_m)
        self._one = threading.Lock()
        self._playing = False
        self._closing = threading.Event()
        # Registered first, so that it is said last: after the words of the play that ends.
        node.closing(lambda: log.info(self._watch.summary(time.monotonic())))
        node.closing(self._closing.set)

    def start(self) -> None:
        """Listen, and begin to wait."""
        stamps = self._node.stamps
        # The play that will use it begins with the enable; collect.launch enables once this topic is there.
        advertise(topics.EPISODE)
        listen(topics.ARM_STATUS, lambda message: read_report(message, stamps), self._take_report)
        listen(topics.ARM_STATE, lambda message: read_state(message, stamps), self._take_state)
        listen(topics.EPISODE, lambda message: read_episode_message(message, stamps), self._take_episode)
        threading.Thread(target=self._run, daemon=True, name="collect").start()

    def _take_report(self, report: ArmReport) -> None:
        with self._one:
            self._watch.report(report.stamp, report.mode, report.source)

    def _take_state(self, state: ArmState) -> None:
        with self._one:
            self._watch.tool(self._kinematics.pose(state.position).tool)

    def _take_episode(self, episode: EpisodeState) -> None:
        if episode.source is not Source.HUMAN:
            self._playing = episode.stand is Stand.RUNNING

    def _run(self) -> None:
        try:
            self._await_enable()
            if not self._closing.is_set():
                self._play()
        except UserError as error:
            # The main thread ends the node then; ended from here as well, it would not wait for the closings.
            self._node.fail(error)
        except Exception:
            self._node.fail(UserError("collection has failed", next_step="see the traceback below"))
            raise
        else:
            rospy.signal_shutdown("collection has ended")

    def _await_enable(self) -> None:
        told = -TELL_S
        while not (self._watch.enabled or self._closing.wait(LOOK_S)):
            if time.monotonic() - told > TELL_S:
                told = time.monotonic()
                log.info("waiting for a person to enable the arm: rig enable")

    def _play(self) -> None:
        options = self._options
        policy_node.wire(
            policy_node.PolicyNodeOptions(
                source="random",
                start=options.start,
                minutes=options.minutes,
                record=options.record,
                stage=options.stage,
                config=options.config,
                set=options.set,
            ),
            self._node,
        )
        told = time.monotonic()
        while not (self._over() or self._closing.wait(LOOK_S)):
            if time.monotonic() - told > TELL_S:
                told = time.monotonic()
                self._tell(told)

    def _tell(self, now: float) -> None:
        log.info(self._watch.summary(now))
        if (mode := self._watch.stuck) is not None:
            log.warning("the arm is in mode %s and stands still until a person enables it: rig enable", mode.value)

    def _over(self) -> bool:
        over_s = 60.0 * (self._watch.minutes(time.monotonic()) - self._options.minutes)
        return over_s > LAST_EPISODE_S or (over_s > 0 and not self._playing)


def wire(options: CollectNodeOptions, node: Node) -> None:
    """Begin to wait for the enable."""
    if not options.minutes > 0:
        raise UserError(f"--minutes {options.minutes:g} is no time", next_step="give more than 0")
    Collection(options, node).start()


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the collection node; returns the exit code."""
    return run(NODE, CollectNodeOptions, wire, arguments)


if __name__ == "__main__":
    sys.exit(main())
