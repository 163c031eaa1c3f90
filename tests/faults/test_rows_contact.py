"""The judges of walls, hands and pulled cables pass what the table asks for and fail what it forbids."""

from __future__ import annotations

from typing import Any

from sim.faults.evidence import WALL_N_M, Command, Report, Tool
from sim.faults.rows_contact import FORCE_N
from tests.faults.logs import command, enabled_by, moving_until, told, truth
from tests.faults.test_rows import FAULT, verdict_of

END = 5.0


def at_wall(zero: float, deepest: float = 0.006, code: str = "pushed", place: float = 0.05) -> list[Any]:
    """The tool goes left from the fault on, touches a wall at 0.05 m 0.2 s later, and stays `deepest` m within."""
    facts = [fact for fact in moving_until(zero, zero + 0.05, END) if not isinstance(fact, Tool)]
    for tick in range(round(END / 0.01)):
        t = 0.01 * tick
        y = min(max(0.0, 0.25 * (t - FAULT)), place + deepest)
        facts.append(Tool(t + 0.001, (0.65, y, 0.06), t))
    return [*facts, told(zero + 0.02, code)]


def wall_verdict(facts: list[Any]) -> list[str]:
    return verdict_of(36, sorted(facts, key=lambda fact: fact.t), END, fault=FAULT, sign=1.0, place=0.05, release=4.5)


def test_row_36_wants_a_stop_soon_after_the_first_force_too_great() -> None:
    # 43 N at the shoulder's limit, less at the wrist's: some millimetres of the spring, so 20 ms after the touch.
    good = at_wall(FAULT + 0.3)
    assert wall_verdict(good) == []
    assert wall_verdict(at_wall(FAULT + 0.5)) != []
    assert any("told" in complaint for complaint in wall_verdict(at_wall(FAULT + 0.3, code="slew")))
    assert wall_verdict([*good, command(3.0, 0.1)]) != []
    assert wall_verdict([*good, enabled_by(3.0, "somebody")]) != []


def test_row_36_wants_a_force_that_a_hand_can_bear_and_one_at_all() -> None:
    assert wall_verdict(at_wall(FAULT + 0.3, deepest=0.99 * FORCE_N / WALL_N_M)) == []
    assert "pushed with" in wall_verdict(at_wall(FAULT + 0.3, deepest=1.02 * FORCE_N / WALL_N_M))[0]
    assert "never pushed" in wall_verdict(at_wall(FAULT + 0.3, deepest=0.0001))[0]


def held_arm(zero: float, code: str = "trailing", snap: float = 0.05, spring: float = 0.01) -> list[Any]:
    """Told 0.2 rad/s up to `zero`, and held from the fault on: 0.1 rad behind half a second later.

    Let go at 3 s it springs by `spring` rad, faster than it may once it is enabled, at 4 s; then it goes `snap` rad/s.
    """
    facts = [*moving_until(zero, FAULT, END), told(zero, code)]
    loose = truth(3.101, 0.15)
    there = (loose.position[0] + spring, *loose.position[1:])
    return [*facts, loose._replace(position=there), truth(4.101, snap)]


def held_verdict(facts: list[Any]) -> list[str]:
    marks = {"fault": FAULT, "release": 3.0, "resume": 4.0}
    return verdict_of(42, sorted(facts, key=lambda fact: fact.t), END, **marks)


def test_row_42_wants_a_stop_three_tenths_after_a_tenth_of_a_radian() -> None:
    assert held_verdict(held_arm(FAULT + 0.75)) == []
    assert held_verdict(held_arm(FAULT + 0.9)) != []
    assert any("told" in complaint for complaint in held_verdict(held_arm(FAULT + 0.75, code="slew")))


def test_row_42_wants_no_snap_back_and_nobody_who_enables_before_the_person() -> None:
    assert "enabled, it snapped back" in held_verdict(held_arm(FAULT + 0.75, snap=0.15))[0]
    assert held_verdict(held_arm(FAULT + 0.75, spring=0.03)) == ["let go, it sprang by 0.030 rad"]
    assert "told of no arm" in held_verdict([f for f in held_arm(FAULT + 0.75) if f.t < 4.0])[-1]
    good = held_arm(FAULT + 0.75)
    assert held_verdict([*good, enabled_by(3.5, "somebody")]) != []
    assert held_verdict([*good, enabled_by(4.1, "hands")]) == []


def test_row_42_accepts_that_the_force_tells_first_and_then_wants_it_to_stop() -> None:
    assert held_verdict(held_arm(FAULT + 0.3, code="pushed")) == []
    assert "hardly held" in held_verdict(held_arm(FAULT + 0.3))[0]
    # Never a tenth of a radian behind, but it goes on pushing after its word.
    slow = [f._replace(values=tuple(0.1 * v for v in f.values)) if isinstance(f, Command) else f for f in held_arm(2.9)]
    said = [f for f in slow if not (isinstance(f, Report) and f.codes)] + [told(FAULT + 0.3, "pushed")]
    assert any("zero command" in complaint for complaint in held_verdict(said))


def test_row_42_wants_the_arm_enabled_again() -> None:
    dead = [f for f in held_arm(FAULT + 0.75) if not (isinstance(f, Report) and f.t > 4.0)]
    assert "not enabled again" in held_verdict(dead)[0]


def test_row_31_wants_rest_and_an_alarm() -> None:
    def judged(rest: float, when: float, code: str) -> list[str]:
        return verdict_of(31, [*moving_until(1.2, rest, END), told(when, code)], END, fault=FAULT, plugged=3.0)

    assert judged(1.28, 1.2, "state_stale") == []
    assert judged(1.35, 1.2, "state_stale") != []
    assert judged(1.28, 2.2, "state_stale") != []
    assert judged(1.28, 1.2, "slew") != []
