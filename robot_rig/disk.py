"""Files that survive a crash, and what to say of a disk that is full. For runs, stages, checkpoints and exports."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

from robot_rig.errors import UserError


def require_free_space(path: str | Path, needed: int) -> None:
    """Raise UserError unless the disk that holds (or will hold) `path` has `needed` bytes free."""
    place = _standing(path)
    free = shutil.disk_usage(place).free
    if free < needed:
        raise UserError(
            f"{free >> 20} MiB are free in {place} and {-(-needed >> 20)} MiB are needed",
            next_step="make room, or put the run on another disk with --run",
        )


def disk_of(path: str | Path) -> int:
    """The number of the disk that holds (or will hold) `path`: the same for two paths that share its room."""
    return _standing(path).stat().st_dev


def _standing(path: str | Path) -> Path:
    """`path`, or the nearest folder above it that there is."""
    place = Path(path).absolute()
    while not place.exists():
        place = place.parent
    return place


def write_atomically(path: Path, data: bytes) -> None:
    """Replace `path` by `data`, durably: afterwards, and after any crash, it holds all of the old or all of the new.

    Raises UserError when the disk is full or cannot be written; the old content then stays.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        put(fresh, data)
        os.replace(fresh, path)
        sync(path.parent)
    except OSError as error:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)
        raise unwritable(path, error) from error


def write_new(path: Path, data: bytes) -> None:
    """Make `path` hold `data`, durably, all of it or nothing.

    Raises UserError when `path` exists, also when another process has made it meanwhile, and when the disk is full or
    cannot be written.
    """
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        put(fresh, data)
        # Unlike a renaming, this never replaces anything.
        os.link(fresh, path)
        fresh.unlink()
        sync(path.parent)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        with contextlib.suppress(OSError):
            fresh.unlink(missing_ok=True)


def _taken(path: Path) -> UserError:
    return UserError(f"{path} exists already", next_step="nothing is overwritten: move it, or choose another name")


@contextlib.contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A name beside `path` for a new file or folder, which takes the name `path` once it is whole and on disk.

    Raises UserError when `path` exists, for it is never overwritten, and when the disk is full or cannot be written;
    whatever ends the work early, nothing of it stays.
    """
    try:
        taken = path.exists() or path.is_symlink()
    except OSError as error:
        raise unwritable(path, error) from error
    if taken:
        raise _taken(path)
    fresh = path.with_name(f".{path.name}.{os.getpid()}.new")
    try:
        make_folder(path.parent)
        yield fresh
        for entry in (*fresh.rglob("*"), fresh):
            sync(entry)
        fresh.rename(path)
        sync(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        # Where nothing could be made nothing can be removed either, and why is said already.
        with contextlib.suppress(OSError):
            if fresh.is_dir():
                shutil.rmtree(fresh, ignore_errors=True)
            else:
                fresh.unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Make `folder` and those above it that are missing, each there for good: nothing in it outlasts its own name.

    Raises OSError.
    """
    missing, place = list[Path](), folder
    while not place.is_dir():
        missing.append(place)
        place = place.parent
    for one in reversed(missing):
        one.mkdir(exist_ok=True)
        sync(one.parent)


def put(path: Path, data: bytes) -> None:
    """Make `path` hold `data`, and put that on disk; its name is there for good once its folder is synced.

    By plain calls of the operating system, in an order that the simulated power cuts can follow. Raises OSError.
    """
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o666)
    try:
        rest = memoryview(data)
        while rest:
            rest = rest[os.write(handle, rest) :]
        os.fsync(handle)
    finally:
        os.close(handle)


def sync(path: Path) -> None:
    """Make what was written to a file, or the names in a folder, durable. Raises OSError."""
    handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def unwritable(path: Path, error: OSError) -> UserError:
    """What to tell a person when writing `path` failed with `error`."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return UserError(f"the disk is full: {path} could not be written", next_step="make room and run this again")
    if isinstance(error, FileExistsError | NotADirectoryError):
        return UserError(f"cannot write {path}: a part of that path is no folder", next_step="choose another folder")
    return UserError(f"cannot write {path}: {error.strerror}", next_step="choose another folder")
