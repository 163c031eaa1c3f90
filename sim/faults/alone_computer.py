"""Row 45: the computer grows hot, then its battery runs down. What runs is a process of its own. Needs no graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from sim.faults.alone_processes import run
from sim.faults.judges import Verdict, between
from sim.faults.told import Told, of_kind, told_by

LOOK_S = 2.0
"""How often the watch looks, as in the policy process."""

LOOKS = 2
"""The second look at a state has begun after the state has."""

TROUBLES = (
    # Worth a warning, too much, not well enough yet, well again; and what is said in the log and instead of motion.
    (("warm", "hot", "cooling", "cool"), " C: see to its fan", " C, and from 90 C on nothing new begins"),
    (("low", "empty", "charging", "charged"), " %: plug it in", " %, and from 10 % on nothing new begins"),
)


def fail_computer(random: np.random.Generator, folder: Path) -> Verdict:
    """An attempt at row 45: warned at 80 C (20 %), nothing begun from 90 C (10 %) on, what runs is finished."""
    said = run("sim.faults.failing_computer", str(folder / "sys"), str(LOOK_S), str(random.integers(2**31)))
    return judge_computer(told_by(said))


def judge_computer(told: Sequence[Told]) -> Verdict:
    """What the process has printed. Counted in looks of its watch, not in seconds: a busy machine changes nothing."""
    verdict = Verdict()
    at = {one.more["name"]: one.t for one in of_kind(told, "moment")}
    looks, stands = of_kind(told, "looked"), of_kind(told, "episode")
    began = [one for one in stands if one.more["stand"] == "running"]
    verdict.add(f"episode {one.more['number']} was cut short" for one in stands if one.more["stand"] == "cut short")
    verdict.figures["episodes"] = float(len(began))
    for (warned, stopped, lasting, well), warning, objection in TROUBLES:
        finished = [one for one in stands if one.more["stand"] == "complete" and one.t > at[stopped]]
        seen = between(looks, at[stopped], at[lasting])[LOOKS - 1 : LOOKS]
        if not finished or not seen or not any(one.t < at[stopped] for one in began):
            return verdict.add([f"no episode ran and ended when the computer was {stopped}"])
        warnings = [one.t for one in of_kind(told, "logged") if warning in one.more["text"]]
        if not between_times(warnings, at[warned], at[stopped]) or len(warnings) > 1:
            verdict.add([f"{warning.strip(' :')!r} was logged {len(warnings)} times, once is right"])
        reasons = [one.t for one in of_kind(told, "silence") if objection in one.more["text"]]
        if not between_times(reasons, at[stopped], at[lasting]):
            verdict.add([f"nobody said that no episode begins when the computer was {stopped}"])
        against = between(began, seen[0].t, at[well])
        verdict.add([f"{len(against)} episodes began on a computer that was {stopped} or {lasting}"] if against else [])
        later = [at[name] for name in at if at[name] > at[well]] or [told[-1].t + 1.0]
        verdict.add([] if between(began, at[well], min(later)) else [f"nothing began again when it was {well}"])
    return verdict


def between_times(times: Sequence[float], since: float, until: float) -> list[float]:
    """Those with since < t <= until."""
    return [t for t in times if since < t <= until]
