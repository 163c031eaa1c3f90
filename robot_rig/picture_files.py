"""Picture files from strangers, read without trust: what may go on to a decoder. Called by `robot_rig.vision` only.

Every refusal is a UserError of one sentence that says what to do. The header is read by hand, so that no decoder ever
meets a picture of another size, and a PNG is taken apart: only its pixels go on, every checksum having been verified.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
import zlib
from pathlib import Path

from robot_rig.errors import UserError

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
JPEG_SCAN, JPEG_END = 0xDA, b"\xff\xd9"

SAVE_AGAIN = "save or copy it again"
SAVE_AS_RGB = "save it as an 8-bit RGB PNG without transparency"


def read_checked(path: Path, size: tuple[int, int]) -> bytes:
    """The bytes of the 8-bit RGB PNG or JPEG at `path`, which is `size` (width, height) px, safe to decode.

    Raises UserError when it is missing, not a regular file, too large, not such a picture, or damaged.
    """
    content = _read_regular(path)
    if content.startswith(PNG_SIGNATURE):
        return _checked_png(path, content, size)
    if content.startswith(JPEG_SIGNATURE):
        return _checked_jpeg(path, content, size)
    raise UserError(f"{path} is not a picture that is understood", choices=("PNG", "JPEG"), next_step=SAVE_AS_RGB)


def _read_regular(path: Path) -> bytes:
    try:
        # Without O_NONBLOCK, opening a fifo would wait for a writer for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        if number == errno.ELOOP:
            raise UserError(f"{path} is a symbolic link", next_step="name the file that it points to") from error
        reason = os.strerror(number) if number else str(error)
        raise UserError(f"cannot open the picture {path}: {reason}", next_step="check the name") from error
    try:
        kind = os.fstat(handle).st_mode
        if stat.S_ISDIR(kind):
            raise UserError(f"{path} is a folder", next_step="name a picture in it")
        if not stat.S_ISREG(kind):
            raise UserError(f"{path} is not a regular file", next_step="copy the picture into a file of its own")
        # The size may grow after it was asked for, so the reading is bounded instead.
        with os.fdopen(handle, "rb", closefd=False) as file:
            content = file.read(MAX_BYTES + 1)
    finally:
        os.close(handle)
    if len(content) > MAX_BYTES:
        raise UserError(f"{path} is larger than 8 MiB", next_step="goal pictures are 84x84 px: capture or shrink it")
    return content


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
    while kind != b"IEND":
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
        at = end
    return bytes(pixels)


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
    pixels = _png_pixels(path, content)
    wanted = size[1] * (1 + 3 * size[0])
    try:
        rows = len(zlib.decompressobj().decompress(pixels, wanted + 1))
    except zlib.error as error:
        raise _damaged(path, "its pixels cannot be unpacked") from error
    if rows != wanted:
        raise _damaged(path, "it has not all its pixels" if rows < wanted else "it has too many pixels")
    parts = ((b"IHDR", head[8:21]), (b"IDAT", pixels), (b"IEND", b""))
    return PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )


def _jpeg_frame(path: Path, content: bytes) -> bytes:
    """The start-of-frame segment: precision, height, width, number of components."""
    at = 2
    while at + 4 <= len(content):
        if content[at] != 0xFF:
            raise _damaged(path, "its segments are broken")
        marker = content[at + 1]
        if marker == 0xFF or marker in JPEG_STANDALONE:
            at += 1 if marker == 0xFF else 2
            continue
        (length,) = struct.unpack_from(">H", content, at + 2)
        if marker in JPEG_OTHER_FRAMES:
            raise UserError(f"{path} is a JPEG of a rare kind", next_step=SAVE_AS_RGB)
        if marker in JPEG_FRAMES and length >= 8 and at + 10 <= len(content):
            return content[at + 4 : at + 10]
        if marker == JPEG_SCAN:
            break
        at += 2 + length
    raise _damaged(path, "it has no frame header")


def _checked_jpeg(path: Path, content: bytes, size: tuple[int, int]) -> bytes:
    depth, height, width, components = struct.unpack(">BHHB", _jpeg_frame(path, content))
    if components == 1:
        raise UserError(f"{path} is grey, and the policy sees colours", next_step=SAVE_AS_RGB)
    if components != 3:
        raise UserError(f"{path} has {components} colour channels, and 3 are accepted", next_step=SAVE_AS_RGB)
    if depth != 8:
        raise UserError(f"{path} has {depth} bits a channel, and 8 are accepted", next_step=SAVE_AS_RGB)
    _check_size(path, (width, height), size)
    # The decoder fills what is missing with grey and says nothing.
    if not content.rstrip(b"\0").endswith(JPEG_END):
        raise _damaged(path, "its end is missing")
    return content
