"""Power cuts without cutting any: what a disk may hold afterwards, from the order in which a program wrote and synced.

Called by row 24 and tests/faults. `Record` listens to the operating system's calls of this process that change a
folder; `cuts` makes of what it heard states that the folder may be found in. By POSIX a sync puts a file's bytes, or a
folder's names, on disk, and nothing else is sure. What was not synced is missing here from some moment on, the last
write torn at any byte or with whole pages of it never written; that it came to the disk in another order is not made.
"""

from __future__ import annotations

import functools
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

PAGE_BYTES = 4096
ROOT = 0
"""Number of the folder that is listened to; files and folders in it get the next ones."""


class Named(NamedTuple):
    """In `folder`, `name` now stands for `node`; `node` None: for nothing any more."""

    folder: int
    name: str
    node: int | None


class Moved(NamedTuple):
    """What was called `name` in `folder` is called `new` there now, in one step."""

    folder: int
    name: str
    new: str


class Wrote(NamedTuple):
    """Bytes of the file `node` from `start` on."""

    node: int
    start: int
    data: bytes


class Sized(NamedTuple):
    """The file `node` has so many bytes now."""

    node: int
    size: int


class Synced(NamedTuple):
    """All that was written to `node`, or all names in it, is on disk."""

    node: int


class Marked(NamedTuple):
    """What the program had promised by then: `word` says what, `value` how much."""

    word: str
    value: int


Event = Named | Moved | Wrote | Sized | Synced | Marked


