"""Each row's judge passes what the table asks for and fails what it forbids; and the table is whole."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest

from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.kinematics import Kinematics
from sim.faults.evidence import Action, Collision, Command, Episode, Passed, Report, RobotState, Tool
from sim.faults.table import ALONE_ROWS, EVERY, FILE_ROWS, ROWS, chosen
from sim.strangers import ROWS as FORGERS
from tests.faults.logs import (
    HOME,
    command,
    cut_short,
    enabled_by,
    frames,
    fresh_actions,
    log,
    moving_until,
    pictures,
    told,
    words,
)

WANTED = {*range(1, 16), 22, 23, 25, 27, 28, *range(31, 45), *range(52, 57), 61}
FAULT = 1.0
KINEMATICS = Kinematics(Config().control.tool_offset_m)

Facts = Callable[[float, float], list[Any]]


def states(when: float, end: float, **flags: bool) -> list[RobotState]:
    """The robot's word from `when` on."""
    base = {"enabled": True, "stopped": False, "error": False, "button": False} | flags
    return [RobotState(when + 0.01 * number, **base) for number in range(round((end - when) / 0.01))]


def spoilt(zero: float, rest: float, code: str, end: float) -> list[Any]:
    """Spoilt pictures from the fault on, and an arm that stops at `zero`."""
    good, bad = pictures(FAULT), pictures(end, "spoilt", after=FAULT)
    return [*moving_until(zero, rest, end), *good, *bad, told(max(zero - 0.02, FAULT + 0.01), code)]


def verdict_of(number: int, facts: Sequence[Any], end: float, **marks: float) -> list[str]:
    """What the row complains of."""
    return ROWS[number].judge(log(list(facts), end, marks)).complaints


# Row, its marks, its end, a code that it wants told, and the latest zero that passes: a tenth later must not.
EXIT = "camera's exit code"
REFUSED = {"fault": FAULT, "return": 2.9, EXIT: 2.0}
UNPLUGGED = [*words(FAULT), cut_short(FAULT + 0.4, "the picture is 0.50 s old"), *frames([8.2])]
STOPS: list[tuple[int, dict[str, float], float, str, float, list[Any]]] = [
    (1, {"fault": FAULT, "return": 8.0, "on disk": 14.0}, 8.5, "image_stale", FAULT - 0.12 + 0.25 + 0.05, UNPLUGGED),
    (2, {"fault": FAULT, "return": 2.9}, 3.0, "image_frozen", FAULT + 0.2 + 0.08, []),
    (3, {"fault": FAULT, "return": 2.9}, 3.0, "image_dark", FAULT + 0.1 + 0.08, []),
    (5, REFUSED, 3.0, "image_refused", FAULT + 0.25 + 0.08, []),
    (7, {"fault": FAULT, "return": 2.9}, 3.0, "image_stale", FAULT - 0.12 + 0.25 + 0.05, []),
    (8, {"fault": FAULT, "return": 2.9}, 3.0, "action_stale", FAULT - 0.12 + 0.25 + 0.05, []),
    (12, {"kill": FAULT}, 6.0, "action_stale", FAULT + 0.24, [Report(2.0, "rig_policy", "waiting", (), "")]),
    (44, {"kill": FAULT, "thaw": 2.9}, 3.0, "action_stale", FAULT + 0.24, []),
    (32, {"fault": FAULT}, 3.0, "arm_stopped", FAULT + 0.015, states(FAULT + 0.002, 3.0, stopped=True, button=True)),
    (33, {"fault": FAULT}, 3.0, "arm_error", FAULT + 0.015, states(FAULT + 0.002, 3.0, error=True)),
    (35, {"fault": FAULT}, 3.0, "collision", FAULT + 0.09, [Collision(FAULT + 0.002, True)]),
    (54, {"fault": FAULT}, 3.0, "action_stale", 0.9 + 0.15 + 0.09, [Action(0.9, "human", 1, 0.9, 0.8, (1.0,))]),
]


