"""`rig demo-live`: goal pictures reached in real time over ROS, with film, latency table and report.

Called by `live_commands`. Brings up a graph of its own around a simulated Sawyer whose pictures are 100 to 140 ms old,
deploys the newest checkpoint of a demo, draws goals as the exam does, and always takes the graph down again. Imports
ROS and the simulator, so it is itself imported only once the word is said.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import numpy as np
from rich.console import Console

from benchmarks.attempts import Attempts
from benchmarks.heartbeat import Beat
from robot_rig.cli.latency import Timing, line, show, timed
from robot_rig.cli.live.attempt import Attempt, Watched
from robot_rig.cli.live.ending import ended_in_order
from robot_rig.cli.live.graph import LiveGraph
from robot_rig.cli.live.results import LiveResult, write_results
from robot_rig.cli.live.stack import Instruments, bring_up, load, patience_s, voided
from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.evaluation import GoalCase, in_cm
from robot_rig.evaluation_attempts import Question
from robot_rig.loops.step_trace import Step
from robot_rig.runs import CONFIG_FILE, RunFolder
from robot_rig.stages.shipping import checkpoints
from sim.exam import SimExam, require_exam

LIMIT_M = 0.02
"""The bar: the median final distance on 20 goals."""


def newest_run(runs: Path) -> Path:
    """The demo under `runs` that was begun last and has a checkpoint. Raises UserError when there is none."""
    begun = sorted(runs.glob("demo-[0-9]*/run.json"), key=lambda path: path.stat().st_mtime, reverse=True)
    for mark in begun:
        if checkpoints(RunFolder.open(mark.parent)):
            return mark.parent
    raise UserError(
        f"there is no demo with a checkpoint under {runs}", next_step="run `make demo` first, or name a run with --run"
    )


def run_demo_live(run: Path, goals: int, out: Path, console: Console) -> int:
    """Reach `goals` pictures with the newest checkpoint of `run`; exit code 1 when too many attempts are void, or 20
    goals or more are missed by more than the bar in the median.
    """
    folder = RunFolder.open(run)
    config = folder.config
    require_exam(config)
    if not checkpoints(folder):
        raise UserError(f"the run in {run} has no checkpoint", next_step="run `rig practice` or `rig demo` first")
    out.mkdir(parents=True, exist_ok=True)
    console.print(f"run: {run}, results: {out}", highlight=False, soft_wrap=True)
    cases = draw_goals(config, goals)
    with ended_in_order(), ExitStack() as stack:
        graph = stack.enter_context(LiveGraph(out / "logs"))
        settings = ["--config", str((run / CONFIG_FILE).resolve())]
        attempt, instruments = bring_up(graph, settings, ["--run", str(run.resolve())], config, stack)
        scheduling = instruments.heart.scheduling
        console.print(f"the graph is up at {graph.uri}; heartbeat: {scheduling}", highlight=False, soft_wrap=True)
        result = reach_all(cases, attempt, instruments, config, console)
    write_results(out, folder, result, console)
    show(result.timing, console)
    console.print(str(result.attempts), highlight=False)
    print(line(result.timing, result.attempts))
    print(last_line(result))
    return exit_code(result)


def draw_goals(config: Config, goals: int) -> Sequence[GoalCase]:
    """The first `goals` questions of the exam."""
    evaluation = config.evaluation.model_copy(update={"goals": goals})
    exam = SimExam(config.model_copy(update={"evaluation": evaluation}), config.seed)
    try:
        return exam.goals
    finally:
        exam.close()


def reach_all(
    cases: Sequence[GoalCase], attempt: Attempt, watch: Instruments, config: Config, console: Console
) -> LiveResult:
    """Every goal once, void attempts again, until too many of them are void.

    What breaks the graph ends the demo and not its results: half an hour of them may be there.
    """
    period_s = 1.0 / config.control.policy_rate_hz
    attempts, outcomes = Attempts(len(cases)), dict[str, Watched]()
    steps, beats = list[Step](), list[Beat]()
    waiting = deque(cases)
    while waiting and not attempts.failed:
        case = waiting[0]
        try:
            outcome = attempt.reach(Question.of(case), patience_s(config))
        except UserError as error:
            console.print(f"ended before its time: {error}", highlight=False, soft_wrap=True)
            break
        if not attempts.add(case.id, voided(outcome, watch)):
            console.print(f"void, repeated: {attempts.voids[-1]}; {load()}", highlight=False, soft_wrap=True)
            continue
        waiting.popleft()
        outcomes[case.id] = outcome
        timing = timed(watch.listener, watch.timer, period_s, outcome.begin - period_s, outcome.end)
        steps += timing.steps
        beats += timing.timer
        console.print(described(case.id, outcome, factor(watch)), highlight=False, soft_wrap=True)
    if not outcomes:
        raise UserError(f"{attempts}: this machine is too busy", next_step="try when it has less to do")
    return LiveResult(outcomes, Timing(steps, beats, period_s), attempts, factor(watch))


def factor(watch: Instruments) -> float:
    """The simulator's real-time factor."""
    return watch.ruler.factor if watch.ruler is not None else float("nan")


def described(name: str, outcome: Watched, real_time: float) -> str:
    """One line on one goal."""
    away = outcome.rollout.distance_m
    wobble_cm = 100 * float(np.std(away[-11:]))
    ended = "" if outcome.complete else f"; CUT SHORT: {outcome.reason}"
    return (
        f"{name}: {in_cm(away[0])} cm at the start, {in_cm(away[-1])} at the end, least {in_cm(away.min())},"
        f" {wobble_cm:.2f} deviation in the last second; real-time factor {real_time:.3f}, {load()}{ended}"
    )


def last_line(result: LiveResult) -> str:
    """Names and numbers that a program can read."""
    return (
        f"live goals={len(result.outcomes)} median_cm={in_cm(result.summary.median_m)}"
        f" donothing_cm={in_cm(result.nothing_m)} p90_cm={in_cm(result.summary.p90_m)}"
        f" worst_cm={in_cm(result.summary.worst_m)} voids={len(result.attempts.voids)}"
        f" attempts={result.attempts.made} real_time_factor={result.factor:.3f}"
    )


def exit_code(result: LiveResult) -> int:
    """1 when the result does not stand, or misses the bar where there are goals enough to hold it to."""
    missed = len(result.outcomes) >= 20 and result.summary.median_m > LIMIT_M
    return 1 if result.attempts.failed or result.attempts.wanting or missed else 0
