"""The exam of pushing: goals by their rule, the truth of both things, and doing nothing as the plans have it."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

import numpy as np
import pytest

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.datatypes import Frame, Goal
from robot_rig.errors import UserError
from robot_rig.evaluation import DoNothing
from sim.push_exam import LEAST_APART_M, PushExam, draw_places
from sim.scenes import PUCK_START_M

GOALS = 4


def config(goal_seed: int = 12345) -> Config:
    return load_config(["push"], [f"evaluation.goals={GOALS}", f"evaluation.goal_seed={goal_seed}"])


@pytest.fixture(scope="module")
def exam() -> Iterator[PushExam]:
    made = PushExam(config(), seed=0)
    yield made
    made.close()


class Outward(DoNothing):
    """Full speed away from the base, through the puck's mark."""

    def act(self, frame: Frame, under_way: np.ndarray | None = None) -> np.ndarray:
        return np.array([1.0, 0.0], np.float32)


def left_alone_cm(goal_seed: int, goals: int) -> tuple[float, float, float]:
    pucks = np.stack([puck for puck, _ in itertools.islice(draw_places(goal_seed), goals)])
    away = 100 * np.linalg.norm(pucks - PUCK_START_M, axis=1)
    return float(np.median(away)), float(away.mean()), float(np.percentile(away, 90))


def test_doing_nothing_is_as_far_off_as_the_plans_say() -> None:
    """The pilot's own 50 draws of this rule: median 12.0, mean 12.4, p90 17.1 cm."""
    assert left_alone_cm(12345, 5000) == pytest.approx((12.0, 12.4, 17.1), abs=0.35)
    assert left_alone_cm(12345, 50) == pytest.approx((12.00, 12.39, 17.81), abs=0.005)


def test_goals_keep_to_their_boxes_and_apart() -> None:
    drawn = list(itertools.islice(draw_places(5), 500))
    pucks, tools = (np.stack(part) for part in zip(*drawn, strict=True))
    assert (np.abs(pucks[:, 1]) <= 0.18).all()
    assert ((pucks[:, 0] >= 0.52) & (pucks[:, 0] <= 0.70)).all()
    assert ((tools >= (0.55, -0.05)) & (tools <= (0.65, 0.05))).all()
    assert np.linalg.norm(pucks - tools, axis=1).min() >= LEAST_APART_M
    assert np.linalg.norm(pucks - PUCK_START_M, axis=1).min() >= LEAST_APART_M
    assert (np.ptp(pucks, axis=0) > (0.17, 0.34)).all()


def test_pictures_are_of_what_was_drawn_and_the_same_for_the_same_seed(exam: PushExam) -> None:
    drawn = list(itertools.islice(draw_places(12345), GOALS))
    for case, (puck, tool) in zip(exam.goals, drawn, strict=True):
        assert np.linalg.norm(case.puck_xy_m - puck) < 0.001
        assert np.linalg.norm(case.tool_xy_m - tool) < 0.002
    again = PushExam(config(), seed=0)
    again.run(Outward(2), exam.goals[0], 3)
    assert [case.image.tobytes() for case in again.goals] == [case.image.tobytes() for case in exam.goals]
    again.close()
    assert len({case.image.tobytes() for case in exam.goals}) == GOALS


def test_both_distances_are_measured_at_every_frame_from_the_same_start(exam: PushExam) -> None:
    case = exam.goals[1]
    still = exam.run(DoNothing(2), case, 4)
    assert (still.puck_m.shape, still.stopped) == ((5,), False)
    np.testing.assert_allclose(still.puck_m, np.linalg.norm(case.puck_xy_m - PUCK_START_M), atol=0.001)
    np.testing.assert_allclose(still.hand_m, np.linalg.norm(case.tool_xy_m - (0.5, 0.0)), atol=0.003)
    pushed = exam.run(Outward(2), case, 12)
    assert np.ptp(pushed.puck_m) > 0.01
    assert np.ptp(pushed.hand_m) > 0.05
    again = exam.run(DoNothing(2), case, 4)
    assert (again.puck_m.tolist(), again.hand_m.tolist()) == (still.puck_m.tolist(), still.hand_m.tolist())


def test_what_the_guard_ends_is_measured_where_it_ended(exam: PushExam) -> None:
    class Crashing(Outward):
        """The guard ends motion at its third step, as it does when the tool meets the table."""

        def begin(self, goal: Goal) -> None:
            self.left = 3

        def act(self, frame: Frame, under_way: np.ndarray | None = None) -> np.ndarray:
            self.left -= 1
            if not self.left:
                exam._rig.world.teleport(exam._rig.world.joint_position() + 0.2)
            return super().act(frame, under_way)

    ended = exam.run(Crashing(2), exam.goals[0], 6)
    assert ended.stopped
    assert ended.hand_m.shape == (7,)
    assert len(set(ended.hand_m[3:].tolist())) == 1
    assert exam.run(DoNothing(2), exam.goals[0], 2).stopped is False


def test_a_scene_without_a_puck_is_refused() -> None:
    with pytest.raises(UserError, match=r"nothing is pushed in sim\.scene reach"):
        PushExam(Config(), seed=0)
