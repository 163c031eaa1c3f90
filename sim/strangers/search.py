"""Where a text stands in files, however it is packed there: for whoever looks for secrets that got out (row 60)."""

from __future__ import annotations

import contextlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path

import zstandard

ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"
MOST_BYTES = 64 * 2**20
"""Of a file, and of what is unpacked of it: ours are smaller."""


def hits(folder: Path, needles: Mapping[str, bytes]) -> Iterator[str]:
    """Each path below `folder` that holds one of the `needles`, as "NAME in PATH": in its name, or however packed."""
    for path in sorted(folder.rglob("*")):
        place = str(path.relative_to(folder))
        texts = [place.encode()]
        if path.is_file() and not path.is_symlink() and path.stat().st_size <= MOST_BYTES:
            texts += [path.read_bytes()]
            texts += unpacked(texts[1])
        for name, needle in needles.items():
            if any(needle in text for text in texts):
                yield f"{name} in {place}"


def unpacked(content: bytes) -> Iterator[bytes]:
    """What is packed in `content`: members of a zip, and zstd frames wherever they begin."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for member in archive.infolist():
                if member.file_size <= MOST_BYTES:
                    yield archive.read(member)
    at = content.find(ZSTD_MAGIC)
    while at >= 0:
        with contextlib.suppress(zstandard.ZstdError):
            yield zstandard.ZstdDecompressor().decompressobj().decompress(content[at:])
        at = content.find(ZSTD_MAGIC, at + 1)
