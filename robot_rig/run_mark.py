"""The file that makes a folder a run, read once and in one place; a stranger may have written it. Called by `runs`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from robot_rig import __version__
from robot_rig.errors import UserError, plain, quoted
from robot_rig.stranger_files import INDEX_LIMIT, parse_object, read_regular

FORMAT = 1
"""Raised when a folder of today could not be continued by the code of tomorrow."""

MARK_FILE = "run.json"
"""Written last: where it is, there is a run."""

ORIGIN_FILE = "origin.json"
"""Where it is and no mark, the run is still being made from others."""


class Mark(NamedTuple):
    """What `MARK_FILE` says: which run it is (empty for one begun before runs had ids), and what it was begun with."""

    id: str
    config_hash: str
    versions: Mapping[str, str]


def read_mark(folder: Path) -> Mark:
    """The mark of the run in `folder`. Raises UserError when there is none, or it is damaged or of another format."""
    if not (folder / MARK_FILE).is_file():
        refuse_half_made(folder)
        raise UserError(f"there is no run in {folder}", next_step="begin one with `rig demo` or `rig collect`")
    said = read_json(folder / MARK_FILE)
    versions = said.get("versions")
    if said.get("format") != FORMAT:
        made_by = versions.get("robot_rig", "unknown") if isinstance(versions, dict) else "unknown"
        raise UserError(
            f"the run in {folder} has format {quoted(said.get('format'))}, made by robot-rig {plain(str(made_by))}, "
            f"and this is format {FORMAT} of robot-rig {__version__}",
            next_step="begin a new run with another --run, or go on with the version that made it",
        )
    id: Any = said.get("id", "")
    config_hash: Any = said.get("config_hash")
    texts = [id, config_hash, *(versions.values() if isinstance(versions, dict) else [None])]
    if not isinstance(versions, dict) or not all(isinstance(text, str) for text in texts):
        raise UserError(
            f"{folder / MARK_FILE} is damaged: it does not say what the run was begun with",
            next_step="choose another --run",
        )
    return Mark(id, config_hash, versions)


def made_with(mark: Mark) -> str:
    """The versions of robot-rig and of git that a run was begun with, for a sentence."""
    known = (plain(mark.versions.get(name, "unknown")) for name in ("robot_rig", "git"))
    return "robot-rig {}, git {}".format(*known)


def refuse_half_made(folder: Path) -> None:
    """Raise UserError for a folder that a merge or a split has not finished."""
    if (folder / ORIGIN_FILE).exists():
        raise UserError(
            f"{folder} is no run yet: a `rig data merge` or `rig data split` into it was interrupted",
            next_step=f"give that command again, it goes on (its runs are named in {folder / ORIGIN_FILE})",
        )


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in a file of a run. Raises UserError, naming it, when it is damaged."""
    try:
        return parse_object(read_regular(path, "run file", INDEX_LIMIT))
    except (OSError, ValueError) as error:
        raise UserError(f"{path} is damaged: {error}", next_step="choose another --run") from error
