"""Picture files from strangers: what passes, and everything that must be refused in words, at once and in no memory."""

from __future__ import annotations

import os
import struct
import subprocess
import sys
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from robot_rig.datatypes import IMAGE_SHAPE
from robot_rig.errors import UserError
from robot_rig.vision import load_goal_picture


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(
    width: int = 84,
    height: int = 84,
    depth: int = 8,
    colour: int = 2,
    rows: bytes | None = None,
    extra: bytes = b"",
    interlace: int = 0,
) -> bytes:
    """A PNG by hand; `rows` are its unpacked rows, filter bytes included."""
    rows = bytes(height * (1 + 3 * width)) if rows is None else rows
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, interlace)
    packed = chunk(b"IDAT", zlib.compress(rows))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + extra + packed + chunk(b"IEND", b"")


def encoded(suffix: str, picture: NDArray[Any], *options: int) -> bytes:
    return bytes(cv2.imencode(suffix, picture, options)[1])


NOISE = np.random.default_rng(1).integers(0, 256, IMAGE_SHAPE, dtype=np.uint8)
GOOD_PNG = encoded(".png", NOISE)
GOOD_JPEG = encoded(".jpg", NOISE)
FLIPPED = bytearray(GOOD_PNG)
FLIPPED[len(FLIPPED) // 2] ^= 1

REFUSED: dict[str, tuple[bytes, str]] = {
    "wide": (png(width=96), "96x84 px.*only 84x84.*[Cc]apture the goal"),
    "raw camera picture": (encoded(".png", np.zeros((480, 640, 3), np.uint8)), "640x480 px.*only 84x84"),
    "large jpeg": (encoded(".jpg", np.zeros((480, 640, 3), np.uint8)), "640x480 px.*only 84x84"),
    "bomb": (png(width=20_000, height=20_000, rows=bytes(20_000 * 100)), "20000x20000 px, more than 4096"),
    "widest bomb": (png(width=2**32 - 1, height=2**32 - 1, rows=b""), "more than 4096"),
    "grey": (encoded(".png", NOISE[..., 0]), "is grey.*RGB"),
    "grey jpeg": (encoded(".jpg", NOISE[..., 0]), "is grey.*RGB"),
    "16-bit": (encoded(".png", NOISE.astype(np.uint16) * 257), "16 bits.*8-bit RGB"),
    "16-bit grey": (encoded(".png", NOISE[..., 0].astype(np.uint16)), "is grey"),
    "alpha": (encoded(".png", np.dstack([NOISE, NOISE[..., 0]])), "alpha channel.*without transparency"),
    "grey with alpha": (png(colour=4), "is grey"),
    "palette": (png(colour=3, extra=chunk(b"PLTE", bytes(768))), "palette"),
    "transparent colour": (png(extra=chunk(b"tRNS", bytes(6))), "transparent colour"),
    "interlaced": (png(interlace=1), "interlaced"),
    "cut png": (GOOD_PNG[: len(GOOD_PNG) // 2], "corrupt or cut short.*again"),
    "cut in the header": (GOOD_PNG[:20], "corrupt or cut short"),
    "without its end": (GOOD_PNG[:-12], "corrupt or cut short"),
    "flipped bit": (bytes(FLIPPED), "checksum"),
    "no pixels": (png(rows=b""), "not all its pixels"),
    "rows missing": (png(rows=bytes(84 * 253 - 1)), "not all its pixels"),
    "packed bomb": (png(rows=bytes(20_000_000)), "too many pixels"),
    "packed nonsense": (png(extra=chunk(b"IDAT", b"nonsense")), "cannot be unpacked"),
    "bad filter": (png(rows=b"\x09" * (84 * 253)), "corrupt"),
    "cut jpeg": (GOOD_JPEG[: len(GOOD_JPEG) // 2], "end is missing"),
    "jpeg header only": (GOOD_JPEG[:3], "end is missing"),
    "jpeg of broken segments": (b"\xff\xd8\xff\xe0\x00\x04ab" + b"nonsense" * 9, "segments are broken"),
    "jpeg without a frame": (b"\xff\xd8\xff\xda\x00\x04ab" + b"nonsense" * 9, "no frame header"),
    "cmyk jpeg": (b"\xff\xd8\xff\xc0\x00\x14\x08\x00\x54\x00\x54\x04" + bytes(12), "4 colour channels"),
    "12-bit jpeg": (b"\xff\xd8\xff\xc1\x00\x11\x0c\x00\x54\x00\x54\x03" + bytes(9), "12 bits"),
    "arithmetic jpeg": (b"\xff\xd8\xff\xc9\x00\x11\x08\x00\x54\x00\x54\x03" + bytes(9), "rare kind"),
    "jpeg bomb": (b"\xff\xd8\xff\xc0\x00\x11\x08\xff\xff\xff\xff\x03" + bytes(9), "65535x65535 px, more than"),
    "text": (b"this is no picture", "not a picture.*PNG, JPEG"),
    "nothing": (b"", "not a picture"),
    "gif": (b"GIF89a" + bytes(100), "not a picture"),
    "bmp": (encoded(".bmp", NOISE), "not a picture"),
    "too large": (GOOD_PNG + bytes(8 * 1024 * 1024), "larger than 8 MiB"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_bad_picture_is_refused_in_one_sentence_that_says_what_to_do(tmp_path: Path, name: str) -> None:
    content, expected = REFUSED[name]
    path = tmp_path / "goal.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=expected) as caught:
        load_goal_picture(path)
    assert "\n" not in str(caught.value)
    assert caught.value.next_step


@pytest.mark.parametrize(
    "content", [GOOD_PNG, png(extra=chunk(b"tEXt", b"Title\0goal")), encoded(".png", NOISE, 16, 9)]
)
def test_good_pngs_pass(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "goal"
    path.write_bytes(content)
    expected = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    assert expected is not None
    assert np.array_equal(load_goal_picture(path), expected[..., ::-1])


@pytest.mark.parametrize("options", [(), (cv2.IMWRITE_JPEG_PROGRESSIVE, 1), (cv2.IMWRITE_JPEG_RST_INTERVAL, 2)])
def test_good_jpegs_pass(tmp_path: Path, options: tuple[int, ...]) -> None:
    path = tmp_path / "goal.jpeg"
    smooth = cv2.GaussianBlur(NOISE, (0, 0), 6)
    path.write_bytes(encoded(".jpg", smooth, *options))
    assert np.abs(load_goal_picture(path).astype(int) - smooth[..., ::-1]).mean() < 5


def link_to(path: Path, target: Path) -> None:
    target.write_bytes(GOOD_PNG)
    path.symlink_to(target)


PLACES: dict[str, tuple[Callable[[Path], object], str]] = {
    "missing": (lambda path: None, "cannot open.*No such file.*[Cc]heck the name"),
    "a folder": (lambda path: path.mkdir(), "is a folder"),
    "a symbolic link": (lambda path: link_to(path, path.with_name("real.png")), "symbolic link"),
    "a dangling link": (lambda path: path.symlink_to("nowhere"), "symbolic link"),
    "a fifo": (lambda path: os.mkfifo(path), "not a regular file"),
}


@pytest.mark.parametrize("place", PLACES)
def test_what_is_not_a_regular_file_is_refused_at_once(tmp_path: Path, place: str) -> None:
    make, expected = PLACES[place]
    path = tmp_path / "goal.png"
    make(path)
    with pytest.raises(UserError, match=expected):
        load_goal_picture(path)


@pytest.mark.parametrize("path", ["/dev/zero", "/dev/null"])
def test_devices_are_refused(path: str) -> None:
    with pytest.raises(UserError, match="not a regular file"):
        load_goal_picture(path)


def test_impossible_names_are_refused() -> None:
    for name in ("nul\0byte.png", "x" * 5000):
        with pytest.raises(UserError, match="cannot open"):
            load_goal_picture(name)


def test_damaged_files_never_get_through_as_another_picture(tmp_path: Path) -> None:
    """Any bit flipped or byte cut in a PNG is either found or did not touch the pixels."""
    random, path = np.random.default_rng(3), tmp_path / "goal.png"
    path.write_bytes(GOOD_PNG)
    original, refused = load_goal_picture(path), 0
    for _ in range(300):
        damaged = bytearray(GOOD_PNG)
        damaged[random.integers(len(damaged))] ^= 1 << random.integers(8)
        path.write_bytes(bytes(damaged) if random.random() < 0.7 else GOOD_PNG[: random.integers(len(GOOD_PNG))])
        try:
            assert np.array_equal(load_goal_picture(path), original)
        except UserError:
            refused += 1
    assert refused > 290


MEMORY_PROBE = """
import resource, sys
from robot_rig.errors import UserError
from robot_rig.vision import load_goal_picture
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
for path in sys.argv[1:]:
    try:
        load_goal_picture(path)
    except UserError:
        pass
    else:
        raise SystemExit("accepted " + path)
print((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024)
"""


def test_bombs_cost_no_memory(tmp_path: Path) -> None:
    """In a process of its own, whose peak of resident memory is that of the loading alone; less than 64 MiB."""
    bombs = {
        "square": png(20_000, 20_000, rows=bytes(20_000 * 3_000)),
        "packed": png(rows=bytes(200_000_000)),
        "text": png(extra=chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(200_000_000)))) + bytes(10),
        "many": png(extra=chunk(b"tEXt", b"") * 600_000, rows=b""),
        "long": GOOD_PNG + bytes(50_000_000),
    }
    paths = []
    for name, content in bombs.items():
        paths.append(tmp_path / name)
        paths[-1].write_bytes(content)
    paths.remove(tmp_path / "text")  # a good picture: its text never reaches a decoder
    assert load_goal_picture(tmp_path / "text").shape == IMAGE_SHAPE
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    probe = subprocess.run(
        [sys.executable, "-c", MEMORY_PROBE, *map(str, paths)],
        env=environment,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert float(probe.stdout) < 64