@pytest.mark.parametrize(("number", "marks", "end", "code", "zero", "more"), STOPS, ids=lambda value: str(value)[:12])
def test_a_stop_in_time_passes_and_a_late_one_does_not(
    number: int, marks: dict[str, float], end: float, code: str, zero: float, more: list[Any]
) -> None:
    def judged(when: float, said: str) -> list[str]:
        facts = [fact for fact in spoilt(when, when + 0.05, said, end) if not was(fact)]
        return verdict_of(number, [*facts, *more], end, **marks)

    def was(fact: Any) -> bool:
        told_otherwise = isinstance(fact, RobotState) and fact.t > FAULT and number in (32, 33)
        return told_otherwise or (isinstance(fact, Passed) and fact.t > FAULT and number == 1)

    assert judged(zero, code) == []
    assert judged(zero + 0.12, code) != []
    assert judged(9.0, code) != []
    assert any("told" in complaint for complaint in judged(zero, "slew"))


# One in three is answered by an action.
SOME: Callable[[int], bool] = lambda number: number % 3 == 0 or number % 10 not in (3, 5, 7)  # noqa: E731


def spoilt_pictures(until: float, kept: Callable[[int], bool] = SOME, late_s: float = 0.2) -> list[Passed]:
    """From the fault on, those of which `kept` says so, and one in twenty late."""
    return [
        one._replace(t=one.t + late_s * (number % 20 == 1 and number % 3 > 0))
        for number, one in enumerate(pictures(until, "jitter", after=FAULT))
        if kept(number)
    ]


def test_row_12_fails_when_it_moves_again_or_is_switched_on() -> None:
    good = [*moving_until(1.2, 1.25, 8.0), told(1.2, "action_stale"), Report(4.0, "rig_policy", "waiting", (), "")]
    assert verdict_of(12, good, 8.0, kill=FAULT) == []
    # Nobody was there that could have moved it.
    assert "started anew" in verdict_of(12, good[:-1], 8.0, kill=FAULT)[0]
    assert verdict_of(12, [*good, command(6.0, 0.05)], 8.0, kill=FAULT) != []
    assert verdict_of(12, [*good, enabled_by(6.0, "respawn")], 8.0, kill=FAULT) != []


def test_row_14_wants_rest_an_alarm_and_a_guard_that_comes_up_disarmed() -> None:
    def facts(rest: float, alarm: float) -> list[Any]:
        seen = [fact for fact in moving_until(9.0, rest, 6.0) if not (isinstance(fact, Command) and fact.t > FAULT)]
        return [*seen, Report(alarm, "rig_policy", "waiting", ("the arm process is silent",), "")]

    assert verdict_of(14, facts(1.28, 1.6), 6.0, kill=FAULT) == []
    assert verdict_of(14, facts(1.35, 1.6), 6.0, kill=FAULT) != []
    assert verdict_of(14, facts(1.28, 2.6), 6.0, kill=FAULT) != []
    assert verdict_of(14, [*facts(1.28, 1.6), command(4.0, 0.1)], 6.0, kill=FAULT) != []


def test_row_15_wants_a_loop_on_time_before_and_a_stop_after() -> None:
    marks = {"stall 1": FAULT, "stall 4": FAULT + 0.1}
    good = [*moving_until(1.15, 1.25, 3.0), told(1.2, "overrun")]
    assert verdict_of(15, good, 3.0, **marks) == []
    assert verdict_of(15, [*moving_until(1.3, 1.35, 3.0), told(1.3, "overrun")], 3.0, **marks) != []
    late = [fact for fact in good if not (isinstance(fact, Command) and round(fact.t * 100) % 3 and fact.t < FAULT)]
    assert "p99" in verdict_of(15, late, 3.0, **marks)[0]


