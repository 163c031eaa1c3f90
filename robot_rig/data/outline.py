"""What an episode file says of itself at its two ends: enough to list thousands without reading what lies between.

Called by `rig data ls`, `merge` and `split`. A finished file ends with an index, which has a checksum of its own; one
without (killed, cut short, still being written) is read whole. A flipped bit in the middle of a finished file is not
seen here: `rig data check` reads everything.
"""

from __future__ import annotations

import datetime
import io
import os
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from mcap.records import Channel, ChunkIndex, Footer, McapRecord, Statistics
from mcap.stream_reader import StreamReader

from robot_rig.data import episode as schema
from robot_rig.data.durable_file import being_written
from robot_rig.data.salvage import (
    DAMAGE,
    MAGIC_BYTES,
    RECORD_LIMIT,
    SUMMARY_LIMIT,
    BoundedFile,
    Opening,
    read_opening,
    records_of,
    salvage,
)
from robot_rig.errors import UserError
from robot_rig.stranger_files import open_regular

RECORD_HEAD = struct.Struct("<BQ")
"""Of every record: its kind, and the length of what follows."""

FOOTER_BYTES = RECORD_HEAD.size + 8 + 8 + 4
"""Of the footer record: where the summary and its offsets begin, and the checksum."""

SUMMARY_RECORDS = schema.MAX_STEPS + 64
"""In an index: one for each step, and some thirty of definitions, statistics and offsets."""


@dataclass(frozen=True, slots=True)
class Outline:
    """An episode in short. `steps` and `truncated` are what `read_episode` gives; `seconds` is from the first frame to
    the last; `begun` is when the first was exposed, None on a clock that has no date (the simulator's in process).
    """

    path: Path
    meta: Mapping[str, str]
    action_dim: int
    steps: int
    seconds: float
    begun: datetime.datetime | None
    has_goal: bool
    truncated: bool
    is_being_written: bool
    size: int

    @property
    def stage(self) -> str:
        """What the episode was for, as its writer said."""
        return self.meta.get("stage", "")

    @property
    def actor(self) -> str:
        """Who acted: "random", or a checkpoint's name."""
        return self.meta.get("policy", "")


@dataclass(frozen=True, slots=True)
class _Extent:
    """Frames and actions in a file, stamps of the first and last frame (epoch ns), whether it holds a goal."""

    frames: int
    actions: int
    first_ns: int
    last_ns: int
    has_goal: bool


def outline(path: Path) -> Outline:
    """The episode file `path` in short.

    Raises UserError, as `read_episode` does, when it is missing, no episode, of another format or without a frame.
    """
    try:
        is_being_written = being_written(path)
        with open_regular(path, "episode") as file:
            opening = read_opening(path, records_of(BoundedFile(file)))
            size = os.fstat(file.fileno()).st_size
            extent = _from_index(file, size)
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", next_step="check the name") from error
    if extent is None:
        extent = _from_reading(path, opening)
    meta = {key: value for key, value in opening.meta.items() if key not in schema.RESERVED_META}
    moment = datetime.datetime.fromtimestamp(extent.first_ns / schema.NS, datetime.timezone.utc)
    return Outline(
        path=path,
        meta=meta,
        action_dim=opening.action_dim,
        steps=extent.frames - 1,
        seconds=max(0, extent.last_ns - extent.first_ns) / schema.NS,
        begun=moment if opening.offset_ns else None,
        has_goal=extent.has_goal,
        truncated=extent.frames == extent.actions,
        is_being_written=is_being_written,
        size=size,
    )


def _from_index(file: BinaryIO, size: int) -> _Extent | None:
    """What the index at the end of `file` says; None where there is none, or a damaged one, or one that is wrong."""
    try:
        records = _index(file, size)
    except DAMAGE:
        return None
    topics = {record.id: record.topic for record in records if isinstance(record, Channel)}
    chunks = [record for record in records if isinstance(record, ChunkIndex)]
    counts: dict[str, int] = {}
    for record in records:
        if isinstance(record, Statistics):
            counts = {topics.get(id, ""): count for id, count in record.channel_message_counts.items()}
    frames, actions = counts.get(schema.FRAME.name, 0), counts.get(schema.ACTION.name, 0)
    whole = {counts.get(topic.name, 0) for topic in schema.STEP_TOPICS if topic is not schema.FRAME} == {actions}
    if not whole or frames - actions not in (0, 1) or not 0 < frames == len(chunks) <= schema.MAX_STEPS + 1:
        return None
    # A chunk holds one step, which begins with its frame; the closing frame has one to itself.
    first_ns, last_ns = chunks[0].message_start_time, chunks[-1].message_start_time
    if not 0 <= first_ns <= last_ns < schema.EPOCH_END_NS:
        return None
    return _Extent(frames, actions, first_ns, last_ns, counts.get(schema.GOAL.name, 0) > 0)


def _index(file: BinaryIO, size: int) -> list[McapRecord]:
    """The records of the summary section, its checksum compared. Raises one of DAMAGE when there is no sound one."""
    end = size - MAGIC_BYTES - FOOTER_BYTES
    if end <= 0:
        raise ValueError("it is too short")
    file.seek(end)
    tail = file.read(FOOTER_BYTES + MAGIC_BYTES)
    footer = next(iter(StreamReader(io.BytesIO(tail), skip_magic=True).records), None)
    if not isinstance(footer, Footer) or not max(1, end - SUMMARY_LIMIT) <= footer.summary_start < end:
        raise ValueError("its index has no believable place")
    file.seek(footer.summary_start)
    summary = file.read(end - footer.summary_start)
    # The checksum is of the summary and of the footer up to the checksum itself.
    if zlib.crc32(summary + tail[: FOOTER_BYTES - 4]) != footer.summary_crc:
        raise ValueError("the checksum of its index is wrong")
    _refuse_crumbs(summary)
    stream = StreamReader(io.BytesIO(summary + tail), skip_magic=True, emit_chunks=True, record_size_limit=RECORD_LIMIT)
    return list(stream.records)


def _refuse_crumbs(summary: bytes) -> None:
    """Raise ValueError for an index of more records than an episode needs: millions would be read for many seconds."""
    at = count = 0
    while at < len(summary):
        at += RECORD_HEAD.size + RECORD_HEAD.unpack_from(summary, at)[1]
        count += 1
        if count > SUMMARY_RECORDS:
            raise ValueError("its index has far more records than an episode needs")


def _from_reading(path: Path, opening: Opening) -> _Extent:
    """The same by reading all steps. Raises UserError when there is none."""
    log = salvage(path)
    if not log.frames:
        raise UserError(f"{path} holds no whole step: {log.damage}", next_step="delete it; nothing in it can be used")
    first_ns, last_ns = (schema.epoch_ns(log.frames[i].stamp, opening.offset_ns) for i in (0, -1))
    return _Extent(len(log.frames), len(log.steps), first_ns, last_ns, log.goal is not None)
