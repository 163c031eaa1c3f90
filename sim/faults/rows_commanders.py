"""Rows of the table of faults about others who want the arm: twice the same node, a person, strangers."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from robot_rig.config import Config
from robot_rig.kinematics import Kinematics
from sim.faults import judges
from sim.faults.evidence import Action, Command, Evidence
from sim.faults.freshness import motion_iff_fresh, true_exposures
from sim.faults.judges import Verdict
from sim.faults.rows import Row, Stage

ARM, STRANGER = "rig_arm", "stranger"
START_S = 90.0
DISARMED_S = 0.500
TELEOP_S = 0.150
SHUTDOWN_S = 0.300
CONFIG = Config()
UP = 0.5
CALLS = 4
AT_CAP_M_S = 0.22
"""Row 56: so fast the tool must go to show that its speed is still bounded; without the bound it would be 0.29."""

SLOW_M_S = 0.02
"""Row 53: slower than this, a command's direction says nothing; who leads goes at 0.08 m/s at least."""


def launch_twice(stage: Stage) -> None:
    """A second guard of the same name, while the first one moves the arm."""
    stage.wait(stage.random.uniform(0.1, 1.0))
    stage.mark("fault")
    stage.launch("double", "arm")
    stage.until("the second one ends", lambda: stage.exit_code("double") is not None, START_S)
    stage.mark(f"exit code {stage.exit_code('double')}")
    stage.wait(0.5)


def judge_twice(evidence: Evidence) -> Verdict:
    """It is refused; one commander all along, who is not disturbed."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    verdict.add(judges.moved_before(evidence, fault))
    verdict.add([] if "exit code 2" in evidence.marks else ["the second guard was not refused"])
    verdict.add(judges.one_commander(evidence, ARM))
    motion_iff_fresh(evidence, verdict, fault, evidence.end)
    verdict.add(true_exposures(evidence, fault, evidence.end))
    gap = judges.command_gap(evidence, fault, evidence.end)
    verdict.figure("gap", gap)
    return verdict.add([f"no command for {1e3 * gap:.0f} ms"] if gap > 0.05 else [])


def _wait_for_human(stage: Stage) -> None:
    def sends() -> bool:
        action = stage.seen(Action)
        return action is not None and action.source == "human" and stage.now() - action.t < 0.2

    stage.until("the person sends", sends, START_S)


def take_over(stage: Stage) -> None:
    """The policy moves sideways; a person moves up, pauses, and moves up again; the policy goes on sending."""
    stage.start("human")
    stage.until("the person is there", lambda: stage.hand("puppets")[1] == "2", START_S)
    stage.wait(1.0 + stage.random.uniform(0.0, 1.0))
    stage.mark("fault")
    stage.tell("puppet", to="human", kind="push", value=[0.0, 0.0, UP])
    stage.wait(1.0)
    stage.tell("puppet", to="human", kind="rest")
    stage.wait(stage.random.uniform(0.3, 1.0))
    stage.tell("puppet", to="human", kind="push", value=[0.0, 0.0, UP])
    stage.wait(1.0)


def _heading(evidence: Evidence, command: Command, kinematics: Kinematics) -> str:
    """Whose motion it is: the person moves `up`, the policy `sideways`; neither while it is slow."""
    truth = judges.at(evidence.truths, command.t)
    assert truth is not None
    twist = kinematics.pose(np.array(truth.position)).jacobian @ np.array(command.values)
    side, up = float(np.hypot(twist[0], twist[1])), float(abs(twist[2]))
    return "" if max(side, up) < SLOW_M_S else "up" if up > side else "sideways"


def judge_taken_over(evidence: Evidence) -> Verdict:
    """From sideways to up through zero, once, and never back, also where the person pauses."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    verdict.add(judges.moved_before(evidence, fault))
    human = next((a.t for a in judges.between(evidence.actions, fault) if a.source == "human"), None)
    if human is None:
        return verdict.add(["the person sent nothing"])
    kinematics = Kinematics(CONFIG.control.tool_offset_m)
    commands = judges.between(evidence.commands, human - 0.2)
    rests = [index for index, command in enumerate(commands) if command.t > human and judges.is_zero(command)]
    if not rests:
        return verdict.add(["the source changed without a rest"])
    verdict.figure("rest after", commands[rests[0]].t - human)
    before = [_heading(evidence, c, kinematics) for c in commands[: rests[0]] if c.t > human]
    after = [c for c in commands[rests[0] :] if not judges.is_zero(c)]
    verdict.add(["the person led before the rest"] if "up" in before else [])
    if len(after) < 50:
        return verdict.add(["the person hardly led the arm"])
    sideways = [c for c in after if _heading(evidence, c, kinematics) == "sideways"]
    verdict.add([f"{len(sideways)} commands after the rest were the policy's"] if sideways else [])
    persons = replace(evidence, actions=[action for action in evidence.actions if action.source == "human"])
    motion_iff_fresh(persons, verdict, after[0].t, evidence.end)
    return verdict


def drop_teleop(stage: Stage) -> None:
    """A person moves the arm, and the teleop dies with the stick pushed."""
    stage.tell("puppet", to="policy", kind="rest")
    stage.start("human")
    stage.until("the person is there", lambda: stage.hand("puppets")[1] == "2", START_S)
    stage.wait(1.0)
    stage.tell("puppet", to="human", kind="circle")
    _wait_for_human(stage)
    stage.hand("order", word="enable")
    stage.wait(1.0 + stage.random.uniform(0.0, 0.5))
    stage.mark("fault")
    stage.kill("human")
    stage.wait(1.5)


