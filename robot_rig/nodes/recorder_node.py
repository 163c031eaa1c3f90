"""The recorder as a ROS node: episodes of policies and people as files, each step on disk before it counts.

    python -m robot_rig.nodes.recorder_node --run runs/a

One thread takes everything in turn, waits for the disk, and says twenty times a second that it lives. When it does not,
a policy that was started with --record stops acting.
"""

from __future__ import annotations

import dataclasses
import functools
import logging
import queue
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from robot_rig.config import Config
from robot_rig.config_files import load_config
from robot_rig.data.log import EpisodeWriter
from robot_rig.data.store import EpisodeStore
from robot_rig.datatypes import Goal
from robot_rig.errors import UserError
from robot_rig.loops.episode_state import EpisodeState, RecorderState, Recording
from robot_rig.loops.live_recorder import LiveRecorder
from robot_rig.nodes.intake import listen
from robot_rig.ros import topics
from robot_rig.ros.arm_report import ArmReport, read_report
from robot_rig.ros.connect import advertise
from robot_rig.ros.convert import read_action, read_frame, read_goal
from robot_rig.ros.episode_reports import read_episode_message, recorder_message
from robot_rig.ros.node import Node, run
from robot_rig.runs import CONFIG_FILE, RunFolder

NODE = "rig_recorder"
DEFAULT_STAGE = "reach"

WORD_S = 0.05
"""How often the recorder says how it stands; at once when that changes."""

WAITING_PARTS = 1000
"""What may wait while the disk is slow: 10 s of everything, 10 MB."""

WAITING = 30
"""Messages that ROS may hold for this node."""

ENDING_S = 10.0

log = logging.getLogger("robot_rig.nodes.recorder_node")


@dataclass(frozen=True)
class RecorderNodeOptions:
    """The recorder: episodes of policies and people as files in the run folder."""

    run: Path
    """Run folder; made when there is none. Episodes go to RUN/episodes."""

    config: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """A preset (rig, reach, ...) or a YAML file laid over the defaults; may be given more than once."""

    set: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """One setting, as in --set control.policy_rate_hz=10; may be given more than once."""

    def load(self) -> Config:
        """The run's own settings where it exists, with the options laid over them."""
        own = self.run / CONFIG_FILE
        return load_config([*([own] if own.is_file() else []), *self.config], self.set)


class RecorderProcess:
    """Feeds `live` on one thread and hands its state to `say`. `put` may be called from any thread.

    `died` is called, on that thread, when it ends otherwise than by `close`: nothing is logged then.
    """

    def __init__(
        self,
        live: LiveRecorder,
        say: Callable[[RecorderState], None],
        died: Callable[[], None],
    ) -> None:
        self._live, self._say, self._died = live, say, died
        self._parts: queue.Queue[Callable[[], None]] = queue.Queue(WAITING_PARTS)
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="record", daemon=True)
        self._told: RecorderState | None = None
        self.lost = 0
        """Parts that came while too many waited, as the log tells; the episode they belong to ends for want of them."""
        self._told_lost = 0

    def start(self) -> None:
        """Begin to work."""
        self._thread.start()

    def put(self, part: Callable[[], None]) -> None:
        """Do `part` on the recorder's thread, in turn. Never waits."""
        try:
            self._parts.put_nowait(part)
        except queue.Full:
            self.lost += 1

    def close(self) -> None:
        """Close an open file and end the thread; waits for the disk for a while. May be called twice."""
        self._closing.set()
        if self._thread.is_alive():
            self._thread.join(ENDING_S)

    def _run(self) -> None:
        try:
            self._record()
        finally:
            if not self._closing.is_set():
                self._died()

    def _record(self) -> None:
        due = time.monotonic()
        while not self._closing.is_set():
            self._take(due - time.monotonic())
            state = self._live.tick(time.monotonic())
            if self.lost > self._told_lost:
                log.error("%d parts of steps were lost: %d waited", self.lost - self._told_lost, WAITING_PARTS)
                self._told_lost = self.lost
            if time.monotonic() >= due or self._news(state):
                self._say(state)
                due = time.monotonic() + WORD_S
        self._live.close("the recorder ends")

    def _take(self, patience_s: float) -> None:
        """One part, or all that waits, before the next word is due."""
        try:
            self._parts.get(timeout=max(patience_s, 1e-3))()
            for _ in range(self._parts.qsize()):
                self._parts.get_nowait()()
        except queue.Empty:
            pass

    def _news(self, state: RecorderState) -> bool:
        told, self._told = self._told, state
        if told is None or (told.stand, told.key) == (state.stand, state.key):
            return told is None
        if state.stand is Recording.FAILED:
            log.error("episode %d: %s", state.number, state.reason)
        elif state.stand is Recording.OPEN:
            log.info("episode %d is being logged", state.number)
        return True


