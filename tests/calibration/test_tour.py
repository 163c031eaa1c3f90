"""The simulated arm is led through the guard to planned poses, and the pictures taken there find the camera."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

import numpy as np
import pytest

from calibration.board import Board, BoardFinder
from calibration.hand_eye import HandView, solve_hand_eye
from calibration.lens import Lens
from calibration.poses import Room, RoughView, plan_poses
from calibration.rigid import angle_between, distance_between
from calibration.tour import PLAN, Plan, Sight, keep_plan, read_plan, tour, unseen
from calibration.views import keep_view, read_joints, read_picture, view_names
from drivers.action_choice import ActionChoice
from drivers.commander_watch import CommanderWatch
from drivers.guard_process import GuardProcess
from drivers.posture_visits import PostureVisits, PostureWish
from drivers.senders import Senders
from drivers.tick_report import TickReport
from robot_rig.clock import ManualClock
from robot_rig.config import Config
from robot_rig.control.homing import HOME_TOLERANCE_RAD
from robot_rig.datatypes import Floats, Mode
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from robot_rig.loops.arm_loop import ArmLoop
from sim.sim_arm import SimArm
from sim.world import World
from tests.calibration.twin import Twin, held_board
from tests.drivers.test_guard_process import Wires

CONFIG, BOARD, COUNT, BELOW_M = Config(), Board(), 10, 0.10
ARM, LENS = Kinematics(CONFIG.control.tool_offset_m), Lens.configured(CONFIG.camera)
ROOM, FINDER = Room(CONFIG, BELOW_M, ARM), BoardFinder(BOARD)
HOME = np.array(CONFIG.control.home_posture_rad)
PERIOD, BEATS = 0.01, 5
REST_S = 0.5
T = TypeVar("T")


class SimulatedArm:
    """The simulated arm behind its guard on a manual clock, led by a program called `name`."""

    def __init__(self) -> None:
        self.clock, self.links = ManualClock(), Wires()
        self.world = World(CONFIG, seed=0)
        self.arm = SimArm(self.world, self.clock)
        self.visits = PostureVisits(self.links)
        self.reports: list[TickReport] = []
        self.process = GuardProcess(
            arm=self.arm,
            loop=ArmLoop(CONFIG.control, CONFIG.guard, ARM),
            choice=ActionChoice(CONFIG.guard.action_age_limit_s),
            commanders=CommanderWatch("rig_arm", [], "/joint_command", lambda: 0.0),
            senders=Senders(self.links),
            visits=self.visits,
            clock=self.clock,
            home_poses=[HOME],
            period_s=PERIOD,
            take=self.reports.append,
        )
        self.process.see_commanders([])
        self.wish: tuple[int, Floats] | None = None
        self.start()

    def start(self) -> None:
        """A program is started, and a person enables the arm for it."""
        self.link = self.links.named["tour"] = object()
        self.wish = None
        self.pass_ticks(BEATS)
        self.process.enable()

    def pass_ticks(self, count: int) -> None:
        for tick in range(count):
            if self.wish is not None and tick % BEATS == 0:
                self.visits.offer(PostureWish(*self.wish[:1], self.clock.now(), self.wish[1], self.link))
            self.process.tick(self.clock.now())
            self.world.advance(PERIOD)
            self.clock.advance(PERIOD)

    def position(self) -> Floats:
        return self.arm.state().position

    def go(self, posture: Floats) -> str:
        self.wish = (1 if self.wish is None else self.wish[0] + 1, posture)
        self.pass_ticks(1)
        try:
            self.process.visit("tour", self.process.moment())
        except UserError as error:
            if self.process.mode not in (Mode.ACTIVE, Mode.HOMING):
                raise
            return error.problem
        for _ in range(400):
            self.pass_ticks(BEATS)
            if self.process.mode is not Mode.HOMING:
                raise UserError(f"ended: {self.reports[-1].why}")
            if (
                np.abs(self.position() - posture).max() <= HOME_TOLERANCE_RAD
                and not self.reports[-1].status.executed.any()
            ):
                return ""
        raise AssertionError("not reached")

    def stay(self, work: Callable[[], T]) -> T:
        self.pass_ticks(round(REST_S / PERIOD))
        return work()


@pytest.fixture(scope="module")
def twin() -> Iterator[Twin]:
    made = Twin(CONFIG, BOARD, held_board(BOARD))
    yield made
    made.close()


@pytest.fixture(scope="module")
def plan(twin: Twin) -> Plan:
    rough = RoughView(LENS, twin.base_from_camera, held_board(BOARD), BOARD)
    return Plan(tuple(plan_poses(ROOM, COUNT, lambda joints: rough.sees(ARM, joints), seed=0)), BELOW_M)


class Eye:
    """Takes views of the twin that stands as the arm does."""

    def __init__(self, twin: Twin, arm: SimulatedArm, folder: Path) -> None:
        self.twin, self.arm, self.folder = twin, arm, folder
        self.closed = False

    def __call__(self) -> Sight:
        if self.closed:
            return Sight(False, "not kept: the board was not found")
        joints = self.arm.position()
        self.twin.pose_arm(joints)
        return Sight(True, str(keep_view(self.folder, self.twin.draw(), joints)))


def test_the_pictures_of_a_tour_find_the_camera(twin: Twin, plan: Plan, tmp_path: Path) -> None:
    arm = SimulatedArm()
    seen = list(tour(ROOM, plan, tmp_path, arm, Eye(twin, arm, tmp_path)))
    assert [sight.kept for sight in seen] == [True] * COUNT
    assert unseen(plan, tmp_path) == []
    assert arm.process.mode is Mode.HOMING
    low, high = np.array(CONFIG.guard.box_low_m), np.array(CONFIG.guard.box_high_m)
    tools = np.array([report.tool for report in arm.reports])
    assert (tools >= low).all()
    assert (tools <= high).all()
    speeds = [float(np.linalg.norm(report.status.tool_velocity[:3])) for report in arm.reports]
    assert max(speeds) <= CONFIG.guard.slow_speed_m_s + 1e-6
    views = []
    for name in view_names(tmp_path):
        found = FINDER.find(read_picture(tmp_path / name, CONFIG.camera))
        assert found is not None
        views.append(HandView(name, ARM.hand(read_joints(tmp_path / name)), found))
    place = solve_hand_eye(views, LENS).best.base_from_camera
    assert distance_between(place, twin.base_from_camera) < 0.002
    assert np.degrees(angle_between(place, twin.base_from_camera)) < 0.2


def test_a_tour_that_was_ended_goes_on_with_what_is_left(twin: Twin, plan: Plan, tmp_path: Path) -> None:
    arm = SimulatedArm()
    eye = Eye(twin, arm, tmp_path)
    keep_plan(tmp_path, plan)
    going = tour(ROOM, plan, tmp_path, arm, eye)
    for _ in range(3):
        next(going)
    going.close()
    arm.wish = None
    arm.pass_ticks(100)
    assert arm.process.mode is Mode.HOLD
    again = read_plan(tmp_path)
    assert again is not None
    assert len(unseen(again, tmp_path)) == COUNT - 3
    arm.start()
    assert len(list(tour(ROOM, again, tmp_path, arm, eye))) == COUNT - 3
    assert unseen(again, tmp_path) == []
    assert len(view_names(tmp_path)) == COUNT


def test_a_person_who_takes_the_arm_ends_it(twin: Twin, plan: Plan, tmp_path: Path) -> None:
    arm = SimulatedArm()
    going = tour(ROOM, plan, tmp_path, arm, Eye(twin, arm, tmp_path))
    next(going)
    arm.process.hold()
    with pytest.raises(UserError, match="mode hold, and no program may move it"):
        next(going)


def test_where_the_board_was_not_seen_the_arm_will_come_again(twin: Twin, tmp_path: Path, plan: Plan) -> None:
    few = Plan(plan.poses[:2], BELOW_M)
    arm = SimulatedArm()
    eye = Eye(twin, arm, tmp_path)
    eye.closed = True
    assert [sight.kept for sight in tour(ROOM, few, tmp_path, arm, eye)] == [False, False]
    assert len(unseen(few, tmp_path)) == 2


def test_a_pose_that_the_guard_refuses_is_left_out_and_told(twin: Twin, tmp_path: Path, plan: Plan) -> None:
    class Wider(Room):
        def leads(self, start: Floats, end: Floats) -> bool:
            return True

    outside = plan.poses[0] + 0.6 * np.eye(7)[0]
    arm = SimulatedArm()
    said = list(
        tour(
            Wider(CONFIG, BELOW_M, ARM),
            Plan((plan.poses[0], outside), BELOW_M),
            tmp_path,
            arm,
            Eye(twin, arm, tmp_path),
        )
    )
    assert [sight.kept for sight in said] == [True, False]
    assert "left out: the straight way to that posture is not free" in said[1].words


def test_poses_to_which_no_free_way_leads_are_told_of(twin: Twin, tmp_path: Path, plan: Plan) -> None:
    class Walled(Room):
        def leads(self, start: Floats, end: Floats) -> bool:
            return False

    arm = SimulatedArm()
    (said,) = tour(Walled(CONFIG, BELOW_M, ARM), plan, tmp_path, arm, Eye(twin, arm, tmp_path))
    assert said == Sight(False, f"left out: {COUNT} poses to which no free way leads from here")


def test_a_plan_comes_back_and_what_is_none_is_refused(tmp_path: Path, plan: Plan) -> None:
    assert read_plan(tmp_path) is None
    keep_plan(tmp_path, plan)
    back = read_plan(tmp_path)
    assert back is not None
    assert np.allclose(back.poses, plan.poses, atol=1e-6)
    assert back.below_m == BELOW_M
    for text in (
        "below_m: 0.1\n",
        "below_m: 0.1\nposes_rad: []\n",
        "below_m: x\nposes_rad:\n  - [0,0,0,0,0,0,0]\n",
        "below_m: 0.1\nposes_rad:\n  - [0,0,0]\n",
        "below_m: 0.1\nposes_rad:\n  - [0,0,0,x,0,0,0,0]\n",
        "below_m: -1\nposes_rad:\n  - [0,0,0,0,0,0,0]\n",
        "[1]\n",
    ):
        (tmp_path / PLAN).write_text(text)
        with pytest.raises(UserError, match="is no plan"):
            read_plan(tmp_path)
