"""Episode logs that a disk or a copy has spoilt: rot, holes, cuts, doubled and missing stretches (row 26)."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np

from sim.strangers.forgery import Forgery, Originals, cut, flipped

SECTOR_BYTES = 512


def damaged(rng: np.random.Generator, folder: Path, originals: Originals) -> Forgery:
    """Row 26: whatever comes out of it must be the original's first steps, and the rest must be told."""
    good = originals.episode.read_bytes()
    begin, end = sorted(rng.integers(0, len(good), 2).tolist())
    stretch = good[begin:end]
    sector = begin - begin % SECTOR_BYTES
    kinds: dict[str, Callable[[], bytes]] = {
        "flipped bit": lambda: flipped(rng, good),
        "flipped bits": lambda: _flipped_often(rng, good),
        "cut short": lambda: cut(rng, good),
        "missing stretch": lambda: good[:begin] + good[end:],
        "doubled stretch": lambda: good[:end] + stretch + good[end:],
        "noise in a stretch": lambda: good[:begin] + rng.bytes(end - begin) + good[end:],
        "zeros in a stretch": lambda: good[:begin] + bytes(end - begin) + good[end:],
        "zeros in a sector": lambda: good[:sector] + bytes(SECTOR_BYTES) + good[sector + SECTOR_BYTES :],
        "zeros to the end": lambda: good[:begin] + bytes(len(good) - begin),
        "swapped halves": lambda: good[begin:] + good[:begin],
        "noise behind it": lambda: good + rng.bytes(1 + end - begin),
        "itself behind it": lambda: good + good,
        "another file's head": lambda: b"\x89PNG\r\n\x1a\n" + good[8:],
        "another file": lambda: originals.picture.read_bytes(),
        "nothing": lambda: b"",
    }
    name = str(rng.choice(sorted(kinds)))
    path, whole = folder / "play-000000.mcap", folder / "whole.mcap"
    path.write_bytes(kinds[name]())
    shutil.copyfile(originals.episode, whole)
    return Forgery(name, "damaged log", f"{path}\n{whole}", "either")


def _flipped_often(rng: np.random.Generator, content: bytes) -> bytes:
    for _ in range(int(rng.integers(2, 9))):
        content = flipped(rng, content)
    return content
