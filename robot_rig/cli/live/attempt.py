"""One goal picture on the live graph: show it, watch the policy work, and measure where the tool ended.

Called by `cli.live.demo`. The arm goes home before each episode by itself (policy_node --start home). What the policy
may know and what the judge knows never meet here: the goal goes out, the ruler is read, and that is all.
"""

from __future__ import annotations

import threading
from collections import deque
from typing import Any, NamedTuple

import numpy as np

from robot_rig.clock import WallClock
from robot_rig.datatypes import Bytes, Floats, Frame, Goal, Mode
from robot_rig.errors import UserError
from robot_rig.evaluation import GoalCase, Rollout
from robot_rig.loops.episode_state import EpisodeState, Stand, goal_key
from robot_rig.ros.arm_report import read_report
from robot_rig.ros.connect import advertise, subscribe
from robot_rig.ros.convert import goal_message, read_action, read_frame
from robot_rig.ros.episode_reports import read_episode_message
from robot_rig.ros.mailbox import Mailbox
from robot_rig.ros.orders import give_order
from robot_rig.ros.stamps import HostStamps, Refused
from robot_rig.ros.topics import ACTION, ARM_STATUS, CAMERA_FRAME, EPISODE, GOAL
from sim.wire.ruler import Ruler

KEPT_FRAMES = 1000
MOVING = (Mode.ACTIVE, Mode.HOMING)
BEGIN_S = 60.0
"""From the goal to the first action: the way home, and a busy machine."""

RESTS_S = 1.0
"""A guard that still rests this long after it was enabled has come to rest since."""


class Outcome(NamedTuple):
    """What came of one goal. `begin` and `end` (monotonic s) are of the first and after the last policy step;
    `complete` whether the episode had all its steps, else `reason` says why not.
    """

    rollout: Rollout
    begin: float
    end: float
    complete: bool
    reason: str


class Attempt:
    """Hears what a demo needs of the graph, and shows goals; the process must be a node."""

    def __init__(self, ruler: Ruler, steps: int) -> None:
        self._ruler, self._steps = ruler, steps
        self._stamps, self._clock = HostStamps(), WallClock()
        self._goals = advertise(GOAL)
        self._frames: deque[Frame] = deque(maxlen=KEPT_FRAMES)
        self._answered: dict[int, tuple[int, float]] = {}
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
            self._answered[action.seq] = (action.frame_seq, action.stamp)

    def _take_status(self, message: Any) -> None:
        report = read_report(message, self._stamps)
        if not isinstance(report, Refused):
            self.modes.put(report.mode)
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
        heard = self._frames and self.modes.newest() and self._ruler.latest > 0
        return bool(heard) and self._goals.get_num_connections() > 0

    def close(self) -> None:
        """Hear no more and ask for nothing more, for a goal is latched; may be called twice."""
        for end in (*self._subscribers, self._goals):
            end.unregister()

    def reach(self, case: GoalCase, patience_s: float) -> Outcome:
        """Show `case` and return what came of it; the episode may take `patience_s` once it has begun."""
        self._enable()
        goal = Goal(case.image, case.id, self._clock.now(), calibration_id="", source="evaluation")
        before = self._episodes.newest()
        known = before.value.key if before is not None else ("", 0)
        self._goals.publish(goal_message(goal, self._stamps))
        if self._begun(goal, known) is None:
            return self._judge(case, None, goal.stamp, self._clock.now())
        episode = self._over(goal, known, patience_s)
        letter = self._episodes.newest()
        assert letter is not None
        return self._judge(case, episode, goal.stamp, letter.arrival)

    def _enable(self) -> None:
        """The arm is a simulated one that this demo has started: nobody is in its reach."""
        mode = self.modes.newest()
        if mode is None or mode.value in MOVING:
            return
        if mode.value is Mode.FAULT:
            give_order("reset")
        give_order("enable")

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

    def _judge(self, case: GoalCase, episode: EpisodeState | None, shown: float, ended: float) -> Outcome:
        """The rollout of `episode`, one frame and one distance for each action, and those at its end.

        Without an episode the arm was shown the picture and stayed where it is.
        """
        # The ruler's last reports, and the last frame, may still be on their way.
        self._clock.sleep_until(ended + 0.05)
        numbers = range(episode.first_action, episode.last_action + 1) if episode else range(0)
        heard = [self._answered[number] for number in numbers if number in self._answered]
        pictures = {frame.seq: frame.rgb for frame in self._frames}
        frames = [pictures[seq] for seq, _ in heard if seq in pictures]
        last = pictures.get(episode.last_frame, self._frames[-1].rgb) if episode else self._frames[-1].rgb
        times = [stamp for _, stamp in heard] or [shown]
        places = [self._ruler.tool_xy(stamp) for stamp in (*times, ended)]
        away = np.linalg.norm(np.stack(places) - case.xy_m, axis=1)
        rollout = Rollout(
            case.image, stretched([*frames, last], self._steps + 1), padded(away, self._steps + 1), case.xy_m,
            places[-1],
        )  # fmt: skip
        if episode is None:
            return Outcome(rollout, times[0], ended, False, "the guard came to rest before the episode began")
        return Outcome(rollout, times[0], ended, episode.stand is Stand.COMPLETE, episode.reason)


def stretched(frames: list[Bytes], length: int) -> Bytes:
    """`frames` as (length, 84, 84, 3): the last one is held where some are missing, and always stays the last."""
    held = [*frames, *[frames[-1]] * (length - len(frames))]
    return np.stack([*held[: length - 1], frames[-1]])


def padded(values: Floats, length: int) -> Floats:
    """`values` (N,) as (length,) in the same way."""
    held = np.concatenate([values, np.full(max(0, length - len(values)), values[-1])])
    ended: Floats = np.concatenate([held[: length - 1], values[-1:]])
    return ended
