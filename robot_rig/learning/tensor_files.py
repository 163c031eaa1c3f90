"""A safetensors file that a stranger may have written: looked through before a single tensor is made of it.

Called by `checkpoint`. The format runs no code, but it can declare a hundred thousand tensors in megabytes of header,
types that no net here has, and weights that are not numbers; its hash only says that these are what was sent.
"""

from __future__ import annotations

import math
import re
import struct
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from robot_rig.stranger_files import BLOCK_BYTES, parse_object

MAX_BYTES = 24 * 1024 * 1024
"""All tensors of a policy together; those of the recipes have a tenth of it."""

MAX_HEADER_BYTES = 256 * 1024
MAX_TENSORS = 2048
MAX_AXES = 8
_LENGTH = struct.Struct("<Q")
_NAME = re.compile(r"[A-Za-z0-9_.]{1,100}")
_REMARKS = "__metadata__"
_TYPES = {"F64": "<f8", "F32": "<f4", "I64": "<i8", "I32": "<i4", "U8": "|u1", "BOOL": "|b1"}
"""What nets, counters and generators are made of, by the name that the format gives it."""


class _Entry(NamedTuple):
    begin: int
    end: int
    name: str
    dtype: np.dtype[Any]


def look_through(file: BinaryIO) -> None:
    """Raise ValueError, with what is wrong, unless `file` holds sound tensors and every float in them is finite.

    Takes no memory to speak of.
    """
    size = file.seek(0, 2)
    file.seek(0)
    head = file.read(_LENGTH.size)
    length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else size
    if length > size - _LENGTH.size:
        raise ValueError("it is cut short")
    if size > MAX_BYTES or length > MAX_HEADER_BYTES:
        raise ValueError(f"it is larger than any that is written here: {size} bytes, {length} of them a header")
    start, at = _LENGTH.size + length, 0
    for entry in _entries(file.read(length)):
        if entry.begin != at:
            raise ValueError(f"its tensors leave gaps or overlap at {entry.name}")
        at = entry.end
        if entry.dtype.kind == "f" and not _is_finite(file, start, entry):
            raise ValueError(f"it holds weights that are not numbers, in {entry.name}")
    if start + at != size:
        raise ValueError(f"it declares {at} bytes of tensors and has {size - start}")


def _entries(header: bytes) -> list[_Entry]:
    """What the header declares, by where it lies."""
    declared = parse_object(header)
    declared.pop(_REMARKS, None)
    if len(declared) > MAX_TENSORS:
        raise ValueError(f"it holds {len(declared)} tensors, more than {MAX_TENSORS}")
    return sorted(_entry(name, said) for name, said in declared.items())


def _entry(name: str, said: object) -> _Entry:
    if _NAME.fullmatch(name) is None or not isinstance(said, dict):
        raise ValueError("it declares a tensor that no net here has")
    parts: tuple[Any, Any, Any] = (said.get("dtype"), said.get("shape"), said.get("data_offsets"))
    kind, shape, offsets = parts
    if not isinstance(kind, str) or kind not in _TYPES:
        raise ValueError(f"{name} in it is of a type that no net here has")
    if not _are_counts(shape) or not _are_counts(offsets) or len(offsets) != 2:
        raise ValueError(f"{name} in it has neither form nor place")
    # A length of 0 hides the product of the others from all sums, and torch multiplies them.
    if len(shape) > MAX_AXES or math.prod(filter(None, shape)) > MAX_BYTES:
        raise ValueError(f"{name} in it has more axes, or longer ones, than any net here")
    dtype = np.dtype(_TYPES[kind])
    begin, end = offsets
    if begin + math.prod(shape) * dtype.itemsize != end:
        raise ValueError(f"the declared sizes of {name} in it contradict one another")
    return _Entry(begin, end, name, dtype)


def _are_counts(value: Any) -> bool:
    return isinstance(value, list) and all(type(count) is int and 0 <= count <= MAX_BYTES for count in value)


def _is_finite(file: BinaryIO, start: int, entry: _Entry) -> bool:
    file.seek(start + entry.begin)
    left = entry.end - entry.begin
    while left:
        block = file.read(min(left, BLOCK_BYTES))
        if not block:
            raise ValueError("it is cut short")
        left -= len(block)
        if not np.isfinite(np.frombuffer(block, entry.dtype)).all():
            return False
    return True
