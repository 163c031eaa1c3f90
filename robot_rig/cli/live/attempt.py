"""One goal picture on the live graph: show it, watch the policy work, and measure where the tool ended.

Called by `cli.live.demo` and `cli.live.exam`. The arm goes home before each episode by itself (policy_node --start
home). What the policy may know and what the judge knows never meet here: the goal goes out, the ruler is read where
there is one, and that is all.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from robot_rig.clock import WallClock
from robot_rig.datatypes import Action, Bytes, Floats, Frame, Goal, Mode, Outcome
from robot_rig.errors import UserError
from robot_rig.evaluation import Rollout
from robot_rig.evaluation_attempts import OUTCOMES, Question
from robot_rig.loops.episode_state import EpisodeState, Stand, goal_key
from robot_rig.loops.live_recorder import SAME_S
from robot_rig.ros.arm_report import read_report
from robot_rig.ros.connect import advertise, subscribe
from robot_rig.ros.convert import goal_message, read_action, read_frame
from robot_rig.ros.episode_reports import read_episode_message
from robot_rig.ros.mailbox import Mailbox
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import ACTION, ARM_STATUS, CAMERA_FRAME, EPISODE, GOAL
from sim.wire.ruler import Ruler

KEPT_FRAMES = 1000
MOVING = (Mode.ACTIVE, Mode.HOMING)
BEGIN_S = 60.0
"""From the goal to the first action: the way home, and a busy machine."""

LAST_WORDS_S = 0.25
STOPPED = OUTCOMES.index(Outcome.HELD)
RESTS_S = 1.0
"""A guard that still rests this long after it was enabled has come to rest since."""


class Watched(NamedTuple):
    """What came of one goal: `frames` uint8 (T+1, 84, 84, 3); `places` (T+1, 2) m, where the tool truly was at each,
    None where nobody tells; `outcomes` uint8 (T,), what the guard made of each step, as an index of `OUTCOMES`.

    `begin` and `end` (monotonic s) are of the first and after the last policy step; `acted`: policy steps; `complete`
    whether the episode had all its steps, else `reason` says why not.
    """

    question: Question
    frames: Bytes
    places: Floats | None
    outcomes: Bytes
    begin: float
    end: float
    acted: int
    complete: bool
    reason: str

    @property
    def tool_m(self) -> Floats | None:
        """(T+1,) m, tool tip to goal in xy; None where either place is not known."""
        if self.places is None or self.question.xy_m is None:
            return None
        away: Floats = np.linalg.norm(self.places - self.question.xy_m, axis=1)
        return away

    @property
    def rollout(self) -> Rollout:
        """The same as a rollout. Raises ValueError where no place is known."""
        away = self.tool_m
        if away is None or self.places is None or self.question.xy_m is None:
            raise ValueError(f"{self.question.id}: nobody knows where the tool should be, or was")
        return Rollout(self.question.image, self.frames, away, self.question.xy_m, self.places[-1])


class Attempt:
    """Hears what is needed of the graph, and shows goals; the process must be a node.

    `ruler` tells where the tool truly is, if anybody does. Before a goal `lead` is told the mode of an arm that rests,
    and returns once it has done something about it.
    """

    def __init__(self, ruler: Ruler | None, steps: int, lead: Callable[[Mode], None]) -> None:
        self._ruler, self._steps, self._lead = ruler, steps, lead
        self._stamps, self._clock = HostStamps(), WallClock()
        self._goals = advertise(GOAL)
        self._frames: deque[Frame] = deque(maxlen=KEPT_FRAMES)
        self._answered: dict[int, Action] = {}
        self._executed: dict[int, int] = {}
        self._episodes: Mailbox[EpisodeState] = Mailbox()
        self._news = threading.Condition()
        self.modes: Mailbox[Mode] = Mailbox()
        self._subscribers = [
            subscribe(CAMERA_FRAME, self._take_frame),
            subscribe(ACTION, self._take_action),
            subscribe(EPISODE, self._take_episode),
            subscribe(ARM_STATUS, self._take_status),
        ]

    def _take_frame(self, message: Any) -> None:
        frame = read_frame(message, self._stamps)
        if not isinstance(frame, Refused):
            self._frames.append(frame)

    def _take_action(self, message: Any) -> None:
        action = read_action(message, self._stamps)
        if not isinstance(action, Refused):
            self._answered[action.seq] = action

    def _take_status(self, message: Any) -> None:
        report = read_report(message, self._stamps)
        if not isinstance(report, Refused):
            self.modes.put(report.mode)
            if report.executed is not None:
                self._executed[report.executed_seq] = OUTCOMES.index(report.executed.outcome)
            with self._news:
                self._news.notify_all()

    def _take_episode(self, message: Any) -> None:
        episode = read_episode_message(message, self._stamps)
        if not isinstance(episode, Refused):
            self._episodes.put(episode)
            with self._news:
                self._news.notify_all()

    @property
    def ready(self) -> bool:
        """Whether picture, guard, ruler and policy are there."""
        measured = self._ruler is None or self._ruler.latest > 0
        heard = self._frames and self.modes.newest() and measured
        return bool(heard) and self._goals.get_num_connections() > 0

    @property
    def may_move(self) -> bool:
        """Whether the arm would follow at once; where it rests, `lead` is asked first."""
        mode = self.modes.newest()
        return mode is not None and mode.value in MOVING

    def close(self) -> None:
        """Hear no more and ask for nothing more, for a goal is latched; may be called twice."""
        for end in (*self._subscribers, self._goals):
            end.unregister()

    def reach(self, question: Question, patience_s: float) -> Watched:
        """Show `question` and return what came of it; the episode may take `patience_s` once it has begun."""
        self._enable()
        goal = Goal(question.image, question.id, self._clock.now(), calibration_id="", source="evaluation")
        before = self._episodes.newest()
        known = before.value.key if before is not None else ("", 0)
        self._goals.publish(goal_message(goal, self._stamps))
        if self._begun(goal, known) is None:
            return self._judge(question, None, goal.stamp, self._clock.now())
        episode = self._over(goal, known, patience_s)
        letter = self._episodes.newest()
        assert letter is not None
        return self._judge(question, episode, goal.stamp, letter.arrival)

    def _enable(self) -> None:
        mode = self.modes.newest()
        if mode is not None and mode.value not in MOVING:
            self._lead(mode.value)

    def _begun(self, goal: Goal, known: tuple[str, int]) -> EpisodeState | None:
        """The episode towards `goal` once there is one; None when the guard comes to rest before that."""
        begun = (Stand.RUNNING, Stand.COMPLETE, Stand.CUT_SHORT)
        with self._news:
            news = self._news.wait_for(lambda: self._heard(goal, known, begun) or self._rests(goal), BEGIN_S)
            if not news:
                raise UserError(f"{goal.id}: no episode of the policy in {BEGIN_S:g} s", next_step="see policy.log")
            return self._heard(goal, known, begun)

    def _over(self, goal: Goal, known: tuple[str, int], patience_s: float) -> EpisodeState:
        with self._news:
            over = self._news.wait_for(
                lambda: self._heard(goal, known, (Stand.COMPLETE, Stand.CUT_SHORT)), timeout=patience_s
            )
        if over is None:
            raise UserError(f"{goal.id}: the episode is not over in {patience_s:g} s", next_step="see policy.log")
        return over

    def _heard(self, goal: Goal, known: tuple[str, int], stands: tuple[Stand, ...]) -> EpisodeState | None:
        """The newest report of an episode towards `goal`, other than the `known` one, if it is in one of `stands`."""
        letter = self._episodes.newest()
        if letter is None or letter.value.key == known or letter.value.goal != goal_key(goal):
            return None
        return letter.value if letter.value.stand in stands else None

    def _rests(self, goal: Goal) -> bool:
        mode = self.modes.newest()
        return mode is not None and mode.value not in MOVING and mode.arrival > goal.stamp + RESTS_S

    def _judge(self, question: Question, episode: EpisodeState | None, shown: float, ended: float) -> Watched:
        """What `episode` came to, one frame and one place for each action, and those at its end.

        What of a step did not arrive here takes no other step's place: the frame before is held, and its time is
        between those of its neighbours. Without an episode the arm was shown the picture and stayed where it is.
        """
        # The ruler's last reports, the guard's last word and the last frame may still be on their way.
        self._clock.sleep_until(ended + LAST_WORDS_S)
        numbers = range(episode.first_action, episode.last_action + 1) if episode else range(0)
        heard = {number: self._answered[number] for number in numbers if number in self._answered}
        kept = list(self._frames)
        asked = [exposed(kept, a.frame_seq, a.frame_stamp) if (a := heard.get(n)) else None for n in numbers]
        last = exposed(kept, episode.last_frame, episode.last_stamp) if episode else None
        last = kept[-1].rgb if last is None else last
        stamps = [action.stamp for action in heard.values()]
        times = np.interp(numbers, list(heard), stamps).tolist() if heard else [shown]
        places = None
        if self._ruler is not None:
            places = padded(np.stack([self._ruler.tool_xy(stamp) for stamp in (*times, ended)]), self._steps + 1)
        # A step that did not happen, or of which the guard said nothing, is one in which the arm was stopped.
        outcomes = [self._executed.get(number, STOPPED) for number in numbers][: self._steps]
        outcomes += [STOPPED] * (self._steps - len(outcomes))
        complete = episode is not None and episode.stand is Stand.COMPLETE
        reason = episode.reason if episode is not None else "the guard came to rest before the episode began"
        return Watched(
            question,
            stretched([*held(asked, last), last], self._steps + 1),
            places,
            np.array(outcomes, np.uint8),
            times[0],
            ended,
            len(heard),
            complete,
            "" if complete else reason or "it was cut short",
        )


def exposed(frames: Sequence[Frame], seq: int, stamp: float) -> Bytes | None:
    """The picture `seq` that was exposed at `stamp` (monotonic s), None where it is not among `frames`.

    A camera that is started anew uses its numbers again; a `stamp` that is NaN is nobody's.
    """
    found = (frame.rgb for frame in frames if frame.seq == seq and abs(frame.stamp - stamp) <= SAME_S)
    return next(found, None)


def held(frames: Sequence[Bytes | None], last: Bytes) -> list[Bytes]:
    """`frames` with the one before in the place of each that is missing; before the first the first, else `last`."""
    shown = next((picture for picture in frames if picture is not None), last)
    made = []
    for picture in frames:
        shown = shown if picture is None else picture
        made.append(shown)
    return made


def stretched(frames: list[Bytes], length: int) -> Bytes:
    """`frames` as (length, 84, 84, 3): the last one is held where some are missing, and always stays the last."""
    held = [*frames, *[frames[-1]] * (length - len(frames))]
    return np.stack([*held[: length - 1], frames[-1]])


def padded(values: Floats, length: int) -> Floats:
    """`values` (N, ...) as (length, ...) in the same way."""
    held = np.concatenate([values, np.repeat(values[-1:], max(0, length - len(values)), axis=0)])
    ended: Floats = np.concatenate([held[: length - 1], values[-1:]])
    return ended
