"""What a person does with the arm goes to the recorder, where there is one, as `source` human. For the teleop node."""

from __future__ import annotations

import os
import time
from collections.abc import Callable

from robot_rig.config import Config
from robot_rig.datatypes import Action, Float32s, Frame
from robot_rig.loops.episode_state import RecorderState
from robot_rig.loops.person_episodes import PersonEpisodes, PersonMove, PersonView, Phase
from robot_rig.nodes.intake import listen
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import read_frame
from robot_rig.ros.episode_reports import episode_message, read_recorder
from robot_rig.ros.mailbox import Mailbox
from robot_rig.ros.stamps import HostStamps
from robot_rig.ros.topics import CAMERA_FRAME, EPISODE, RECORDER_STATUS

STAGE = "teleop"


class PersonLog:
    """Connects `PersonEpisodes` to camera and recorder. `leads` says whether the guard follows a person.

    `frame_came` is called, on ROS's thread, whenever `answer` should be asked. `carry` and `answer` are one thread's.
    """

    def __init__(
        self, config: Config, stamps: HostStamps, leads: Callable[[], bool], frame_came: Callable[[], None]
    ) -> None:
        self._stamps, self._leads = stamps, leads
        self._episodes = PersonEpisodes(
            f"teleop-{os.getpid()}-{time.time_ns():x}",
            {"stage": STAGE, "policy": "human", "config": config.hash()},
            1.0 / config.control.policy_rate_hz,
            config.guard.image_age_limit_s,
        )
        self._frames: Mailbox[Frame] = Mailbox()
        self._recorders: Mailbox[RecorderState] = Mailbox()
        self._announcements = advertise(EPISODE)

        def take_frame(frame: Frame) -> None:
            self._frames.put(frame)
            frame_came()

        listen(CAMERA_FRAME, lambda message: read_frame(message, stamps), take_frame)
        listen(RECORDER_STATUS, lambda message: read_recorder(message, stamps), self._recorders.put)

    @property
    def logging(self) -> bool:
        """Whether what the person does now goes into a file."""
        return self._episodes.phase is Phase.RUNNING

    def carry(self, now: float, action: Action | None, wish: Float32s | None) -> Action | None:
        """What to send at `now` (s) of the device's own `action`, while the person asks for `wish`."""
        return self._announce(now, self._episodes.carry(now, action, wish, self._view()))

    def answer(self, now: float, wish: Float32s | None) -> Action | None:
        """What to send because a frame has come."""
        return self._announce(now, self._episodes.answer(now, wish, self._view()))

    def _announce(self, now: float, move: PersonMove) -> Action | None:
        # Before the action: the recorder must not log a step that the announcement leaves out.
        if move.announce is not None:
            self._announcements.publish(episode_message(move.announce, self._stamps, now))
        return move.action

    def _view(self) -> PersonView:
        frame, recorder = self._frames.newest(), self._recorders.newest()
        return PersonView(
            None if frame is None else frame.value, self._leads(), None if recorder is None else recorder.value
        )
