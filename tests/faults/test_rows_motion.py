"""The judges of motion pass what the table asks for, want the fault to have come at all, and fail what it forbids."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from robot_rig.config import Config
from robot_rig.kinematics import LOWER_LIMITS, UPPER_LIMITS, Kinematics
from sim.faults.evidence import Action, Collision, Command, Tool, Truth
from sim.faults.near_limits import AWAY_RAD, NEAR_LIMITS
from tests.faults.logs import AT_HOME_M, HOME, command, enabled_by, moving_until, told, truth
from tests.faults.test_rows import FAULT, verdict_of

END = 6.0
SPEED_M_S = 0.2
KINEMATICS = Kinematics(Config().control.tool_offset_m)


def pushed_to(place: tuple[float, float, float], speed: float = 0.2, tool_speed: float = SPEED_M_S) -> list[Any]:
    """An arm whose tool goes straight to `place` from the fault on, and stays there."""
    facts = [f for f in moving_until(9.0, 9.0, END) if not isinstance(f, Tool)]
    way = np.array(place) - AT_HOME_M
    for tick in range(round(100 * END)):
        gone = min(1.0, max(0.0, 0.01 * tick - FAULT) * tool_speed / float(np.linalg.norm(way)))
        x, y, z = (np.array(AT_HOME_M) + gone * way).tolist()
        facts.append(Tool(0.01 * tick, (x, y, z), 0.01 * tick))
    return [*facts, command(3.0, speed)]


@pytest.mark.parametrize(
    ("number", "face", "at", "beyond", "short"),
    [(38, 0, 0.75, 0.756, 0.735), (39, 2, 0.03, 0.024, 0.045)],
)
def test_walls_must_hold_and_be_pushed_at(number: int, face: int, at: float, beyond: float, short: float) -> None:
    sign = 1.0 if at > AT_HOME_M[face] else -1.0

    def judged(place: float, *more: Any, **how: float) -> str:
        x, y, z = (place if axis == face else one for axis, one in enumerate(AT_HOME_M))
        facts = [*pushed_to((x, y, z), **how), *more]
        return "; ".join(verdict_of(number, facts, END, fault=FAULT, face=float(face), sign=sign))

    assert judged(at) == ""
    assert "outside its box" in judged(beyond)
    assert "no nearer than 15 mm" in judged(short)
    assert "was told" in judged(at, speed=9.0)
    assert "the tool went 0.36 m/s" in judged(at, tool_speed=0.36) or number == 39
    assert "contacts" in judged(at, truth(4.0, 0.0, touches=True))
    # Between two truths: the robot itself has felt it.
    assert "contacts" in judged(at, Collision(4.0, True))
    # Too fast for a single tick.
    fast = np.linalg.pinv(KINEMATICS.pose(np.array(HOME)).jacobian) @ (0.3, 0.0, 0.0, 0.0, 0.0, 0.0)
    assert "the tool was told 0.300 m/s" in judged(at, Command(4.003, "rig_arm", 2, tuple(fast.tolist())))


def test_row_11_wants_nonsense_to_have_been_sent_and_nothing_of_it_to_come_out() -> None:
    nan = [Action(FAULT + 0.01 * n, "policy", n, FAULT, FAULT, (float("nan"),)) for n in range(1250)]
    good = [*moving_until(1.05, 1.1, 14.0), *nan, told(1.1, "action_garbled")]
    marks = {"fault": FAULT, "flood": 2.0}
    assert verdict_of(11, good, 14.0, **marks) == []
    assert verdict_of(11, [*good, command(8.0, float("nan"))], 14.0, **marks) != []
    assert verdict_of(11, [*good, command(8.0, 1e9)], 14.0, **marks) != []
    assert "ghost" in verdict_of(11, [*good, enabled_by(8.0, "ghost")], 14.0, **marks)[0]
    few = [fact for fact in good if not (isinstance(fact, Action) and fact.t > 11.0)]
    assert "only 900 hostile actions" in verdict_of(11, few, 14.0, **marks)[0]


def at_posture(posture: tuple[float, ...], zero: float) -> list[Any]:
    """An arm that is at `posture` all the time and told to move up to `zero`."""
    return [f._replace(position=posture) if isinstance(f, Truth) else f for f in moving_until(zero, zero, END)]


def led(nearest: float, start: float = 0.15) -> list[Any]:
    """An arm whose fourth joint goes from `start` to `nearest` rad before its upper limit."""
    facts = moving_until(9.0, 9.0, END)
    for number, fact in enumerate(facts):
        if isinstance(fact, Truth):
            left = max(nearest, start - 0.1 * max(0.0, fact.t - FAULT))
            facts[number] = fact._replace(position=(*HOME[:3], float(UPPER_LIMITS[3]) - left, *HOME[4:]))
    return facts


def test_row_37_wants_the_joint_led_to_its_limit_and_stopped_before_it() -> None:
    def judged(*how: float, facts: list[Any] | None = None) -> str:
        marks = {"fault": FAULT, "home": 4.0, "joint": 3.0, "low": 0.0}
        return "; ".join(verdict_of(37, led(*how) if facts is None else facts, END, **marks))

    assert judged(0.052) == ""
    # Past the stop ring, though no limit is passed yet.
    assert "joint 3 came within 0.030 rad of its limit" in judged(0.03)
    assert "beyond" in judged(-0.01)
    assert "not led to its limit" in judged(0.12)
    # It stood there from the beginning.
    assert "not led to its limit" in judged(0.055, 0.056)
    assert "was told" in judged(facts=[*led(0.052), command(3.0, 3.0)])
    assert "truly faster" in judged(facts=[*led(0.052), Truth(4.0, HOME, (1.4, *[0.0] * 6), False)])
    assert "not moved" in judged(facts=[f for f in led(0.052) if not (isinstance(f, Command) and f.t > FAULT)])


def test_each_posture_of_row_37_lies_where_the_arm_can_be() -> None:
    for near in NEAR_LIMITS:
        others = np.delete(np.array(near.posture), near.joint)
        assert (np.delete(LOWER_LIMITS, near.joint) + 0.2 < others).all()
        assert (others < np.delete(UPPER_LIMITS, near.joint) - 0.2).all()
        limit = (LOWER_LIMITS if near.low else UPPER_LIMITS)[near.joint]
        assert abs(limit - near.posture[near.joint]) < AWAY_RAD[1]
        assert KINEMATICS.pose(np.array(near.posture)).tool[2] > 0.1
        assert 0.5 < max(map(abs, near.push)) <= 1.0
    assert len({(near.joint, near.low) for near in NEAR_LIMITS}) == len(NEAR_LIMITS)


STRETCHED = (*HOME[:3], 0.05, *HOME[4:])
"""Far beyond a condition of 30."""


def test_row_40_wants_a_singularity_and_no_motion_in_it_but_on_the_way_home() -> None:
    def judged(posture: tuple[float, ...], *more: Any) -> str:
        marks = {"fault": FAULT, "home": 3.0}
        facts = [f for f in at_posture(posture, 9.0) if not (isinstance(f, Command) and f.t < 3.005)]
        return "; ".join(verdict_of(40, [*facts, *more], END, **marks))

    assert judged(STRETCHED) == ""
    assert "the arm was moved at a condition of" in judged(STRETCHED, command(2.0, 0.01))
    assert "not near a singularity" in judged(HOME)
    assert "was told" in judged(STRETCHED, command(4.0, 3.0))
    assert "truly faster" in judged(STRETCHED, Truth(4.0, STRETCHED, (1.4, *[0.0] * 6), False))


def jumped(zero: float, by: float = 0.3, code: str = "trailing") -> list[Any]:
    """Joints that are `by` rad elsewhere from 20 ms after the fault on, and an arm that stops at `zero`."""
    there = tuple(angle + by for angle in HOME)
    facts = [
        f._replace(position=there) if isinstance(f, Truth) and f.t > FAULT + 0.02 else f
        for f in moving_until(zero, zero + 0.05, END)
    ]
    return [*facts, told(zero, code)]


def test_row_41_wants_a_jump_and_then_a_stop() -> None:
    assert verdict_of(41, jumped(FAULT + 0.3), END, fault=FAULT) == []
    assert verdict_of(41, jumped(FAULT + 0.3, by=0.05), END, fault=FAULT) == ["no joint jumped"]
    # It goes on as if nothing had been.
    assert "zero command" in str(verdict_of(41, jumped(9.0), END, fault=FAULT))
    assert any("told" in complaint for complaint in verdict_of(41, jumped(FAULT + 0.3, code="slew"), END, fault=FAULT))
    assert verdict_of(41, [*jumped(FAULT + 0.3), command(2.0, 3.0)], END, fault=FAULT) != []
    snap = Truth(FAULT + 0.2, HOME, (0.0, 1.4, *[0.0] * 5), False)
    assert "a joint was truly faster than it may be" in verdict_of(41, [*jumped(FAULT + 0.3), snap], END, fault=FAULT)