def wire(options: RecorderNodeOptions, node: Node) -> None:
    """Make the run folder, subscribe to all that belongs to a step, and record."""
    config = options.load()
    folder = RunFolder.claim(options.run, config)
    # Held as long as the node may write: else episodes could be merged or split while the next one begins.
    node.closing(folder.close)
    store = EpisodeStore(folder.episodes)

    def open_log(goal: Goal | None, meta: Mapping[str, str]) -> EpisodeWriter:
        path = store.next_path(meta.get("stage", DEFAULT_STAGE))
        image = None if goal is None else goal.image
        return EpisodeWriter(path, len(config.control.axes), image, meta, clock_offset=node.stamps.wall(0.0))

    if (trouble := disk_trouble(open_log)) is not None:
        raise trouble
    words = advertise(topics.RECORDER_STATUS)

    def open_and_tell(goal: Goal | None, meta: Mapping[str, str]) -> EpisodeWriter:
        writer = open_log(goal, meta)
        log.info("logging into %s", store.paths()[-1])
        return writer

    live = LiveRecorder(open_and_tell)
    dead = UserError("the recorder's thread has died; the policy stops", next_step="see the traceback above")
    process = RecorderProcess(
        live, lambda state: words.publish(recorder_message(state, node.stamps)), lambda: node.fail(dead)
    )
    node.closing(process.close)
    connect(node, live, process)
    process.start()


def disk_trouble(open_log: Callable[[Goal | None, Mapping[str, str]], EpisodeWriter]) -> UserError | None:
    """Why no episode could be logged now, so that a person hears it at once and not when the arm should move."""
    try:
        open_log(None, {}).abort("trial")
    except UserError as error:
        return error
    return None


def connect(node: Node, live: LiveRecorder, process: RecorderProcess) -> None:
    """Subscribe to what the recorder needs; each part goes through its one queue."""
    stamps, put = node.stamps, process.put

    def take_report(report: ArmReport) -> None:
        if report.executed is not None:
            put(functools.partial(live.report, report.stamp, report.executed_seq, report.executed))

    def take_episode(episode: EpisodeState) -> None:
        put(lambda: live.follow(time.monotonic(), episode))

    # The newest is not enough here: a frame that an action answers must not be lost to a moment without the processor.
    frames, *actions = (
        dataclasses.replace(topic, queue_size=WAITING) for topic in (topics.CAMERA_FRAME, topics.ACTION, topics.TELEOP)
    )
    listen(
        frames,
        lambda message: read_frame(message, stamps),
        lambda frame: put(functools.partial(live.observe, frame)),
    )
    for topic in actions:
        listen(
            topic,
            lambda message: read_action(message, stamps),
            lambda action: put(functools.partial(live.act, action)),
        )
    listen(topics.ARM_STATUS, lambda message: read_report(message, stamps), take_report)
    listen(
        topics.GOAL,
        lambda message: read_goal(message, time.monotonic()),
        lambda goal: put(functools.partial(live.aim, goal)),
    )
    listen(topics.EPISODE, lambda message: read_episode_message(message, stamps), take_episode)


def main(arguments: Sequence[str] | None = None) -> int:
    """Be the recorder node; returns the exit code."""
    return run(NODE, RecorderNodeOptions, wire, arguments)


if __name__ == "__main__":
    sys.exit(main())
