"""A run's folder: what was configured, how far each stage has come, and where its files lie. Called by stages and cli.

    RUN/run.json       format, id (another when begun anew), config's hash, versions; written last, so it marks a run
    RUN/config.yaml    the resolved configuration
    RUN/progress.json  counters of each stage
    RUN/state/*.npz    what a stage needs to go on where it stopped
    RUN/episodes, RUN/checkpoints, RUN/metrics, RUN/evaluation

Every file is replaced atomically: a reader, or a resume after a power cut, sees the old one or the new one.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import secrets
import weakref
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any

from numpy.typing import ArrayLike, NDArray

from robot_rig.array_files import look_through, pack, require_bytes, unpack
from robot_rig.config import Config
from robot_rig.config_files import dump_config, load_config
from robot_rig.disk import make_folder, sync, unwritable, write_atomically
from robot_rig.errors import UserError
from robot_rig.run_mark import FORMAT, MARK_FILE, made_with, read_json, read_mark, refuse_half_made
from robot_rig.stranger_files import open_regular
from robot_rig.versions import versions

EXAM = "evaluation"
"""The one section that a later command may change: nothing that was learnt depends on it."""

_SUBFOLDERS = ("episodes", "checkpoints", "metrics", "evaluation", "state")
CONFIG_FILE = "config.yaml"
"""The resolved configuration of a run; an overlay like any other."""

_SCRAPS = (f".{CONFIG_FILE}.", f".{MARK_FILE}.")
_PROGRESS = "progress.json"
_SHOWN_DIFFERENCES = 6
MAX_STATE_BYTES = 1 << 28
"""Of a saved state: ten times the largest policy that is written."""

_NAME = re.compile(r"[a-z0-9_-]{1,60}")


class RunFolder:
    """An existing run. Made by `claim` (to work in it) or `open` (to read it); a claim ends with `close` or `with`."""

    def __init__(self, path: Path, config: Config) -> None:
        self.path = path
        self.config = config
        self._release: Callable[[], object] = lambda: None

    @classmethod
    def claim(cls, path: str | Path, config: Config) -> RunFolder:
        """The run in `path`, made there when the folder is absent or empty, continued when it is the same run.

        Raises UserError for a folder of something else, of another format, of another configuration (its `evaluation`
        section may differ), for one that another process works in, and for a disk that cannot be written.
        """
        run = cls.prepare(path, config)
        try:
            if not (run.path / MARK_FILE).exists():
                _refuse_foreign(run.path)
        except OSError as error:
            raise unwritable(run.path, error) from error
        run.mark()
        _refuse_other_config(run.path, _recorded_config(run.path), config)
        return run

    @classmethod
    def prepare(cls, path: str | Path, config: Config) -> RunFolder:
        """The folder `path`, made when it is absent, held as by `claim`, and no run until `mark`: to be filled before.

        What is in it the caller judges. Raises UserError where another process works in it, or the disk refuses.
        """
        folder = Path(path)
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is a file, and a run is a folder", next_step="choose a folder with --run")
        run = cls(folder, config)
        try:
            make_folder(folder)
            run._release = weakref.finalize(run, os.close, _locked(folder))
        except OSError as error:
            raise unwritable(folder, error) from error
        return run

    def mark(self) -> None:
        """Make the folder a run, durably, with all its subfolders; a run it stays. Raises UserError as `prepare`."""
        try:
            if not (self.path / MARK_FILE).exists():
                write_atomically(self.path / CONFIG_FILE, dump_config(self.config).encode())
                told = {"format": FORMAT, "id": secrets.token_hex(8), "config_hash": self.config.hash()}
                mark = {**told, "preset": self.config.preset, "versions": versions()}
                write_atomically(self.path / MARK_FILE, json.dumps(mark, indent=1).encode())
            for name in _SUBFOLDERS:
                (self.path / name).mkdir(exist_ok=True)
            sync(self.path)
        except OSError as error:
            raise unwritable(self.path, error) from error

    @classmethod
    def open(cls, path: str | Path) -> RunFolder:
        """The run in `path`, to read, with the configuration it was made with. Raises UserError when there is none."""
        folder = Path(path)
        return cls(folder, _recorded_config(folder))

    @property
    def episodes(self) -> Path:
        """Folder of the episode logs."""
        return self.path / "episodes"

    @property
    def checkpoints(self) -> Path:
        """Folder of the checkpoints."""
        return self.path / "checkpoints"

    @property
    def metrics(self) -> Path:
        """Folder of the metrics."""
        return self.path / "metrics"

    @property
    def evaluation(self) -> Path:
        """Folder of the evaluations."""
        return self.path / "evaluation"

    @property
    def id(self) -> str:
        """Which run it is, whatever lies in the folder later; empty for one that was begun before runs had any."""
        return read_mark(self.path).id

    @property
    def versions(self) -> Mapping[str, str]:
        """Versions of Python, robot-rig, packages and the git revision that the run was begun with."""
        return dict(read_mark(self.path).versions)

    def progress(self, stage: str) -> dict[str, int]:
        """The counters of `stage`; empty before it has recorded any."""
        return dict(self._all_progress().get(stage, {}))

    def record(self, stage: str, **counters: int) -> None:
        """Replace the counters of `stage`."""
        text = json.dumps(self._all_progress() | {stage: counters}, indent=1, sort_keys=True)
        write_atomically(self.path / _PROGRESS, text.encode())

    def save_arrays(self, name: str, arrays: Mapping[str, ArrayLike]) -> None:
        """Keep `arrays` (numbers or bytes of any shape) under `name`, replacing what was there."""
        write_atomically(self._arrays(name), pack(arrays))

    def load_arrays(self, name: str, next_step: str, most_bytes: int = MAX_STATE_BYTES) -> dict[str, NDArray[Any]]:
        """What `save_arrays` kept under `name`, at most `most_bytes`; empty when it kept nothing.

        Raises UserError, which advises `next_step`, when it is damaged.
        """
        path = self._arrays(name)
        if not path.exists():
            return {}
        try:
            with open_regular(path, "saved state") as file:
                return unpack(file, look_through(file, lambda headers: require_bytes(headers, most_bytes)))
        except (OSError, ValueError) as error:
            raise UserError(f"{path} is damaged", next_step=next_step) from error

    def close(self) -> None:
        """Let other processes claim the run; may be called twice."""
        self._release()

    def __enter__(self) -> RunFolder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _arrays(self, name: str) -> Path:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name for saved arrays: use {_NAME.pattern}")
        return self.path / "state" / f"{name}.npz"

    def _all_progress(self) -> dict[str, dict[str, int]]:
        path = self.path / _PROGRESS
        found = read_json(path) if path.exists() else {}
        for counters in found.values():
            if not isinstance(counters, dict) or not all(isinstance(count, int) for count in counters.values()):
                raise UserError(f"{path} is damaged: it holds no counters", next_step="choose another --run")
        return found


def _refuse_foreign(folder: Path) -> None:
    refuse_half_made(folder)
    # A creation that was cut short leaves these two at most; anything else is somebody's.
    names = [entry.name for entry in folder.iterdir()]
    foreign = [name for name in names if name != CONFIG_FILE and not name.startswith(_SCRAPS)]
    if foreign:
        raise UserError(
            f"{folder} is not empty and is no run of robot-rig (it holds {', '.join(sorted(foreign)[:3])})",
            next_step="choose another folder with --run",
        )


def _locked(folder: Path) -> int:
    """A handle of `folder` under an exclusive lock, which the kernel drops with the process, however that ends."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise UserError(f"another process works in {folder}", next_step="wait for it, or choose --run") from error
    return handle


