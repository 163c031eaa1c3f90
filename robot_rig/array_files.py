"""Arrays in an npz file, which a stranger may have written: looked through first, unpacked when all of it is sound.

Called by `runs` and `evaluation_files`. A packed file of 400 kB can declare, and hold, gigabytes; an array of objects
is a pickle, which is code. So sizes and types come from the headers, every checksum is verified in little memory, and
only then is memory taken, as much as was declared.
"""

from __future__ import annotations

import io
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from robot_rig.errors import listed, plain, quoted
from robot_rig.stranger_files import BLOCK_BYTES

MAX_BYTES = 1 << 29
"""Bytes of all arrays of a file together, unpacked: nine times the exam of 50 goals."""

MAX_ARRAYS = 512
MAX_DIRECTORY_BYTES = 128 * 1024
MAX_HEADER_CHARS = 1024
SUFFIX = ".npy"
PLAIN_KINDS = "biufU"
"""Booleans, whole numbers, floats and texts of fixed width; nothing that could hold a pointer or nothing at all."""

LAST_CHARACTER = 0x10FFFF
SHOWN_CHARS = 160

_END = struct.Struct("<4s4H2LH")
_END_MARK, _WIDE_MARK = b"PK\x05\x06", b"PK\x06\x07"
_WIDE_BYTES = 20
_PACKINGS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ENCRYPTED = 0x1
_READING = {
    (1, 0): (struct.Struct("<H"), np.lib.format.read_array_header_1_0),
    (2, 0): (struct.Struct("<I"), np.lib.format.read_array_header_2_0),
}
"""Version of an npy file -> how the length of its header is written, and what reads both."""

_BAD_BYTES = (
    zipfile.BadZipFile, zlib.error, struct.error, EOFError, LookupError, NotImplementedError, RuntimeError, SyntaxError,
    TypeError, MemoryError, OverflowError,
)  # fmt: skip
"""What zipfile and numpy raise on bytes that are not what they should be, besides ValueError."""


class ArrayHeader(NamedTuple):
    """What an array of the file is, before it is read."""

    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    order: str
    start: int


Require = Callable[[Mapping[str, ArrayHeader]], object]
"""What compares the headers of a file with what it should hold; it raises ValueError."""


def pack(arrays: Mapping[str, ArrayLike]) -> bytes:
    """An npz of `arrays`, numbers or bytes of any shape. Raises TypeError for an array of objects."""
    plain = {key: np.asarray(value) for key, value in arrays.items()}
    for key, value in plain.items():
        if value.dtype.hasobject:
            raise TypeError(f"{key} is an array of objects, which only pickle could save")
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for key, value in plain.items():
            with archive.open(f"{key}{SUFFIX}", "w") as entry:
                np.lib.format.write_array(entry, value, allow_pickle=False)
    return buffer.getvalue()


def look_through(file: BinaryIO, require: Require | None = None) -> dict[str, ArrayHeader]:
    """The headers of all arrays of the npz `file` by name, every declared size compared and every checksum verified.

    `require` raises ValueError for arrays that are not those which belong there: it costs nothing, and goes before the
    checksums, which cost a pass over all that is declared. Takes no memory to speak of. Raises ValueError, with what is
    wrong, for anything but an npz of plain numbers.
    """
    try:
        with _archive(file) as archive:
            headers = {entry.filename.removesuffix(SUFFIX): _header(archive, entry) for entry in archive.infolist()}
            if require is not None:
                require(headers)
            for entry in archive.infolist():
                _verify(archive, entry)
    except _BAD_BYTES as error:
        raise ValueError(plain(str(error), SHOWN_CHARS) or type(error).__name__) from error
    return headers


def unpack(file: BinaryIO, headers: Mapping[str, ArrayHeader]) -> dict[str, NDArray[Any]]:
    """The arrays of `file`, which `look_through` has found sound. Raises ValueError when it has changed since."""
    try:
        with _archive(file) as archive:
            return {name: _array(archive, name, header) for name, header in headers.items()}
    except _BAD_BYTES as error:
        raise ValueError(plain(str(error), SHOWN_CHARS) or type(error).__name__) from error


def require_rows(headers: Mapping[str, ArrayHeader], rows: int, names: Collection[str]) -> None:
    """Raise ValueError unless the file holds just the arrays `names`, each of `rows` rows."""
    if set(headers) != set(names):
        raise ValueError(f"it holds {', '.join(listed(headers)) or 'nothing'} and not {', '.join(sorted(names))}")
    found = {name: header.shape[:1] for name, header in headers.items() if header.shape[:1] != (rows,)}
    if found:
        raise ValueError(f"it should have {rows} rows, and {plain(next(iter(found)))} has {next(iter(found.values()))}")


def require_bytes(headers: Mapping[str, ArrayHeader], most: int) -> None:
    """Raise ValueError when the arrays together have more than `most` bytes."""
    declared = sum(math.prod(header.shape) * header.dtype.itemsize for header in headers.values())
    if declared > most:
        raise ValueError(f"it declares {declared >> 20} MiB of arrays, more than {most >> 20} MiB")


