"""Python packages of a release's Intera messages, written by genpy into the user's cache. Called by `intera_messages`.

The folder's name holds a hash of all that goes in, so that an old one is never taken for a new one. It is written under
another name and renamed, so that nobody finds half of it after a power cut, and one process at a time is in there.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import genmsg
import genpy
import genpy.generate_initpy
import genpy.generator
import genpy.message
from genmsg.msg_loader import MsgContext, load_msg_from_string, load_srv_from_string
from genmsg.msgs import bare_msg_type, is_builtin

from robot_rig.errors import UserError
from robot_rig.ros import intera_table
from robot_rig.ros.intera_table import Definition, Kind, definitions

INGREDIENTS = (intera_table.FIELDS, intera_table.__file__, __file__, genpy.generator.__file__)
END_OF_OWN_TEXT = "\n" + "=" * 80


def cache_folder() -> Path:
    """The user's private folder for generated messages, made if need be. UserError when it cannot be trusted."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "robot_rig" / "messages"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.stat()
    except OSError as error:
        raise UserError(
            f"cannot make {folder} for the generated messages: {error.strerror}",
            next_step="set XDG_CACHE_HOME to a folder that you can write to",
        ) from error
    if status.st_uid != os.geteuid() or stat.S_IMODE(status.st_mode) & 0o022:
        raise UserError(
            f"others can write to {folder}, and code is loaded from it",
            next_step=f"delete it, or run: chmod go-w {folder}",
        )
    return folder


@contextmanager
def locked(cache: Path) -> Iterator[None]:
    """Wait until no other process works in `cache`, and keep the others out."""
    with (cache / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def folder_of(release: str, cache: Path) -> Path:
    """Where in `cache` the packages of `release` are or will be; see `generate`."""
    digest = hashlib.sha256()
    for path in INGREDIENTS:
        digest.update(Path(path).read_bytes())
    return cache / f"{release}-{digest.hexdigest()[:16]}"


def generate(release: str, folder: Path) -> None:
    """Write the packages of `release` to `folder`, in place of what is there. The caller holds the lock.

    Raises UserError when a standard message package is missing or nothing can be written.
    """
    unfinished = folder.with_name(f"unfinished-{folder.name}")
    try:
        for old in (unfinished, folder):
            if old.exists():
                shutil.rmtree(old)
        _write_packages(release, unfinished)
        unfinished.rename(folder)
    except OSError as error:
        raise UserError(f"cannot write {folder}: {error.strerror}", next_step="make room there") from error


def _write_packages(release: str, folder: Path) -> None:
    types = definitions(release).values()
    context = MsgContext.create_default()
    specs = {one.name: _spec(context, one) for one in types if one.kind is not Kind.PART}
    for one in types:
        if one.kind is Kind.PART:
            continue
        spec = specs[one.name]
        parts = (spec,) if one.kind is Kind.MESSAGE else (spec.request, spec.response)
        for field_type in (name for part in parts for name in part.types):
            _register_standard_type(context, field_type, {other.package for other in types})
    for one in types:
        if one.kind is not Kind.PART:
            _write_module(folder, one, context, specs[one.name])
    for package in {one.package for one in types}:
        for kind in ("msg", "srv"):
            (folder / package / kind).mkdir(parents=True, exist_ok=True)
            genpy.generate_initpy.write_modules(str(folder / package / kind))
        (folder / package / "__init__.py").write_text("", encoding="utf-8")


def _spec(context: MsgContext, one: Definition) -> genmsg.MsgSpec:
    read = load_msg_from_string if one.kind is Kind.MESSAGE else load_srv_from_string
    return read(context, one.text, one.full_name)


def _write_module(folder: Path, one: Definition, context: MsgContext, spec: genmsg.MsgSpec) -> None:
    is_message = one.kind is Kind.MESSAGE
    lines = (genpy.generator.msg_generator if is_message else genpy.generator.srv_generator)(context, spec, {})
    path = folder / one.package / ("msg" if is_message else "srv") / f"_{one.name}.py"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _register_standard_type(context: MsgContext, field_type: str, own: set[str]) -> None:
    """Make a type of std_msgs and the like known to `context`, from its installed class, with all types inside it."""
    name = bare_msg_type(field_type)
    package = name.partition("/")[0]
    if is_builtin(name) or package in own or context.is_registered(name):
        return
    installed = genpy.message.get_message_class(name)
    if installed is None:
        raise UserError(
            f"the ROS package {package} is not installed",
            next_step=f"run make setup, or: apt-get install python3-{package.replace('_', '-')}",
        )
    spec = load_msg_from_string(context, installed._full_text.partition(END_OF_OWN_TEXT)[0], name)
    for inner in spec.types:
        _register_standard_type(context, inner, own)
