"""Pairs each action with the very frame it answers and logs the step. Called by the recorder node.

Frames come faster than actions, and what an action came to is known a policy period later; the frame number in the
action, never the order of arrival, says which frame it belongs to.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Protocol

from robot_rig.datatypes import Action, Executed, Frame, Goal, Step

KEPT_FRAMES = 64
"""Frames to look back on: 2 s at 30 frames/s, 1.4 MB."""


class StepLog(Protocol):
    """Where steps go; `data.log.EpisodeWriter` is one."""

    @property
    def acknowledged(self) -> int:
        """Steps on disk for good."""
        ...

    def append(self, step: Step) -> None:
        """Take a step."""
        ...

    def finish(self, last_frame: Frame) -> None:
        """Close with the frame after the last step."""
        ...

    def abort(self, reason: str) -> None:
        """Close without one."""
        ...


class Recorder:
    """One episode at a time. `open_log` opens the log of the next episode from its goal and its meta strings."""

    def __init__(self, open_log: Callable[[Goal | None, Mapping[str, str]], StepLog]) -> None:
        self._open_log = open_log
        self._log: StepLog | None = None
        self._latest: StepLog | None = None
        self._frames: OrderedDict[int, Frame] = OrderedDict()

    @property
    def recording(self) -> bool:
        """Whether an episode is open."""
        return self._log is not None

    @property
    def acknowledged(self) -> int:
        """Steps on disk for good, of the episode that is open or was last and is not forgotten."""
        return 0 if self._latest is None else self._latest.acknowledged

    def forget(self) -> None:
        """Another episode than the last one is at hand, which has nothing on disk yet."""
        self._latest = self._log

    def begin(self, goal: Goal | None, meta: Mapping[str, str]) -> None:
        """Open an episode. Raises RuntimeError inside another one."""
        if self._log is not None:
            raise RuntimeError("an episode is being recorded: finish or abort it first")
        self._log = self._latest = self._open_log(goal, meta)
        self._frames.clear()

    def observe(self, frame: Frame) -> None:
        """Remember a frame that an action may answer."""
        self._frames[frame.seq] = frame
        if len(self._frames) > KEPT_FRAMES:
            self._frames.popitem(last=False)

    def record(self, action: Action, executed: Executed) -> None:
        """Log the step of `action`.

        Raises ValueError when the frame it answers was not observed or is answered already, RuntimeError outside an
        episode.
        """
        log = self._running()
        frame = self._frames.pop(action.frame_seq, None)
        if frame is None:
            raise ValueError(f"action {action.seq} answers frame {action.frame_seq}, which is not at hand")
        log.append(Step(frame, action, executed))

    def finish(self, last_frame: Frame) -> None:
        """Close the episode with the frame that the last action led to."""
        log, self._log = self._running(), None
        log.finish(last_frame)

    def abort(self, reason: str) -> None:
        """Close the episode without one, if any is open; what was logged stays."""
        if self._log is not None:
            log, self._log = self._log, None
            log.abort(reason)

    def _running(self) -> StepLog:
        if self._log is None:
            raise RuntimeError("no episode is being recorded")
        return self._log
