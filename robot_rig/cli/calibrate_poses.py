"""`rig calibrate poses`: the arm holds the board before the camera at planned poses, and a view is kept at each.

Imports ROS, so it is itself imported only once that word is said. It moves the arm, through the guard and after a
person's `rig enable`.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from rich.console import Console

from calibration.board import Board, BoardFinder
from calibration.lens import Lens, board_pose
from calibration.poses import Room, RoughView, hangs_below, plan_poses, upright_camera
from calibration.results import Results
from calibration.rigid import inverse
from calibration.tour import Plan, Sight, keep_plan, read_plan, tour, unseen
from calibration.views import keep_view
from robot_rig.cli.calibrate import arm_of, known_lens, say
from robot_rig.cli.calibrate_capture import View, keep_arm, settled_view
from robot_rig.cli.led_arm import PostedArm
from robot_rig.cli.progress import stage_bar
from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.ros.stamps import HostStamps
from robot_rig.ros.visitor import check_topic, visit

NODE = "rig_calibrate"
FEWEST_VIEWS = 12
SEED = 0


class Poses:
    """Plans poses for the `board` on the gripper and takes views of it, from `topic` into `folder`."""

    def __init__(self, folder: Path, topic: str, board: Board, lens: Lens, config: Config) -> None:
        self._folder, self._topic, self._board, self._lens, self._config = folder, topic, board, lens, config
        self._finder, self._stamps = BoardFinder(board), HostStamps()

    def plan(self, count: int, arm: Kinematics) -> Plan:
        """The plan that lies in the folder, or a new one for `count` views from how the board is held now.

        Raises UserError where the board is not seen from here.
        """
        if (old := read_plan(self._folder)) is not None:
            return old
        view = self._rested()
        seen = None if view is None else self._finder.find(view.rgb)
        if view is None or view.joints is None or seen is None:
            raise UserError(
                "the board is not seen from here" if seen is None else "the arm moves, or its process is silent",
                next_step="lead the gripper to where the camera sees the whole board, let it rest, then try again",
            )
        setting = self._config.sim
        camera = upright_camera(np.array(setting.camera_position_m), np.array(setting.camera_target_m))
        hand_from_board = inverse(arm.hand(view.joints)) @ camera @ board_pose(self._lens, seen).camera_from_board
        rough = RoughView(self._lens, camera, hand_from_board, self._board)
        below = hangs_below(hand_from_board, self._board, self._config.control.tool_offset_m)
        room = Room(self._config, below, arm)
        plan = Plan(tuple(plan_poses(room, count, lambda joints: rough.sees(arm, joints), SEED)), below)
        keep_plan(self._folder, plan)
        return plan

    def look(self) -> Sight:
        """Take a view, and keep it where it shows the board."""
        view = self._rested()
        if view is None or view.joints is None:
            return Sight(False, "not kept: the arm did not rest")
        seen = self._finder.find(view.rgb)
        if seen is None:
            return Sight(False, "not kept: the board was not found")
        path = keep_view(self._folder, view.rgb, view.joints)
        return Sight(True, f"{path}: {len(seen.ids)} of {self._board.inner_corners} corners of the board")

    def _rested(self) -> View | None:
        return settled_view(self._topic, self._config.camera, self._stamps)


def poses(
    folder: Path,
    serial: str,
    topic: str,
    count: int,
    board: Board,
    config: Config,
    results: Results,
    console: Console,
) -> int:
    """Visit planned poses and keep a view at each; returns 1 while there are too few for `rig calibrate handeye`."""
    check_topic(topic)
    known = known_lens(serial, config, results)
    with visit(NODE):
        keep_arm(folder)
        kinematics = arm_of(folder, config, console)
        work = Poses(folder, topic, board, known.lens(), config)
        plan = work.plan(count, kinematics)
        left = len(unseen(plan, folder))
        say(console, f"{folder}: {len(plan.poses)} poses, {left} of them without a view")
        if left:
            _visit(work, plan, folder, Room(config, plan.below_m, kinematics), console)
    kept = len(plan.poses) - len(unseen(plan, folder))
    say(console, f"{kept} of {len(plan.poses)} views are kept")
    say(console, "take the board off before `rig home`: there it may touch the table")
    if kept < min(FEWEST_VIEWS, len(plan.poses)):
        say(console, "too few for hand-eye: light the board, see that it is not hidden, and say the same again")
        return 1
    say(console, f"next: rig calibrate handeye {folder} --serial {serial}")
    return 0


def _visit(work: Poses, plan: Plan, folder: Path, room: Room, console: Console) -> None:
    say(console, "The arm will move by itself, slowly. Nobody in its reach, the red button at hand; Ctrl-C holds it.")
    arm = PostedArm(lambda text: say(console, text))
    arm.await_enable()
    try:
        with stage_bar(console, "visiting poses", len(unseen(plan, folder))) as advance:
            for done, sight in enumerate(tour(room, plan, folder, arm, work.look), 1):
                advance(done, "")
                say(console, sight.words)
    finally:
        arm.close()
