"""Opening a file that a stranger may have written: only a regular one, never through a link, never more than allowed.

Called by whatever reads pictures, checkpoints, evaluations, run folders and bags. Every refusal is a UserError of one
sentence; what a reader then finds wrong in the bytes is its own business.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from robot_rig.errors import UserError

BLOCK_BYTES = 1 << 20
"""What is read at once of a file that is only looked through."""

INDEX_LIMIT = 256 * 1024
"""Bytes of a JSON file that describes other files."""


LONGEST_NAME = 400
"""Characters of a file's name that a sentence can bear."""


@contextlib.contextmanager
def open_regular(path: Path, kind: str) -> Iterator[BinaryIO]:
    """The regular file `path`, open to read; `kind` is what it should be, as in "picture".

    Raises UserError when it is missing or is a link, a folder, a fifo or a device.
    """
    name = shown(path)
    try:
        # Without O_NONBLOCK, opening a fifo would wait for a writer for ever.
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except (OSError, ValueError) as error:
        number = error.errno if isinstance(error, OSError) else None
        if number == errno.ELOOP:
            raise UserError(f"{name} is a symbolic link", next_step="name the file that it points to") from error
        reason = os.strerror(number) if number else str(error)
        raise UserError(
            f"cannot open the {kind} {name}: {reason}", next_step="check the name and its permissions"
        ) from error
    try:
        mode = os.fstat(handle).st_mode
        if stat.S_ISDIR(mode):
            raise UserError(f"{name} is a folder", next_step=f"name a {kind} in it")
        if not stat.S_ISREG(mode):
            raise UserError(f"{name} is not a regular file", next_step=f"copy the {kind} into a file of its own")
        with os.fdopen(handle, "rb", closefd=False) as file:
            yield file
    finally:
        os.close(handle)


def shown(path: Path) -> str:
    """`path` for a sentence: its two ends where it is longer than anybody reads."""
    name = str(path)
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME // 2]}...{name[-LONGEST_NAME // 2 :]}"


def read_regular(path: Path, kind: str, limit: int) -> bytes:
    """The whole of the regular file `path`, at most `limit` bytes; raises UserError as `open_regular` does."""
    with open_regular(path, kind) as file:
        # The size may grow after it was asked for, so the reading is bounded instead.
        try:
            content = file.read(limit + 1)
        except OSError as error:
            raise UserError(
                f"cannot read the {kind} {shown(path)}: {error.strerror}", next_step="copy it again"
            ) from error
    if len(content) > limit:
        raise UserError(f"{shown(path)} is larger than {_size(limit)}", next_step=f"this is no {kind} of a rig")
    return content


def sha256_of(file: BinaryIO) -> str:
    """SHA-256 in hex of an open `file` from its start, in little memory; it stands at its start afterwards."""
    digest = hashlib.sha256()
    file.seek(0)
    while block := file.read(BLOCK_BYTES):
        digest.update(block)
    file.seek(0)
    return digest.hexdigest()


def parse_object(text: bytes) -> dict[str, Any]:
    """The JSON object in `text`. Raises ValueError for other JSON, a key said twice, NaN, infinity, deep nesting."""
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    if not isinstance(value, dict):
        raise ValueError("it holds no object")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands in it twice")
    return found


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _size(count: int) -> str:
    return f"{count >> 20} MiB" if count >= 1 << 20 else f"{count >> 10} KiB"
