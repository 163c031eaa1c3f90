"""Picture files from strangers, read without trust: what may go on to a decoder. Called by `robot_rig.vision` only.

Every refusal is a UserError of one sentence that says what to do. The header is read by hand, so that no decoder ever
meets a picture of another size, or a photo of a size that no phone takes, and the file is taken apart. Of a PNG only
the pixels go on, packed anew, every checksum verified; of a JPEG only what draws, in a bounded number of passes: each
costs the decoder a whole picture.
"""

from __future__ import annotations

import re
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

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
JPEG_END, JPEG_SCAN, JPEG_PROGRESSIVE = 0xD9, 0xDA, 0xC2
JPEG_EXIF, EXIF_MARK, ORIENTATION, EXIF_SHORT = 0xE1, b"Exif\0\0", 0x0112, 3
"""The segment in which a phone says how it was held, how it begins, the tag, and the tag's type."""

MOST_EXIF_TAGS = 512
JPEG_DRAWING = {0xC4, 0xDB, 0xDD, 0xE0, 0xEE, *JPEG_FRAMES}
"""Tables, restart interval, the two headers that say what the colours mean, and the frame."""

MAX_SEGMENTS = 512
"""Chunks of a PNG or segments of a JPEG; a camera or a painting program writes fewer than 30."""

MAX_SCANS = 64
MAX_PHOTO_SCANS = 16
MAX_PHOTO_PX, MAX_PNG_PHOTO_PX, MAX_PHOTO_PX_IN_PASSES = 4096 * 3072, 3840 * 2160, 5_000_000
"""Pixels of a photo: 12 megapixels, as phones take them; fewer where a decoder keeps more than the pixels at a time: 8
of a PNG, which is a screen's picture, and 5 of a JPEG that is drawn in several passes."""

LEAST_PHOTO_SIDE_PX = 84
UNPACKED_AT_ONCE = 1 << 20
_JPEG_NEXT_MARKER = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")

SAVE_AGAIN = "save or copy it again"
SAVE_AS_RGB = "save it as an 8-bit RGB PNG without transparency"
SHRINK = "make it smaller, as when it is sent by mail"


class Photo(NamedTuple):
    """A picture file that is safe to decode: its bytes, its size (width, height) px as stored, and how the camera was
    held, 1 (upright) to 8 as Exif counts."""

    content: bytes
    size: tuple[int, int]
    orientation: int = 1


def read_photo(path: Path) -> Photo:
    """The 8-bit RGB PNG or JPEG at `path` of any size that a photo has: see `MAX_PHOTO_PX`.

    Raises UserError when it is missing, not a regular file, too large, not such a picture, or damaged.
    """
    return _taken_apart(path, read_regular(path, "photo", MAX_BYTES), None)


def read_checked(path: Path, size: tuple[int, int]) -> bytes:
    """The bytes of the 8-bit RGB PNG or JPEG at `path`, which is `size` (width, height) px, safe to decode.

    Raises UserError when it is missing, not a regular file, too large, not such a picture, or damaged.
    """
    return checked(path, read_regular(path, "picture", MAX_BYTES), size)


def checked(path: Path, content: bytes, size: tuple[int, int]) -> bytes:
    """`content`, the bytes of an 8-bit RGB PNG or JPEG of `size` (width, height) px, safe to decode.

    `path` is how a person knows it. Raises UserError for anything else.
    """
    return _taken_apart(path, content, size).content


def _taken_apart(path: Path, content: bytes, size: tuple[int, int] | None) -> Photo:
    if content.startswith(PNG_SIGNATURE):
        return _checked_png(path, content, size)
    if content.startswith(JPEG_SIGNATURE):
        return _checked_jpeg(path, content, size)
    raise UserError(f"{path} is not a picture that is understood", choices=("PNG", "JPEG"), next_step=SAVE_AS_RGB)


def _check_size(path: Path, got: tuple[int, int], wanted: tuple[int, int] | None, photo_px: int) -> None:
    """Raise UserError unless a picture of `got` px is as `wanted`, or, where that is None, a photo up to `photo_px`."""
    if wanted is None:
        if max(got) > MAX_SIDE_PX or got[0] * got[1] > photo_px:
            most = f"{MAX_SIDE_PX} px a side and {photo_px // 10**6} megapixels"
            raise UserError(f"{path} is {got[0]}x{got[1]} px, more than {most}", next_step=SHRINK)
        if min(got) < LEAST_PHOTO_SIDE_PX:
            raise UserError(
                f"{path} is {got[0]}x{got[1]} px, less than the {LEAST_PHOTO_SIDE_PX} px that the policy sees",
                next_step="take a larger photo",
            )
        return
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


def _check_png_header(path: Path, header: bytes, size: tuple[int, int] | None) -> tuple[int, int]:
    """The width and height in `header`."""
    width, height, depth, colour, compression, filtering, interlace = struct.unpack(">IIBBBBB", header)
    if colour in PNG_GREY:
        raise UserError(f"{path} is grey, and the policy sees colours", next_step=SAVE_AS_RGB)
    if depth == 16:
        raise UserError(f"{path} has 16 bits a channel, and 8 are accepted", next_step=SAVE_AS_RGB)
    if colour in PNG_WITH_ALPHA:
        raise UserError(f"{path} has an alpha channel", next_step=SAVE_AS_RGB)
    if colour == PNG_PALETTE:
        raise UserError(f"{path} has a palette", next_step=SAVE_AS_RGB)
    _check_size(path, (width, height), size, MAX_PNG_PHOTO_PX)
    if (depth, colour, compression, filtering) != (8, PNG_RGB, 0, 0) or interlace > 1:
        raise _damaged(path, "its header is not one of a PNG")
    if interlace:
        raise UserError(f"{path} is interlaced", next_step="save it as a plain 8-bit RGB PNG")
    return width, height