def _recorded_config(folder: Path) -> Config:
    mark = read_mark(folder)
    try:
        config = load_config([folder / CONFIG_FILE], [])
    except UserError as error:
        raise UserError(
            f"the configuration of the run is unreadable: {error}", next_step="choose another --run"
        ) from error
    if config.hash() != mark.config_hash:
        raise UserError(
            f"{folder / CONFIG_FILE} is not what the run was begun with: it was edited, or means something else to "
            f"this version (begun by {made_with(mark)})",
            next_step="begin a new run with another --run, or restore the file",
        )
    return config


def _refuse_other_config(folder: Path, recorded: Config, wanted: Config) -> None:
    before, now = _flat(recorded.model_dump(mode="json")), _flat(wanted.model_dump(mode="json"))
    differing = [
        f"{key} {before.get(key)} -> {now.get(key)}"
        for key in sorted(before | now)
        if before.get(key) != now.get(key) and not key.startswith(f"{EXAM}.")
    ]
    if differing:
        more = len(differing) - _SHOWN_DIFFERENCES
        raise UserError(
            f"the run in {folder} has another configuration: {', '.join(differing[:_SHOWN_DIFFERENCES])}"
            + (f" and {more} more" if more > 0 else ""),
            next_step="begin a new run with another --run, or leave these settings as they were",
        )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {prefix + key: value}
    return flat
