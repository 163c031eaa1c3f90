"""Rows of the table of faults that nobody tells the guard of: a wall in the way, a hand on the arm, a pulled cable."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from robot_rig.config import Config
from robot_rig.datatypes import JOINTS
from robot_rig.kinematics import RATED_EFFORTS, Kinematics
from sim.faults import judges
from sim.faults.evidence import WALL_N_M, Evidence, Tool
from sim.faults.judges import Verdict
from sim.faults.rows import Row, Stage

CONFIG = Config()
PUSH_LIMIT_NM = CONFIG.guard.push_limit_fraction * RATED_EFFORTS
PUSH_S = 0.150
"""Row 36: from a force that the guard must not bear to the zero command."""

FORCE_N = 1.2 * 140.0
"""Row 36: 140 N is what a clamped hand may bear (ISO/TS 15066)."""

TRAIL_RAD, TRAIL_S = CONFIG.guard.trail_limit_rad, 0.2
"""Row 42: the arm is so far from where it is told to be, for so long."""

GRIP_NM_RAD = 200.0
"""Ten times as much, with the damping that belongs to it, and the physics of the light wrist would diverge."""

RESUME_RAD_S = 0.1
SPRING_RAD = 0.02
"""Row 42: by how much the robot's own hold may have given way under the hand, and so springs when it lets go. A servo
that goes back for what it was told meanwhile goes further than a tenth of a radian."""

ARM = "rig_arm"
UNPLUGGED_S = 0.300
"""Row 31: from the pulled cable to an arm at rest, by the robot's own time-out."""

ALARM_S = 1.0


def push_at_wall(stage: Stage) -> None:
    """In full speed, left or right, at a springy wall somewhere on the way."""
    sign = float(stage.random.choice((-1.0, 1.0)))
    stage.tell("puppet", to="policy", kind="rest")
    stage.wait(0.3)
    stage.marks |= {"sign": sign, "place": sign * float(stage.random.uniform(0.06, 0.12))}
    stage.tell("robot", wall=[1, sign, stage.marks["place"]])
    stage.wait(0.2)
    stage.mark("fault")
    stage.tell("puppet", to="policy", kind="push", value=[0.0, sign, 0.0])
    stage.wait(3.0)
    stage.mark("release")
    stage.tell("puppet", to="policy", kind="rest")
    stage.tell("robot")
    stage.wait(0.2)


def _force(evidence: Evidence, tool: Tool) -> float:
    """What the wall gives to the tool, N."""
    return WALL_N_M * max(0.0, evidence.marks["sign"] * (tool.position[1] - evidence.marks["place"]))


def _unbearable(evidence: Evidence, since: float) -> float | None:
    """When the wall first asked more of a motor than the guard may bear."""
    kinematics = Kinematics(CONFIG.control.tool_offset_m)
    for tool in judges.between(evidence.tools, since):
        truth = judges.at(evidence.truths, tool.t)
        if truth is not None and (force := _force(evidence, tool)):
            torque = force * np.abs(kinematics.pose(np.array(truth.position)).jacobian[1])
            if (torque > PUSH_LIMIT_NM).any():
                return float(tool.t)
    return None


