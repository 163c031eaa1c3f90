"""Picture files from strangers, read without trust: what may go on to a decoder. Called by `robot_rig.vision` only.

Every refusal is a UserError of one sentence that says what to do. The header is read by hand, so that no decoder ever
meets a picture of another size, and the file is taken apart. Of a PNG only the pixels go on, packed anew, every
checksum verified; of a JPEG only what draws, in a bounded number of passes: each costs the decoder a whole picture.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

from robot_rig.errors import UserError
from robot_rig.stranger_files import read_regular

MAX_BYTES = 8 * 1024 * 1024
MAX_SIDE_PX = 4096

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
PNG_GREY, PNG_RGB, PNG_PALETTE = (0, 4), 2, 3
PNG_WITH_ALPHA = (4, 6)
JPEG_FRAMES = {0xC0, 0xC1, 0xC2}
"""Start-of-frame markers of the Huffman-coded JPEGs: baseline, extended, progressive."""

JPEG_OTHER_FRAMES = set(range(0xC3, 0xD0)) - {0xC4, 0xC8, 0xCC}
JPEG_STANDALONE = {0x01, *range(0xD0, 0xD8)}
JPEG_END, JPEG_SCAN = 0xD9, 0xDA
JPEG_DRAWING = {0xC4, 0xDB, 0xDD, 0xE0, 0xEE, *JPEG_FRAMES}
"""Tables, restart interval, the two headers that say what the colours mean, and the frame."""

MAX_SEGMENTS = 512
"""Chunks of a PNG or segments of a JPEG; a camera or a painting program writes fewer than 30."""

MAX_SCANS = 64
_JPEG_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")

SAVE_AGAIN = "save or copy it again"
SAVE_AS_RGB = "save it as an 8-bit RGB PNG without transparency"


def read_checked(path: Path, size: tuple[int, int]) -> bytes:
    """The bytes of the 8-bit RGB PNG or JPEG at `path`, which is `size` (width, height) px, safe to decode.

    Raises UserError when it is missing, not a regular file, too large, not such a picture, or damaged.
    """
    return checked(path, read_regular(path, "picture", MAX_BYTES), size)


def checked(path: Path, content: bytes, size: tuple[int, int]) -> bytes:
    """`content`, the bytes of an 8-bit RGB PNG or JPEG of `size` (width, height) px, safe to decode.

    `path` is how a person knows it. Raises UserError for anything else.
    """
    if content.startswith(PNG_SIGNATURE):
        return _checked_png(path, content, size)
    if content.startswith(JPEG_SIGNATURE):
        return _checked_jpeg(path, content, size)
    raise UserError(f"{path} is not a picture that is understood", choices=("PNG", "JPEG"), next_step=SAVE_AS_RGB)


def _check_size(path: Path, got: tuple[int, int], wanted: tuple[int, int]) -> None:
    if max(got) > MAX_SIDE_PX:
        raise UserError(
            f"{path} is {got[0]}x{got[1]} px, more than {MAX_SIDE_PX} px a side",
            next_step=f"give a picture of {wanted[0]}x{wanted[1]} px as the policy's camera sees it",
        )
    if got != wanted:
        raise UserError(
            f"{path} is {got[0]}x{got[1]} px, and only {wanted[0]}x{wanted[1]} is accepted",
            next_step="capture the goal with the rig's own camera, or crop it to the policy's window and shrink it",
        )


def _damaged(path: Path, why: str) -> UserError:
    return UserError(f"the picture {path} is corrupt or cut short ({why})", next_step=SAVE_AGAIN)


def _png_pixels(path: Path, content: bytes) -> bytes:
    """The packed pixels: the data of all IDAT chunks, every checksum up to IEND verified."""
    pixels = bytearray()
    at, kind = len(PNG_SIGNATURE), b""
    for _ in range(MAX_SEGMENTS):
        if at + 12 > len(content):
            raise _damaged(path, "it ends before its last chunk")
        (length,) = struct.unpack_from(">I", content, at)
        end = at + 12 + length
        if end > len(content):
            raise _damaged(path, "it ends inside a chunk")
        kind, data = content[at + 4 : at + 8], content[at + 8 : end - 4]
        if zlib.crc32(kind + data) != struct.unpack_from(">I", content, end - 4)[0]:
            raise _damaged(path, "a checksum is wrong")
        if kind == b"tRNS":
            raise UserError(f"{path} has a transparent colour", next_step=SAVE_AS_RGB)
        if kind == b"IDAT":
            pixels += data
        elif kind == b"IEND":
            return bytes(pixels)
        at = end
    raise _damaged(path, f"it has more than {MAX_SEGMENTS} chunks")


def _check_png_header(path: Path, header: bytes, size: tuple[int, int]) -> None:
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    if colour in PNG_GREY:
        raise UserError(f"{path} is grey, and the policy sees colours", next_step=SAVE_AS_RGB)
    if depth == 16:
        raise UserError(f"{path} has 16 bits a channel, and 8 are accepted", next_step=SAVE_AS_RGB)
    if colour in PNG_WITH_ALPHA:
        raise UserError(f"{path} has an alpha channel", next_step=SAVE_AS_RGB)
    if colour == PNG_PALETTE:
        raise UserError(f"{path} has a palette", next_step=SAVE_AS_RGB)
    _check_size(path, (width, height), size)
    if (depth, colour, compression, filtering) != (8, PNG_RGB, 0, 0) or interlace > 1:
        raise _damaged(path, "its header is not one of a PNG")
    if interlace:
        raise UserError(f"{path} is interlaced", next_step="save it as a plain 8-bit RGB PNG")


def _checked_png(path: Path, content: bytes, size: tuple[int, int]) -> bytes:
    """A PNG of header and pixels only: no colour profile, text or animation reaches the decoder."""
    head = content[len(PNG_SIGNATURE) : len(PNG_SIGNATURE) + 25]
    if len(head) < 25 or head[4:8] != b"IHDR":
        raise _damaged(path, "its header is missing")
    _check_png_header(path, head[8:21], size)
    wanted = size[1] * (1 + 3 * size[0])
    unpacker = zlib.decompressobj()
    try:
        rows = unpacker.decompress(_png_pixels(path, content), wanted + 1)
    except zlib.error as error:
        raise _damaged(path, "its pixels cannot be unpacked") from error
    if len(rows) != wanted or not unpacker.eof:
        raise _damaged(path, "it has too many pixels" if len(rows) > wanted else "it has not all its pixels")
    parts = ((b"IHDR", head[8:21]), (b"IDAT", zlib.compress(rows, 1)), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _jpeg_segments(path: Path, content: bytes) -> Iterator[tuple[int, bytes]]:
    """(marker, the segment's bytes, a scan's with its data) up to the end marker; later bytes are nobody's."""
    at = 2
    for _ in range(MAX_SEGMENTS):
        while content[at : at + 2] == b"\xff\xff":
            at += 1
        if at + 2 > len(content):
            raise _damaged(path, "its end is missing")
        if content[at] != 0xFF:
            raise _damaged(path, "its segments are broken")
        marker, begin = content[at + 1], at
        if marker == JPEG_END:
            return
        at += 2
        if marker not in JPEG_STANDALONE:
            # The decoder fills what is missing with grey and says nothing.
            if at + 2 > len(content) or at + (length := struct.unpack_from(">H", content, at)[0]) > len(content):
                raise _damaged(path, "its end is missing")
            at += length
        if marker == JPEG_SCAN:
            found = _JPEG_NEXT_MARKER.search(content, at)
            at = found.start() if found else len(content)
        yield marker, content[begin:at]
    raise _damaged(path, f"it has more than {MAX_SEGMENTS} segments")


