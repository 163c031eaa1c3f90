"""Goal pictures on disk: NAME.png as the policy sees it, and NAME.yaml with where it comes from. Called by the command
line and goal_node.

A picture of another crop or camera would be reached wrongly and confidently, so each goal carries the calibration that
it was taken under, and is refused under another one.
"""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from robot_rig.config import CameraConfig, Config
from robot_rig.datatypes import IMAGE_SIZE, Bytes, Frame, Goal
from robot_rig.disk import unwritable, write_new
from robot_rig.errors import UserError, quoted
from robot_rig.stranger_files import read_regular
from robot_rig.strict_yaml import Entry, strict_document
from robot_rig.vision import decode_picture, load_goal_picture, png_of

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,59}")
FORMAT = 1
ANY_LENS = {"focal_px": 612.0, "center_u_px": 320.0, "center_v_px": 240.0}
"""Hashed in place of the lens, which a real camera's picture does not depend on: calibrating it leaves goals valid. The
defaults of format 1, so that goals of before keep their id."""

CAPTURED, IMPORTED = "captured", "imported"
UNNUMBERED = -1
"""`GoalNote.frame` of a photo: no camera of the rig has numbered it."""

CAPTURE_AGAIN = "capture it again with `rig goals capture`"
NOTE_LIMIT = 16 * 1024
"""Bytes of a note: seven lines."""

PICTURE_LIMIT = 256 * 1024
"""Bytes of a goal's picture: 21 kB of pixels, and what a painting program adds."""

KEYS = {"format": int, "calibration": str, "taken": str, "camera": str, "frame": int, "config": str, "sha256": str}
TAKEN = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-]\d\d:\d\d)")
DIGEST = re.compile(r"[0-9a-f]{1,64}")
LOOKS = {"calibration": DIGEST, "taken": TAKEN, "config": DIGEST, "sha256": DIGEST}
"""How the texts of a note look. It may come from a stranger, and is shown in a terminal."""

MOST_KEY = 24


@dataclass(frozen=True, slots=True)
class GoalNote:
    """What a goal's YAML file says. `taken`: UTC, ISO 8601; `camera`: the topic, or of an imported photo its file and
    window; `frame`: the camera's number, or `UNNUMBERED`; `config`: hash of the settings; `sha256`: of the PNG file.
    """

    calibration: str
    taken: str
    camera: str
    frame: int
    config: str
    sha256: str

    @property
    def source(self) -> str:
        """`CAPTURED` by the rig's camera, or `IMPORTED`."""
        return IMPORTED if self.frame == UNNUMBERED else CAPTURED


@dataclass(frozen=True, slots=True)
class StoredGoal:
    """A goal of the library: its picture uint8 (84, 84, 3), where it lies, and its note."""

    name: str
    path: Path
    picture: Bytes
    note: GoalNote

    def goal(self, stamp: float) -> Goal:
        """The record that a policy gets."""
        return Goal(self.picture, self.name, stamp, self.note.calibration, self.note.source)


def calibration_id(camera: CameraConfig) -> str:
    """What tells pictures of one resolution and window from those of another: 12 hex digits."""
    return _digits({**camera.model_dump(mode="json"), **ANY_LENS})


def _digits(settings: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:12]


