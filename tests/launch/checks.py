"""What is checked in the graph that each .test file launches. Run by rostest as `launch_check CLASS`."""

from __future__ import annotations

import os
import shutil
import sys
import unittest
from pathlib import Path

import numpy as np
import rospy
import rostest
from std_msgs.msg import Empty

from calibration.tour import read_plan
from robot_rig.config import Config
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Mode, Source
from robot_rig.loops.collect_watch import CollectWatch
from robot_rig.loops.episode_state import Stand
from robot_rig.ros.orders import give_order
from robot_rig.ros.topics import GOAL_DECODED, GOAL_DISTANCE, arm_service
from tests.launch.witness import Witness

MANY = 15
MOVED_M = 0.005
RESTED_M = 0.002


class Sim(unittest.TestCase):
    def test_it_is_disabled_until_the_one_shot_and_holds_when_nobody_leads(self) -> None:
        witness = Witness()
        witness.wait_until(lambda: len(witness.reports) >= MANY and witness.frames >= MANY and witness.tools)
        assert witness.modes == {Mode.DISABLED}
        assert witness.commands == 0
        # sim.launch was told to wait for this before it enables.
        ready = rospy.Publisher("~ready", Empty, queue_size=1)
        witness.wait_until(lambda: witness.mode is Mode.ACTIVE)
        witness.wait_until(lambda: witness.mode is Mode.HOLD)
        assert witness.modes == {Mode.DISABLED, Mode.ACTIVE, Mode.HOLD}
        assert witness.travel() < RESTED_M
        ready.unregister()


class Robot(unittest.TestCase):
    def test_it_sees_and_stays_disabled_until_a_person_enables(self) -> None:
        witness = Witness()
        rospy.wait_for_service(arm_service("enable"), 150)
        witness.wait_until(lambda: len(witness.reports) >= 2 * MANY and witness.frames >= MANY and witness.tools)
        assert witness.modes == {Mode.DISABLED}
        assert witness.commands == 0
        assert witness.travel() < RESTED_M


class Reach(unittest.TestCase):
    def test_the_arm_moves_for_the_goal(self) -> None:
        witness = Witness()
        witness.wait_as_a_person_until(lambda: witness.episodes and witness.travel() > MOVED_M)
        episode = witness.episodes[-1]
        assert episode.source == Source.POLICY
        assert episode.goal.partition(":")[0] == Path(os.environ["LAUNCH_TEST_GOAL"]).stem
        witness.wait_as_a_person_until(lambda: any(report.source is Source.POLICY for report in witness.reports))
        assert witness.commands > 0


class Collect(unittest.TestCase):
    def test_episodes_are_logged_and_nobody_has_to_help(self) -> None:
        witness = Witness()
        store = EpisodeStore(Path(os.environ["LAUNCH_TEST_COLLECT"]) / "episodes")
        witness.wait_as_a_person_until(lambda: sum(one.stand is Stand.COMPLETE for one in witness.episodes) >= 2)
        assert witness.travel() > MOVED_M
        whole: list[str] = []
        witness.wait_until(lambda: whole.extend(one.id for one in store.read_new(whole)) or len(whole) >= 2)
        assert {episode.source for episode in witness.episodes} == {Source.RANDOM}
        config = Config()
        watch = CollectWatch(config.guard, config.control)
        for report in list(witness.reports):
            watch.report(report.stamp, report.mode, report.source)
        assert watch.human_actions == witness.enables, witness.story()


class Practice(unittest.TestCase):
    def test_play_until_there_is_a_policy_and_then_goals_of_its_own(self) -> None:
        witness = Witness()
        run = Path(os.environ["LAUNCH_TEST_PRACTICE"])
        witness.wait_as_a_person_until(lambda: any(one.stand is Stand.COMPLETE for one in witness.episodes))
        assert {episode.source for episode in witness.episodes} == {Source.RANDOM}
        # What the trainer would ship after some minutes.
        witness.wait_until((run / "learnt" / "run.json").is_file)
        shipped = Path(os.environ["LAUNCH_TEST_CHECKPOINT"])
        shutil.copytree(shipped, run / "learnt" / "copying")
        (run / "learnt" / "copying").rename(run / "learnt" / "checkpoints" / shipped.name)
        own = (Source.POLICY, Stand.COMPLETE)
        witness.wait_as_a_person_until(lambda: sum((e.source, e.stand) == own for e in witness.episodes) >= 2)
        practised = [episode for episode in witness.episodes if (episode.source, episode.stand) == own]
        assert {episode.meta["policy"] for episode in practised} == {shipped.name}
        assert len({episode.goal for episode in practised}) == 2
        assert rospy.wait_for_message(GOAL_DECODED.name, GOAL_DECODED.message, 60).header.frame_id
        assert rospy.wait_for_message(GOAL_DISTANCE.name, GOAL_DISTANCE.message, 60).data > 0.0
        store = EpisodeStore(run / "played" / "episodes")
        witness.wait_until(lambda: any(one.goal is not None for one in store.read_new((), "practice")))


class Calibrate(unittest.TestCase):
    def test_an_enabled_arm_is_led_from_pose_to_pose_inside_its_box(self) -> None:
        witness = Witness()
        plan = read_plan(Path(os.environ["LAUNCH_TEST_VIEWS"]))
        assert plan is not None
        witness.wait_until(lambda: len(witness.reports) >= MANY and witness.tools)
        assert witness.modes == {Mode.DISABLED}
        assert witness.commands == 0

        visited: set[int] = set()

        def seen() -> int:
            # Another enable while it is led would end that.
            if witness.mode in (Mode.DISABLED, Mode.HOLD):
                give_order("enable")
                witness.wait_until(lambda: witness.mode not in (Mode.DISABLED, Mode.HOLD))
            for number, pose in enumerate(plan.poses):
                if any(np.abs(rest - pose).max() < 0.01 for rest in witness.rests[-20:]):
                    visited.add(number)
            return len(visited)

        witness.wait_until(lambda: seen() >= 2)
        assert Mode.HOMING in witness.modes
        assert {report.source for report in witness.reports} <= {None, Source.HOMING}
        low, high = np.array(Config().guard.box_low_m), np.array(Config().guard.box_high_m)
        assert all((tool > low - 0.005).all() and (tool < high + 0.005).all() for tool in witness.tools)


class Teleop(unittest.TestCase):
    def test_keys_enable_and_move_the_arm(self) -> None:
        witness = Witness()
        witness.wait_until(lambda: any(report.source is Source.HUMAN for report in witness.reports))
        witness.wait_until(lambda: witness.travel() > MOVED_M)


if __name__ == "__main__":
    rostest.rosrun("robot_rig", sys.argv[1].lower(), f"{__name__}.{sys.argv[1]}")
