"""Reading an episode log that may have been killed, cut short or damaged: every intact step up to the first damage.

Called by `data.log.read_episode`, by `rig data check` and, for its first records, by `data.outline`. The mcap library's
own readers give nothing of a killed file; its low-level stream does, and every length it meets is checked here against
the file before memory is asked for.
"""

from __future__ import annotations

import json
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, NamedTuple, cast

import zstandard
from mcap.exceptions import EndOfFile, InvalidMagic, McapError
from mcap.records import Channel, Chunk, DataEnd, Footer, Header, McapRecord, Message, Metadata
from mcap.stream_reader import StreamReader, breakup_chunk
from rosbags.serde import SerdeError

from robot_rig.data import episode as schema
from robot_rig.datatypes import Bytes, Frame, Step
from robot_rig.errors import UserError, plain, quoted
from robot_rig.stranger_files import open_regular

CHUNK_LIMIT = 128 * 1024
"""Bytes of a chunk unpacked: a step has 22 kB, the first chunk 5 kB of definitions besides."""

CHUNK_RECORDS = 64
"""Records in a chunk: a step has 5, the first chunk 12 definitions besides."""

READS_BEFORE, READS_PER_STEP = 4096, 256
"""Fields that may be read in all, by the number of whole steps so far: a step has 70, with its share of the index."""

SHOWN_CHARS = 200
RECORD_LIMIT = 2**20
SUMMARY_LIMIT = 16 * 2**20
MAGIC_BYTES = 8

DAMAGE = (McapError, SerdeError, zstandard.ZstdError, struct.error, ValueError, LookupError, OverflowError)
"""What the parsers raise on bytes that are not what they should be."""


@dataclass(frozen=True, slots=True)
class Salvaged:
    """What could be read of a log, in full detail.

    goal uint8 (84, 84, 3) or None; `closing` is the frame after the last step, None when the episode was not finished;
    `damage` is empty for a flawless file, else it says what is missing or wrong; `offset_ns` is the epoch of the zero
    of the stamps.
    """

    meta: Mapping[str, str]
    action_dim: int
    offset_ns: int
    goal: Bytes | None
    steps: tuple[Step, ...]
    closing: Frame | None
    damage: str

    @property
    def frames(self) -> tuple[Frame, ...]:
        """The frames of the steps, and the closing one where there is one."""
        steps = tuple(step.frame for step in self.steps)
        return steps if self.closing is None else (*steps, self.closing)


def meta_checksum(meta: Mapping[str, str]) -> str:
    """The CRC-32 of a metadata record in hex; MCAP has none that a killed file would keep."""
    return f"{zlib.crc32(json.dumps(dict(meta), sort_keys=True).encode()):08x}"


def salvage(path: Path) -> Salvaged:
    """Read the log at `path` as far as it is intact.

    Raises UserError when it is missing, is no MCAP file, is not an episode or has a newer format; damage is no error.
    """
    try:
        with open_regular(path, "episode") as file:
            return _Reading(path, BoundedFile(file)).run()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}", next_step="check the name") from error


class Opening(NamedTuple):
    """The metadata record behind an episode's header, its form and version checked: all of it, and its two numbers."""

    meta: Mapping[str, str]
    action_dim: int
    offset_ns: int


class BoundedFile:
    """A file that refuses to read past its end, so that a wrong length is found before memory is taken for it.

    It refuses to be read in crumbs as well: a gigabyte of empty records would be read for minutes. A whole step pays
    for more `allowance`.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.size = os.fstat(file.fileno()).st_size
        self.position = 0
        self.allowance = READS_BEFORE

    def read(self, length: int) -> bytes:
        """Exactly `length` bytes, or EndOfFile; ValueError when there are too many fields for the steps."""
        if not 0 <= length <= self.size - self.position:
            raise EndOfFile
        self.allowance -= 1
        if self.allowance < 0:
            raise ValueError("it has far more records than its steps need")
        data = self._file.read(length)
        self.position += len(data)
        return data

    def checksum(self, start: int, end: int) -> int:
        """CRC-32 of the bytes start .. end; the position stays."""
        if not max(0, end - SUMMARY_LIMIT) <= start <= end <= self.size:
            raise ValueError("its index has no believable place")
        self._file.seek(start)
        value = zlib.crc32(self._file.read(end - start))
        self._file.seek(self.position)
        return value


def records_of(file: BoundedFile) -> Iterator[McapRecord]:
    """The records of `file` from its start, chunks whole and packed; the stream's checksums are compared on the way."""
    stream = StreamReader(cast(IO[bytes], file), emit_chunks=True, validate_crcs=True, record_size_limit=RECORD_LIMIT)
    return iter(stream.records)


def read_opening(path: Path, records: Iterator[McapRecord]) -> Opening:
    """What the first two of `records` say of the episode `path`; without them, no byte of it means anything to us.

    Raises UserError for what is no episode, is damaged there, or has another format.
    """
    try:
        header, record = next(records), next(records)
    except InvalidMagic as error:
        raise _foreign(path, "is not an MCAP file, or its first bytes are damaged") from error
    except (*DAMAGE, StopIteration) as error:
        raise _foreign(path, "is damaged or cut short before its first step") from error
    if not isinstance(header, Header) or header.profile != schema.PROFILE:
        raise _foreign(path, "is an MCAP file, but not of ROS 1 messages as a rig logs them")
    if not isinstance(record, Metadata) or record.name != schema.META_RECORD:
        raise _foreign(path, "is an MCAP file, but not an episode of robot_rig")
    meta = dict(record.metadata)
    if meta.pop("crc32", None) != meta_checksum(meta):
        raise _foreign(path, "is damaged before its first step")
    if meta.get("format") != str(schema.FORMAT_VERSION):
        raise UserError(
            f"{path} has episode format {quoted(meta.get('format', ''))}",
            choices=(schema.FORMAT_VERSION,),
            next_step="update robot_rig to the version that wrote it",
        )
    try:
        return Opening(meta, int(meta["action_dim"]), int(meta["clock_offset_ns"]))
    except (KeyError, ValueError) as error:
        raise _foreign(path, "names neither its action size nor its clock") from error