def judge_wall(evidence: Evidence) -> Verdict:
    """Zero within 150 ms of a force too great, which never exceeds what a hand may bear, told, and latched."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    when = _unbearable(evidence, fault)
    if when is None:
        return verdict.add(["the wall was never pushed hard"])
    verdict.add(judges.moved_before(evidence, when))
    force = max(_force(evidence, tool) for tool in evidence.tools)
    verdict.figures["force N"] = round(force, 1)
    verdict.add([f"the wall was pushed with {force:.0f} N"] if force > FORCE_N else [])
    judges.stopped(evidence, verdict, when + PUSH_S - judges.ZERO_LIMIT_S, evidence.marks["release"])
    verdict.add(judges.told(evidence, ["pushed"], fault, when + PUSH_S + judges.TOLD_S))
    return verdict.add(judges.no_enables(evidence, fault))


def hold_arm(stage: Stage) -> None:
    """Somebody takes hold of the moving arm, lets go when it has given up, and a person enables it again."""
    value = [0.0, float(stage.random.choice((-1.0, 1.0))), 0.0]
    stage.tell("puppet", to="policy", kind="push", value=value)
    stage.wait(stage.random.uniform(0.15, 0.3))
    stage.mark("fault")
    stage.tell("robot", grip=GRIP_NM_RAD)
    begin = stage.now()
    stage.until("the guard gives up", lambda: stage.told(begin, "trailing", "pushed"), 5.0)
    stage.wait(stage.random.uniform(0.0, 1.0))
    stage.tell("puppet", to="policy", kind="rest")
    stage.mark("release")
    stage.tell("robot")
    stage.wait(1.0)
    stage.mark("resume")
    for word in ("reset", "enable"):
        stage.hand("order", word=word)
    stage.wait(1.0)


def _left_behind(evidence: Evidence, since: float, until: float) -> float | None:
    """When some joint was first further than the limit from where its commands since `since` lead."""
    start = judges.at(evidence.truths, since)
    led = np.zeros(JOINTS)
    for command, following in pairwise(judges.between(evidence.commands, since, until)):
        led += np.array(command.values) * (following.t - command.t)
        truth = judges.at(evidence.truths, following.t)
        if start is not None and truth is not None:
            behind = np.abs(led - np.array(truth.position) + np.array(start.position))
            if (behind > TRAIL_RAD).any():
                return float(following.t)
    return None


def judge_held(evidence: Evidence) -> Verdict:
    """Zero within 300 ms of 0.1 rad, told; let go, and then enabled again, it does not snap back."""
    verdict, marks = Verdict(), evidence.marks
    when = _left_behind(evidence, marks["fault"], marks["release"])
    reports = judges.between(evidence.reports, marks["fault"], marks["release"])
    pushed = next((report.t for report in reports if "pushed" in report.codes), None)
    # It may give up by the force, before it is a tenth of a radian behind for so long: then it has stopped by its word.
    due = [t for t in (pushed, when + TRAIL_S if when is not None else None) if t is not None]
    if not due:
        return verdict.add(["the arm was hardly held"])
    verdict.add(judges.moved_before(evidence, marks["fault"]))
    judges.stopped(evidence, verdict, min(due), marks["release"])
    verdict.add(judges.told(evidence, ["trailing", "pushed"], marks["fault"], min(due) + judges.TOLD_S))
    if not any(one.mode == "active" for one in evidence.reports if one.t > marks["resume"] and one.name == ARM):
        verdict.add(["the arm was not enabled again, so that nothing could snap back"])
    verdict.add(judges.no_enables(evidence, marks["fault"], marks["resume"]))
    return _snap_back(evidence, verdict)


def _snap_back(evidence: Evidence, verdict: Verdict) -> Verdict:
    """Let go, no joint springs further than its hold gave way; enabled, none is fast."""
    loose = judges.between(evidence.truths, evidence.marks["release"], evidence.marks["resume"])
    enabled = judges.between(evidence.truths, evidence.marks["resume"])
    if not loose or not enabled:
        return verdict.add(["the simulator told of no arm that was let go, or of none that was enabled again"])
    begin = np.array(loose[0].position)
    spring = max(float(np.abs(np.array(truth.position) - begin).max()) for truth in loose)
    peak = max(truth.speed for truth in enabled)
    verdict.figures |= {"spring mrad": round(1e3 * spring, 1), "peak mrad/s": round(1e3 * peak, 1)}
    verdict.add([f"let go, it sprang by {spring:.3f} rad"] if spring > SPRING_RAD else [])
    return verdict.add([f"enabled, it snapped back with {peak:.2f} rad/s"] if peak > RESUME_RAD_S else [])


def pull_cable(stage: Stage) -> None:
    """The robot's network cable is out for a while; what was sent to it meanwhile arrives when it is back."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("fault")
    stage.tell("robot", unplugged=True)
    stage.wait(stage.random.uniform(1.2, 4.0))
    stage.tell("puppet", to="policy", kind="rest")
    stage.wait(0.3)
    stage.mark("plugged")
    stage.tell("robot")
    stage.wait(1.5)


def judge_cable(evidence: Evidence) -> Verdict:
    """At rest by the robot's own time-out, told, and nothing old is followed when the cable is back."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    verdict.add(judges.moved_before(evidence, fault))
    judges.held(evidence, verdict, fault, UNPLUGGED_S)
    verdict.add(judges.told(evidence, ["state_stale"], fault, fault + ALARM_S))
    return verdict.add(judges.no_enables(evidence, fault))


ROWS = (
    Row(31, "the robot's cable pulled", pull_cable, judge_cable),
    Row(36, "a wall in the way, which no flag tells of", push_at_wall, judge_wall),
    Row(42, "the arm held by a person", hold_arm, judge_held),
)
