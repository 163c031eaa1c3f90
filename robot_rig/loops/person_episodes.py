"""A person's motion as episodes for the recorder: `source` human, one action for each frame of the policy's beat. Pure.

While a recorder is there, every stretch of motion under a person's hands is an episode of its own; while there is none,
the person moves the arm all the same. Called by the teleop node's log, `drivers.person_log`.

What a device asks for is sent many times a second, for a prompt stop. A step that is to be learnt from answers a frame
and lasts a policy period; so within an episode the frames give the beat, and only the goodbye does not wait for one.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import NamedTuple

from robot_rig.datatypes import Action, Float32s, Frame, Source
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording, Stand
from robot_rig.loops.frame_pacer import FramePacer

RECORDER_SILENT_S = 0.3
OPENING_S = 2.0
RETRY_S = 5.0
"""How long the recorder's word is good, how long it may take to open its file, and how long to leave it alone then."""

FEWEST_STEPS = 2
"""The last step ends with the hand's letting go, before its period is over: it is not logged."""


class Phase(enum.Enum):
    """What a person's log is about."""

    IDLE = "idle"
    OPENING = "opening"
    RUNNING = "running"


class PersonView(NamedTuple):
    """What counts: the newest `frame`, whether the guard follows a person (`leads`), and the recorder's last word."""

    frame: Frame | None
    leads: bool
    recorder: RecorderState | None


class PersonMove(NamedTuple):
    """What is to be done now, in this order: publish `announce`, send `action`."""

    announce: EpisodeState | None = None
    action: Action | None = None


class PersonEpisodes:
    """The episodes of one teleop. `session` names the process, `period_s` is the policy's, `meta` is for the log."""

    def __init__(self, session: str, meta: Mapping[str, str], period_s: float, image_age_limit_s: float) -> None:
        self._session, self._meta, self._image_age_limit_s = session, meta, image_age_limit_s
        self._pacer = FramePacer(period_s)
        self.phase = Phase.IDLE
        self._number = 0
        self._first = self._next = 0
        self._looked = -1
        self._answered: Frame | None = None
        self._since = self._rest_until = 0.0

    def carry(self, now: float, action: Action | None, wish: Float32s | None, view: PersonView) -> PersonMove:
        """What becomes of the device's own `action` at `now` (s) while it asks for `wish` (None: the person let go)."""
        doubt = self._doubt(now, view)
        if self.phase is Phase.RUNNING:
            if doubt or wish is None:
                return PersonMove(self._end(doubt), action)
            return PersonMove()
        if self.phase is Phase.OPENING:
            return PersonMove(self._open(now, action, wish, doubt, view.recorder), action)
        if wish is None or doubt or action is None or now < self._rest_until or self._taken(view.recorder):
            return PersonMove(action=action)
        self._number += 1
        self._first = self._next = action.seq + 1
        self.phase, self._since = Phase.OPENING, now
        return PersonMove(self._state(Stand.RUNNING), action)

    def answer(self, now: float, wish: Float32s | None, view: PersonView) -> PersonMove:
        """The action that answers the newest frame, when it is due; to be asked at every frame."""
        frame = view.frame
        if self.phase is not Phase.RUNNING or wish is None or frame is None or frame.seq == self._looked:
            return PersonMove()
        self._looked = frame.seq
        if self._doubt(now, view) or not self._pacer.due(frame.stamp):
            return PersonMove()
        action = Action(self._next, now, wish, Source.HUMAN, frame.seq, frame.stamp)
        self._next, self._answered = self._next + 1, frame
        return PersonMove(action=action)

    def _doubt(self, now: float, view: PersonView) -> str:
        """Why nothing can be logged at `now`; empty when it can."""
        if not view.leads:
            return "the guard follows no person"
        if view.recorder is None or now - view.recorder.stamp > RECORDER_SILENT_S:
            return "the recorder is silent"
        if view.frame is None or now - view.frame.stamp > self._image_age_limit_s:
            return "the picture is too old"
        if self.phase is not Phase.RUNNING:
            return ""
        ours = view.recorder.key == (self._session, self._number) and view.recorder.stand is Recording.OPEN
        return "" if ours else "the recorder has closed its file"

    def _taken(self, recorder: RecorderState | None) -> bool:
        """Whether the recorder still writes another episode, as a policy's that this person has just interrupted."""
        return recorder is not None and recorder.stand is Recording.OPEN

    def _open(
        self, now: float, action: Action | None, wish: Float32s | None, doubt: str, recorder: RecorderState | None
    ) -> EpisodeState | None:
        if doubt or wish is None or now - self._since > OPENING_S:
            self._rest_until = now + (0.0 if wish is None else RETRY_S)
            return self._end(doubt or "no file was opened")
        if recorder is None or recorder.key != (self._session, self._number) or recorder.stand is not Recording.OPEN:
            return None
        self.phase = Phase.RUNNING
        self._pacer.restart()
        # Actions of the device itself have gone out meanwhile: the log begins behind them.
        self._first = self._next = max(self._next, (action.seq if action is not None else 0) + 1)
        return self._state(Stand.RUNNING)

    def _end(self, doubt: str) -> EpisodeState:
        was_running = self.phase is Phase.RUNNING
        self.phase = Phase.IDLE
        if was_running and not doubt and self._next - self._first >= FEWEST_STEPS:
            self._next -= 1
            return self._state(Stand.COMPLETE, last=self._answered)
        return self._state(Stand.CUT_SHORT, reason=doubt or "let go before a step was whole")

    def _state(self, stand: Stand, last: Frame | None = None, reason: str = "") -> EpisodeState:
        number, stamp = (-1, 0.0) if last is None else (last.seq, last.stamp)
        return EpisodeState(
            self._session, self._number, stand, Source.HUMAN, "", self._first, self._next - 1, number, reason,
            self._meta, stamp,
        )  # fmt: skip
