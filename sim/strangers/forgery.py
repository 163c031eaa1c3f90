"""What a forger makes: a file, who is to read it, and what must come of it. Used by every forger in this package."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

Verdict = Literal["refused", "accepted", "either"]

CANARY = "code-was-run"
"""Name of the file or folder that every hostile pickle makes, in the working folder, when it is opened."""


class Forgery(NamedTuple):
    """`target` is what the reader called `reader` is given: a path, or, a line each, a folder and a goal or set.

    `names`: what a refusal must name, or it leaves a person guessing.
    """

    name: str
    reader: str
    target: str
    verdict: Verdict = "refused"
    names: tuple[str, ...] = ()


class Originals(NamedTuple):
    """Honest files of every kind, made once: what forgers start from and what readers are warmed up with."""

    picture: Path
    photo: Path
    goals: Path
    checkpoint: Path
    other_checkpoint: Path
    wide_checkpoint: Path
    settings: Path
    evaluation: Path
    episode: Path
    bag: Path
    run: Path

    def honest(self) -> list[tuple[str, str]]:
        """(reader, target) of everything that must be read."""
        readers = ("picture", "photo", "checkpoint", "settings", "evaluation", "episode", "bag", "run")
        of_goals = [("goal", f"{self.goals}\ngood"), ("set", f"{self.goals}\ncorners")]
        others = [("goal path", str(self.goals / "good.png")), ("damaged log", f"{self.episode}\n{self.episode}")]
        return [*((name, str(getattr(self, name))) for name in readers), *of_goals, *others]


Forger = Callable[[np.random.Generator, Path, Originals], Forgery]
"""Makes a forgery in the empty folder that it is given."""


def flipped(rng: np.random.Generator, content: bytes) -> bytes:
    """`content` with one bit flipped."""
    damaged = bytearray(content)
    damaged[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
    return bytes(damaged)


def cut(rng: np.random.Generator, content: bytes) -> bytes:
    """`content` cut short by at least a byte."""
    return content[: rng.integers(len(content))]


def pickle_bomb() -> bytes:
    """A pickle that makes a folder called CANARY when it is opened, written out by hand."""
    return b"cposix\nmkdir\n(V" + CANARY.encode() + b"\ntR."
