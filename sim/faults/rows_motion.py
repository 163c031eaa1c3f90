"""Rows of the table of faults about motion: hostile actions, walls, the table, joint limits, stretched arms."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np

from robot_rig.config import Config
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS, Kinematics
from robot_rig.safety.limits import Limits
from sim.faults import judges
from sim.faults.evidence import Evidence
from sim.faults.judges import Verdict
from sim.faults.near_limits import AWAY_RAD, NEAR_LIMITS
from sim.faults.rows import Row, Stage

CONFIG = Config()
LIMITS = Limits.from_config(CONFIG.guard, CONFIG.control)
TOOL_SPEED_M_S = 0.25
MEASURED_SPEED = 1.05
"""The witness reckons a commanded tool speed at another posture than the guard did, by what lies between."""

WALL_SLACK_M = 0.005
HOSTILE_HZ = 100.0
HOSTILE_S = 12.0
HOSTILE_LEAST = 1000
"""20 attempts are then 20 000 such actions."""

NEAR_M = 0.010
"""Rows 38 and 39: the tool must have come so near to the wall that it was pushed at."""

AXES = "xyz"
ROUNDING = 1e-9
SLOW_CONDITION, STOP_CONDITION = 17.0, 30.0
CONDITION_SLACK = 2.0
"""Row 40: the arm goes on a little between what the guard and what the witness sees of it."""

STOP_RAD, STOP_SLACK_RAD, REACHED_RAD = 0.05, 0.01, 0.02
"""Row 37: so far before a joint's limit motion ends, how far its servo may go on, and how near it must have been."""

JUMP_RAD = 0.15
"""Row 41: no joint goes so far between two truths."""

JUMP_STOP_S = 0.3
"""Row 41: an arm that is 0.1 rad from where it was led for 0.2 s is stopped, and a fast joint brakes for 0.15 s."""

SETTLED_S = 0.05
JUMP_CODES = ("trailing", "pushed", "bound_space", "bound_joint_speed", "bound_tool_speed", "state_garbled")
FASTEST_RAD_S = 1.1 * LIMITS.joint_speed
"""What a joint may truly do: its servo rings."""


def _bounds(evidence: Evidence, verdict: Verdict, since: float) -> None:
    """Nothing but finite velocities within the joints' and the tool's speed."""
    commands = judges.between(evidence.commands, since)
    if not commands:
        verdict.add(["no command was seen"])
    verdict.add(judges.sane_commands(commands, (LIMITS.joint_speed + ROUNDING).tolist()))
    kinematics = Kinematics(CONFIG.control.tool_offset_m)
    for command in commands:
        truth = judges.at(evidence.truths, command.t)
        if truth is None or judges.is_zero(command):
            continue
        speed = float(np.linalg.norm((kinematics.pose(np.array(truth.position)).jacobian @ command.values)[:3]))
        if not speed <= TOOL_SPEED_M_S * MEASURED_SPEED:
            verdict.add([f"the tool was told {speed:.3f} m/s"])
            return


def _true_tool_speed(evidence: Evidence, verdict: Verdict, since: float) -> None:
    """Actions that come back as fast as they went are what rows 11 and 38 are about."""
    fastest = judges.true_speed(evidence, since)
    verdict.figures["tool mm/s"] = round(1e3 * fastest)
    verdict.add([f"the tool went {fastest:.2f} m/s"] if fastest > judges.REVERSED_M_S else [])