def _foreign(path: Path, why: str) -> UserError:
    return UserError(f"{path} {why}", next_step="name an episode file (.mcap) that `rig collect` has written")


class _Reading:
    """One pass over one file; `run` ends at the end of the file or at the first damage."""

    def __init__(self, path: Path, file: BoundedFile) -> None:
        self._path = path
        self._file = file
        self._channels: dict[int, str] = {}
        self._goal: Bytes | None = None
        self._steps: list[Step] = []
        self._closing: Frame | None = None
        self._aborted: str | None = None
        self._data_ended = False
        self._good = 0

    def run(self) -> Salvaged:
        """Everything up to the first damage."""
        records = records_of(self._file)
        meta, self._action_dim, self._offset_ns = read_opening(self._path, records)
        try:
            for record in records:
                self._take(record)
                self._good = self._file.position
            damage = self._ending()
        except EndOfFile:
            damage = self._lost("it ends there without an index: the writer was killed or the file cut short")
        except DAMAGE as error:
            damage = self._lost(plain(" ".join(str(error).split()), SHOWN_CHARS) or type(error).__name__)
        said = {key: value for key, value in meta.items() if key not in schema.RESERVED_META}
        return Salvaged(said, self._action_dim, self._offset_ns, self._goal, tuple(self._steps), self._closing, damage)

    def _take(self, record: McapRecord) -> None:
        if isinstance(record, Chunk):
            self._take_chunk(record)
        elif isinstance(record, Metadata) and record.name == schema.ABORT_RECORD:
            self._aborted = record.metadata["reason"]
        elif isinstance(record, DataEnd):
            self._data_ended = True
        elif isinstance(record, Footer):
            self._check_summary(record)
        elif isinstance(record, Message):
            raise ValueError("a message stands outside a chunk")

    def _take_chunk(self, chunk: Chunk) -> None:
        parts: dict[str, Message] = {}
        found = breakup_chunk(_unpacked(chunk))
        if len(found) > CHUNK_RECORDS:
            raise ValueError(f"a chunk of {len(found)} records is no step")
        for record in found:
            if isinstance(record, Channel):
                self._channels[record.id] = record.topic
            elif isinstance(record, Message):
                parts[self._channels[record.channel_id]] = record
        data = {topic: message.data for topic, message in parts.items()}
        goal = data.pop(schema.GOAL.name, None)
        if self._closing is not None or {message.sequence for message in parts.values()} != {len(self._steps)}:
            raise ValueError(f"step {len(self._steps)} is missing")
        if goal is not None:
            self._goal = schema.read_goal(goal)
        if set(data) == {schema.FRAME.name}:
            self._closing = schema.read_frame(data[schema.FRAME.name], self._offset_ns)
        else:
            self._take_step(schema.read_step(data, self._offset_ns))

    def _take_step(self, step: Step) -> None:
        if step.action.value.shape != (self._action_dim,):
            raise ValueError(f"step {len(self._steps)} has an action of shape {step.action.value.shape}")
        if len(self._steps) >= schema.MAX_STEPS:
            raise ValueError(f"an episode has at most {schema.MAX_STEPS} steps")
        self._steps.append(step)
        self._file.allowance += READS_PER_STEP

    def _check_summary(self, footer: Footer) -> None:
        """The summary serves other readers only, but a file with a broken one is damaged, and is called so."""
        end = self._file.size - MAGIC_BYTES - 4
        if self._file.position + MAGIC_BYTES != self._file.size:
            raise ValueError("bytes follow its footer")
        if self._file.checksum(footer.summary_start, end) != footer.summary_crc:
            raise ValueError("the checksum of its index is wrong")

    def _ending(self) -> str:
        if not self._data_ended:
            return self._lost("the end of its data is missing")
        if self._aborted is not None:
            return f"aborted after {len(self._steps)} steps: {plain(self._aborted, SHOWN_CHARS)}"
        return "" if self._closing else self._lost("it has no closing frame")

    def _lost(self, why: str) -> str:
        steps = f"all {len(self._steps)} steps are" if self._closing else f"the first {len(self._steps)} steps are"
        rest = self._file.size - self._good
        return f"{steps} intact, the last {rest} of {self._file.size} bytes are not: {why}"


def _unpacked(chunk: Chunk) -> Chunk:
    """The chunk with its bytes unpacked and their checksum verified; ValueError or ZstdError when they are wrong."""
    if chunk.compression != "zstd":
        raise ValueError(f"a chunk is packed with {quoted(chunk.compression or 'nothing')}, not zstd")
    # Both the chunk and the zstd frame in it declare a size, and the unpacker would believe the frame.
    declared = zstandard.frame_content_size(chunk.data)
    if declared != chunk.uncompressed_size or not 0 < declared <= CHUNK_LIMIT:
        raise ValueError("the declared size of a chunk is wrong")
    data = zstandard.decompress(chunk.data, max_output_size=CHUNK_LIMIT)
    # The library takes a checksum of 0 for none at all.
    if zlib.crc32(data) != chunk.uncompressed_crc:
        raise ValueError("the checksum of a chunk is wrong")
    return replace(chunk, compression="", data=data)
