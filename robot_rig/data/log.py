"""The episode log: one MCAP file an episode that survives SIGKILL, a full disk and bit rot (reliability first).

`EpisodeWriter` is used by collection, practice and the recorder node; `read_episode` by the trainer and `rig data`.
Each step is one compressed chunk with its own checksum, on disk (fdatasync) before it counts as acknowledged.
"""

from __future__ import annotations

import contextlib
import errno
import functools
import json
import queue
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import IO, Any, cast

import numpy as np
from mcap.writer import Writer

from robot_rig.arrays import read_only
from robot_rig.data import episode as schema
from robot_rig.data.disk_room import DiskRoom
from robot_rig.data.durable_file import DurableFile
from robot_rig.data.salvage import Salvaged, meta_checksum, salvage
from robot_rig.datatypes import IMAGE_SHAPE, Bytes, Episode, Frame, Source, Step
from robot_rig.disk import sync
from robot_rig.errors import UserError

QUEUE_STEPS = 64
"""Steps that may wait for the disk: 1.4 MB, and 6 s at 10 Hz."""

MAX_META_BYTES = 64 * 1024


class EpisodeWriter:
    """Writes one episode to the new file `path`; a file that exists is never touched.

    Args:
        path: ends in .mcap; its folder exists.
        action_dim: A, the length of every action.
        goal: picture to reach, uint8 (84, 84, 3), or None for goalless play.
        meta: short strings about the episode (stage, policy id, config hash, ...).
        clock_offset: epoch of the stamps' zero, s: `clock.epoch(0.0)`.
        room: see DiskRoom.
        patience: how long `append` waits for a slow disk when the queue is full, s.

    Until `finish` or `abort` the file is locked, which is how readers tell a running episode from a dead one.
    Raises UserError when the file cannot be made or the disk is nearly full.
    """

    def __init__(
        self,
        path: Path | str,
        action_dim: int,
        goal: Bytes | None,
        meta: Mapping[str, str],
        *,
        clock_offset: float = 0.0,
        room: DiskRoom | None = None,
        patience: float = 5.0,
    ) -> None:
        self._path = Path(path)
        self._action_dim = action_dim
        self._goal = None if goal is None else read_only("goal", goal, IMAGE_SHAPE, np.uint8)
        self._offset_ns = round(clock_offset * schema.NS)
        self._room = room or DiskRoom()
        self._patience = patience
        self._appended = 0
        self._acknowledged = 0
        self._failure: UserError | None = None
        self._closed = self._aborted = False
        self._ending: Callable[[], None] = lambda: None
        self._syncs = 0
        record = self._meta_record(meta)
        self._room.require_to_start(self._path)
        try:
            self._file = DurableFile(self._path)
        except FileExistsError as error:
            raise UserError(f"{self._path} exists already", next_step="a log is never overwritten: move it") from error
        except OSError as error:
            raise self._explain(error) from error
        # The data checksum covers what is outside the chunks; the metadata carries one of its own for killed files.
        self._mcap: Any = Writer(cast(IO[bytes], self._file), enable_data_crcs=True)
        # The end is put into it even while no place is free, so that the thread always comes to an end.
        self._queue: queue.SimpleQueue[tuple[schema.LogMessage, ...] | None] = queue.SimpleQueue()
        self._places = threading.Semaphore(QUEUE_STEPS)
        self._thread = threading.Thread(target=self._drain, name=f"log {self._path.name}", daemon=True)
        try:
            self._begin(record)
            # Inside, because starting a thread waits, and a Ctrl-C then must not leave a file that nobody closes.
            self._thread.start()
        except BaseException as error:
            self._remove()
            self._file.close()
            if isinstance(error, OSError):
                raise self._explain(error) from error
            raise

    @property
    def acknowledged(self) -> int:
        """How many steps are on disk for good: no crash of program or machine takes them back."""
        return self._acknowledged

    def append(self, step: Step) -> None:
        """Hand over a step; it is on disk when `acknowledged` counts it, usually within 10 ms.

        Raises UserError when the disk has failed, is nearly full or too slow, or the episode too long; ValueError
        for a step that the file cannot hold. What was acknowledged before stays.
        """
        if self._failure is not None:
            raise self._failure
        if self._closed:
            raise RuntimeError(f"the episode {self._path} is closed")
        if step.action.value.shape != (self._action_dim,):
            raise ValueError(f"action has shape {step.action.value.shape}, the log {(self._action_dim,)}")
        if self._appended >= schema.MAX_STEPS:
            raise UserError(f"an episode holds at most {schema.MAX_STEPS} steps", next_step="finish it, begin another")
        messages = self._with_goal(schema.step_messages(step, self._appended, self._offset_ns))
        if not self._places.acquire(timeout=self._patience):
            raise UserError(
                f"the disk has taken no step of {self._path} for {self._patience:g} s",
                next_step=f"use a faster disk; the {self._acknowledged} steps on disk are safe",
            )
        self._queue.put(messages)
        self._appended += 1

    def finish(self, last_frame: Frame) -> None:
        """Wait for the disk, add the closing frame and the index, and close.

        Raises UserError as `append` does; the steps acknowledged so far stay readable then. A disk that hangs for
        longer than `patience` is not waited for: the file is finished, and its lock dropped, when it answers.
        """
        if self._closed:
            raise RuntimeError(f"the episode {self._path} is closed")
        closing = self._with_goal((schema.frame_message(last_frame, self._appended, self._offset_ns),))
        self._close(lambda: self._write_chunk(closing))

    def abort(self, reason: str) -> None:
        """Close without a closing frame and note why; an episode without a step leaves no file.

        When already closed, do nothing. Raises nothing about the disk: it is called while another error is on its way
        up. A disk that hangs is treated as by `finish`.
        """
        if not self._closed:
            self._aborted = True
            with contextlib.suppress(UserError):
                self._close(lambda: self._mcap.add_metadata(schema.ABORT_RECORD, {"reason": reason}))

    def _meta_record(self, meta: Mapping[str, str]) -> dict[str, str]:
        taken = sorted(set(meta) & set(schema.RESERVED_META))
        if taken:
            raise ValueError(f"meta keys {taken} belong to the log itself")
        record = {
            **meta,
            "format": str(schema.FORMAT_VERSION),
            "action_dim": str(self._action_dim),
            "clock_offset_ns": str(self._offset_ns),
        }
        if len(json.dumps(record)) > MAX_META_BYTES:
            raise ValueError(f"meta is longer than {MAX_META_BYTES} bytes")
        return {**record, "crc32": meta_checksum(record)}

    def _begin(self, meta: dict[str, str]) -> None:
        self._mcap.start(profile=schema.PROFILE, library="robot_rig")
        self._mcap.add_metadata(schema.META_RECORD, meta)
        self._channels = {topic.name: self._register(topic) for topic in schema.TOPICS}
        self._write_chunk(())
        sync(self._path.parent)

    def _register(self, topic: schema.Topic) -> int:
        text, md5 = schema.definition(topic)
        schema_id = self._mcap.register_schema(topic.type, schema.SCHEMA_ENCODING, text.encode())
        described = {"md5sum": md5, "latching": "1" if topic.latched else "0", "callerid": "/rig"}
        return int(self._mcap.register_channel(topic.name, schema.MESSAGE_ENCODING, schema_id, described))

    def _with_goal(self, messages: tuple[schema.LogMessage, ...]) -> tuple[schema.LogMessage, ...]:
        """The messages, led by the goal when they are the first."""
        if self._goal is None or self._appended > 0:
            return messages
        return (schema.goal_message(self._goal, messages[0].time_ns), *messages)

    def _write_chunk(self, messages: Iterable[schema.LogMessage]) -> None:
        for message in messages:
            self._mcap.add_message(
                self._channels[message.topic.name],
                log_time=message.time_ns,
                data=message.data,
                publish_time=message.time_ns,
                sequence=message.step,
            )
        self._mcap.flush()
        self._sync()

    def _sync(self) -> None:
        self._file.sync()
        self._syncs += 1

    def _drain(self) -> None:
        """The writer thread, which owns the file to its end: whoever closes may have given up a disk that hangs.

        After a failure it goes on emptying the queue, so that nobody waits for it.
        """
        try:
            while (messages := self._queue.get()) is not None:
                self._places.release()
                self._attempt(functools.partial(self._write_step, messages))
            self._attempt(self._end)
        except BaseException as error:
            self._failure = UserError(f"the log {self._path} broke off: {error!r}", next_step="report this as a bug")
            raise
        finally:
            # Before the lock is dropped: a reader must not take for an episode what is about to go.
            if self._aborted and not self._acknowledged:
                self._remove()
            self._file.close()

    def _attempt(self, work: Callable[[], None]) -> None:
        if self._failure is None:
            try:
                work()
            except OSError as error:
                self._file.cut()
                self._failure = self._explain(error)

    def _write_step(self, messages: tuple[schema.LogMessage, ...]) -> None:
        self._room.require_to_go_on(self._path)
        self._write_chunk(messages)
        self._acknowledged += 1

    def _end(self) -> None:
        self._ending()
        self._mcap.finish()
        self._sync()

    def _remove(self) -> None:
        with contextlib.suppress(OSError):
            self._path.unlink()

    def _close(self, ending: Callable[[], None]) -> None:
        self._closed, self._ending = True, ending
        self._queue.put(None)
        # However slow the disk, as long as it does anything at all within `patience`.
        seen = -1
        while self._thread.is_alive() and self._syncs > seen:
            seen = self._syncs
            self._thread.join(self._patience)
        if self._thread.is_alive():
            raise self._explain(OSError(errno.EIO, "the disk does not answer"))
        if self._failure is not None:
            raise self._failure

    def _explain(self, error: OSError) -> UserError:
        return UserError(
            f"cannot log to {self._path}: {error.strerror or error}",
            next_step=f"free some space or use another disk; the {self._acknowledged} steps on disk are safe",
        )


