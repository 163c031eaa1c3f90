"""How far pushing is: what the encoder knows of the puck, and where policies leave it. Run by `rig bench push`.

A run from nothing for every seed, by the stages that everybody uses; a VAE that its check calls unfit is told of and
practised on all the same, because it is the check that is in doubt here. Nothing in the table is left out or retried.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks.probe import Insight, look_into, watch_play
from robot_rig.cli.options import RunOptions
from robot_rig.cli.progress import stage_bar
from robot_rig.cli.session import Session
from robot_rig.config import Config
from robot_rig.datatypes import Floats
from robot_rig.errors import GuardStoppedError
from robot_rig.evaluation import DoNothing, in_cm
from robot_rig.interfaces import Policy
from robot_rig.learning.policy import RandomPolicy
from robot_rig.stages.examine import DO_NOTHING, RANDOM
from robot_rig.stages.learn import Learning
from robot_rig.stages.planning import planning_policy
from robot_rig.stages.reporting import count_put_back, count_steps
from robot_rig.stages.shipping import checkpoints, load_policy
from sim.push_exam import Pushed, PushExam

NEAR_M = (0.03, 0.05)
"""Radii of success, of the puck alone."""

PLANNING = "planning"
"""The policy that plans, learnt from the same log with the newest encoder; the last line is about it."""

PEOPLE = "people"
"""Counters of a run: what only a person could have done."""


def run(options: RunOptions, seeds: Sequence[int], watched_steps: int) -> int:
    """Train, look into the encoder and examine, for every seed, and print; what `options.run` holds is not repeated."""
    console = Console()
    for seed in seeds:
        here = replace(options, run=options.run / f"seed-{seed}", seed=seed, since_s=time.monotonic())
        with Session(here, console) as session:
            _helped(session, session.collect)
            fit = session.train()
            with closing(PushExam(session.config, seed)) as exam:
                insight = _look(session, exam, watched_steps, console)
                _show_insight(insight, console)
                _helped(session, session.practise_anyway)
                ends = _examine(session, exam, console)
            _show_ends(ends, console)
            _tell_cost(session, fit, console)
        print(_line(session.config, insight, ends))
    return 0


class End(NamedTuple):
    """Of one policy: how far puck and hand ended from each goal, (N,) m each, and how often the guard ended it."""

    puck_m: Floats
    hand_m: Floats
    stopped: int


Ends = dict[str, End]
"""By policy."""


def _helped(session: Session, stage: Callable[[], None]) -> None:
    """`stage` to its end, with a person beside it who resets what the guard has ended; the resets are counted.

    Raises GuardStoppedError when after a reset it comes no step further.
    """
    while True:
        before = sum(count_steps(session.run).values())
        try:
            return stage()
        except GuardStoppedError:
            resets = session.run.progress(PEOPLE).get("resets", 0)
            if resets and sum(count_steps(session.run).values()) == before:
                raise
            session.run.record(PEOPLE, resets=resets + 1)


def _look(session: Session, exam: PushExam, watched_steps: int, console: Console) -> Insight:
    """Into the encoder as play has made it, before practice tunes it."""
    config = session.config
    with stage_bar(console, "play with the truth beside it", watched_steps) as advance:
        watched = watch_play(config, watched_steps, lambda done: advance(done, "steps"))
    with console.status("probes"):
        encoder = Learning(session.run, config).trainer.vae
        return look_into(encoder, watched, exam.goals, config.agent.slow_limit, config.seed)


def _examine(session: Session, exam: PushExam, console: Console) -> Ends:
    config, cases = session.config, exam.goals
    shipped = [load_policy(path) for path in checkpoints(session.run).values()]
    names = [path.name for path in checkpoints(session.run).values()]
    axes, play = len(config.control.axes), config.collect
    policies: dict[str, Policy] = {
        DO_NOTHING: DoNothing(axes),
        RANDOM: RandomPolicy(play.ou_theta, play.ou_sigma, axes, config.seed + 1),
        **dict(zip(names, shipped, strict=True)),
        PLANNING: planning_policy(session.run, shipped[-1].encoder, config.seed),
    }
    ends: Ends = {}
    with stage_bar(console, "exam", len(policies) * len(cases)) as advance:
        for name, policy in policies.items():
            answers: list[Pushed] = []
            for case in cases:
                answers.append(exam.run(policy, case, config.evaluation.episode_steps))
                advance(len(ends) * len(cases) + len(answers), name)
            puck, hand = np.array([(one.puck_m[-1], one.hand_m[-1]) for one in answers]).T
            ends[name] = End(puck, hand, sum(one.stopped for one in answers))
    return ends


def _tell_cost(session: Session, fit: bool, console: Console) -> None:
    steps, people = count_steps(session.run), session.run.progress(PEOPLE).get("resets", 0)
    turns, taken = count_put_back(session.run)
    counted = ", ".join(f"{purpose} {count}" for purpose, count in steps.items())
    took = ", ".join(f"{stage} {seconds:.0f} s" for stage, seconds in session.wall_s().items() if seconds)
    console.print(
        f"environment steps: {sum(steps.values()) + taken} ({counted}, {taken} in {turns} turns of the fixture,"
        f" {people} resets by people, not timed); wall: {took}; the VAE's check says {'fit' if fit else 'unfit'}",
        highlight=False,
        soft_wrap=True,
    )


def _show_insight(insight: Insight, console: Console) -> None:
    table = Table(title="What the encoder knows of the puck (measured with the truth, which no learner has)")
    table.add_column("of")
    table.add_column("value", justify="right")
    for name, errors in (("goal pictures", insight.goals_m), ("play it has not seen", insight.held_out_m)):
        table.add_row(f"puck read off the latent, {name}, cm: median / mean / p90", _three(errors))
    for name, (everywhere, surprising) in (("play", insight.play), ("goal pictures", insight.goals)):
        table.add_row(f"pixels explained, {name}: all / surprising", f"{everywhere:.2f} / {surprising:.2f}")
    for metric, alike in insight.alike.items():
        for name, (hand, puck) in alike._asdict().items():
            of = f"rank correlation of {metric} and true distance, {name.replace('_', ' ')}: hand / puck"
            table.add_row(of, f"{hand:.2f} / {puck:.2f}")
    console.print(table)


def _show_ends(ends: Ends, console: Console) -> None:
    table = Table(title="From the goal at the last step, cm: median / mean / p90")
    within = [f"puck in {100 * radius:g} cm" for radius in NEAR_M]
    for column in ("policy", "puck", "hand", "both", *within, "ended by the guard"):
        table.add_column(column, justify="left" if column == "policy" else "right", no_wrap=column == "policy")
    for name, (puck, hand, stopped) in ends.items():
        near = [f"{int((puck <= radius).sum())} of {len(puck)}" for radius in NEAR_M]
        table.add_row(name, _three(puck), _three(hand), _three(puck + hand), *near, str(stopped))
    console.print(table)


def _line(config: Config, insight: Insight, ends: Ends) -> str:
    """The last line: names and numbers that a program can read."""
    puck, nothing = list(ends.values())[-1].puck_m, ends[DO_NOTHING].puck_m
    return (
        f"bench push probe_cm={in_cm(np.median(insight.goals_m))} puck_cm={in_cm(np.median(puck))}"
        f" puck_p90_cm={in_cm(np.percentile(puck, 90))} donothing_cm={in_cm(np.median(nothing))}"
        f" seed={config.seed} goal_seed={config.evaluation.goal_seed}"
    )


def _three(distances_m: Floats) -> str:
    return " / ".join(
        in_cm(value) for value in (np.median(distances_m), distances_m.mean(), np.percentile(distances_m, 90))
    )
