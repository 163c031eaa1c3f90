"""Goal pictures from strangers: wrong, damaged, bombs, and in places where no picture is (rows 46, 47, 48)."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np

from robot_rig.datatypes import IMAGE_SIZE
from sim.strangers.forgery import Forgery, Originals, cut, flipped

SIGNATURE = b"\x89PNG\r\n\x1a\n"
START, END = b"\xff\xd8", b"\xff\xd9"
ROW_BYTES = 1 + 3 * IMAGE_SIZE


def png_chunk(kind: bytes, data: bytes) -> bytes:
    """A PNG chunk with its checksum."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, rows: bytes, depth: int = 8, colour: int = 2, extra: bytes = b"") -> bytes:
    """A PNG by hand; `rows` are its unpacked rows, filter bytes included; `extra` comes before them."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    body = png_chunk(b"IHDR", header) + extra + png_chunk(b"IDAT", zlib.compress(rows, 1)) + png_chunk(b"IEND", b"")
    return SIGNATURE + body


def segment(marker: int, data: bytes) -> bytes:
    """A JPEG segment."""
    return bytes((0xFF, marker)) + struct.pack(">H", len(data) + 2) + data


def jpeg(width: int, height: int, scans: int, extra: bytes = b"") -> bytes:
    """A JPEG by hand, of grey pixels: a frame, one short table, and `scans` passes over its brightness."""
    frame = struct.pack(">BHHB", 8, height, width, 3) + bytes((1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0))
    table = bytes((0x00, 1, *[0] * 15, 0))
    ac_table = bytes((0x10, 1, *[0] * 15, 0))
    first = segment(0xDA, bytes((3, 1, 0, 2, 0, 3, 0, 0, 0, 0))) + bytes(-(-width // 8) * -(-height // 8) * 3 // 8 + 1)
    again = segment(0xDA, bytes((1, 1, 0x00, 1, 63, 0x00))) + bytes(-(-width // 8) * -(-height // 8) // 8 + 1)
    head = segment(0xDB, bytes((0, *[1] * 64))) + segment(0xC2, frame) + segment(0xC4, table) + segment(0xC4, ac_table)
    return START + extra + head + first + again * (scans - 1) + END


def wrong(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 46: a picture of another size or format, a damaged one, or (one in six) a good one."""
    path, good = folder / "goal.png", originals.picture.read_bytes()
    side = int(rng.choice([1, 48, 83, 85, 96, 480, 640]))
    depth, colour = ((16, 2), (8, 6), (8, 3), (8, 0), (8, 4))[rng.integers(5)]
    kinds: dict[str, bytes] = {
        "another size": png(side, IMAGE_SIZE, bytes(IMAGE_SIZE * (1 + 3 * side))),
        "another format": png(IMAGE_SIZE, IMAGE_SIZE, bytes(IMAGE_SIZE * ROW_BYTES * 2), depth, colour),
        "too few pixels": png(IMAGE_SIZE, IMAGE_SIZE, bytes(int(rng.integers(IMAGE_SIZE * ROW_BYTES)))),
        "flipped bit": flipped(rng, good),
        "cut short": cut(rng, good),
        "noise": rng.bytes(int(rng.integers(1, 5000))),
        "noise after a signature": (SIGNATURE if rng.random() < 0.5 else START + b"\xff") + rng.bytes(500),
        "jpeg of another size": jpeg(side, IMAGE_SIZE, 1),
        "jpeg cut short": cut(rng, jpeg(IMAGE_SIZE, IMAGE_SIZE, 3)),
        "good": good,
        "good jpeg": jpeg(IMAGE_SIZE, IMAGE_SIZE, 3),
    }
    name = str(rng.choice(sorted(kinds)))
    path.write_bytes(kinds[name])
    return Forgery(name, "picture", str(path), "accepted" if name.startswith("good") else "refused")


def misplaced(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 47: names that lead elsewhere, links, devices, fifos, folders, and other files under a goal's name."""
    path = folder / "goal.png"
    names = (
        "../../etc/passwd",
        "..",
        "/etc/passwd",
        "goal/../../x",
        "http://127.0.0.1/goal.png",
        "a\0b",
        "x" * 5000,
        "",
    )
    kind = int(rng.integers(9))
    if kind == 0:
        return Forgery("name of another place", "goal", f"{folder}\n{names[rng.integers(len(names))]}")
    if kind == 1:
        path.symlink_to(str(rng.choice(["/etc/passwd", "/dev/zero", "nowhere", str(originals.picture)])))
    elif kind == 2:
        os.mkfifo(path)
    elif kind == 3:
        path.mkdir()
    elif kind == 4:
        return Forgery("device", "picture", str(rng.choice(["/dev/zero", "/dev/null", "/dev/tty"])))
    elif kind == 5:
        path.write_bytes(originals.picture.read_bytes() + bytes(8 << 20))
    elif kind == 6:
        path.symlink_to(path)
    else:
        return _hostile_note(rng, folder, originals)
    return Forgery(
        ("", "link", "fifo", "folder", "", "larger than 8 MiB", "link to itself")[kind], "picture", str(path)
    )


def _hostile_note(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """A goal of a library whose note is a link, a fifo, or tells of another picture."""
    (folder / "goal.png").write_bytes(originals.picture.read_bytes())
    note, good = folder / "goal.yaml", (originals.goals / "good.yaml").read_text()
    kind = int(rng.integers(4))
    if kind == 0:
        note.symlink_to("/dev/zero")
    elif kind == 1:
        os.mkfifo(note)
    elif kind == 2:
        note.write_text(good.replace('sha256: "', 'sha256: "0'))
    else:
        note.write_text(good + f"extra: {rng.integers(100)}\n")
    return Forgery(
        ("note is a link", "note is a fifo", "note of another picture", "note says more")[kind],
        "goal",
        f"{folder}\ngoal",
    )


def bomb(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 48: small files that declare, hold or cost far more than a picture."""
    path = folder / "goal.png"
    wide, high = (int(2 ** rng.uniform(7, 32)) for _ in range(2))
    kinds = {
        "declared size": lambda: png(min(wide, 2**32 - 1), min(high, 2**32 - 1), bytes(1000)),
        "packed size": lambda: png(IMAGE_SIZE, IMAGE_SIZE, bytes(int(2 ** rng.uniform(16, 26)))),
        "large and whole": lambda: png(4000, 4000, bytes(4000 * 12001)),
        "many chunks": lambda: png(IMAGE_SIZE, IMAGE_SIZE, b"", extra=png_chunk(b"tEXt", b"") * 690_000),
        "many pieces": lambda: png(IMAGE_SIZE, IMAGE_SIZE, b"", extra=png_chunk(b"IDAT", b"\0") * 600_000),
        "jpeg of a declared size": lambda: jpeg(min(wide, 65_535), min(high, 65_535), 1),
        "jpeg of many passes": lambda: jpeg(IMAGE_SIZE, IMAGE_SIZE, int(2 ** rng.uniform(7, 18))),
        "jpeg of many segments": lambda: jpeg(IMAGE_SIZE, IMAGE_SIZE, 1, extra=segment(0xFE, b"") * 1_500_000),
        "jpeg of two frames": lambda: jpeg(IMAGE_SIZE, IMAGE_SIZE, 1, extra=jpeg(60_000, 60_000, 1)[2:-2]),
    }
    name = str(rng.choice(sorted(kinds)))
    path.write_bytes(kinds[name]())
    return Forgery(name, "picture", str(path))
