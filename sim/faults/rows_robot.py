"""Rows of the table of faults about the robot: its button, its state, its clock, collisions, and people who hold it."""

from __future__ import annotations

from collections.abc import Callable

from sim.faults import judges
from sim.faults.evidence import Evidence, RobotState
from sim.faults.judges import Verdict
from sim.faults.rows import Row, Scene

TWO_PERIODS_S = 0.020
STATE_SILENT_S = 0.3
COLLISION_S = 0.100


def press_button(stage: Scene) -> None:
    """The red button, and later its release: still nothing may move."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("fault")
    stage.hand("button", pressed=True)
    stage.wait(1.0)
    stage.mark("release")
    stage.hand("button", pressed=False)
    stage.wait(1.5)


def trouble_robot(stage: Scene) -> None:
    """Somebody disables or stops it, or it finds a fault in itself."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    kind = int(stage.random.integers(3))
    stage.mark("fault")
    if kind == 0:
        stage.hand("robot_order", word="disable")
    elif kind == 1:
        stage.hand("robot_order", word="stop")
    else:
        stage.hand("robot_fault")
    stage.wait(2.0)


def _obeys_state(evidence: Evidence, which: Callable[[RobotState], bool], codes: list[str]) -> Verdict:
    """No motion later than two guard periods after the state is seen; told; nobody switches anything on."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    seen = judges.first_state(evidence, fault, which)
    if seen is None:
        return verdict.add(["the robot never told of it"])
    verdict.add(judges.moved_before(evidence, seen))
    last = judges.last_motion(evidence, seen, evidence.end)
    verdict.figure("stop", last - seen)
    if last - seen > TWO_PERIODS_S:
        verdict.add([f"motion {1e3 * (last - seen):.0f} ms after the robot's state was seen"])
    judges.resting(evidence, verdict, seen)
    verdict.add(judges.told(evidence, codes, fault, seen + judges.TOLD_LIMIT_S + judges.REPORT_PERIOD_S))
    return verdict.add(judges.no_enables(evidence, fault))


def judge_button(evidence: Evidence) -> Verdict:
    """Row 32."""
    return _obeys_state(evidence, lambda state: state.stopped or state.button, ["arm_stopped"])


def judge_trouble(evidence: Evidence) -> Verdict:
    """Row 33: told as what the robot said of itself; one in error is stopped as well."""

    def troubled(state: RobotState) -> bool:
        return state.stopped or state.error or not state.enabled

    states = judges.between(evidence.states, evidence.marks["fault"])
    said = next(filter(troubled, states), None)
    codes = ["arm_error"] if said is not None and said.error else []
    codes += ["arm_disabled"] if said is not None and not said.stopped else ["arm_stopped"]
    return _obeys_state(evidence, troubled, codes)


def mute_state(stage: Scene) -> None:
    """The robot's state is no longer published; joints still are."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("fault")
    stage.tell("robot", mute=["/robot/state"])
    stage.wait(2.0)


def judge_muted(evidence: Evidence) -> Verdict:
    """Unsafe after 0.3 s, zero by 0.4 s."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    last = max((state.t for state in evidence.states), default=fault)
    if evidence.end - last < 1.0:
        return verdict.add(["the robot's state was published all along"])
    verdict.add(judges.moved_before(evidence, last))
    judges.stopped(evidence, verdict, last + STATE_SILENT_S)
    verdict.add(judges.no_enables(evidence, fault))
    return verdict.add(judges.told(evidence, ["state_stale"], fault, last + STATE_SILENT_S + judges.TOLD_S))


def collide(stage: Scene) -> None:
    """The robot reports a collision for a moment."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("fault")
    stage.tell("robot", collision=True)
    stage.wait(0.3)
    stage.tell("robot")
    stage.wait(2.0)


def judge_collision(evidence: Evidence) -> Verdict:
    """Zero within 100 ms of the report, latched."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    seen = next((one.t for one in judges.between(evidence.collisions, fault) if one.collided), None)
    if seen is None:
        return verdict.add(["the robot never told of a collision"])
    verdict.add(judges.moved_before(evidence, seen))
    judges.stopped(evidence, verdict, seen + COLLISION_S - judges.ZERO_LIMIT_S)
    verdict.add(judges.told(evidence, ["collision"], fault, seen + judges.TOLD_LIMIT_S + judges.REPORT_PERIOD_S))
    return verdict.add(judges.no_enables(evidence, fault))


ROWS = (
    Row(32, "red button pressed", press_button, judge_button),
    Row(33, "robot disabled, stopped or in error", trouble_robot, judge_trouble),
    Row(34, "robot's state stale", mute_state, judge_muted),
    Row(35, "collision reported", collide, judge_collision),
)
