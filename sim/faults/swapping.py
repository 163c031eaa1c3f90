"""The policy process under a rain of new policies, and its recorder, without ROS: for row 21. Run by the row.

    python -m sim.faults.swapping FOLDER SECONDS SEED

Five times as fast as a robot: pictures come 100 times a second, actions leave 50 times, and every 0.1 s somebody ships
another policy. Each acts with its own number, so that a log tells who acted. Nothing but the arm is made up.
"""

from __future__ import annotations

import contextlib
import queue
import sys
import threading
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from robot_rig.clock import Clock, WallClock
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import IMAGE_SHAPE, Action, Executed, Float32s, Frame, Goal, Mode, Outcome, Source
from robot_rig.loops.live_episodes import ArmView, LiveEpisodes, Rules
from robot_rig.loops.live_recorder import LiveRecorder
from robot_rig.nodes.policy_process import Inbox, Outlets, PolicyProcess
from sim.faults.made_steps import ACTION_DIM, NO_LIMIT

FRAME_S, PERIOD_S, SHIP_S = 0.01, 0.02, 0.1
IMAGE_AGE_S = 0.25
LONGEST = 20
"""Steps of an episode, at most: some are over before the next policy comes, some see several come."""

SCALE = 1024
"""Policy n acts with n / SCALE."""

NAME = "policy-"
ENDING_S = 5.0


class Numbered:
    """A policy that acts with its number."""

    action_dim = ACTION_DIM

    def __init__(self, number: int) -> None:
        self._value = np.array([number / SCALE, 0.0], np.float32)

    def begin(self, goal: Goal) -> None:
        """Nothing."""

    def act(self, frame: Frame, under_way: Float32s | None = None) -> Float32s:
        """Its number."""
        return self._value


def rules(number: int, steps: int) -> Rules:
    """Logged random play, in the name of policy `number`."""
    meta = {"stage": "collect", "policy": f"{NAME}{number}"}
    return Rules(steps, Source.RANDOM, "anywhere", recording="required", session="swapping", meta=meta)


class Rig:
    """The threads of a robot: camera and arm, recorder, policy, and whoever ships."""

    def __init__(self, folder: Path, seed: int) -> None:
        self._store = EpisodeStore(folder)
        self._clock: Clock = WallClock()
        self._random = np.random.default_rng(seed)
        self._inbox = Inbox(self._clock.now)
        self._parts: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._live = LiveRecorder(self._open_log)
        self._last: Action | None = None
        self._told = -1
        self._closing = threading.Event()
        outlets = Outlets(
            self._send, lambda said: self._parts.put(lambda: self._live.follow(self._clock.now(), said)), lambda: None
        )
        live = LiveEpisodes(Numbered(0), rules(0, LONGEST), IMAGE_AGE_S, PERIOD_S, 0.0)
        self._process = PolicyProcess(live, self._inbox, outlets, self._clock, lambda: None)

    def run(self, seconds: float) -> None:
        """Work for a while, and close what is open."""
        works = (self._see, self._record, self._process.run, self._ship)
        threads = [threading.Thread(target=work, daemon=True) for work in works]
        for thread in threads:
            thread.start()
        self._clock.sleep_until(self._clock.now() + seconds)
        self._process.close("the row is over")
        self._clock.sleep_until(self._clock.now() + 1.0)
        self._closing.set()
        for thread in threads:
            thread.join(ENDING_S)
        self._live.close("the row is over")

    def _open_log(self, goal: Goal | None, meta: Mapping[str, str]) -> EpisodeWriter:
        return EpisodeWriter(self._store.next_path("collect"), ACTION_DIM, None, meta, room=NO_LIMIT)

    def _send(self, action: Action) -> None:
        self._last = action
        self._parts.put(lambda: self._live.act(action))

    def _see(self) -> None:
        for seq in range(1, sys.maxsize):
            if self._closing.is_set():
                return
            now = self._clock.now()
            frame = Frame(seq, now, np.full(IMAGE_SHAPE, seq % 256, np.uint8))
            self._parts.put(partial(self._live.observe, frame))
            self._answer(now)
            self._inbox.frames.put(frame)
            self._process.new_frame()
            self._clock.sleep_until(now + FRAME_S)

    def _answer(self, now: float) -> None:
        """The arm has done what it was told last."""
        last = self._last
        view = ArmView(now, Mode.ACTIVE, None, at_home=True, executed_seq=-1, executed=None)
        if last is not None and last.seq != self._told and now > last.stamp:
            self._told = last.seq
            done = Executed(last.value, 0.0, Outcome.PASSED, (), np.zeros(7))
            self._parts.put(lambda: self._live.report(now, last.seq, done))
            view = view._replace(executed_seq=last.seq, executed=last.value)
        self._inbox.arms.put(view)

    def _record(self) -> None:
        while not self._closing.is_set():
            with contextlib.suppress(queue.Empty):
                self._parts.get(timeout=FRAME_S)()
            self._inbox.recorders.put(self._live.tick(self._clock.now()))

    def _ship(self) -> None:
        due = self._clock.now()
        for number in range(1, SCALE):
            due += SHIP_S
            self._clock.sleep_until(due)
            if self._closing.is_set():
                return
            self._process.recast(Numbered(number), rules(number, int(self._random.integers(1, LONGEST + 1))))


def main() -> int:
    """Rain policies; returns the exit code."""
    folder, seconds, seed = sys.argv[1:]
    Rig(Path(folder), int(seed)).run(float(seconds))
    return 0


if __name__ == "__main__":
    sys.exit(main())