class GoalLibrary:
    """The goals in `folder`, as the settings `config` may use them. The first capture makes the folder.

    Raises UserError for what is there and is no folder, or may not be read.
    """

    def __init__(self, folder: Path, config: Config) -> None:
        if folder.exists() and not folder.is_dir():
            raise UserError(f"{folder} is not a folder", next_step="name the folder of the goals with --goals")
        if folder.exists() and not os.access(folder, os.R_OK | os.X_OK):
            raise UserError(f"{folder} may not be read by you", next_step="see to its permissions")
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
        return self._keep(name, frame.rgb, taken, camera, frame.seq)

    def keep_photo(self, name: str, rgb: Bytes, taken: datetime.datetime, origin: str) -> StoredGoal:
        """Keep `rgb` uint8 (84, 84, 3), cut out of a photo, as the goal `name` of the camera settings of now.

        `taken`: when it was imported; `origin`: of which file it is which window. Raises UserError as `capture` does.
        """
        return self._keep(name, rgb, taken, origin, UNNUMBERED)

    def require_free(self, name: str) -> None:
        """Raise UserError for a name that is taken or no name."""
        self._refuse_name(name)
        if self._found(name):
            raise UserError(
                f"there is a goal {name!r} already", next_step=f"choose another name, or `rig goals delete {name}`"
            )

    def require_kept(self, name: str) -> None:
        """Raise UserError unless there is a goal called exactly `name`, however damaged."""
        self._refuse_name(name)
        if not self._found(name):
            raise UserError(f"there is no goal {name!r} in {self.folder}", choices=self.names())

    def _found(self, name: str) -> list[Path]:
        paths = (self._note(name), self._picture(name))
        return [path for path in paths if path.exists() or path.is_symlink()]

    def _keep(self, name: str, rgb: Bytes, taken: datetime.datetime, camera: str, number: int) -> StoredGoal:
        self.require_free(name)
        picture, note = self._picture(name), self._note(name)
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self.folder, error) from error
        png = png_of(rgb)
        said = {
            "format": FORMAT,
            "calibration": self.calibration,
            "taken": taken.astimezone(datetime.timezone.utc).isoformat(timespec="milliseconds"),
            "camera": camera,
            "frame": number,
            "config": self._config.hash(),
            "sha256": hashlib.sha256(png).hexdigest(),
        }
        # The note last: a goal is one that has a note. JSON is YAML, and quotes every text.
        lines = [f"{key}: {json.dumps(value)}" for key, value in said.items()]
        write_new(picture, png)
        write_new(note, ("\n".join(lines) + "\n").encode())
        return self.load(name)

    def load(self, name: str) -> StoredGoal:
        """The goal `name`. Raises UserError when there is none, it is damaged, or of another calibration."""
        self._refuse_name(name)
        path = self._note(name)
        if not path.exists() and not path.is_symlink():
            raise UserError(
                f"there is no goal {name!r} in {self.folder}",
                choices=self.names(),
                next_step=f"take it with `rig goals capture {name}`",
            )
        said = _read_note(path)
        picture = self._picture(name)
        # Read once: what is compared must be the very bytes that are looked at.
        content = read_regular(picture, "picture", PICTURE_LIMIT)
        loaded = decode_picture(str(picture), content, (IMAGE_SIZE, IMAGE_SIZE))
        if hashlib.sha256(content).hexdigest() != said["sha256"]:
            raise UserError(f"{picture} is not the picture that {path.name} tells of", next_step=CAPTURE_AGAIN)
        note = GoalNote(
            calibration=str(said["calibration"]),
            taken=str(said["taken"]),
            camera=str(said["camera"]),
            frame=int(said["frame"]),
            config=str(said["config"]),
            sha256=str(said["sha256"]),
        )
        if note.calibration not in self._valid:
            raise UserError(
                f"the goal {name!r} was taken under calibration {note.calibration}, and this is {self.calibration}",
                next_step=f"{CAPTURE_AGAIN}, or use the camera settings of then",
            )
        return StoredGoal(name, picture, loaded, note)

    def delete(self, name: str) -> None:
        """Remove the goal `name`, however damaged. Raises UserError when there is none."""
        self.require_kept(name)
        try:
            for path in self._found(name):
                path.unlink()
        except OSError as error:
            raise UserError(f"cannot delete {path}: {error.strerror}", next_step="remove it by hand") from error

    def import_picture(self, path: Path, stamp: float) -> Goal:
        """The picture file `path` as a goal: one of this library with its note checked, or a stranger's without one."""
        # First the picture, which refuses whatever is no file; a note beside something else says nothing.
        picture = load_goal_picture(path)
        note = path.with_suffix(".yaml")
        if path.suffix == ".png" and NAME.fullmatch(path.stem) and (note.exists() or note.is_symlink()):
            return GoalLibrary(path.parent, self._config).load(path.stem).goal(stamp)
        return Goal(picture, path.stem or "goal", stamp, "", IMPORTED)

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
    entry = strict_document(path, read_regular(path, "note of a goal", NOTE_LIMIT))
    found = entry.value if isinstance(entry.value, dict) else {}
    said = {key: child.value for key, child in found.items() if isinstance(child, Entry)}
    wrong = [key for key, kind in KEYS.items() if type(said.get(key)) is not kind]
    wrong += [key for key, looks in LOOKS.items() if key not in wrong and not looks.fullmatch(str(said[key]))]
    wrong += [ascii(key[:MOST_KEY]) for key in sorted(said.keys() - KEYS.keys())]
    if wrong:
        raise UserError(f"{path} is no note of a goal: see {', '.join(wrong)}", next_step=CAPTURE_AGAIN)
    if said["format"] != FORMAT:
        raise UserError(f"{path} has format {quoted(said['format'])}, and this is {FORMAT}", next_step=CAPTURE_AGAIN)
    return {key: value for key, value in said.items() if isinstance(value, int | str)}
