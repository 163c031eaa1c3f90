"""`rig eval --backend ros`: the exam of one checkpoint over the live graph, goal by goal. Called by `checkpoint_exam`.

Where a ROS master answers, the exam joins that graph: its arm may be a real one, so a person at the terminal enables
it, and where nobody tells the tool's true place also says whether each goal was reached. Where none answers, it brings
up a simulated Sawyer of its own, as `rig demo-live` does, with the same programs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks.attempts import Attempts
from robot_rig.cli.latency import timed
from robot_rig.cli.live.attempt import Attempt, Watched
from robot_rig.cli.live.graph import LiveGraph, Processes
from robot_rig.cli.live.person import Answer, Person
from robot_rig.cli.live.stack import NODE, Instruments, begin_policy, bring_up, load, patience_s, voided
from robot_rig.config import Config
from robot_rig.errors import UserError
from robot_rig.evaluation_attempts import Question, Walk
from robot_rig.evaluation_folder import CHECKPOINT, CONFIG, LIVE, ROBOT, ExamFolder
from robot_rig.evaluation_live import Sighting
from robot_rig.interfaces import Policy
from robot_rig.loops.step_trace import FRAME_TO_COMMAND, stage_durations
from robot_rig.nodes.raw_terminal import RawTerminal
from robot_rig.ros.master import Master, MasterSilent, master_uri, runs_here
from robot_rig.ros.orders import give_order
from robot_rig.ros.topics import ACTION, ARM_STATUS, GOAL, Topic
from robot_rig.ros.visitor import hear, visit
from sim.wire.ruler import Ruler

LOGS = "logs"
ANSWER_S = 2.0
"""A master, an arm process and a simulator that are there say so within this time."""

LOOKS = 20
"""Reports of the guard, two seconds' worth, by which a ruler that there is has been connected."""


@dataclass(frozen=True)
class Venue:
    """Where a live exam is held: `joined` is the address of a graph that runs already, None where it brings up its own;
    `ruler` tells the tool's true place there, None where nobody does, or not yet.
    """

    joined: str | None
    ruler: Ruler | None

    @property
    def held(self) -> str:
        """What the exam's paper says."""
        return ROBOT if self.joined is not None and self.ruler is None else LIVE

    def __str__(self) -> str:
        if self.joined is None:
            return "in a graph of its own, around a simulated Sawyer"
        told = (
            "its room tells where the tool truly is" if self.ruler is not None else "nobody measures the tool's place"
        )
        return f"in the graph of {self.joined}; {told}"


def find_venue(stack: ExitStack) -> Venue:
    """The graph of ROS_MASTER_URI where its master answers, else one of its own.

    Raises UserError where that graph has no arm process, another policy or other goals, and where a master that
    may be a robot's does not answer.
    """
    uri = master_uri()
    try:
        Master(uri, timeout=ANSWER_S).pid()
    except MasterSilent as silent:
        # One that only takes long may have a robot behind it: nobody is to be shown a simulated one instead.
        if runs_here(uri) and isinstance(silent.__cause__, ConnectionRefusedError):
            return Venue(None, None)
        raise UserError(
            f"the ROS master of {uri} does not answer: {silent}",
            next_step="start the robot, or unset ROS_MASTER_URI to be examined on a simulated one",
        ) from silent
    stack.enter_context(visit(NODE))
    if hear(ARM_STATUS, ANSWER_S) is None:
        raise UserError(
            f"no arm process reports in the graph of {uri}",
            next_step="start robot.launch or sim.launch there; without any graph the exam brings up a simulated one",
        )
    if others := _publishers(uri, ACTION):
        raise UserError(
            f"another policy acts in the graph of {uri}: {', '.join(others)}", next_step="end its launch file first"
        )
    if others := _publishers(uri, GOAL):
        # Goals are latched: the exam's own policy would set off for one of theirs before anybody was asked.
        raise UserError(
            f"somebody else shows goals in the graph of {uri}: {', '.join(others)}", next_step="end that program first"
        )
    ruler = stack.enter_context(closing(Ruler()))
    return Venue(uri, ruler if _tells(ruler) else None)


def _publishers(uri: str, topic: Topic) -> list[str]:
    """The programs that publish `topic` in the graph of `uri`; one that was killed stays in the master's list."""
    master = Master(uri, timeout=ANSWER_S)
    try:
        return [name for name in master.state().publishers_of(topic.name) if not master.is_gone(name)]
    except MasterSilent as silent:
        raise UserError(f"the ROS master does not say what runs: {silent}", next_step="see `rig doctor`") from silent