def test_row_27_wants_no_gap_a_word_and_no_new_episode() -> None:
    master = Report(1.2, "rig_arm", "active", ("master: gone",), "")
    policy = [Report(0.5 * n, "rig_policy", "running", (), "") for n in range(12)]
    good = [*moving_until(9.0, 9.0, 6.0), *policy, Episode(3.0, 6, "complete", ""), master]
    assert verdict_of(27, good, 6.0, kill=FAULT) == []
    assert "none was due" in verdict_of(27, [f for f in good if not isinstance(f, Episode)], 6.0, kill=FAULT)[0]
    # A policy that has died begins none either.
    dead = [f for f in good if not (isinstance(f, Report) and f.name == "rig_policy" and f.t > 3.0)]
    assert "has fallen silent" in verdict_of(27, dead, 6.0, kill=FAULT)[0]
    others = [f._replace(name="rig_policy") if f is master else f for f in good]
    assert "the guard does not say" in verdict_of(27, others, 6.0, kill=FAULT)[0]
    assert verdict_of(27, [fact for fact in good if fact is not master], 6.0, kill=FAULT) != []
    assert verdict_of(27, [*good, Episode(4.0, 7, "running", "")], 6.0, kill=FAULT) != []
    holed = [fact for fact in good if not (isinstance(fact, Command) and 2.0 < fact.t < 2.07)]
    assert verdict_of(27, holed, 6.0, kill=FAULT) != []


def test_row_28_wants_it_noticed_and_the_stack_back_at_rest() -> None:
    marks = {"new master": 1.0, "noticed": 2.0, "back": 9.0}
    good = moving_until(2.05, 2.1, 10.0)
    assert verdict_of(28, good, 10.0, **marks) == []
    assert verdict_of(28, good, 10.0, **marks | {"new master": -0.5}) != []
    assert verdict_of(28, moving_until(2.05, 2.1, 20.0), 20.0, **marks | {"back": 17.5}) != []
    assert verdict_of(28, [*good, command(9.5, 0.1)], 10.0, **marks) != []


@pytest.mark.parametrize(
    ("flags", "code", "wrong"),
    [
        ({"enabled": False}, "arm_disabled", "arm_stopped"),
        ({"enabled": False, "stopped": True}, "arm_stopped", "arm_error"),
    ],
)
def test_row_33_wants_told_what_the_robot_said(flags: dict[str, bool], code: str, wrong: str) -> None:
    def judged(said: str) -> list[str]:
        facts = [f for f in moving_until(1.01, 1.05, 3.0) if not (isinstance(f, RobotState) and f.t > FAULT)]
        return verdict_of(33, [*facts, *states(FAULT + 0.002, 3.0, **flags), told(1.05, said)], 3.0, fault=FAULT)

    assert judged(code) == []
    assert "was told" in judged(wrong)[0]


def test_row_34_counts_from_the_last_word_of_the_robot() -> None:
    def judged(zero: float) -> list[str]:
        facts = [f for f in moving_until(zero, zero, 3.0) if not (isinstance(f, RobotState) and f.t > FAULT)]
        return verdict_of(34, [*facts, told(zero, "state_stale")], 3.0, fault=FAULT)

    assert judged(1.38) == []
    assert judged(1.45) != []


def test_rows_9_and_13_want_motion_if_and_only_if_fresh() -> None:
    for number, marks in ((9, {"fault": FAULT}), (13, {"freeze": 1.42, "thaw": 2.0})):
        facts = [*fresh_actions(1.5, 3.0), *pictures(FAULT), *spoilt_pictures(3.0)]
        good = [*moving_until(1.6, 1.65, 3.0), *facts]
        assert verdict_of(number, good, 3.0, **marks) == []
        late = [*moving_until(1.9, 1.95, 3.0), *facts]
        assert verdict_of(number, late, 3.0, **marks) != []


def test_row_10_wants_a_stop_numbers_only_and_the_name_of_what_was_none() -> None:
    last, end = FAULT + 0.05, 6.0

    def judged(zero: float, reason: str, *more: Any, kind: str = "latent") -> list[str]:
        actions = [
            Action(last - 0.1 * n, "policy", 9 - n, last - 0.1 * n, last - 0.1 * n - 0.12, (0.5,)) for n in range(5)
        ]
        cut = Episode(last + 0.1, 3, "cut_short", reason)
        marks = {"fault": FAULT, kind: FAULT}
        return verdict_of(10, [*moving_until(zero, zero + 0.02, end), *actions, cut, *more], end, **marks)

    good = "the picture's latent holds something that is not a number"
    assert judged(last + 0.24, good) == []
    assert judged(last + 0.27, good) != []
    assert "no episode ended for it" in judged(last + 0.24, "the camera is silent")[0]
    # The wrong tensor is blamed.
    assert "no episode ended for it" in judged(last + 0.24, good, kind="action")[0]
    assert judged(last + 0.24, "the action holds something that is not a number", kind="action") == []
    leak = judged(last + 0.24, good, Command(2.0, "rig_arm", 2, (float("nan"),) * 7))
    assert any("1 messages" in complaint for complaint in leak)
    assert judged(last + 0.24, good, command(4.0, 0.1)) != []


