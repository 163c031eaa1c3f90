"""`rig demo-live`: goal pictures reached in real time over ROS, with film, latency table and report.

Called by `live_commands`. Brings up a graph of its own around a simulated Sawyer whose pictures are 100 to 140 ms old,
deploys the newest checkpoint of a demo, draws goals as the exam does, and always takes the graph down again. Imports
ROS and the simulator, so it is itself imported only once the word is said.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import NamedTuple

import numpy as np
from rich.console import Console

from benchmarks.attempts import Attempts, void_reason
from benchmarks.heartbeat import ABOVE_ALL, Beat, Heartbeat, Pulse
from drivers.sawyer import JOINT_COMMAND
from robot_rig.cli.latency import PRIORITY, Timing, line, show, within
from robot_rig.cli.live.attempt import Attempt, Outcome
from robot_rig.cli.live.ending import ended_in_order
from robot_rig.cli.live.graph import LiveGraph
from robot_rig.cli.live.results import LiveResult, write_results
from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.evaluation import GoalCase, in_cm
from robot_rig.loops.step_trace import Step
from robot_rig.ros.step_listener import StepListener
from robot_rig.ros.visitor import visit
from robot_rig.runs import CONFIG_FILE, RunFolder
from robot_rig.stages.shipping import checkpoints
from sim.exam import SimExam, require_exam
from sim.wire.ruler import SILENT_S, Ruler

NODE = "rig_live"
IMAGE_AGE_MS = (100, 140)
SLOWEST = 3.0
"""An episode that takes this many times its own length is stuck."""

LIMIT_M = 0.02
"""The bar: the median final distance on 20 goals."""


class Instruments(NamedTuple):
    """What watches the graph during an attempt."""

    ruler: Ruler
    heart: Heartbeat
    timer: Pulse
    listener: StepListener


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
        attempt, instruments = bring_up(graph, run, config, stack, console)
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


def bring_up(
    graph: LiveGraph, run: Path, config: Config, stack: ExitStack, console: Console
) -> tuple[Attempt, Instruments]:
    """Start every node of the graph and what watches it; return when all of it is there."""
    settings = ["--config", str((run / CONFIG_FILE).resolve())]
    ages = [str(age) for age in IMAGE_AGE_MS]
    stack.enter_context(visit(NODE))
    graph.start("sim", ["-m", "sim.sim_node", *settings, "--image-age-ms", *ages])
    ruler = Ruler()
    graph.wait("the simulator reports", lambda: ruler.latest > 0)
    graph.start("camera", ["-m", "drivers.camera_node", *settings])
    graph.start("arm", ["-m", "drivers.arm_node", *settings])
    graph.start("policy", ["-m", "robot_rig.nodes.policy_node", "--run", str(run.resolve())])
    attempt = Attempt(ruler, config.evaluation.episode_steps)
    graph.wait("camera, guard and policy are there", lambda: attempt.ready)
    listener = stack.enter_context(closing(StepListener(JOINT_COMMAND)))
    heart = stack.enter_context(Heartbeat(ABOVE_ALL))
    timer = stack.enter_context(Pulse(PRIORITY, 1.0 / config.control.policy_rate_hz, 0.0))
    console.print(f"the graph is up at {graph.uri}; heartbeat: {heart.scheduling}", highlight=False, soft_wrap=True)
    return attempt, Instruments(ruler, heart, timer, listener)


def reach_all(
    cases: Sequence[GoalCase], attempt: Attempt, watch: Instruments, config: Config, console: Console
) -> LiveResult:
    """Every goal once, void attempts again, until too many of them are void.

    What breaks the graph ends the demo and not its results: half an hour of them may be there.
    """
    period_s = 1.0 / config.control.policy_rate_hz
    patience_s = SLOWEST * config.evaluation.episode_steps * period_s
    attempts, outcomes = Attempts(len(cases)), dict[str, Outcome]()
    steps, beats = list[Step](), list[Beat]()
    waiting = deque(cases)
    while waiting and not attempts.failed:
        case = waiting[0]
        try:
            outcome = attempt.reach(case, patience_s)
        except UserError as error:
            console.print(f"ended before its time: {error}", highlight=False, soft_wrap=True)
            break
        if not attempts.add(case.id, voided(outcome, watch)):
            console.print(f"void, repeated: {attempts.voids[-1]}; {load()}", highlight=False, soft_wrap=True)
            continue
        waiting.popleft()
        outcomes[case.id] = outcome
        begin = outcome.begin - period_s
        steps += within(watch.listener.trace.steps(begin), begin, outcome.end)
        beats += [beat for beat in watch.timer.told(outcome.begin, outcome.end) if beat.wake >= outcome.begin]
        console.print(described(case.id, outcome, watch.ruler.factor), highlight=False, soft_wrap=True)
    if not outcomes:
        raise UserError(f"{attempts}: this machine is too busy", next_step="try when it has less to do")
    return LiveResult(outcomes, Timing(steps, beats, period_s), attempts, watch.ruler.factor)


def voided(outcome: Outcome, watch: Instruments) -> str:
    """Why the attempt does not count, or nothing."""
    reason = void_reason(watch.heart.worst_gap(outcome.begin, outcome.end))
    hole = watch.ruler.worst_hole(outcome.begin, outcome.end)
    return reason or (f"the simulator was silent for {1e3 * hole:.0f} ms" if hole > SILENT_S else "")


def described(name: str, outcome: Outcome, factor: float) -> str:
    """One line on one goal."""
    away = outcome.rollout.distance_m
    wobble_cm = 100 * float(np.std(away[-11:]))
    ended = "" if outcome.complete else f"; CUT SHORT: {outcome.reason}"
    return (
        f"{name}: {in_cm(away[0])} cm at the start, {in_cm(away[-1])} at the end, least {in_cm(away.min())},"
        f" {wobble_cm:.2f} deviation in the last second; real-time factor {factor:.3f}, {load()}{ended}"
    )


def load() -> str:
    """What else this machine does."""
    return f"load {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores"


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
