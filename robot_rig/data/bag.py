"""Reading a rosbag (ROS 1, version 2.0) that a stranger made: refused or bounded, never believed. For import.

The rosbags library's own reader unpacks a chunk of any size, builds an index of any length and jumps about in it as the
file says; and a message definition out of a bag would become Python code. So the framing is walked here, chunk by chunk
in the order of the file, and only messages whose definition the library itself knows, by md5 sum, are taken apart.
"""

from __future__ import annotations

import bz2
import contextlib
import io
import os
import struct
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import lz4.frame
from rosbags.rosbag1.reader import Header, ReaderError, RecordType
from rosbags.serde import SerdeError

from robot_rig.data.episode import store
from robot_rig.errors import UserError, listed, plain, quoted
from robot_rig.stranger_files import open_regular

MAGIC = b"#ROSBAG V2.0\n"
MAX_RECORDS = 100_000
"""Chunks and their indices: ten minutes of raw pictures at 30 Hz."""

MAX_TOPICS = 256
MAX_MESSAGES = 1_000_000
INDEX_BYTES, UNINDEXED = 12, 4096
"""What the index has, never packed, for every message; and how many messages may do without."""

MAX_NAME_CHARS = 255
MAX_HEADER_BYTES, MAX_INNER_HEADER_BYTES = 4096, 512
MAX_DEFINITION_BYTES = 256 * 1024
MAX_CHUNK_BYTES = 12 * 2**20
"""Of a chunk, packed and unpacked: a recorder closes one with the message that takes it over 768 KiB."""

MAX_PACKING = 256
"""How many times smaller all chunks together may be packed, beyond one chunk: nothing that shows something is."""

MAX_MESSAGE_BYTES = 64 * 1024
"""Of a message that is no picture; a list of short texts takes thirty times its bytes once it is taken apart."""

MAX_NUMBERS_BYTES, NUMBERS_PACKING = 1 << 20, 16
"""Of all messages that are no pictures, beyond so many times the file: its index has 12 bytes for each of them."""

PICTURES = ("sensor_msgs/Image", "sensor_msgs/CompressedImage")

SHOWN_CHARS = 160
RECORD_AGAIN = "record it again with `rosbag record`, or copy it again"
_LENGTH = struct.Struct("<I")
_DAMAGE = (ReaderError, SerdeError, OSError, EOFError, RuntimeError, ValueError, LookupError, struct.error)


class BagTopic(NamedTuple):
    """A topic of a bag: its ROS 1 message type, and whether its messages can be read."""

    type: str
    is_readable: bool


class BagMessage(NamedTuple):
    """A message as the rosbags library gives it (see its ROS1_NOETIC types), and when it was recorded, epoch ns.

    `size` is the number of bytes that it has in the bag.
    """

    topic: str
    time_ns: int
    message: Any
    size: int


class _Record(NamedTuple):
    header: Header
    kind: int
    at: int
    length: int


@contextlib.contextmanager
def open_bag(path: Path) -> Iterator[Bag]:
    """The bag `path`, its framing verified to the last byte; takes little memory and, however large the file, a second.

    Raises UserError when it is missing, no bag, encrypted, never finished, damaged, or larger than any sound one.
    """
    with open_regular(path, "rosbag") as file:
        yield Bag(path, file)