def judge_dropped_teleop(evidence: Evidence) -> Verdict:
    """Zero within 150 ms, which is the action's age, and the guard's 100."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    verdict.add(judges.moved_before(evidence, fault))
    last = max((judges.made_at(action) for action in evidence.actions if action.source == "human"), default=fault)
    judges.stopped(evidence, verdict, last + TELEOP_S)
    verdict.add(judges.no_enables(evidence, fault))
    return verdict.add(judges.told(evidence, ["action_stale"], fault, last + TELEOP_S + judges.TOLD_S))


def command_as_stranger(stage: Stage) -> None:
    """From outside the network first, where that is permitted, then from inside."""
    stage.wait(stage.random.uniform(0.1, 0.5))
    stage.mark("outside")
    stage.launch_outside("outsider", "stranger")
    stage.until("the outsider gives up", lambda: stage.exit_code("outsider") is not None, START_S)
    stage.mark(f"outsider's exit code {stage.exit_code('outsider')}")
    stage.mark("fault")
    stage.start("stranger")
    stage.until("the stranger commands", lambda: stage.seen(Command).caller == STRANGER, START_S)
    # It goes on until the next attempt ends it in order: killed, it would stay in the master's list, and the arm off.
    stage.wait(2.0)


def judge_stranger(evidence: Evidence) -> Verdict:
    """Nothing arrives from outside; from inside, motors off within 500 ms of its first command."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    early = [c for c in judges.between(evidence.commands, 0.0, fault) if c.caller != ARM]
    verdict.add([f"{len(early)} commands from outside"] if early else [])
    # It looks for the master and says that there is none; whoever died of something else has tried nothing.
    verdict.add([] if "outsider's exit code 2" in evidence.marks else ["the outsider did not try"])
    first = next((c.t for c in evidence.commands if c.caller == STRANGER), None)
    if first is None:
        return verdict.add(["the stranger never commanded"])
    verdict.add(judges.moved_before(evidence, first))
    off = judges.first_state(evidence, fault, lambda state: not state.enabled)
    if off is None:
        return verdict.add(["the motors were not switched off"])
    verdict.figure("disarmed", off - first)
    if off - first > DISARMED_S:
        verdict.add([f"motors off {1e3 * (off - first):.0f} ms after its first command"])
    judges.resting(evidence, verdict, first + DISARMED_S)
    verdict.add(judges.told(evidence, ["second_commander"], fault, off + judges.TOLD_S))
    return verdict.add(judges.no_enables(evidence, fault))


def call_node(stage: Stage) -> None:
    """A stranger sets parameters, names a publisher that is none, and then shuts the guard down."""
    stage.mark("parameters")
    answers = [
        stage.hand("call", node="master", method="setParam", arguments=[name, 5.0])
        for name in ("/rig_arm/guard/tool_speed_m_s", "/guard/tool_speed_m_s", "/rig_arm/config")
    ]
    # Along all three axes at once the policy wants more than the cap on the tool's speed.
    corner = [float(stage.random.choice((-1.0, 1.0))), float(stage.random.choice((-1.0, 1.0))), 1.0]
    stage.tell("puppet", to="policy", kind="push", value=corner)
    stage.wait(0.6)
    stage.tell("puppet", to="policy", kind="circle")
    stage.wait(0.4)
    update = ["/rig/action", ["http://127.0.0.1:9"]]
    answers.append(stage.hand("call", node="/rig_arm", method="publisherUpdate", arguments=update))
    stage.marks["calls taken"] = float(sum(worked and text.startswith("[1") for worked, text in answers))
    stage.wait(float(stage.random.uniform(0.2, 1.0)))
    stage.mark("fault")
    stage.hand("call", node="/rig_arm", method="shutdown", arguments=["a stranger says so"])
    stage.wait(2.0)
    stage.kill("arm")


def judge_called(evidence: Evidence) -> Verdict:
    """STOP within 300 ms of the call, not of its answer; bounds as they were, and nothing is switched on."""
    verdict, fault = Verdict(), evidence.marks["fault"]
    verdict.add(judges.moved_before(evidence, fault))
    judges.ended(evidence, verdict, fault + SHUTDOWN_S - judges.ZERO_LIMIT_S)
    verdict.add(judges.no_enables(evidence, fault))
    taken = evidence.marks["calls taken"]
    verdict.add([] if taken == CALLS else [f"only {taken:.0f} of {CALLS} calls were taken"])
    fastest = judges.true_speed(evidence)
    verdict.add([f"the tool went {fastest:.2f} m/s"] if fastest > judges.FASTEST_M_S else [])
    asked = judges.true_speed(evidence, evidence.marks["parameters"])
    return verdict.add(
        [] if asked > AT_CAP_M_S else [f"no more than {asked:.2f} m/s was asked for, which no cap bounds"]
    )


ROWS = (
    Row(52, "the guard launched twice", launch_twice, judge_twice),
    Row(53, "a person and the policy at once", take_over, judge_taken_over),
    Row(54, "teleop dies", drop_teleop, judge_dropped_teleop),
    Row(55, "a stranger commands the arm", command_as_stranger, judge_stranger),
    Row(56, "a stranger calls the node", call_node, judge_called),
)