def _tells(ruler: Ruler) -> bool:
    """Whether somebody tells the tool's place; that comes more often than the guard's reports, or never."""
    return any(hear(ARM_STATUS, ANSWER_S) is not None and ruler.latest > 0 for _ in range(LOOKS))


def open_examiner(
    venue: Venue, folder: ExamFolder, checkpoint: Path, config: Config, stack: ExitStack, say: Callable[[str], object]
) -> LiveExaminer:
    """Everything that the exam in `folder` still needs, up and connected; it is taken down with `stack`."""
    settings = ["--config", str((folder.path / CONFIG).resolve())]
    policy = [*settings, "--checkpoint", str(checkpoint.resolve())]
    left = [number for number in range(len(folder.questions)) if not folder.has(CHECKPOINT, number)]
    logs, person = folder.path / LOGS, None
    if venue.joined is None:
        graph = stack.enter_context(LiveGraph(logs))
        attempt, watch = bring_up(graph, settings, policy, config, stack)
    else:
        terminal = stack.enter_context(closing(RawTerminal(sys.stdin.fileno())))
        person = Person(terminal, give_order)
        processes = stack.enter_context(Processes(logs, dict(os.environ)))
        attempt = Attempt(venue.ruler, config.evaluation.episode_steps, person.lead)
        watch = begin_policy(processes, policy, attempt, venue.ruler, config, stack)
    stack.enter_context(closing(attempt))
    judge = person if venue.held == ROBOT else None
    return LiveExaminer(attempt, watch, judge, config, len(left), say)


class LiveExaminer:
    """An `appraise.Examiner` whose policy is the one in the graph. `judge` says of each goal whether it was reached."""

    def __init__(
        self,
        attempt: Attempt,
        watch: Instruments,
        judge: Person | None,
        config: Config,
        wanted: int,
        say: Callable[[str], object],
    ) -> None:
        self._attempt, self._watch, self._judge, self._say = attempt, watch, judge, say
        self._patience_s = patience_s(config)
        self._period_s = 1.0 / config.control.policy_rate_hz
        self._attempts = Attempts(wanted)
        self._allowed = False

    def _set_off(self, name: str) -> None:
        """Nothing moves at a person's arm without a key since it last moved: a verdict is one, and so is an enable."""
        if self._judge is not None and not self._allowed and self._attempt.may_move:
            self._judge.allow(name)
        self._allowed = False

    def attempt(self, policy: Policy, question: Question, steps: int) -> Walk:
        """Show the goal to the graph's policy, again where the machine was away or a person asks for it.

        Raises UserError when the machine was away in more than a fifth of all attempts; what was kept stays.
        """
        repeats: list[str] = []
        while True:
            self._set_off(question.id)
            watched = self._attempt.reach(question, self._patience_s)
            reason = voided(watched, self._watch)
            answer = self._judge.verdict(question.id) if self._judge is not None and not reason else None
            self._allowed = answer is not None
            if answer is Answer.AGAIN:
                # Told in the report, and no fault of the machine's: of three goals one such would end the sitting.
                repeats.append("a person asked for it")
                continue
            if self._attempts.add(question.id, reason):
                return self._walk(watched, answer, repeats)
            repeats.append(reason)
            self._say(f"void, repeated: {question.id}: {reason}; {load()}")
            if self._attempts.failed:
                raise UserError(
                    f"{self._attempts}, more than a fifth",
                    next_step="the same command goes on; try it in a quieter hour",
                )

    def _walk(self, watched: Watched, answer: Answer | None, repeats: Sequence[str]) -> Walk:
        watch, period_s = self._watch, self._period_s
        timing = timed(watch.listener, watch.timer, period_s, watched.begin - period_s, watched.end)
        took = stage_durations(timing.steps)[FRAME_TO_COMMAND]
        sighting = Sighting(
            seconds=round(watched.end - watched.begin, 3),
            reason=watched.reason,
            steps=watched.acted,
            missed=timing.missed,
            blind=timing.blind,
            timer_missed=timing.timer_missed,
            slowest_ms=round(1e3 * float(took.max()), 2) if len(took) else -1.0,
            reached=None if answer is None else answer is Answer.REACHED,
            repeats=tuple(repeats),
        )
        return Walk(watched.frames, watched.outcomes, watched.tool_m, sighting)