def _archive(file: BinaryIO) -> zipfile.ZipFile:
    """The archive, after a look at how large its directory is: zipfile builds all of it before it says a word."""
    size = file.seek(0, 2)
    tail = _WIDE_BYTES + _END.size
    file.seek(max(0, size - tail))
    end = file.read(tail)
    if len(end) < _END.size or end[-_END.size :][:4] != _END_MARK:
        raise ValueError("it is no npz file, or cut short")
    *_, entries, directory, _, comment = _END.unpack(end[-_END.size :])
    if comment or end[: -_END.size][:4] == _WIDE_MARK:
        raise ValueError("it is packed in a way that numpy does not use")
    if entries > MAX_ARRAYS or directory > MAX_DIRECTORY_BYTES:
        raise ValueError(f"it declares {entries} arrays in a directory of {directory} bytes")
    file.seek(0)
    archive = zipfile.ZipFile(file)
    try:
        _check_entries(archive.infolist())
        packed = sum(entry.compress_size for entry in archive.infolist())
        if size > packed + 2 * MAX_DIRECTORY_BYTES:
            raise ValueError(f"its arrays leave gaps of {size - packed} bytes")
    except ValueError:
        archive.close()
        raise
    return archive


def _check_entries(entries: list[zipfile.ZipInfo]) -> None:
    declared = sum(entry.file_size for entry in entries)
    if declared > MAX_BYTES or len(entries) > MAX_ARRAYS:
        raise ValueError(f"it declares {len(entries)} arrays of {declared >> 20} MiB, more than {MAX_BYTES >> 20} MiB")
    if len({entry.filename for entry in entries}) < len(entries):
        raise ValueError("an array stands in it twice")
    for entry in entries:
        if not entry.filename.endswith(SUFFIX):
            raise ValueError(f"{quoted(entry.filename)} in it is no array")
        if entry.compress_type not in _PACKINGS or entry.flag_bits & _ENCRYPTED:
            raise ValueError(f"{quoted(entry.filename)} in it is packed in a way that numpy does not use")


def _header(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> ArrayHeader:
    with archive.open(entry) as member:
        version = np.lib.format.read_magic(member)
        if version not in _READING:
            raise ValueError(f"{quoted(entry.filename)} in it is of version {version}")
        counter, reading = _READING[version]
        counted = member.read(counter.size)
        (length,) = counter.unpack(counted)
        # numpy takes as much memory as the header says it is long, and compares afterwards.
        if length > MAX_HEADER_CHARS:
            raise ValueError(f"the header of {quoted(entry.filename)} in it is {length} bytes long")
        head = io.BytesIO(counted + member.read(length))
        try:
            shape, columns_first, dtype = reading(head, max_header_size=MAX_HEADER_CHARS)
        except ValueError as error:
            # numpy advises whole paragraphs here.
            said = plain(str(error).partition("\n")[0], SHOWN_CHARS)
            raise ValueError(f"the header of {quoted(entry.filename)} in it cannot be read: {said}") from error
        start = member.tell()
    if dtype.kind not in PLAIN_KINDS:
        raise ValueError(f"{quoted(entry.filename)} in it holds {dtype.kind!r}, and only plain numbers are read")
    if dtype.kind == "U" and not (dtype.itemsize and dtype.isnative):
        raise ValueError(f"{quoted(entry.filename)} in it holds texts of {dtype.str!r}, which numpy does not write")
    if min(shape, default=0) < 0 or start + math.prod(shape) * dtype.itemsize != entry.file_size:
        raise ValueError(f"the declared sizes of {quoted(entry.filename)} in it contradict one another")
    return ArrayHeader(dtype, tuple(shape), "F" if columns_first else "C", start)


def _blocks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    # Reading to the end is what compares the checksum.
    with archive.open(entry) as member:
        while block := member.read(BLOCK_BYTES):
            yield block


def _verify(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> None:
    held = sum(len(block) for block in _blocks(archive, entry))
    if held != entry.file_size:
        raise ValueError(f"{quoted(entry.filename)} in it is {held} bytes long and not {entry.file_size}")


def _array(archive: zipfile.ZipFile, name: str, header: ArrayHeader) -> NDArray[Any]:
    flat = np.empty(math.prod(header.shape), header.dtype)
    room, at = flat.view(np.uint8), -header.start
    for block in _blocks(archive, archive.getinfo(name + SUFFIX)):
        data = np.frombuffer(block, np.uint8)[max(0, -at) :]
        if len(data):
            begin = max(0, at)
            room[begin : begin + len(data)] = data
        at += len(block)
    if at != len(room):
        raise ValueError(f"{quoted(name)} in it is no longer what it was")
    if header.dtype.kind == "U" and (room.view(np.uint32) > LAST_CHARACTER).any():
        raise ValueError(f"a text of {quoted(name)} in it has characters that there are not")
    return flat.reshape(header.shape, order="F" if header.order == "F" else "C")
