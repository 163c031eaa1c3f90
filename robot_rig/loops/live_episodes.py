"""Episodes on a robot that runs by itself: when one begins, which frames are answered, and when it ends. Pure.

`play` does the same on a plant that waits; here nobody waits. Called by policy_node at every frame and every few
milliseconds. Whatever is in doubt (arm, picture, goal, recorder) ends in silence, and silence is zero velocity.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, NamedTuple

from robot_rig.datatypes import Action, Float32s, Frame, Goal, Mode, Source
from robot_rig.errors import PolicyFailedError
from robot_rig.interfaces import Policy
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording, Stand, goal_key
from robot_rig.loops.frame_pacer import FramePacer
from robot_rig.loops.policy_loop import PolicyLoop

ARM_SILENT_S, RECORDER_SILENT_S = 0.5, 0.3
"""Ages of the last word of arm process and recorder beyond which the policy is silent."""

PATIENCE_S, RECORDED_PATIENCE_S = 5.0, 0.25
"""How long an episode waits for pictures: as the guard does; while logged, less: a long step would teach nonsense."""

OPENING_S = 3.0
"""How long the recorder may take to open its file."""

RETRY_S = 5.0
"""Rest after recorder or policy have failed."""

TAKEN = "a person has the arm"

SET_OFF_S = 2.0
"""How long an order to go home may take to be followed before it is given again."""


class ArmView(NamedTuple):
    """What counts of the arm process's report, made at `stamp`; `executed` (A,) came of action `executed_seq`;
    `objection` is why no episode may begin, or empty."""

    stamp: float
    mode: Mode
    source: Source | None
    at_home: bool
    executed_seq: int
    executed: Float32s | None
    objection: str = ""


class View(NamedTuple):
    """The newest of everything that has arrived; None where nothing has."""

    frame: Frame | None
    goal: Goal | None
    arm: ArmView | None
    recorder: RecorderState | None


class Move(NamedTuple):
    """What is to be done now: send `action`, publish `announce`, ask the arm process to go home."""

    action: Action | None = None
    announce: EpisodeState | None = None
    go_home: bool = False


@dataclass(frozen=True, slots=True)
class Rules:
    """How episodes go. `source` RANDOM plays without goals, one episode after the other; POLICY serves each goal once.

    `steps` policy periods an episode; `start`: each from the home posture, only the first, or where the last one ended;
    `recording`: whether there is no motion without a recorder. `until`: no episode begins later (monotonic s).
    `session` and `meta` are for the log.
    """

    steps: int
    source: Source
    start: Literal["home", "home_first", "anywhere"]
    recording: Literal["required", "off"]
    session: str
    meta: Mapping[str, str] = field(default_factory=dict)
    until: float = float("inf")


class Phase(str, enum.Enum):
    """What the policy process is about."""

    WAITING = "waiting"
    HOMING = "homing"
    OPENING = "opening the log"
    RUNNING = "running"


class Doubt(NamedTuple):
    """Why there is silence; `final` doubts end a running episode at once, others when they last."""

    reason: str
    final: bool = False


class LiveEpisodes:
    """The episodes of one policy. `period_s` is the policy's and `image_age_limit_s` the guard's."""

    def __init__(self, policy: Policy, rules: Rules, image_age_limit_s: float, period_s: float, lag_s: float) -> None:
        self._policy, self._rules = policy, rules
        self._image_age_limit_s = image_age_limit_s
        self._loop = PolicyLoop(image_age_limit_s, period_s, lag_s)
        self._pacer = FramePacer(period_s)
        self.phase = Phase.WAITING
        self.silence = "nothing has arrived yet"
        """Why no action goes out; empty while all is well."""
        self.episode: EpisodeState | None = None
        self._goal: Goal | None = None
        self._sent = 0
        self._looked = self._reported = -1
        self._since = self._good = self._rest_until = 0.0

    @property
    def steps(self) -> int:
        """Policy steps of an episode."""
        return self._rules.steps

    @property
    def missed(self) -> int:
        """Policy periods within episodes in which no frame came."""
        return self._pacer.missed

    def recast(self, policy: Policy, rules: Rules) -> None:
        """From the next episode on `policy` acts, by `rules`. Raises RuntimeError inside an episode."""
        if self.episode_runs:
            raise RuntimeError("a policy is swapped only between episodes")
        self._policy, self._rules = policy, rules

    def wants_goal(self, newest: Goal | None) -> bool:
        """Whether there is nothing to serve: no episode runs, and the `newest` goal has been served."""
        return self._rules.source is Source.POLICY and not self.episode_runs and not self._asked(newest)

    def tick(self, now: float, view: View) -> Move:
        """What to do at `now` (s). Cheap when nothing is due; at most one action."""
        self._hear(view.arm)
        doubt = self._doubt(now, view)
        self.silence = doubt.reason if doubt is not None else ""
        try:
            if self.phase is Phase.RUNNING:
                return self._run(now, view, doubt)
            if self.phase is Phase.OPENING:
                return self._open(now, view, doubt)
            if self.phase is Phase.WAITING:
                return self._begin(now, view) if doubt is None else Move()
        except PolicyFailedError as error:
            return self._end(Stand.CUT_SHORT, error.problem, now + RETRY_S)
        self._home(now, view.arm)
        return Move()

    def cut_short(self, reason: str) -> Move:
        """End a running episode for a `reason` from outside, as when the process ends."""
        return self._end(Stand.CUT_SHORT, reason) if self.episode_runs else Move()

    @property
    def episode_runs(self) -> bool:
        """Whether an episode is open, even if it has not acted yet."""
        return self.phase in (Phase.RUNNING, Phase.OPENING)

    def _hear(self, arm: ArmView | None) -> None:
        if arm is not None and arm.executed is not None and arm.executed_seq != self._reported:
            self._reported = arm.executed_seq
            self._loop.executed(arm.executed_seq, arm.executed)

    def _doubt(self, now: float, view: View) -> Doubt | None:
        """The gravest reason for silence at `now`, or None."""
        return self._arm_doubt(now, view.arm) or self._recorder_doubt(now, view.recorder) or self._eye_doubt(now, view)

    def _arm_doubt(self, now: float, arm: ArmView | None) -> Doubt | None:
        if arm is None or now - arm.stamp > ARM_SILENT_S:
            return Doubt("the arm process is silent", final=True)
        if arm.mode is not Mode.ACTIVE:
            return Doubt(f"the arm is in mode {arm.mode.value}", final=True)
        if arm.source is Source.HUMAN:
            return Doubt(TAKEN, final=True)
        # Who has not acted yet may have been started anew: not even the way home goes on where another has ended.
        leads = self._sent > 0 or arm.source not in (Source.POLICY, Source.RANDOM)
        return None if leads else Doubt("another program has led the arm since it was enabled", final=True)

    def _recorder_doubt(self, now: float, recorder: RecorderState | None) -> Doubt | None:
        if self._rules.recording == "off":
            return None
        if recorder is None or now - recorder.stamp > RECORDER_SILENT_S:
            return Doubt("the recorder is silent", final=True)
        if self.episode_runs and recorder.key == self._key and recorder.stand is Recording.FAILED:
            return Doubt(f"the recorder has failed: {recorder.reason}", final=True)
        if self.phase is Phase.RUNNING and (recorder.key != self._key or recorder.stand is not Recording.OPEN):
            return Doubt("the recorder has closed its file", final=True)
        return None

    def _eye_doubt(self, now: float, view: View) -> Doubt | None:
        if view.frame is None:
            return Doubt("there is no picture")
        if (age := now - view.frame.stamp) > self._image_age_limit_s:
            return Doubt(f"the picture is {age:.2f} s old")
        if now < self._rest_until:
            return Doubt("resting after a failure")
        if self.phase is not Phase.WAITING:
            return None
        if view.arm is not None and view.arm.objection:
            return Doubt(f"{view.arm.objection}, so no episode begins")
        if now >= self._rules.until:
            return Doubt("time is up")
        if self._rules.source is Source.POLICY and not self._asked(view.goal):
            return Doubt("no goal is asked for")
        return None

    def _asked(self, goal: Goal | None) -> bool:
        """Whether `goal` is one that was not served: every arrival of a goal asks for one episode."""
        return goal is not None and (self._goal is None or goal.stamp != self._goal.stamp)

    @property
    def _key(self) -> tuple[str, int]:
        return self.episode.key if self.episode is not None else ("", 0)

    def _begin(self, now: float, view: View) -> Move:
        if self._must_go_home(view.arm):
            return self._go_home(now)
        self._goal = view.goal if self._rules.source is Source.POLICY else None
        number = 1 + (self.episode.number if self.episode is not None else 0)
        goal = goal_key(self._goal) if self._goal is not None else ""
        meta = self._rules.meta
        self.episode = EpisodeState(
            self._rules.session, number, Stand.RUNNING, self._rules.source, goal, self._sent + 1, self._sent, meta=meta
        )
        self.phase, self._since = Phase.OPENING, now
        if self._rules.recording == "off":
            self._start(now, view)
        return Move(announce=self.episode)

    def _open(self, now: float, view: View, doubt: Doubt | None) -> Move:
        """Wait for the recorder's word that the file is open."""
        recorder = view.recorder
        if doubt is not None and doubt.final:
            return self._end(Stand.CUT_SHORT, doubt.reason, now + RETRY_S)
        if recorder is not None and recorder.key == self._key and recorder.stand is Recording.OPEN:
            self._start(now, view)
        elif now - self._since > OPENING_S:
            return self._end(Stand.CUT_SHORT, "the recorder did not open a file", now + RETRY_S)
        return Move()

    def _start(self, now: float, view: View) -> None:
        self._loop.begin(self._policy, self._goal, self._rules.source)
        # The picture at hand may have lain here for a while: the first action answers the next one.
        self._looked = -1 if view.frame is None else view.frame.seq
        self._pacer.restart()
        self.phase, self._good = Phase.RUNNING, now

    def _run(self, now: float, view: View, doubt: Doubt | None) -> Move:
        if doubt is not None:
            patience_s = RECORDED_PATIENCE_S if self._rules.recording == "required" else PATIENCE_S
            lasting = doubt.final or now - self._good > patience_s
            return self._end(Stand.CUT_SHORT, doubt.reason) if lasting else Move()
        self._good = now
        frame = view.frame
        if frame is None or self.episode is None or frame.seq == self._looked or not self._due(frame):
            return Move()
        if self._sent - self.episode.first_action + 1 >= self._rules.steps:
            ended = self._end(Stand.COMPLETE, "", last=frame)
            return self._go_home(now)._replace(announce=ended.announce) if self._must_go_home(view.arm) else ended
        action = self._loop.tick(now, frame)
        if action is not None:
            self._sent = action.seq
        return Move(action=action)

    def _due(self, frame: Frame) -> bool:
        self._looked = frame.seq
        return self._pacer.due(frame.stamp)

    def _end(self, stand: Stand, reason: str, rest_until: float = 0.0, last: Frame | None = None) -> Move:
        assert self.episode is not None
        self._loop.end()
        self.phase, self._rest_until = Phase.WAITING, rest_until
        if reason == TAKEN:
            self._goal = None  # nobody has taken it back: a policy that is handed the arm goes for it again
        ended = replace(self.episode, stand=stand, last_action=self._sent, reason=reason)
        self.episode = ended if last is None else replace(ended, last_frame=last.seq, last_stamp=last.stamp)
        return Move(announce=self.episode)

    def _must_go_home(self, arm: ArmView | None) -> bool:
        first = self.episode is None and self._rules.start == "home_first"
        return (first or self._rules.start == "home") and arm is not None and not arm.at_home

    def _go_home(self, now: float) -> Move:
        self.phase, self._since = Phase.HOMING, now
        return Move(go_home=True)

    def _home(self, now: float, arm: ArmView | None) -> None:
        """Leave HOMING when the arm is there, when a person has taken it, or when it does not set off."""
        self.silence = "the arm goes home"
        if arm is None or arm.stamp <= self._since or arm.mode is Mode.HOMING:
            return
        if arm.mode is not Mode.ACTIVE or arm.at_home or now - self._since > SET_OFF_S:
            self.phase = Phase.WAITING
