"""Logs the episodes of policy and people from what goes over the network, where nothing arrives in order. Pure.

Frames, actions, what came of them, and the episode's own state come over four connections. A step is logged when all of
its parts are there, strictly in the order of the actions; what is missing for too long ends the file, and the steps
before it count. Called by recorder_node, which is also the only one to wait for the disk.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import NamedTuple, TypeVar

from robot_rig.datatypes import Action, Executed, Frame, Goal, Source
from robot_rig.errors import UserError
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording, Stand, goal_key
from robot_rig.loops.recorder import KEPT_FRAMES, Recorder, StepLog

KEPT_PARTS = 256
"""Actions and reports to look back on, for those that overtake the episode's own state."""

LATE_S = 2.0
"""How long a part of a step, the goal or the closing frame may be missing."""

SAME_S = 0.1
"""A frame and whoever names it mean the same exposure when their stamps differ by no more, by way of two clocks. Frames
are numbered anew when the camera is started anew, and an old one may bear the number.
"""

K = TypeVar("K")
T = TypeVar("T")


class Told(NamedTuple):
    """What came of an action, and when that was said, monotonic s."""

    stamp: float
    executed: Executed


class LiveRecorder:
    """Follows one episode after the other. `open_log` opens a file for a goal and meta strings.

    `observe`, `act`, `report`, `aim` and `follow` take what arrives; `tick` does the work and returns how things stand.
    """

    def __init__(self, open_log: Callable[[Goal | None, Mapping[str, str]], StepLog]) -> None:
        self._recorder = Recorder(open_log)
        self._frames: OrderedDict[int, Frame] = OrderedDict()
        self._actions: OrderedDict[tuple[Source, int], Action] = OrderedDict()
        self._executed: OrderedDict[int, Told] = OrderedDict()
        self._goals: dict[str, Goal] = {}
        self._episode: EpisodeState | None = None
        self._waiting: EpisodeState | None = None
        self._session = ""
        self._reported = -1
        self._stand = Recording.IDLE
        self._reason = ""
        self._steps = 0
        self._progress = 0.0

    def observe(self, frame: Frame) -> None:
        """A frame of the camera."""
        _keep(self._frames, frame.seq, frame, KEPT_FRAMES)

    def act(self, action: Action) -> None:
        """An action of the policy process, or of a person; each counts its own."""
        _keep(self._actions, (action.source, action.seq), action, KEPT_PARTS)

    def report(self, stamp: float, seq: int, executed: Executed) -> None:
        """What came of action `seq`, said at `stamp` (s); only the first word of several in a row counts."""
        if seq != self._reported:
            self._reported = seq
            _keep(self._executed, seq, Told(stamp, executed), KEPT_PARTS)

    def aim(self, goal: Goal) -> None:
        """A goal picture; the newest is enough, because the policy process begins with it."""
        self._goals = {goal_key(goal): goal}

    def follow(self, now: float, episode: EpisodeState) -> None:
        """The word of a policy process, or of a person's teleop, on its episode. Another one ends the one at hand.

        One that has ended by itself is finished first: the account of its last action may still be on its way. That
        somebody else's has ended, which was over before, says nothing about this one.
        """
        known = self._episode
        if known is not None and known.key == episode.key:
            self._episode = episode
        elif self._waiting is not None and self._waiting.key == episode.key:
            self._waiting = episode
        elif known is not None and known.session != episode.session and episode.stand is not Stand.RUNNING:
            pass
        elif known is not None and self._is_ending(known):
            self._waiting = episode
        else:
            self._close("another episode began")
            self._take_up(now, episode)
            if episode.stand is not Stand.RUNNING or episode.last_action >= episode.first_action:
                self._episode = None  # it is over, or its beginning was missed

    def _is_ending(self, episode: EpisodeState) -> bool:
        return episode.stand is not Stand.RUNNING and self._stand is Recording.OPEN

    def _take_up(self, now: float, episode: EpisodeState) -> None:
        # Actions are numbered anew by another process, and its episodes must not take parts of this one's.
        if episode.session != self._session:
            self._actions.clear()
            self._session = episode.session
        self._recorder.forget()
        self._episode, self._steps, self._progress = episode, 0, now
        self._stand, self._reason = Recording.IDLE, ""

    def tick(self, now: float) -> RecorderState:
        """Open, log and close as far as what has arrived goes; `now` in s."""
        if self._episode is not None and self._stand is not Recording.FAILED:
            try:
                self._advance(now, self._episode)
            except UserError as error:
                self._recorder.abort("the recorder failed")
                self._stand, self._reason = Recording.FAILED, str(error)
        if self._waiting is not None and self._stand is not Recording.OPEN:
            self._take_up(now, self._waiting)
            self._waiting = None
        session, number = self._episode.key if self._episode is not None else ("", 0)
        safe = self._recorder.acknowledged if self._episode is not None else 0
        return RecorderState(now, self._stand, session, number, safe, self._reason)

    def close(self, reason: str) -> None:
        """Close an open file for a `reason` from outside, as when the process ends."""
        self._close(reason)
        self._episode, self._waiting, self._stand = None, None, Recording.IDLE

    # Inside.

    def _advance(self, now: float, episode: EpisodeState) -> None:
        if self._stand is Recording.IDLE:
            self._open(now, episode)
        if self._stand is not Recording.OPEN:
            return
        while self._log_next(episode):
            self._progress = now
        late = now - self._progress > LATE_S
        done = self._steps > episode.last_action - episode.first_action
        if episode.stand is Stand.RUNNING:
            if late:
                self._fail(self._missing(episode))
        elif (done or late) and episode.stand is Stand.CUT_SHORT:
            self._close(episode.reason)
            self._episode, self._stand = None, Recording.IDLE
        elif done and (last := self._exposed(episode.last_frame, episode.last_stamp)) is not None:
            self._recorder.finish(last)
            self._episode, self._stand = None, Recording.IDLE
        elif late:
            self._fail(self._missing(episode))

    def _open(self, now: float, episode: EpisodeState) -> None:
        goal = self._goals.get(episode.goal)
        if episode.stand is not Stand.RUNNING:
            self._episode = None
        elif goal is not None or not episode.goal:
            self._recorder.begin(goal, episode.meta)
            self._stand, self._progress = Recording.OPEN, now
        elif now - self._progress > LATE_S:
            self._fail("the goal picture has not arrived")

    def _log_next(self, episode: EpisodeState) -> bool:
        """Log the next step if all of it is at hand."""
        seq = episode.first_action + self._steps
        if episode.stand is not Stand.RUNNING and seq > episode.last_action:
            return False
        action, told = self._actions.get((episode.source, seq)), self._executed.get(seq)
        frame = self._exposed(action.frame_seq, action.frame_stamp) if action is not None else None
        # A word that is older than the action is about the same number of an earlier process.
        if action is None or told is None or frame is None or told.stamp <= action.stamp:
            return False
        self._recorder.observe(frame)
        self._recorder.record(action, told.executed)
        self._steps += 1
        return True

    def _exposed(self, seq: int, stamp: float) -> Frame | None:
        """The very frame `seq` that was exposed at `stamp` (s), if it is at hand."""
        frame = self._frames.get(seq)
        return frame if frame is not None and abs(frame.stamp - stamp) <= SAME_S else None

    def _missing(self, episode: EpisodeState) -> str:
        seq = episode.first_action + self._steps
        action = self._actions.get((episode.source, seq))
        if episode.stand is not Stand.RUNNING and seq > episode.last_action:
            return f"frame {episode.last_frame}, the closing one, has not arrived"
        if action is None:
            return f"no action {seq} has arrived"
        if self._exposed(action.frame_seq, action.frame_stamp) is None:
            return f"frame {action.frame_seq}, which action {seq} answers, has not arrived"
        return f"no word on what came of action {seq} has arrived"

    def _fail(self, reason: str) -> None:
        self._close(reason)
        self._stand, self._reason = Recording.FAILED, reason

    def _close(self, reason: str) -> None:
        self._recorder.abort(reason)


def _keep(parts: OrderedDict[K, T], key: K, value: T, most: int) -> None:
    parts[key] = value
    if len(parts) > most:
        parts.popitem(last=False)