def test_row_13_wants_a_policy_that_was_frozen() -> None:
    facts = [*moving_until(9.0, 9.0, 3.0), *fresh_actions(9.0, 3.0), *pictures(3.0)]
    assert verdict_of(13, facts, 3.0, freeze=FAULT + 0.05, thaw=FAULT + 0.09) == []
    assert "acted though it was frozen" in verdict_of(13, facts, 3.0, freeze=FAULT + 0.05, thaw=FAULT + 0.5)[0]


def test_row_43_wants_a_process_that_goes_on() -> None:
    failed = Report(FAULT + 0.1, "sick", "", ("no memory",), "")
    good = [*moving_until(9.0, 9.0, 4.0), *fresh_actions(9.0, 4.0), *pictures(4.0), failed]
    assert verdict_of(43, good, 4.0, fault=FAULT, survived=1.0) == []
    assert verdict_of(43, good, 4.0, fault=FAULT, survived=0.0) != []
    # The order was lost: nothing failed at all.
    assert "none of no memory was told" in verdict_of(43, good[:-1], 4.0, fault=FAULT, survived=1.0)[0]
    silent = [*moving_until(FAULT + 0.08, FAULT + 0.12, 4.0), *fresh_actions(FAULT, 4.0)]
    assert "only 0 actions" in str(verdict_of(43, silent, 4.0, fault=FAULT, survived=1.0))


def test_row_52_wants_one_commander_who_is_not_disturbed() -> None:
    good = [*moving_until(9.0, 9.0, 3.0), *fresh_actions(9.0, 3.0), *pictures(3.0)]
    marks = {"fault": FAULT, "exit code 2": 2.0}
    assert verdict_of(52, good, 3.0, **marks) == []
    assert verdict_of(52, good, 3.0, fault=FAULT, **{"exit code 0": 2.0}) != []
    assert verdict_of(52, [*good, command(2.0, 0.0, "rig_arm_2")], 3.0, **marks) != []
    # The double has the same name: only its connection is another.
    double = command(2.0, 0.0)._replace(link=1)
    assert verdict_of(52, [*good, double], 3.0, **marks) == ["2 of the name rig_arm commanded"]


SIDE, UP = (0.0, 0.085, 0.0), (0.0, 0.0, 0.1)


def towards(t: float, velocity: Sequence[float]) -> Command:
    """The tool is told to go with `velocity` (3,) m/s, its hand as it is."""
    twist = np.array([*velocity, 0.0, 0.0, 0.0])
    return Command(t, "rig_arm", 2, tuple((np.linalg.pinv(KINEMATICS.pose(np.array(HOME)).jacobian) @ twist).tolist()))


def taken_over(leak: Sequence[float] = UP, leaks: Sequence[float] = (), until: float = 2.02) -> list[Any]:
    """A person leads from the fault on, pauses from 2 s to 2.5 s, and goes on; `leak` is sent at the times `leaks`."""
    facts = [f for f in moving_until(9.0, 9.0, 4.0) if not isinstance(f, Command)]
    for tick in range(400):
        t = 0.01 * tick
        rests = FAULT + 0.03 < t < FAULT + 0.06 or until + 0.1 < t < 2.505
        facts.append(command(t, 0.0) if rests else towards(t, SIDE if t < FAULT + 0.04 else UP))
    facts = [f for f in facts if not (isinstance(f, Command) and any(abs(f.t - t) < 0.005 for t in leaks))]
    facts += [towards(t, leak) for t in leaks]
    policy = fresh_actions(9.0, 4.0)
    human = [one._replace(source="human", t=one.t + 0.001) for one in policy if FAULT <= one.t < 1.95 or one.t > 2.45]
    return [*facts, *policy, *human]


