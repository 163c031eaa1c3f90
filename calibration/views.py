"""Views on disk: NAME.png, and beside it NAME.yaml with the joints, if an arm held the board. `rig calibrate`."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np

from robot_rig.config import CameraConfig
from robot_rig.datatypes import JOINTS, Bytes, Floats
from robot_rig.disk import make_folder, unwritable, write_atomically
from robot_rig.errors import UserError
from robot_rig.stranger_files import read_regular
from robot_rig.strict_yaml import Entry, read_strict
from robot_rig.vision import decode_picture, save_picture

SUFFIXES = (".png", ".jpg", ".jpeg")
MOST_VIEWS = 500
PICTURE_LIMIT = 8 * 2**20
JOINTS_KEY = "joints_rad"
DESCRIPTION, DESCRIPTION_LIMIT = "arm.urdf", 2_000_000
"""The arm's own description beside its views: where its joints put its hand."""


def view_names(folder: Path) -> list[str]:
    """The names of the pictures in `folder`, sorted. Raises UserError when there is none."""
    if not folder.is_dir():
        raise UserError(f"{folder} is not a folder", next_step="name the folder of the pictures of the board")
    names = sorted(path.name for path in folder.iterdir() if path.suffix.lower() in SUFFIXES)
    if not 0 < len(names) <= MOST_VIEWS:
        raise UserError(
            f"{folder} holds {len(names)} pictures",
            next_step=f"put 8 to {MOST_VIEWS} PNG or JPEG pictures of the board there",
        )
    return names


def read_picture(path: Path, camera: CameraConfig) -> Bytes:
    """The picture uint8 (H, W, 3) in `path`. Raises UserError for what is none of this camera's resolution."""
    content = read_regular(path, "picture", PICTURE_LIMIT)
    try:
        return decode_picture(str(path), content, (camera.width_px, camera.height_px))
    except UserError as error:
        raise UserError(
            error.problem,
            next_step="save it as the camera gives it, an 8-bit RGB PNG; where that is another size, say so with "
            "--set camera.width_px=W --set camera.height_px=H",
        ) from error


def read_joints(picture: Path) -> Floats:
    """(7,) rad at which `picture` was taken, from the note beside it. Raises UserError when it is missing or wrong."""
    note = picture.with_suffix(".yaml")
    if not note.exists():
        raise UserError(
            f"{picture} was taken without joints: there is no {note.name} beside it",
            next_step="take it with the arm process running, board on the gripper; or move it away",
        )
    entry = read_strict(note)
    found = entry.value.get(JOINTS_KEY) if isinstance(entry.value, dict) else None
    numbers = [item.value for item in found.value] if isinstance(found, Entry) and isinstance(found.value, list) else []
    if len(numbers) != JOINTS or any(type(one) not in (int, float) for one in numbers):
        raise UserError(
            f"{note} does not hold {JOINTS_KEY}: [seven numbers]",
            next_step="take the view again with `rig calibrate capture`",
        )
    joints = np.array(numbers, np.float64)
    if np.abs(joints).max() > 2 * math.pi:
        raise UserError(f"{note} holds joints beyond a turn", next_step="write them in rad")
    return joints


def keep_view(folder: Path, rgb: Bytes, joints: Floats | None) -> Path:
    """Write `rgb` uint8 (H, W, 3), and `joints` (7,) rad where an arm tells them, under the next free number."""
    make_place(folder)
    # Also a note whose picture is gone: this picture would come by its joints.
    there = [path for path in folder.glob("view-[0-9]*") if path.suffix in (".png", ".yaml")]
    taken = [int(path.stem[5:]) for path in there if path.stem[5:].isdecimal()]
    picture = folder / f"view-{max(taken, default=-1) + 1:03d}.png"
    if joints is not None:
        # The note first: a picture without one would be a view from nowhere.
        numbers = json.dumps([round(float(value), 6) for value in joints])
        write_atomically(picture.with_suffix(".yaml"), f"{JOINTS_KEY}: {numbers}\n".encode())
    save_picture(picture, rgb)
    return picture


def keep_description(folder: Path, urdf: str) -> None:
    """Write the arm's description beside its views. Raises UserError when they are another arm's."""
    path = folder / DESCRIPTION
    if path.exists():
        if description(folder) != urdf:
            raise UserError(f"{folder} holds views of another arm", next_step="name another folder with --views")
        return
    make_place(folder)
    write_atomically(path, urdf.encode())


def make_place(folder: Path) -> None:
    """Make `folder` for views. Raises UserError when that cannot be."""
    try:
        make_folder(folder)
    except OSError as error:
        raise unwritable(folder, error) from error


def description(folder: Path) -> str:
    """The URDF of the arm whose views are in `folder`; empty where none was kept. UserError when it is no text."""
    path = folder / DESCRIPTION
    if not path.exists():
        return ""
    try:
        return read_regular(path, "description", DESCRIPTION_LIMIT).decode()
    except UnicodeDecodeError as error:
        raise UserError(f"{path} is not UTF-8 text", next_step="take the views anew") from error