class Record:
    """Listens to what this process does in `folder`, which is empty, from `with` to the end of its block.

    Every call goes through to the real system; `events` tells them in order, `folders` which nodes are folders.
    """

    def __init__(self, folder: Path) -> None:
        self._root = str(folder.resolve())
        self.events: list[Event] = []
        self._nodes: dict[str, int] = {self._root: ROOT}
        self.folders = {ROOT}
        self._handles: dict[int, tuple[int, int]] = {}
        self._count = itertools.count(ROOT + 1)
        self._lock = threading.RLock()
        self._real: dict[str, Callable[..., Any]] = {}

    def mark(self, word: str, value: int) -> None:
        """The program promises."""
        with self._lock:
            self.events.append(Marked(word, value))

    def __enter__(self) -> Record:
        heard: dict[str, Callable[..., None]] = {
            "open": self._open, "write": self._write, "fsync": self._sync, "fdatasync": self._sync,
            "close": self._close, "ftruncate": self._truncate, "rename": self._move, "replace": self._move,
            "unlink": self._remove, "mkdir": self._make_folder,
        }  # fmt: skip
        for name, hear in heard.items():
            self._real[name] = getattr(os, name)
            setattr(os, name, self._through(self._real[name], hear))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, real in self._real.items():
            setattr(os, name, real)

    def _through(self, real: Callable[..., Any], hear: Callable[..., None]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            # One after the other, so that the order told is the order done.
            with self._lock:
                result = real(*args, **kwargs)
                hear(result, *args)
                return result

        return call

    def _place(self, path: Any) -> tuple[str, int, str] | None:
        """The whole path, its folder's node and its name; None outside the folder."""
        whole = os.path.join(os.path.realpath(os.path.dirname(os.fsdecode(path)) or "."), os.path.basename(path))
        folder = self._nodes.get(os.path.dirname(whole))
        return None if folder is None else (whole, folder, os.path.basename(whole))

    def _open(self, handle: int, path: Any, flags: int, *_: Any) -> None:
        if os.path.realpath(path) == self._root:
            self._handles[handle] = (ROOT, 0)
            return
        place = self._place(path)
        if place is None or (place[0] not in self._nodes and not flags & os.O_CREAT):
            return
        whole, folder, name = place
        if whole not in self._nodes:
            self._nodes[whole] = next(self._count)
            self.events.append(Named(folder, name, self._nodes[whole]))
        elif flags & os.O_TRUNC:
            self.events.append(Sized(self._nodes[whole], 0))
        self._handles[handle] = (self._nodes[whole], 0)

    def _write(self, count: int, handle: int, data: bytes) -> None:
        if handle in self._handles:
            node, at = self._handles[handle]
            self.events.append(Wrote(node, at, bytes(data[:count])))
            self._handles[handle] = (node, at + count)

    def _sync(self, _: None, handle: int) -> None:
        if handle in self._handles:
            self.events.append(Synced(self._handles[handle][0]))

    def _truncate(self, _: None, handle: int, size: int) -> None:
        if handle in self._handles:
            self.events.append(Sized(self._handles[handle][0], size))

    def _close(self, _: None, handle: int) -> None:
        self._handles.pop(handle, None)

    def _move(self, _: None, old: Any, new: Any) -> None:
        place, target = self._place(old), self._place(new)
        if place is None or target is None:
            return
        if place[1] != target[1]:
            raise ValueError(f"{old} moves to another folder, which no simulated power cut knows")
        self.events.append(Moved(place[1], place[2], target[2]))
        for whole in [path for path in self._nodes if path == place[0] or path.startswith(place[0] + os.sep)]:
            self._nodes[target[0] + whole.removeprefix(place[0])] = self._nodes.pop(whole)

    def _remove(self, _: None, path: Any) -> None:
        if (place := self._place(path)) is not None and place[0] in self._nodes:
            del self._nodes[place[0]]
            self.events.append(Named(place[1], place[2], None))

    def _make_folder(self, _: None, path: Any, *__: Any) -> None:
        if (place := self._place(path)) is not None:
            self._nodes[place[0]] = next(self._count)
            self.folders.add(self._nodes[place[0]])
            self.events.append(Named(place[1], place[2], self._nodes[place[0]]))


@dataclass(frozen=True)
class Cut:
    """What is found after a power cut: files by their path below the folder, and the newest of each promise."""

    files: Mapping[str, bytes]
    promised: Mapping[str, int]


@dataclass
class _Disk:
    """A disk at a moment: what is on it for good, and what has been done since to each node."""

    names: dict[int, dict[str, int]] = field(default_factory=dict)
    content: dict[int, bytes] = field(default_factory=dict)
    loose: dict[int, list[Event]] = field(default_factory=dict)
    promised: dict[str, int] = field(default_factory=dict)

    def take(self, event: Event) -> None:
        """The next event."""
        if isinstance(event, Marked):
            self.promised[event.word] = event.value
        elif isinstance(event, Synced):
            for done in self.loose.pop(event.node, []):
                if isinstance(done, Named | Moved):
                    rename(self.names.setdefault(event.node, {}), done)
                else:
                    self.content[event.node] = changed(self.content.get(event.node, b""), done)
        else:
            node = event.folder if isinstance(event, Named | Moved) else event.node
            self.loose.setdefault(node, []).append(event)


def rename(names: dict[str, int], event: Named | Moved) -> None:
    """Change the `names` of a folder; what is not there cannot move."""
    if isinstance(event, Moved):
        if event.name in names:
            names[event.new] = names.pop(event.name)
    elif event.node is None:
        names.pop(event.name, None)
    else:
        names[event.name] = event.node


def changed(content: bytes, event: Event) -> bytes:
    """A file's bytes after a write or a change of its size."""
    if isinstance(event, Sized):
        return content[: event.size].ljust(event.size, b"\0")
    assert isinstance(event, Wrote)
    return content[: event.start].ljust(event.start, b"\0") + event.data + content[event.start + len(event.data) :]


def cuts(record: Record, stride: int = 1) -> Iterator[Cut]:
    """Every state that a power cut at any moment may leave, a torn write at every `stride`th byte.

    Before a sync ends, and at the end, all that came since the last one is still loose: what may be found in between is
    among what may be found then.
    """
    disk = _Disk()
    for event in [*record.events, None]:
        if event is None or isinstance(event, Synced):
            yield from _found(disk, record.folders, stride)
        if event is not None:
            disk.take(event)


def _found(disk: _Disk, folders: set[int], stride: int) -> Iterator[Cut]:
    loose = {node: [e for e in disk.loose.get(node, []) if isinstance(e, Named | Moved)] for node in folders}
    files = {*disk.content, *disk.loose} - folders
    torn = [node for node in files if disk.loose.get(node)]
    whole = {node: functools.reduce(changed, disk.loose.get(node, []), disk.content.get(node, b"")) for node in files}
    for kept in itertools.product(*(range(len(events) + 1) for events in loose.values())):
        names = {node: dict(disk.names.get(node, {})) for node in folders}
        for node, many in zip(loose, kept, strict=True):
            for event in loose[node][:many]:
                rename(names[node], event)
        tree = dict(_walk(names, ROOT, ""))
        for content in _torn(disk, [node for node in torn if node in tree.values()], stride):
            found = {**whole, **content}
            yield Cut({path: found.get(node, b"") for path, node in tree.items()}, dict(disk.promised))


def _torn(disk: _Disk, loose: Sequence[int], stride: int) -> Iterator[Mapping[int, bytes]]:
    """One of the files with something loose after the other is torn, the rest whole or as they were synced."""
    if not loose:
        yield {}
    synced = {node: disk.content.get(node, b"") for node in loose}
    for victim in loose:
        for content in _contents(disk, victim, stride):
            yield {victim: content}
            if len(loose) > 1:
                yield {**synced, victim: content}


def _walk(names: Mapping[int, Mapping[str, int]], folder: int, prefix: str) -> Iterator[tuple[str, int]]:
    for name, node in names[folder].items():
        if node in names:
            yield from _walk(names, node, f"{prefix}{name}/")
        else:
            yield prefix + name, node


def _contents(disk: _Disk, node: int, stride: int) -> Iterator[bytes]:
    """What the file `node` may hold: as it was synced, then with more and more of what came since, torn and holed."""
    content = disk.content.get(node, b"")
    yield content
    events: Sequence[Event] = disk.loose.get(node, [])
    for event in events:
        whole = changed(content, event)
        if isinstance(event, Wrote):
            for end in range(1, len(event.data), stride):
                yield changed(content, event._replace(data=event.data[:end]))
            for hole in range(event.start - event.start % PAGE_BYTES, len(whole), PAGE_BYTES):
                # The size is on disk already, a page of the bytes is not: zeros are read there.
                begin, end = max(hole, event.start), min(hole + PAGE_BYTES, len(whole))
                yield whole[:begin] + bytes(end - begin) + whole[end:]
            yield content.ljust(len(whole), b"\0")
        content = whole
        yield content