def test_row_53_wants_one_change_through_rest_and_never_back() -> None:
    def judged(*what: Any, **more: Any) -> str:
        return "; ".join(verdict_of(53, taken_over(*what, **more), 4.0, fault=FAULT))

    assert judged() == ""
    # A single command of the policy while the person leads.
    assert "1 commands after the rest were the policy's" in judged(SIDE, [1.6])
    # The policy has the arm again for the end of a short pause.
    assert "were the policy's" in judged(SIDE, [2.3 + 0.01 * n for n in range(15)])
    # Nobody leads it and it goes on as the person did.
    assert "went stale" in judged(until=2.3)
    assert "led before the rest" in judged(UP, [FAULT + 0.02])
    unheard = [f for f in taken_over() if not (isinstance(f, Action) and f.source == "human")]
    assert "sent nothing" in verdict_of(53, unheard, 4.0, fault=FAULT)[0]


def test_row_55_wants_the_motors_off_in_half_a_second() -> None:
    def judged(off: float, early: Sequence[Any] = (), outsider: str = "outsider's exit code 2") -> list[str]:
        facts = [f for f in moving_until(1.1, 1.2, 3.0) if not (isinstance(f, RobotState) and f.t > off)]
        facts += states(off, 3.0, enabled=False)
        facts += [command(1.0 + 0.01 * n, 0.05, "stranger") for n in range(1, 100)]
        marks = {"fault": FAULT, outsider: 0.5}
        return verdict_of(55, [*facts, told(off + 0.1, "second_commander"), *early], 3.0, **marks)

    assert judged(1.4) == []
    # Whoever dies before it has looked for a master has tried nothing.
    assert judged(1.4, outsider="outsider's exit code 1") == ["the outsider did not try"]
    assert judged(1.6) != []
    assert judged(1.4, [command(0.9, 0.0, "outsider")]) != []


def test_row_56_wants_a_stop_in_300_ms() -> None:
    def judged(facts: list[Any], taken: float = 4.0, speed: float = 0.25) -> list[str]:
        tools = [Tool(0.01 * n, (0.55 + speed * min(0.01 * n, 0.6), 0.0, 0.06), 0.01 * n) for n in range(300)]
        others = [fact for fact in facts if not isinstance(fact, Tool)]
        return verdict_of(56, [*others, *tools], 3.0, **{"parameters": 0.0, "fault": FAULT, "calls taken": taken})

    # From the call: its answer comes when the node has ended.
    good = moving_until(1.28, 1.3, 3.0)
    assert judged(good) == []
    assert judged(moving_until(1.33, 1.35, 3.0)) != []
    # The fault ends the guard: the robot's time-out counts as well.
    silent = [f for f in moving_until(9.0, 1.3, 3.0) if not (isinstance(f, Command) and f.t > FAULT + 0.05)]
    assert judged(silent) == []
    assert judged(good, taken=1.0) == ["only 1 of 4 calls were taken"]
    assert judged(good, speed=0.32) == ["the tool went 0.32 m/s"]
    # Slow in any case: that shows nothing of the bound.
    assert "no more than 0.09 m/s was asked for" in judged(good, speed=0.09)[0]


def test_rows_are_named_by_number_and_span() -> None:
    assert [row.number for row in chosen("1-3,12")] == [1, 2, 3, 12]
    assert [row.number for row in chosen("")] == sorted(EVERY)
    assert set(ROWS) == WANTED
    assert set(FILE_ROWS) == {16, 18, 19, 26, *range(46, 52), 57, 58, 62}
    assert set(ALONE_ROWS) == {17, 20, 21, 24, 29, 30, 45, 60, 63, 64, *range(101, 110)}
    assert set(FORGERS) == {*FILE_ROWS, 17}, "a torn checkpoint may be a stranger's as well"
    assert len(EVERY) == len(ROWS) + len(FILE_ROWS) + len(ALONE_ROWS), "no number twice"
    for wrong in ("99", "x", "1-", "-3"):
        with pytest.raises(UserError):
            chosen(wrong)