def _checked_jpeg(path: Path, content: bytes, size: tuple[int, int]) -> bytes:
    """A JPEG of one frame and its scans only: no comment, thumbnail or profile reaches the decoder."""
    kept, frames, scans = [content[:2]], 0, 0
    for marker, segment in _jpeg_segments(path, content):
        if marker in JPEG_OTHER_FRAMES or (marker in JPEG_FRAMES and frames):
            raise UserError(f"{path} is a JPEG of a rare kind", next_step=SAVE_AS_RGB)
        if marker in JPEG_FRAMES:
            _check_jpeg_frame(path, segment, size)
            frames += 1
        if marker == JPEG_SCAN:
            if not frames:
                raise _damaged(path, "it has no frame header")
            scans += 1
        if marker == JPEG_SCAN or marker in JPEG_DRAWING:
            kept.append(segment)
        if scans > MAX_SCANS:
            raise _damaged(path, f"it is drawn in more than {MAX_SCANS} passes")
    if not scans:
        raise _damaged(path, "it has no frame header")
    return b"".join([*kept, bytes((0xFF, JPEG_END))])


def _check_jpeg_frame(path: Path, segment: bytes, size: tuple[int, int]) -> None:
    if len(segment) < 10:
        raise _damaged(path, "its frame header is cut short")
    depth, height, width, components = struct.unpack_from(">BHHB", segment, 4)
    if components == 1:
        raise UserError(f"{path} is grey, and the policy sees colours", next_step=SAVE_AS_RGB)
    if components != 3:
        raise UserError(f"{path} has {components} colour channels, and 3 are accepted", next_step=SAVE_AS_RGB)
    if depth != 8:
        raise UserError(f"{path} has {depth} bits a channel, and 8 are accepted", next_step=SAVE_AS_RGB)
    _check_size(path, (width, height), size)
