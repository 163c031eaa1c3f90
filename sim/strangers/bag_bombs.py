"""Rosbags written by hand, and small ones that would cost a careless reader most. Used by `archives` and by tests."""

from __future__ import annotations

import bz2
import json
import struct
from collections.abc import Sequence

from robot_rig.data import episode as schema
from robot_rig.data.bag_export import ABOUT

EMPTY = schema.Topic("/note", "std_msgs/Empty")
TEXTS = schema.Topic("/note", "diagnostic_msgs/DiagnosticStatus")
BAG_MAGIC = b"#ROSBAG V2.0\n"


def bag_record(fields: dict[str, bytes], data: bytes, length: int | None = None) -> bytes:
    """A record of a rosbag; `length` is what it declares its data to be."""
    header = b"".join(struct.pack("<I", len(k) + 1 + len(v)) + k.encode() + b"=" + v for k, v in fields.items())
    return struct.pack("<I", len(header)) + header + struct.pack("<I", len(data) if length is None else length) + data


def bag_of(chunk: dict[str, bytes], data: bytes, connections: int = 1, middle: bytes = b"") -> bytes:
    """A bag of one chunk, and its index: what a forger varies is the chunk, the counts, and what comes between."""
    number = {"conn": struct.pack("<I", 0), "topic": b"/note"}
    said = {
        "type": b"std_msgs/String",
        "md5sum": b"992ce8a1687cec8c8bd883ec73ca41d1",
        "message_definition": b"string data\n",
    }
    connection = bag_record({**number, "op": b"\x07"}, bag_record({**number, **said}, b"")[4:-4])
    body = bag_record({"op": b"\x05", **chunk}, data) + middle
    head = {"op": b"\x03", "conn_count": struct.pack("<I", connections), "chunk_count": struct.pack("<I", 1)}
    size = len(bag_record({**head, "index_pos": bytes(8)}, b"")) + 13
    start = bag_record({**head, "index_pos": struct.pack("<Q", size + len(body))}, b"")
    return BAG_MAGIC + start + body + connection * connections


def bag_of_chunks(topics: Sequence[schema.Topic], chunks: Sequence[bytes], packing: str) -> bytes:
    """A bag of the unpacked `chunks`, which are packed with `packing` (bz2 or none), under `topics` numbered from 0."""
    connections = []
    for number, topic in enumerate(topics):
        text, md5 = schema.definition(topic)
        called = {"conn": struct.pack("<I", number), "topic": topic.name.encode()}
        said = {"type": topic.type.encode(), "md5sum": md5.encode(), "message_definition": text.encode()}
        connections.append(bag_record({**called, "op": b"\x07"}, bag_record({**called, **said}, b"")[4:-4]))
    body = b"".join(
        bag_record(
            {"op": b"\x05", "compression": packing.encode(), "size": struct.pack("<I", len(chunk))},
            bz2.compress(chunk, 1) if packing == "bz2" else chunk,
        )
        for chunk in chunks
    )
    head = {"op": b"\x03", "conn_count": struct.pack("<I", len(topics)), "chunk_count": struct.pack("<I", len(chunks))}
    size = len(bag_record({**head, "index_pos": bytes(8)}, b"")) + len(BAG_MAGIC)
    start = bag_record({**head, "index_pos": struct.pack("<Q", size + len(body))}, b"")
    return BAG_MAGIC + start + body + b"".join(connections)


def bag_message(connection: int, data: bytes) -> bytes:
    """A message as it stands in a chunk."""
    return bag_record({"op": b"\x02", "conn": struct.pack("<I", connection), "time": bytes(8)}, data)


CHUNK_KINDS = ("zeros", "fields", "crumbs", "empty", "texts")


def chunks_of(kind: str, count: int, size: int) -> bytes:
    """A bag of `count` equal chunks that unpack to nearly `size` bytes each, of one of the `CHUNK_KINDS`: one record of
    zeros, one of a million header fields, records of nothing, messages of nothing, or lists of empty texts.
    """
    operation = bag_record({"op": b"\x04"}, b"")
    if kind == "zeros":
        chunk = bag_record({"op": b"\x04"}, bytes(size - len(operation)))
    elif kind == "fields":
        fields = b"".join(struct.pack("<I", 7) + b"%06x=" % number for number in range(size // 11 - 10))
        header = fields + operation[4:-4]
        chunk = struct.pack("<I", len(header)) + header + bytes(4)
    elif kind == "texts":
        said = bag_message(0, struct.pack("<B4I", 0, 0, 0, 0, 8000) + bytes(8 * 8000))
        return bag_of_chunks([TEXTS], [said * (size // len(said))] * count, "bz2")
    else:
        crumb = operation if kind == "crumbs" else bag_message(0, b"")
        chunk = crumb * (size // len(crumb))
    return bag_of_chunks([EMPTY], [chunk] * count, "bz2")


def waiting_frames(count: int, size: int) -> bytes:
    """A rig's own bag with `count` frames of `size` bytes that wait for the rest of their steps."""
    said = {"format": schema.FORMAT_VERSION, "meta": {"stage": "play"}, "damage": ""}
    about = json.dumps({**said, "action_dim": 2, "clock_offset_ns": 0, "steps": 3}).encode()
    layout = struct.pack("<I8xIIII4sBII", 0, 0, 84, 84, 4, b"rgb8", 0, 252, size)
    told = bag_message(0, struct.pack("<I", len(about)) + about)
    frame = bag_message(1, layout + bytes(size))
    return bag_of_chunks([ABOUT, *schema.STEP_TOPICS], [told, *[frame] * count], "none")