def read_episode(path: Path | str) -> Episode:
    """The episode in the log `path`, up to its first damage if there is any (R16); see `as_episode`.

    Raises UserError for a file that is missing, not an episode, of another format, or without one whole frame.
    """
    return as_episode(Path(path), salvage(Path(path)))


def as_episode(path: Path, log: Salvaged) -> Episode:
    """What was salvaged of the file `path`, as what is learnt from.

    A killed or damaged file gives every intact step: T steps without a closing frame are T frames and T - 1 actions,
    for the last action's result was never seen. `truncated` is True then, and `meta["lost"]` says what is missing.

    Raises UserError when there is not one whole frame.
    """
    frames = list(log.frames)
    if not frames:
        raise UserError(f"{path} holds no whole step: {log.damage}", next_step="delete it; nothing in it can be used")
    steps = log.steps[: len(frames) - 1]
    return Episode(
        id=path.stem,
        frames=np.stack([frame.rgb for frame in frames]),
        action=np.array([step.action.value for step in steps], np.float32).reshape(-1, log.action_dim),
        executed_action=np.array([step.executed.value for step in steps], np.float32).reshape(-1, log.action_dim),
        stamps=np.array([frame.stamp for frame in frames]),
        goal=log.goal,
        truncated=log.closing is None,
        meta={**log.meta, "lost": log.damage} if log.damage else log.meta,
        human=np.array([step.action.source is Source.HUMAN for step in steps], np.bool_),
    )