def send_nonsense(stage: Stage) -> None:
    """NaN for a second; then infinities, huge and tiny numbers and wrong lengths, 100 a second."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("fault")
    stage.tell("puppet", to="policy", kind="push", value=[float("nan")] * 3)
    stage.wait(1.0)
    stage.mark("flood")
    stage.tell("puppet", to="policy", kind="hostile", rate_hz=HOSTILE_HZ)
    stage.wait(HOSTILE_S)
    stage.tell("puppet", to="policy", kind="rest")


def judge_nonsense(evidence: Evidence) -> Verdict:
    """Zero within 100 ms of the first NaN; in all of the flood nothing but sane commands, and no true limit passed."""
    verdict, fault, flood = Verdict(), evidence.marks["fault"], evidence.marks["flood"]
    verdict.add(judges.moved_before(evidence, fault))
    nan = next((a.t for a in judges.between(evidence.actions, fault) if not np.isfinite(a.value).all()), None)
    if nan is None:
        return verdict.add(["no NaN was sent"])
    judges.stopped(evidence, verdict, nan, flood)
    verdict.add(judges.told(evidence, ["action_garbled"], fault, nan + judges.TOLD_S))
    sent = len(judges.between(evidence.actions, flood))
    if sent < HOSTILE_LEAST:
        verdict.add([f"only {sent} hostile actions were sent"])
    _bounds(evidence, verdict, evidence.begin)
    _true_tool_speed(evidence, verdict, evidence.begin)
    verdict.add(judges.no_enables(evidence, fault))
    verdict.add(judges.within_box(evidence, LIMITS.box_low.tolist(), LIMITS.box_high.tolist(), WALL_SLACK_M))
    return verdict.add(judges.within_joint_limits(evidence, LOWER_LIMITS.tolist(), UPPER_LIMITS.tolist()))


def push_at_wall(stage: Stage) -> None:
    """In full speed at one of the six faces of the tool's box, each in its turn, then at corners."""
    face, sign = stage.turn % 3, (-1.0, 1.0)[stage.turn // 3 % 2]
    value = [0.0, 0.0, 0.0]
    value[face] = sign
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.marks |= {"face": float(face), "sign": sign}
    stage.mark("fault")
    stage.tell("puppet", to="policy", kind="push", value=value)
    stage.wait(3.0)
    stage.tell("puppet", to="policy", kind="push", value=[float(stage.random.choice((-1.0, 1.0))) for _ in value])
    stage.wait(3.0)
    stage.tell("puppet", to="policy", kind="storm")
    stage.wait(3.0)


def judge_walls(evidence: Evidence) -> Verdict:
    """Never more than 5 mm outside, nothing touched, every bound kept, and it was at the wall that it was pushed at."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    verdict.add(judges.moved_before(evidence, fault))
    verdict.add(judges.within_box(evidence, LIMITS.box_low.tolist(), LIMITS.box_high.tolist(), WALL_SLACK_M))
    verdict.add(judges.no_contact(evidence))
    verdict.add(judges.within_joint_limits(evidence, LOWER_LIMITS.tolist(), UPPER_LIMITS.tolist()))
    face, low = int(evidence.marks["face"]), evidence.marks["sign"] < 0.0
    wall = (LIMITS.box_low if low else LIMITS.box_high)[face]
    away = min((abs(tool.position[face] - wall) for tool in judges.between(evidence.tools, fault)), default=np.inf)
    if away > NEAR_M:
        verdict.add([f"the tool came no nearer than {1e3 * away:.0f} mm to the wall"])
    _bounds(evidence, verdict, fault)
    _true_tool_speed(evidence, verdict, fault)
    return verdict


def push_down(stage: Stage) -> None:
    """Down, and down with sideways motion."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.marks |= {"face": float(AXES.index("z")), "sign": -1.0}
    stage.mark("fault")
    stage.tell("puppet", to="policy", kind="push", value=[0.0, 0.0, -1.0])
    stage.wait(2.0)
    for _ in range(3):
        side = stage.random.uniform(-1.0, 1.0, 2)
        stage.tell("puppet", to="policy", kind="push", value=[*map(float, side), -1.0])
        stage.wait(1.5)


def _enable_at(stage: Stage, position: list[float], **policy: Any) -> None:
    """Put the disabled arm at `position`, enable it, and let a person send it home while the policy does as told."""
    stage.tell("puppet", to="policy", **policy)
    stage.hand("order", word="stop")
    stage.hand("order", word="reset")
    stage.wait(0.3)
    stage.hand("place", position=position)
    stage.wait(0.3)
    stage.mark("fault")
    stage.hand("order", word="enable")
    stage.wait(2.0)
    stage.mark("home")
    stage.hand("order", word="home")
    stage.wait(3.0)


def near_joint_limit(stage: Stage) -> None:
    """One joint in its soft ring, each at each of its ends in its turn, and the policy pushes so that it goes on."""
    near = NEAR_LIMITS[stage.turn % len(NEAR_LIMITS)]
    position, away = list(near.posture), stage.random.uniform(*AWAY_RAD)
    position[near.joint] = float(LOWER_LIMITS[near.joint] + away if near.low else UPPER_LIMITS[near.joint] - away)
    stage.marks |= {"joint": float(near.joint), "low": float(near.low)}
    _enable_at(stage, position, kind="push", value=list(near.push))


def judge_near_limit(evidence: Evidence) -> Verdict:
    """As `judge_posture`; the joint went on towards its limit, and stopped 0.05 rad before it."""
    verdict, fault, joint = judge_posture(evidence), evidence.marks["fault"], int(evidence.marks["joint"])
    limit = (LOWER_LIMITS if evidence.marks["low"] else UPPER_LIMITS)[joint]
    left = [abs(float(limit) - truth.position[joint]) for truth in judges.between(evidence.truths, fault)]
    if not left:
        return verdict
    nearest = min(left)
    verdict.figures["left mrad"] = round(1e3 * nearest, 1)
    if nearest < STOP_RAD - STOP_SLACK_RAD:
        verdict.add([f"joint {joint} came within {nearest:.3f} rad of its limit"])
    reached = nearest < STOP_RAD + REACHED_RAD and nearest < left[0] - STOP_SLACK_RAD
    return verdict.add([] if reached else [f"joint {joint} was not led to its limit: {nearest:.3f} rad were left"])


def near_singularity(stage: Stage) -> None:
    """A posture near a stretched elbow or wrist, its tool well above the table: where motion is slowed, or none is."""
    kinematics = Kinematics(CONFIG.control.tool_offset_m)
    least, most = ((SLOW_CONDITION, STOP_CONDITION), (STOP_CONDITION, np.inf))[stage.turn % 2]
    while True:
        position = np.array(CONFIG.control.home_posture_rad) + stage.random.uniform(-0.6, 0.6, 7)
        position[5 if stage.random.integers(2) else 3] = stage.random.uniform(-0.1, 0.1)
        position = np.clip(position, LOWER_LIMITS + 0.1, UPPER_LIMITS - 0.1)
        pose = kinematics.pose(position)
        if pose.tool[2] > 0.25 and least < float(np.linalg.cond(pose.jacobian)) < most:
            break
    _enable_at(stage, position.tolist(), kind="storm")


def judge_posture(evidence: Evidence) -> Verdict:
    """No joint limit is passed and no joint told or truly faster than it may be, and it did move."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    verdict.add(judges.within_joint_limits(evidence, LOWER_LIMITS.tolist(), UPPER_LIMITS.tolist()))
    _bounds(evidence, verdict, fault)
    fast = [t for t in judges.between(evidence.truths, fault) if (np.abs(t.velocity) > FASTEST_RAD_S).any()]
    verdict.add(["a joint was truly faster than it may be"] if fast else [])
    if not judges.moves(evidence, fault, evidence.end):
        verdict.add(["the arm was not moved"])
    return verdict


def judge_singular(evidence: Evidence) -> Verdict:
    """As `judge_posture`; near a singularity indeed, and nothing moves beyond STOP_CONDITION but on the way home."""
    verdict, fault, home = judge_posture(evidence), evidence.marks["fault"], evidence.marks["home"]
    kinematics = Kinematics(CONFIG.control.tool_offset_m)

    def condition(when: float) -> float:
        truth = judges.at(evidence.truths, when)
        return 0.0 if truth is None else float(np.linalg.cond(kinematics.pose(np.array(truth.position)).jacobian))

    if condition(fault) < SLOW_CONDITION - CONDITION_SLACK:
        verdict.add(["the arm was not near a singularity"])
    moving = [one for one in judges.between(evidence.commands, fault, home) if not judges.is_zero(one)]
    worst = max((condition(one.t) for one in moving), default=0.0)
    far = worst > STOP_CONDITION + CONDITION_SLACK
    return verdict.add([f"the arm was moved at a condition of {worst:.0f}"] if far else [])


def jump(stage: Stage) -> None:
    """The measured position jumps while the arm moves: another solution of the joints, or a broken encoder."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    kinematics = Kinematics(CONFIG.control.tool_offset_m)
    while True:
        offset = stage.random.uniform(0.2, 0.5) * stage.random.choice((-1.0, 1.0), 7)
        position = np.array(CONFIG.control.home_posture_rad) + offset * (np.arange(7) != 1)
        position = np.clip(position, LOWER_LIMITS + 0.1, UPPER_LIMITS - 0.1)
        # Above the table: nobody is to be stopped by that.
        if kinematics.pose(position).tool[2] > 0.1:
            break
    stage.mark("fault")
    stage.hand("place", position=position.tolist())
    stage.wait(2.0)


def judge_jump(evidence: Evidence) -> Verdict:
    """No joint makes a step larger than its speed allows, before and after; it jumped indeed, and is then stopped."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    steps = pairwise(judges.between(evidence.truths, fault - SETTLED_S))
    jumped = next((b.t for a, b in steps if np.abs(np.subtract(b.position, a.position)).max() > JUMP_RAD), None)
    if jumped is None:
        return verdict.add(["no joint jumped"])
    verdict.add(judges.moved_before(evidence, jumped))
    _bounds(evidence, verdict, evidence.begin)
    later = judges.between(evidence.truths, jumped + SETTLED_S)
    fast = [truth for truth in later if (np.abs(truth.velocity) > FASTEST_RAD_S).any()]
    verdict.add(["a joint was truly faster than it may be"] if fast else [])
    judges.stopped(evidence, verdict, jumped + JUMP_STOP_S)
    verdict.add(judges.told(evidence, JUMP_CODES, fault, jumped + JUMP_STOP_S + judges.TOLD_S))
    return verdict.add(judges.no_enables(evidence, fault))


ROWS = (
    Row(11, "actions that are no numbers, or huge", send_nonsense, judge_nonsense),
    Row(37, "joint limit approached", near_joint_limit, judge_near_limit),
    Row(38, "workspace exit", push_at_wall, judge_walls),
    Row(39, "table strike", push_down, judge_walls),
    Row(40, "singularity", near_singularity, judge_singular),
    Row(41, "joints jump to another solution", jump, judge_jump),
)
