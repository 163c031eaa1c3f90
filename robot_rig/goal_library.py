"""Goal pictures on disk: NAME.png as the policy sees it, and NAME.yaml with where it comes from. Called by the command
line and goal_node.

A picture of another crop or camera would be reached wrongly and confidently, so each goal carries the calibration that
it was taken under, and is refused under another one.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robot_rig.config import CameraConfig, Config
from robot_rig.datatypes import Bytes, Frame, Goal
from robot_rig.disk import unwritable, write_atomically
from robot_rig.errors import UserError
from robot_rig.strict_yaml import Entry, read_strict
from robot_rig.vision import load_goal_picture, save_picture

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
FORMAT = 1
ANY_LENS = {"focal_px": 612.0, "center_u_px": 320.0, "center_v_px": 240.0}
"""Hashed in place of the lens, which a real camera's picture does not depend on: calibrating it leaves goals valid. The
defaults of format 1, so that goals of before keep their id."""

CAPTURED, IMPORTED = "captured", "imported"
CAPTURE_AGAIN = "capture it again with `rig goals capture`"
KEYS = {"format": int, "calibration": str, "taken": str, "camera": str, "frame": int, "config": str, "sha256": str}


@dataclass(frozen=True, slots=True)
class GoalNote:
    """What a goal's YAML file says. `taken`: UTC, ISO 8601; `camera`: the topic; `config`: hash of the settings."""

    calibration: str
    taken: str
    camera: str
    frame: int
    config: str


@dataclass(frozen=True, slots=True)
class StoredGoal:
    """A goal of the library: its picture uint8 (84, 84, 3), where it lies, and its note."""

    name: str
    path: Path
    picture: Bytes
    note: GoalNote

    def goal(self, stamp: float) -> Goal:
        """The record that a policy gets."""
        return Goal(self.picture, self.name, stamp, self.note.calibration, CAPTURED)


def calibration_id(camera: CameraConfig) -> str:
    """What tells pictures of one resolution and window from those of another: 12 hex digits."""
    return _digits({**camera.model_dump(mode="json"), **ANY_LENS})


def _digits(settings: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


class GoalLibrary:
    """The goals in `folder`, as the settings `config` may use them. The first capture makes the folder."""

    def __init__(self, folder: Path, config: Config) -> None:
        self.folder = folder
        self._config = config
        self.calibration = calibration_id(config.camera)
        # Goals of before were stored under a hash of the lens too, and are as good as they were.
        self._valid = {self.calibration, _digits(config.camera.model_dump(mode="json"))}

    def names(self) -> list[str]:
        """The names of all goals, sorted; whether they can be used `load` says."""
        return sorted(path.stem for path in self.folder.glob("*.yaml") if NAME.fullmatch(path.stem))

    def capture(self, name: str, frame: Frame, taken: datetime.datetime, camera: str) -> StoredGoal:
        """Keep `frame` of the topic `camera`, exposed at `taken`, as the goal `name`.

        Raises UserError for a name that is taken or no name, and for a disk that refuses.
        """
        self._refuse_name(name)
        picture, note = self._picture(name), self._note(name)
        if note.exists() or picture.exists():
            raise UserError(
                f"there is a goal {name!r} already", next_step=f"choose another name, or `rig goals delete {name}`"
            )
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        save_picture(picture, frame.rgb)
        said = {
            "format": FORMAT,
            "calibration": self.calibration,
            "taken": taken.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds"),
            "camera": camera,
            "frame": frame.seq,
            "config": self._config.hash(),
            "sha256": hashlib.sha256(picture.read_bytes()).hexdigest(),
        }
        # The note last: a goal is one that has a note. JSON is YAML, and quotes every text.
        lines = [f"{key}: {json.dumps(value)}" for key, value in said.items()]
        write_atomically(note, ("\n".join(lines) + "\n").encode())
        return self.load(name)

    def load(self, name: str) -> StoredGoal:
        """The goal `name`. Raises UserError when there is none, it is damaged, or of another calibration."""
        self._refuse_name(name)
        path = self._note(name)
        if not path.exists():
            raise UserError(
                f"there is no goal {name!r} in {self.folder}",
                choices=self.names(),
                next_step=f"take it with `rig goals capture {name}`",
            )
        said = _read_note(path)
        picture = self._picture(name)
        loaded = load_goal_picture(picture)
        if hashlib.sha256(picture.read_bytes()).hexdigest() != said["sha256"]:
            raise UserError(f"{picture} is not the picture that {path.name} tells of", next_step=CAPTURE_AGAIN)
        note = GoalNote(
            calibration=str(said["calibration"]),
            taken=str(said["taken"]),
            camera=str(said["camera"]),
            frame=int(said["frame"]),
            config=str(said["config"]),
        )
        if note.calibration not in self._valid:
            raise UserError(
                f"the goal {name!r} was taken under calibration {note.calibration}, and this is {self.calibration}",
                next_step=f"{CAPTURE_AGAIN}, or use the camera settings of then",
            )
        return StoredGoal(name, picture, loaded, note)

    def delete(self, name: str) -> None:
        """Remove the goal `name`, however damaged. Raises UserError when there is none."""
        self._refuse_name(name)
        found = [path for path in (self._note(name), self._picture(name)) if path.exists()]
        if not found:
            raise UserError(f"there is no goal {name!r} in {self.folder}", choices=self.names())
        try:
            for path in found:
                path.unlink()
        except OSError as error:
            raise unwritable(path, error) from error

    def import_picture(self, path: Path, stamp: float) -> Goal:
        """The picture file `path` as a goal: one of this library with its note checked, or a stranger's without one."""
        if path.with_suffix(".yaml").exists() and NAME.fullmatch(path.stem):
            return GoalLibrary(path.parent, self._config).load(path.stem).goal(stamp)
        return Goal(load_goal_picture(path), path.stem or "goal", stamp, "", IMPORTED)

    def _picture(self, name: str) -> Path:
        return self.folder / f"{name}.png"

    def _note(self, name: str) -> Path:
        return self.folder / f"{name}.yaml"

    @staticmethod
    def _refuse_name(name: str) -> None:
        if not NAME.fullmatch(name):
            raise UserError(
                f"{name[:80]!r} is no name for a goal",
                next_step="use up to 60 letters, digits, - and _, as in red-cup_2",
            )


def _read_note(path: Path) -> dict[str, int | str]:
    entry = read_strict(path)
    found = entry.value if isinstance(entry.value, dict) else {}
    said = {key: child.value for key, child in found.items() if isinstance(child, Entry)}
    wrong = [key for key, kind in KEYS.items() if type(said.get(key)) is not kind] + sorted(said.keys() - KEYS.keys())
    if wrong:
        raise UserError(f"{path} is no note of a goal: see {', '.join(wrong)}", next_step=CAPTURE_AGAIN)
    if said["format"] != FORMAT:
        raise UserError(f"{path} has format {said['format']}, and this is {FORMAT}", next_step=CAPTURE_AGAIN)
    return {key: value for key, value in said.items() if isinstance(value, int | str)}
