"""Files of arrays, logs and bags from strangers: bombs, lies about sizes, damage (row 58)."""

from __future__ import annotations

import bz2
import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import zstandard

from sim.strangers.bag_bombs import BAG_MAGIC, CHUNK_KINDS, bag_of, bag_record, chunks_of, waiting_frames
from sim.strangers.bombs import long_array, wide_header
from sim.strangers.forgery import Forgery, Originals, Verdict, cut, flipped

GIGABYTES = 3 << 30


def npy(shape: object, descr: object = "|u1", body: bytes = b"") -> bytes:
    """An npy file of any header and body."""
    text = str({"descr": descr, "fortran_order": False, "shape": shape}).encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text) % 65536) + text + body


def npz(members: dict[str, bytes], packing: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of `members`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", packing) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def arrays(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """An evaluation or a saved state whose npz is not what it seems, under a digest that is right."""
    good = (originals.evaluation / "evaluation.npz").read_bytes()
    with zipfile.ZipFile(io.BytesIO(good)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    victim = sorted(members)[rng.integers(len(members))]
    nested = b"\x93NUMPY\x01\x00" + struct.pack("<H", 1800) + b"(" * 900 + b")" * 900
    kinds: dict[str, Callable[[], bytes]] = {
        "packed gigabyte": lambda: npz({**members, victim: npy((1 << 30,), body=bytes(int(2 ** rng.uniform(20, 27))))}),
        "declared terabyte": lambda: npz({**members, victim: npy((1 << 40,))}),
        "declared rows": lambda: npz({**members, victim: npy((1 << 62,), "|V0")}),
        "negative": lambda: npz({**members, victim: npy((-1, 84))}),
        "objects": lambda: npz({**members, victim: npy((1,), "|O", b"cposix\nmkdir\n(Vcode-was-run\ntR.")}),
        "texts": lambda: npz({**members, victim: npy((3,), "<U10", bytes(120))}),
        "no header": lambda: npz({**members, victim: b"\x93NUMPY\x01\x00\xff\xff{"}),
        "nested header": lambda: npz({**members, victim: nested}),
        "names that lead elsewhere": lambda: npz({**members, "../../escaped.npy": npy((1,), body=b"x")}),
        "forty thousand arrays": lambda: npz({f"{n}.npy": b"" for n in range(40_000)}, zipfile.ZIP_STORED),
        "another packing": lambda: npz(members, zipfile.ZIP_LZMA),
        "megabytes of another form": lambda: long_array(members, victim, int(rng.integers(80, 400))),
        "gap before it": lambda: bytes(int(rng.integers(1, 200)) << 20) + good,
        "header of megabytes": lambda: wide_header(members, victim, int(rng.integers(80, 200))),
        "one array too few": lambda: npz({name: members[name] for name in members if name != victim}),
        "flipped bit": lambda: flipped(rng, good),
        "cut short": lambda: cut(rng, good),
        "lying directory": lambda: _lying(rng, good),
        "noise": lambda: rng.bytes(3000),
    }  # fmt: skip
    name = str(rng.choice(sorted(kinds)))
    content = kinds[name]()
    # A bit in a time stamp or a flag that nobody reads changes nothing, and the digest was made after the flip.
    verdict: Verdict = "either" if name in ("flipped bit", "lying directory") else "refused"
    if rng.random() < 0.3 and name not in ("names that lead elsewhere", "one array too few"):
        return _as_state(folder, originals, name, content)
    (folder / "evaluation.npz").write_bytes(content)
    index = json.loads((originals.evaluation / "evaluation.json").read_text())
    index["sha256"] = hashlib.sha256(content).hexdigest()
    (folder / "evaluation.json").write_text(json.dumps(index))
    return Forgery(f"evaluation: {name}", "evaluation", str(folder), verdict)


def _as_state(folder: Path, originals: Originals, name: str, content: bytes) -> Forgery:
    for part in ("run.json", "config.yaml"):
        (folder / part).write_bytes((originals.run / part).read_bytes())
    (folder / "state").mkdir()
    (folder / "state" / "plant.npz").write_bytes(content)
    return Forgery(f"saved state: {name}", "run", str(folder), "either")


def _lying(rng: np.random.Generator, good: bytes) -> bytes:
    """One of the sizes in the zip's own directory changed."""
    content = bytearray(good)
    at = content.index(b"PK\x01\x02")
    for _ in range(int(rng.integers(5))):
        at = content.index(b"PK\x01\x02", at + 1) if b"PK\x01\x02" in content[at + 1 :] else at
    struct.pack_into("<I", content, at + (20, 24, 42)[rng.integers(3)], int(2 ** rng.uniform(0, 31.9)))
    return bytes(content)


def logs(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """An episode log: bombs behind its sound steps, crumbs without end, forged chunks. Sound steps may come out."""
    path, good = folder / "play-000000.mcap", originals.episode.read_bytes()
    head = good[: _after_chunks(good, int(rng.integers(3)))]
    packed = zstandard.ZstdCompressor().compress(b"x" * 1000)
    zeros = zstandard.ZstdCompressor().compress(bytes(int(2 ** rng.uniform(18, 26))))
    empty = struct.pack("<BQ", 0x70, 0)
    channels = b"".join(struct.pack("<BQ", 0x03, 24) + bytes(24) for _ in range(3500))
    kinds: dict[str, Callable[[], bytes]] = {
        "record of gigabytes": lambda: head + struct.pack("<BQ", 6, GIGABYTES) + b"abc",
        "unknown record": lambda: head + struct.pack("<BQ", 0x70, 1 << 62),
        "chunk of gigabytes": lambda: head + _chunk(b"zstd", GIGABYTES, packed),
        "chunk that unpacks": lambda: head + _chunk(b"zstd", 1000, zeros),
        "chunk of crumbs": lambda: (
            head + _chunk(b"zstd", len(channels), zstandard.ZstdCompressor().compress(channels), channels)
        ),
        "unpacked chunk": lambda: head + _chunk(b"", 1000, b"x" * 1000),
        "million empty records": lambda: head + empty * 3_000_000,
        "million index entries": lambda: head + struct.pack("<BQHI", 7, 6 + 900_000, 0, 1 << 31) + bytes(30_000_000),
        "metadata without end": lambda: head + struct.pack("<BQII", 12, 900_000, 0, 1 << 31) + bytes(20_000_000),
        "flipped bit": lambda: flipped(rng, good),
        "cut short": lambda: cut(rng, good),
        "noise": lambda: rng.bytes(5000),
        "noise after the magic": lambda: good[:8] + rng.bytes(5000),
        "another profile": lambda: good.replace(b"ros1", b"ros2", 1),
    }
    name = str(rng.choice(sorted(kinds)))
    path.write_bytes(kinds[name]())
    verdict: Verdict = "refused" if name.startswith("noise") or name == "another profile" else "either"
    return Forgery(f"log: {name}", "episode", str(path), verdict)


def _after_chunks(content: bytes, chunks: int) -> int:
    at, seen = 8, 0
    while True:
        opcode, length = struct.unpack_from("<BQ", content, at)
        seen += opcode == 6
        if seen > chunks + 1:
            return at
        at += 9 + length


def _chunk(packing: bytes, declared: int, data: bytes, unpacked: bytes = b"") -> bytes:
    body = struct.pack("<QQQII", 0, 0, declared, zlib.crc32(unpacked), len(packing)) + packing
    body += struct.pack("<Q", len(data)) + data
    return struct.pack("<BQ", 6, len(body)) + body


def bags(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """A rosbag that declares, holds or costs more than it seems, or is damaged."""
    path, good = folder / "a.bag", originals.bag.read_bytes()
    many = int(2 ** rng.uniform(18, 26))
    message = {"op": b"\x02", "conn": bytes(4), "time": bytes(8)}
    index = good.index(b"index_pos=") + len(b"index_pos=")
    text = bag_record(message, struct.pack("<I", 1 << 30) + b"short")
    kinds: dict[str, Callable[[], bytes]] = {
        "packed gigabyte": lambda: bag_of(_packed("bz2", 1000), bz2.compress(bytes(many))),
        "declared gigabyte": lambda: bag_of(_packed("bz2", GIGABYTES), bz2.compress(bytes(1000))),
        "unknown packing": lambda: bag_of(_packed("zip", 1000), bytes(1000)),
        "lying size": lambda: bag_of(_packed("none", 1000), bytes(999)),
        "text of a gigabyte": lambda: bag_of(_packed("none", len(text)), text),
        "message outside": lambda: bag_of(_packed("none", 60), bag_record(message, b"", 1 << 31)[:60].ljust(60, b"\0")),
        "million records": lambda: bag_of(_packed("none", 0), b"", middle=bag_record({"op": b"\x04"}, b"") * 1_000_000),
        "header of gigabytes": lambda: BAG_MAGIC + struct.pack("<I", GIGABYTES),
        "ten thousand topics": lambda: bag_of(_packed("none", 0), b"", connections=10_000),
        "chunks of nothing": lambda: _chunks_of_nothing(rng),
        "frames that wait": lambda: waiting_frames(int(rng.integers(1, 3)), int(2 ** rng.uniform(15, 23))),
        "never finished": lambda: good[:index] + bytes(8) + good[index + 8 :],
        "cut short": lambda: cut(rng, good),
        "flipped bit": lambda: flipped(rng, good),
        "noise": lambda: BAG_MAGIC + rng.bytes(3000),
    }  # fmt: skip
    name = str(rng.choice(sorted(kinds)))
    path.write_bytes(kinds[name]())
    return Forgery(f"bag: {name}", "bag", str(path), "either" if name == "flipped bit" else "refused")


def _chunks_of_nothing(rng: np.random.Generator) -> bytes:
    return chunks_of(
        CHUNK_KINDS[rng.integers(len(CHUNK_KINDS))], int(rng.integers(1, 12)), int(2 ** rng.uniform(19, 23))
    )


def _packed(packing: str, declared: int) -> dict[str, bytes]:
    return {"compression": packing.encode(), "size": struct.pack("<I", declared)}


def archive(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 58: one of the three."""
    return (arrays, logs, bags)[rng.integers(3)](rng, folder, originals)
