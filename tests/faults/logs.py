"""Hand-made logs of the witness: an arm that moves until it is stopped, and what can be wrong about that."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sim.faults.evidence import (
    VELOCITY_MODE,
    Action,
    Beat,
    Command,
    Episode,
    Evidence,
    Frame,
    Order,
    Passed,
    Recorded,
    Report,
    RobotState,
    Tool,
    Truth,
    gather,
)

PERIOD_S = 0.01
JOINTS = 7
ARM = "rig_arm"
HOME = (-0.31262, -0.86189, 0.10067, 1.64009, -0.09158, 0.79719, 3.14410)
"""Somewhere that no limit is near."""

AT_HOME_M = (0.65, 0.0, 0.06)


def command(t: float, speed: float, caller: str = ARM) -> Command:
    """The first joint is told `speed` (rad/s)."""
    return Command(t, caller, VELOCITY_MODE, (speed, *[0.0] * (JOINTS - 1)))


def truth(t: float, speed: float, touches: bool = False) -> Truth:
    """The first joint truly goes with `speed` (rad/s)."""
    return Truth(t, HOME, (speed, *[0.0] * (JOINTS - 1)), touches)


def moving_until(zero: float, rest: float, end: float, begin: float = 0.0) -> list[Any]:
    """100 commands and truths a second: motion up to `zero`, true motion up to `rest`, and all else well."""
    facts: list[Any] = []
    for tick in range(round((end - begin) / PERIOD_S)):
        t = begin + tick * PERIOD_S
        facts += [command(t, 0.2 if t < zero else 0.0), truth(t, 0.2 if t < rest else 0.0), Tool(t, AT_HOME_M, t)]
        facts.append(RobotState(t, enabled=True, stopped=False, error=False, button=False))
        if tick % 10 == 0:
            facts += [Beat(t, 0.001), Report(t, ARM, "active", (), "")]
    return facts


def fresh_actions(until: float, end: float, begin: float = 0.0) -> list[Action]:
    """Ten actions a second up to `until`, each on a picture 0.12 s old."""
    times = [begin + 0.1 * number for number in range(round((end - begin) * 10)) if begin + 0.1 * number < until]
    return [Action(t, "policy", number, t, t - 0.12, (0.5, 0.0, 0.0)) for number, t in enumerate(times, 1)]


def pictures(until: float, fault: str = "none", begin: float = 0.0, after: float = 0.0) -> list[Passed]:
    """Thirty a second from `after` to `until`, each exposed 0.12 s before it was passed on."""
    return [
        Passed(begin + number / 30, begin + number / 30 - 0.12, fault)
        for number in range(round((until - begin) * 30))
        if begin + number / 30 >= after
    ]


def frames(times: Sequence[float], *looks: float) -> list[Frame]:
    """Pictures of one grey each, shown at `times`, exposed 0.12 s before."""
    greys = looks or (90.0,) * len(times)
    return [Frame(t, n, t - 0.12, 0, (grey,) * 108) for n, (t, grey) in enumerate(zip(times, greys, strict=True))]


def words(until: float, rate_hz: float = 20.0, first: int = 5) -> list[Recorded]:
    """The recorder acknowledges ten steps a second, up to `until`."""
    return [Recorded(n / rate_hz, 7, "open", first + n // 2) for n in range(round(until * rate_hz))]


def cut_short(t: float, reason: str) -> Episode:
    """The policy ends its episode."""
    return Episode(t, 7, "cut short", reason)


def told(t: float, *codes: str) -> Report:
    """The guard gives `codes`."""
    return Report(t, ARM, "active", codes, ", ".join(codes))


def enabled_by(t: float, caller: str) -> Order:
    """Somebody switches the motors on."""
    return Order(t, "enable", caller)


def log(facts: list[Any], end: float, marks: Mapping[str, float]) -> Evidence:
    """The attempt that these facts are of."""
    return gather(facts, 0.0, end, marks)
