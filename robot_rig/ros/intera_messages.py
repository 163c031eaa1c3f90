"""The Intera message classes of one robot software release. Called by the Sawyer drivers and by `sim.wire`.

    types = load("5.5.2")
    command = types.JointCommand(mode=types.JointCommand.VELOCITY_MODE)

Several releases can be loaded in one process; nothing enters `sys.modules` unless `make_importable` is called.
"""

from __future__ import annotations

import functools
import importlib.util
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import Any

import genpy.message

from robot_rig.errors import UserError
from robot_rig.ros.intera_generator import cache_folder, folder_of, generate, locked
from robot_rig.ros.intera_table import Definition, Kind, definition, definitions, fitting_releases, md5, releases

__all__ = ["InteraTypes", "fitting_releases", "load", "md5", "releases"]

Modules = dict[str, ModuleType]

_loading = threading.RLock()


class InteraTypes:
    """The classes of `release`, by attribute: `types.JointCommand`, `types.SolvePositionIK` (the service, for
    ServiceProxy), `types.SolvePositionIKRequest`. A type that the release lacks raises UserError with the reason.

    `folder` holds the same packages for PYTHONPATH, for a program that imports intera_core_msgs by name.
    """

    def __init__(self, release: str, folder: Path, modules: Mapping[str, ModuleType]) -> None:
        self.release = release
        self.folder = folder
        self._modules = dict(modules)

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = _class_of(definition(self.release, name), self._modules)
        setattr(self, name, found)
        return found

    def __repr__(self) -> str:
        return f"InteraTypes({self.release!r})"

    def make_importable(self) -> None:
        """Let `import intera_core_msgs` and its sisters give these classes: what the vendor's SDK needs.

        Raises UserError when another definition of them has been imported in this process already.
        """
        with _loading:
            for name, module in self._modules.items():
                if sys.modules.get(name, module) is not module:
                    raise UserError(
                        f"{name} has been imported already, and not that of robot software {self.release}",
                        next_step="choose the release before the SDK is imported, in a process of its own",
                    )
            sys.modules.update(self._modules)


@functools.cache
def _load(release: str) -> InteraTypes:
    definitions(release)
    cache = cache_folder()
    folder = folder_of(release, cache)
    with locked(cache):
        modules = _imported(release, folder) if folder.is_dir() else None
        if modules is None:
            # Missing, or damaged by a power cut or a full disk.
            generate(release, folder)
            modules = _imported(release, folder)
    if modules is None:
        raise UserError(
            f"the messages generated in {folder} do not have the published md5 sums",
            next_step="compare genpy's version with the distribution's, and report this",
        )
    return InteraTypes(release, folder, modules)


def load(release: str = "5.5.2") -> InteraTypes:
    """The message classes of `release`: installed ones where every md5 fits, else made by genpy and cached on disk.

    Raises UserError for an unknown release, a missing standard message package, or a cache that cannot be written.
    """
    with _loading:
        return _load(release)


def _imported(release: str, folder: Path) -> Modules | None:
    """All modules of `release`, from the installed packages and `folder`; None when `folder` gives other md5 sums."""
    types = definitions(release).values()
    chosen: Modules = {}
    for package in dict.fromkeys(one.package for one in types):
        members = [one for one in types if one.package == package]
        chosen |= _installed(package, members) or {}
    with _in_place_of_installed({one.package for one in types}, chosen):
        try:
            for package in dict.fromkeys(one.package for one in types):
                if package not in chosen:
                    chosen |= _executed(folder, package)
            fits = all(_class_of(one, chosen)._md5sum == one.md5 for one in types)
        except (ImportError, SyntaxError, AttributeError, NameError, OSError, ValueError):
            return None
    return chosen if fits else None


def _installed(package: str, members: list[Definition]) -> Modules | None:
    """The modules of an installed `package` if it has every one of `members` with the published md5."""
    for one in members:
        get = genpy.message.get_message_class if one.kind is Kind.MESSAGE else genpy.message.get_service_class
        found = get(one.full_name) if one.kind is not Kind.PART else None
        if one.kind is not Kind.PART and (found is None or found._md5sum != one.md5):
            return None
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == package}


@contextmanager
def _in_place_of_installed(packages: set[str], chosen: Modules) -> Iterator[None]:
    """For a while, `import` of one of `packages` finds `chosen` and what is added meanwhile; then all is as before."""

    def visible() -> list[str]:
        return [name for name in sys.modules if name.partition(".")[0] in packages]

    before = {name: sys.modules.pop(name) for name in visible()}
    sys.modules.update(chosen)
    try:
        yield
    finally:
        for name in visible():
            del sys.modules[name]
        sys.modules.update(before)


def _executed(folder: Path, package: str) -> Modules:
    """Run the modules of `package` in `folder`; they are in `sys.modules` until the caller takes them out."""
    for name in (package, f"{package}.msg", f"{package}.srv"):
        home = folder.joinpath(*name.split("."))
        spec = importlib.util.spec_from_file_location(
            name, home / "__init__.py", submodule_search_locations=[str(home)]
        )
        if spec is None or spec.loader is None:
            raise ImportError(f"no package in {home}")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        spec.loader.exec_module(module)
        if "." in name:
            setattr(sys.modules[package], name.rpartition(".")[2], module)
    return {name: module for name, module in sys.modules.items() if name.partition(".")[0] == package}


def _class_of(one: Definition, modules: Mapping[str, ModuleType]) -> Any:
    return getattr(modules[f"{one.package}.{'msg' if one.kind is Kind.MESSAGE else 'srv'}"], one.name)