def _checked_png(path: Path, content: bytes, size: tuple[int, int] | None) -> Photo:
    """A PNG of header and pixels only: no colour profile, text or animation reaches the decoder."""
    head = content[len(PNG_SIGNATURE) : len(PNG_SIGNATURE) + 25]
    if len(head) < 25 or head[4:8] != b"IHDR":
        raise _damaged(path, "its header is missing")
    width, height = _check_png_header(path, head[8:21], size)
    rows = _packed_anew(path, _png_pixels(path, content), height * (1 + 3 * width))
    parts = ((b"IHDR", head[8:21]), (b"IDAT", rows), (b"IEND", b""))
    checked = PNG_SIGNATURE + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in parts
    )
    return Photo(checked, (width, height))


def _packed_anew(path: Path, packed: bytes, wanted: int) -> bytes:
    """`packed` rows, which must come to `wanted` bytes, unpacked and packed piece by piece: never all at once."""
    unpacker, packer, pieces, length = zlib.decompressobj(), zlib.compressobj(1), [], 0
    try:
        while length <= wanted and not unpacker.eof:
            rows = unpacker.decompress(packed, UNPACKED_AT_ONCE)
            packed, length = unpacker.unconsumed_tail, length + len(rows)
            pieces.append(packer.compress(rows))
            if not rows and not packed:
                break
    except zlib.error as error:
        raise _damaged(path, "its pixels cannot be unpacked") from error
    if length != wanted or not unpacker.eof:
        raise _damaged(path, "it has too many pixels" if length > wanted else "it has not all its pixels")
    return b"".join([*pieces, packer.flush()])


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


def _checked_jpeg(path: Path, content: bytes, size: tuple[int, int] | None) -> Photo:
    """A JPEG of one frame and its scans only: no comment, thumbnail or profile reaches the decoder."""
    kept, found, scans, orientation = [content[:2]], (0, 0), 0, 1
    most, passes = MAX_SCANS if size is not None else MAX_PHOTO_SCANS, False
    for marker, segment in _jpeg_segments(path, content):
        if marker in JPEG_OTHER_FRAMES or (marker in JPEG_FRAMES and any(found)):
            raise UserError(f"{path} is a JPEG of a rare kind", next_step=SAVE_AS_RGB)
        if marker in JPEG_FRAMES:
            found, passes = _check_jpeg_frame(path, segment, size), marker == JPEG_PROGRESSIVE
        if marker == JPEG_EXIF:
            orientation = _orientation(segment)
        if marker == JPEG_SCAN:
            if not any(found):
                raise _damaged(path, "it has no frame header")
            scans += 1
        if marker == JPEG_SCAN or marker in JPEG_DRAWING:
            kept.append(segment)
        if scans > most:
            raise _damaged(path, f"it is drawn in more than {most} passes")
    if not scans:
        raise _damaged(path, "it has no frame header")
    if (passes or scans > 1) and found[0] * found[1] > MAX_PHOTO_PX_IN_PASSES:
        raise UserError(
            f"{path} is {found[0]}x{found[1]} px, drawn in passes, and so at most {MAX_PHOTO_PX_IN_PASSES // 10**6} "
            "megapixels may be",
            next_step=SHRINK,
        )
    return Photo(b"".join([*kept, bytes((0xFF, JPEG_END))]), found, orientation)


def _orientation(segment: bytes) -> int:
    """How the camera was held, 1 to 8, as the Exif `segment` says; 1 where it says nothing that can be."""
    tiff = segment[4 + len(EXIF_MARK) :]
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(tiff[:4])
    if not segment[4:].startswith(EXIF_MARK) or order is None or len(tiff) < 8:
        return 1
    (at,) = struct.unpack_from(f"{order}I", tiff, 4)
    count = struct.unpack_from(f"{order}H", tiff, at)[0] if at + 2 <= len(tiff) else 0
    for entry in range(at + 2, at + 2 + 12 * min(count, MOST_EXIF_TAGS), 12):
        if entry + 12 > len(tiff):
            break
        tag, kind, _, value = struct.unpack_from(f"{order}HHIH", tiff, entry)
        if tag == ORIENTATION and kind == EXIF_SHORT and 1 <= value <= 8:
            return int(value)
    return 1


def _check_jpeg_frame(path: Path, segment: bytes, size: tuple[int, int] | None) -> tuple[int, int]:
    """The width and height in the frame header."""
    if len(segment) < 10:
        raise _damaged(path, "its frame header is cut short")
    depth, height, width, components = struct.unpack_from(">BHHB", segment, 4)
    if components == 1:
        raise UserError(f"{path} is grey, and the policy sees colours", next_step=SAVE_AS_RGB)
    if components != 3:
        raise UserError(f"{path} has {components} colour channels, and 3 are accepted", next_step=SAVE_AS_RGB)
    if depth != 8:
        raise UserError(f"{path} has {depth} bits a channel, and 8 are accepted", next_step=SAVE_AS_RGB)
    _check_size(path, (width, height), size, MAX_PHOTO_PX)
    return width, height