class Bag:
    """A bag that is open. `topics` by name, as its index declares them. Made by `open_bag`."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file
        self._size = os.fstat(file.fileno()).st_size
        self._chunks: list[_Record] = []
        self._connections: dict[int, str] = {}
        self._topics: dict[str, BagTopic] = {}
        with self._explaining():
            self._walk()

    @property
    def topics(self) -> Mapping[str, BagTopic]:
        """What was recorded."""
        return dict(self._topics)

    def messages(self, topics: Collection[str]) -> Iterator[BagMessage]:
        """The messages of `topics` in the order of the file. Raises UserError for a topic that cannot be read here."""
        readable = [name for name, topic in self._topics.items() if topic.is_readable]
        for name in topics:
            if name not in readable:
                raise UserError(f"{self._path} has no readable topic {name}", choices=listed(readable))
        with self._explaining():
            yield from self._messages(topics)

    def _messages(self, topics: Collection[str]) -> Iterator[BagMessage]:
        wanted = {connection: name for connection, name in self._connections.items() if name in topics}
        numbers = 0
        count, most = 0, min(MAX_MESSAGES, UNINDEXED + self._size // INDEX_BYTES)
        for chunk in self._chunks:
            for record in _records_of(io.BytesIO(self._unpacked(chunk))):
                count += 1
                if count > most:
                    raise ValueError(f"it holds more than {most} messages, which is all that it has an index of")
                if record.kind == RecordType.CONNECTION:
                    continue
                if record.kind != RecordType.MSGDATA:
                    raise ValueError(f"a record of kind {record.kind} stands in a chunk")
                name = wanted.get(record.header.get_uint32("conn"))
                if name is not None:
                    numbers += 0 if self._topics[name].type in PICTURES else len(record.data)
                    if numbers > MAX_NUMBERS_BYTES + NUMBERS_PACKING * self._size:
                        raise ValueError(f"its {self._size} bytes hold {numbers} bytes of messages and more")
                    yield self._message(name, record)

    def _message(self, name: str, record: _Inner) -> BagMessage:
        kind = self._topics[name].type
        if len(record.data) > MAX_MESSAGE_BYTES and kind not in PICTURES:
            raise ValueError(f"a message of {plain(kind)} has {len(record.data)} bytes")
        message = store().deserialize_ros1(record.data, _store_type(kind))
        return BagMessage(name, record.header.get_time("time"), message, len(record.data))

    @contextlib.contextmanager
    def _explaining(self) -> Iterator[None]:
        try:
            yield
        except _DAMAGE as error:
            said = plain(" ".join(str(error).split()), SHOWN_CHARS) or type(error).__name__
            raise UserError(f"{self._path} is a damaged or hostile rosbag: {said}", next_step=RECORD_AGAIN) from error

    def _walk(self) -> None:
        """Go from record to record, which must follow on one another to the very end of the file."""
        if self._file.read(len(MAGIC)) != MAGIC:
            raise UserError(f"{self._path} is no rosbag of version 2.0", next_step="name one that `rosbag record` made")
        first = self._record()
        if first.kind != RecordType.BAGHEADER or first.header.get("encryptor"):
            raise ValueError("its first record is not the header of a plain bag")
        if first.header.get_uint64("index_pos") == 0:
            raise UserError(f"{self._path} was never finished", next_step="run `rosbag reindex` on it")
        promised = first.header.get_uint32("conn_count"), first.header.get_uint32("chunk_count")
        self._file.seek(first.at + first.length)
        for _ in range(MAX_RECORDS):
            if self._file.tell() == self._size:
                break
            self._take(self._record())
        else:
            raise ValueError(f"it has more than {MAX_RECORDS} records")
        unpacked = sum(chunk.header.get_uint32("size") for chunk in self._chunks)
        if unpacked > MAX_CHUNK_BYTES + MAX_PACKING * self._size:
            raise ValueError(f"its {self._size} bytes declare {unpacked >> 20} MiB of messages")
        if (len(self._connections), len(self._chunks)) != promised:
            raise ValueError(
                f"it promises {promised} topics and chunks and holds {len(self._connections), len(self._chunks)}"
            )

    def _take(self, record: _Record) -> None:
        if record.kind == RecordType.CHUNK:
            if max(record.length, record.header.get_uint32("size")) > MAX_CHUNK_BYTES:
                raise ValueError(f"a chunk in it is larger than {MAX_CHUNK_BYTES >> 20} MiB")
            self._chunks.append(record)
        elif record.kind == RecordType.CONNECTION:
            self._take_connection(record)
        elif record.kind not in (RecordType.IDXDATA, RecordType.CHUNK_INFO):
            raise ValueError(f"a record of kind {record.kind} stands where none belongs")
        self._file.seek(record.at + record.length)

    def _take_connection(self, record: _Record) -> None:
        if record.length > MAX_DEFINITION_BYTES or len(self._connections) >= MAX_TOPICS:
            raise ValueError("it declares more topics, or a longer message definition, than any robot has")
        said = Header.read(io.BytesIO(_LENGTH.pack(record.length) + self._file.read(record.length)))
        name, kind, md5 = record.header.get_string("topic"), said.get_string("type"), said.get_string("md5sum")
        if not all(text.isascii() and text.isprintable() and len(text) <= MAX_NAME_CHARS for text in (name, kind)):
            raise ValueError(f"a topic in it is called {quoted(name)}, which no ROS name is")
        topic = BagTopic(kind, _is_known(kind, md5))
        if self._topics.setdefault(name, topic) != topic:
            raise ValueError("two message types share one topic")
        self._connections[record.header.get_uint32("conn")] = name

    def _record(self) -> _Record:
        """The record that begins here; the file stands at its data afterwards."""
        (length,) = _LENGTH.unpack(self._file.read(_LENGTH.size))
        if length > MAX_HEADER_BYTES:
            raise ValueError(f"a record has a header of {length} bytes")
        header = Header.read(io.BytesIO(_LENGTH.pack(length) + self._file.read(length)))
        (data,) = _LENGTH.unpack(self._file.read(_LENGTH.size))
        at = self._file.tell()
        if at + data > self._size:
            raise ValueError("it ends inside a record")
        return _Record(header, header.get_uint8("op"), at, data)

    def _unpacked(self, chunk: _Record) -> bytes:
        """The bytes of a chunk, just as many as it declares: a packed gigabyte is never unpacked to be counted."""
        self._file.seek(chunk.at)
        packed, declared = self._file.read(chunk.length), chunk.header.get_uint32("size")
        packing = chunk.header.get_string("compression")
        if packing == "none":
            data = packed
        elif packing == "bz2":
            data = bz2.BZ2Decompressor().decompress(packed, declared + 1)
        elif packing == "lz4":
            data = lz4.frame.LZ4FrameDecompressor().decompress(packed, declared + 1)
        else:
            raise ValueError(f"a chunk is packed with {quoted(packing)}")
        if len(data) != declared:
            raise ValueError("the declared size of a chunk is wrong")
        return data


class _Inner(NamedTuple):
    header: Header
    kind: int
    data: bytes


def _records_of(chunk: io.BytesIO) -> Iterator[_Inner]:
    end = len(chunk.getbuffer())
    while (at := chunk.tell()) < end:
        (length,) = _LENGTH.unpack(chunk.read(_LENGTH.size))
        if length > MAX_INNER_HEADER_BYTES:
            raise ValueError(f"a message has a header of {length} bytes")
        chunk.seek(at)
        header = Header.read(chunk)
        (length,) = _LENGTH.unpack(chunk.read(_LENGTH.size))
        data = chunk.read(length)
        if len(data) != length:
            raise ValueError("a message ends outside its chunk")
        yield _Inner(header, header.get_uint8("op"), data)


def _store_type(kind: str) -> str:
    package, _, name = kind.partition("/")
    return f"{package}/msg/{name}"


def _is_known(kind: str, md5: str) -> bool:
    """Whether this is a message that the library can take apart by a definition of its own."""
    name = _store_type(kind)
    return name in store().fielddefs and store().generate_msgdef(name, ros_version=1)[1] == md5
